"""What a run would delete now: counted when somebody asks, in the time that a person is willing to wait."""

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from housekeeping.database import chosen, clock
from housekeeping.database.limits import TooSlow, time_limit
from housekeeping.declared.counting import counting
from housekeeping.declared.policies import Policy, cutoff_for, in_days
from housekeeping.engine import plans
from housekeeping.exceptions import PolicyFailed

# The deadline of the whole count and the limit of each statement: a person waits twice as long at most.
SECONDS = 2.0


@dataclass(frozen=True)
class Impact:
    """What a run would delete by one policy.

    ``tables``: rows by table; None if counting took too long, or if the policy has raised an error:
    then ``error`` is a sentence about it.
    """

    policy: Policy
    retention_days: float | None
    tables: dict[str, int] | None
    error: str = ""

    @property
    def rows(self) -> int | None:
        """The policy's own rows, without related rows."""
        return None if self.tables is None else self.tables[self.policy.model_name]


def of(policies: Iterable[Policy], *, seconds: float = SECONDS) -> list[Impact]:
    """Count what a run would delete by each of ``policies``, in about ``seconds`` for all of them."""
    deadline = time.monotonic() + seconds
    return [_of(policy, deadline) for policy in dict.fromkeys(policies)]


def _of(policy: Policy, deadline: float) -> Impact:
    retention = policy.retention_in_force()
    tables, error = None, ""
    try:
        with counting(policy):
            tables = _in_time(policy, cutoff_for(retention, clock.now()), deadline)
    except PolicyFailed as failure:
        error = str(failure)
    return Impact(policy, in_days(retention), tables, error)


def _in_time(policy: Policy, cutoff: datetime, deadline: float) -> dict[str, int] | None:
    try:
        with chosen.on(policy.database), time_limit(deadline) as check:
            return plans.rows_by_table(policy, cutoff, lambda keys: check())[1]
    except TooSlow:
        return None


def together(impacts: Iterable[Impact]) -> dict[str, int] | None:
    """The rows of all ``impacts``, by table; None if one of them could not be counted."""
    tables: Counter[str] = Counter()
    for impact in impacts:
        if impact.tables is None:
            return None
        tables.update(impact.tables)
    return dict(tables)
