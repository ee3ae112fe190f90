"""Retentions as operators change them, while the site runs: validated, recorded, and stored
next to the declared ones."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.formats import number_format
from django.utils.translation import gettext

from housekeeping import conf
from housekeeping.database import clock
from housekeeping.database.transactions import writing
from housekeeping.declared import registry, rules
from housekeeping.declared.counting import counting
from housekeeping.declared.policies import Policy, cutoff_for, in_days
from housekeeping.engine.purge import expired
from housekeeping.exceptions import BadRetention
from housekeeping.journal import acts
from housekeeping.journal.acts import Actor
from housekeeping.models import PolicyState
from housekeeping.models.text import whole

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Effect:
    """What a retention of so many days would change for the next run."""

    days: float
    days_now: float
    rows: int  # past due by it, now
    rows_now: int  # past due by the retention in force

    @property
    def is_shorter(self) -> bool:
        return self.days < self.days_now

    @property
    def rows_more(self) -> int:
        """Rows that the next run would delete in addition to those that it deletes anyway."""
        return max(self.rows - self.rows_now, 0)


def parse(text: object) -> int:
    """Read a number of days that a person or a program wrote. Raises BadRetention."""
    try:
        days = whole(str(text))
    except ValueError:
        days = 0
    if not 1 <= days <= conf.LONGEST_DAYS:
        most = number_format(conf.LONGEST_DAYS, use_l10n=True, force_grouping=True)
        raise BadRetention(gettext("Enter whole days, from 1 to %(most)s.") % {"most": most})
    return days


def parse_for(policy: Policy, text: object) -> int:
    """The same, where it is to become the policy's retention: its ``shortest_days`` or more."""
    days = parse(text)
    if days < policy.shortest_days:
        wrong = gettext("%(days)s days are too short for the policy %(policy)s: enter %(least)s or more.")
        facts = {"days": days, "policy": repr(policy.name), "least": policy.shortest_days}
        raise BadRetention(wrong % facts)
    return days


def declared_days(policy: Policy) -> float:
    """The declared retention. Raises BadRetention if the policy has none."""
    _in_force(policy)
    return in_days(policy.retention) or 0


def effect(policy: Policy, days: float, now: datetime) -> Effect:
    """What a retention of ``days`` would delete, before it is saved. Raises BadRetention, PolicyFailed."""
    in_force = _in_force(policy)
    with counting(policy):
        return Effect(
            days=days,
            days_now=in_days(in_force) or 0,
            rows=expired(policy, cutoff=cutoff_for(timedelta(days=days), now)),
            rows_now=expired(policy, cutoff=cutoff_for(in_force, now)),
        )


def change(name: str, days: object, *, by: Actor | None = None) -> Policy:
    """Keep rows for ``days`` from the next run on. A run that has started uses the old retention.

    Raises UnknownPolicy, BadRetention; then nothing has changed.
    """
    return _set(name, parse_for(registry.find_policy(name), days), "change retention", by)


def reset(name: str, *, by: Actor | None = None) -> Policy:
    """Keep rows for as long as declared again."""
    return _set(name, None, "reset retention", by)


def _set(name: str, days: int | None, act: str, by: Actor | None) -> Policy:
    policy = registry.find_policy(name)
    _in_force(policy)
    with writing():
        state, _ = PolicyState.objects.select_for_update().get_or_create(name=name)
        if state.retention_days == days:
            return policy  # nothing changes, so nothing is recorded
        before = in_days(policy.retention_in_force())
        state.retention_days, state.changed_at = days, clock.now()
        state.changed_by = by.name if by else ""
        state.save()
        rules.changed()
        after = in_days(policy.retention_in_force())
        acts.record(by, act, name, before={"retention_days": before}, after={"retention_days": after})
    who = by.name if by else "the site"
    logger.info("Policy %s keeps rows for %s days instead of %s: changed by %s", name, after, before, who)
    return policy


def _in_force(policy: Policy) -> timedelta:
    if policy.retention_by:
        text = gettext(
            "Each owner of rows of the policy %(policy)s has a retention of its own: change it there."
        )
        raise BadRetention(text % {"policy": repr(policy.name)})
    retention = policy.retention_in_force()
    if retention is None:
        text = gettext("The policy %(policy)s has no retention: its rows are deleted regardless of age.")
        raise BadRetention(text % {"policy": repr(policy.name)})
    return retention
