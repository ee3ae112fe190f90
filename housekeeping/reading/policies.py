"""Policies: the retention in force, the rows that are past due, and what a purge would delete."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext

from housekeeping.database import chosen, stored
from housekeeping.database.limits import TooSlow, time_limit
from housekeeping.declared import registry
from housekeeping.declared.counting import counting
from housekeeping.declared.policies import Policy, cutoff_for, in_days
from housekeeping.declared.registry import TASKS, Task
from housekeeping.engine import plans
from housekeeping.models import Gauge, PolicyState
from housekeeping.reading import gauges
from housekeeping.reading.previews import impact, samples


@dataclass(frozen=True)
class PolicyCard:
    """A policy, its retention in force, and its rows that are past due."""

    policy: Policy
    retention_days: float | None
    state: PolicyState | None
    backlog: Gauge
    task: Task | None  # the one that purges by this policy alone

    @property
    def declared_days(self) -> float | None:
        return in_days(self.policy.retention)

    @property
    def is_changed(self) -> bool:
        return self.state is not None and self.state.retention_days is not None

    @property
    def retention_range(self) -> dict[str, float | None] | None:
        """The shortest and the longest retention of the owners, if the policy leaves it to them."""
        if not self.policy.retention_by:
            return None
        return stored.days_range(self.backlog.value) or {"shortest_days": None, "longest_days": None}

    @property
    def model(self) -> str | None:
        """``chat.Conversation``; None if the policy raises an error."""
        known = self.policy.known_model
        return known._meta.label if known else None

    @property
    def error(self) -> str:
        """Why the policy can't be counted; empty if it can."""
        return str(self.backlog.value.get("error") or "")

    @property
    def rows_due(self) -> int | None:
        """None if the policy can't be counted."""
        rows: int | None = self.backlog.value["rows"]
        return rows

    @property
    def due_since(self) -> datetime | None:
        since = self.backlog.value["due_since"]
        return datetime.fromisoformat(since) if since else None


def cards(*, upkeep: bool = True) -> list[PolicyCard]:
    """Every policy, in the order declared; without ``upkeep``, only those of the site's own rows."""
    return cards_of(gauges.read_all(backlogs(upkeep=upkeep)), upkeep=upkeep)


def backlogs(*, upkeep: bool) -> list[str]:
    """The names of the policies' gauges."""
    return [gauges.backlog_of(name) for name in _known(upkeep=upkeep)]


def _known(*, upkeep: bool) -> dict[str, Policy]:
    return {name: found for name, found in registry.policies().items() if upkeep or not found.is_upkeep}


def cards_of(figures: dict[str, Gauge], *, upkeep: bool) -> list[PolicyCard]:
    """As :func:`cards`, for a caller that has read the gauges."""
    known = _known(upkeep=upkeep)
    states = PolicyState.objects.in_bulk(known)
    return [
        PolicyCard(
            policy,
            in_days(policy.retention_with(states.get(name))),
            states.get(name),
            figures[gauges.backlog_of(name)],
            TASKS.get(name),
        )
        for name, policy in known.items()
    ]


def card(name: str) -> PolicyCard:
    """Raises UnknownPolicy."""
    found = registry.find_policy(name)
    state = PolicyState.objects.filter(name=name).first()
    figures = gauges.read_all([gauges.backlog_of(name)])
    [backlog] = figures.values()
    return PolicyCard(found, in_days(found.retention_in_force()), state, backlog, TASKS.get(name))


@contextmanager
def _in_time(policy: Policy) -> Iterator[None]:
    """A budget may count millions of rows, which is not done while a person waits."""
    deadline = time.monotonic() + impact.SECONDS if policy.at_most else None
    try:
        with chosen.on(policy.database), time_limit(deadline):
            yield
    except TooSlow:
        raise TimeoutError(gettext("it takes too long to wait for, so start a dry run")) from None


def preview(name: str, now: datetime, *, retention_days: int | None = None) -> dict[str, Any]:
    """What a purge by the policy would delete now, and how many rows other retentions would.

    ``retention_days`` replaces the retention in force. Raises UnknownPolicy, PolicyFailed.
    """
    found = registry.find_policy(name)
    retention = found.retention_in_force()
    if retention is not None and retention_days is not None:
        retention = timedelta(days=retention_days)
    with counting(found), _in_time(found):
        facts = plans.look(found, cutoff=cutoff_for(retention, now), retention=retention)
        what_if = plans.what_if(found, now)
    seen = samples.Texts([{name: facts}]).added_to({name: facts})[name]
    return {
        "policy": name,
        **seen,
        "what_if": [{"retention_days": days, "rows": rows} for days, rows in what_if.items()],
    }
