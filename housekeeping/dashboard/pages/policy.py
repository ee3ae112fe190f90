"""The page of a policy."""

from dataclasses import dataclass
from datetime import datetime

from housekeeping.dashboard.act_lines import OF_POLICY
from housekeeping.exceptions import BadRetention, PolicyFailed
from housekeeping.models import Act
from housekeeping.reading import policies
from housekeeping.reading.policies import PolicyCard
from housekeeping.steering import retentions


@dataclass(frozen=True)
class PolicyPage:
    """A policy, and the effect of a retention that somebody is about to save."""

    card: PolicyCard
    days: str
    problem: str
    effect: retentions.Effect | None
    acts: list[Act]

    @property
    def error(self) -> str:
        """Why the policy can't be counted, in a sentence; empty if it can."""
        return str(PolicyFailed(self.card.policy.name, self.card.error)) if self.card.error else ""


def read(name: str, now: datetime, *, retention_days: str | None = None) -> PolicyPage:
    """``retention_days``: the one to preview. Raises UnknownPolicy."""
    card = policies.card(name)
    problem, effect = "", None
    if retention_days is not None:
        try:
            typed = retentions.parse_for(card.policy, retention_days)
            effect = retentions.effect(card.policy, typed, now)
        except (BadRetention, PolicyFailed) as error:
            problem = str(error)
    days = retention_days if retention_days is not None else str(card.retention_days)
    acts = list(Act.objects.filter(target=name, what__in=OF_POLICY)[:5])
    return PolicyPage(card, days, problem, effect, acts)
