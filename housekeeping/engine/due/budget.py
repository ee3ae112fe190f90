"""The budget of a table: the oldest rows go until it has at most so many."""

import time
from typing import Any

from django.db.models import Q

from housekeeping.database import chosen
from housekeeping.declared.policies import Policy
from housekeeping.engine import cascade

# A name that no model has. Each row's age is under it, to be compared with others.
AGE = "housekeeping_age"
# Each batch counts once more if that takes no longer than so many seconds, or reads so few rows.
CHEAP, FEW = 0.01, 10_000
DUTY = 20  # counting that takes longer is repeated after so many times as long


class Budget:
    """The newest row of a policy's table that is beyond its ``at_most`` newest ones.

    Counted exactly, along the index of the age. If that takes long, the last count is used for some
    seconds: rows that come meanwhile only make more of the older ones go, later.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.first: tuple[Any, Any] | None = None  # age and key
        self.took = 0.0
        self.counted_at: float | None = None  # by the monotonic clock

    def refresh(self) -> None:
        """Count again unless that was done a moment ago. Call it outside of a batch's transaction."""
        if self.counted_at is None or time.monotonic() - self.counted_at >= DUTY * self.took:
            self.count()

    def count(self) -> None:
        with chosen.on(self.policy.database):
            self._count()

    def _count(self) -> None:
        began = time.monotonic()
        rows = cascade.rows_of(self.policy.model).annotate(**{AGE: self.policy.age_of()})
        if self.policy.may_lack_age():
            rows = rows.exclude(**{AGE: None})
        places = rows.order_by(f"-{AGE}", "-pk").values_list(AGE, "pk")
        self.first = next(iter(places[self.policy.at_most : self.policy.at_most + 1]), None)
        self.counted_at = time.monotonic()
        self.took = self.counted_at - began

    def beyond(self) -> Q:
        """The rows beyond the budget, of rows that have their age as AGE."""
        if self.counted_at is None or self.took <= CHEAP or self.policy.at_most <= FEW:
            self.count()
        if self.first is None:
            return Q(pk__in=[])
        age, pk = self.first
        return Q(Q(**{f"{AGE}__lt": age}) | Q(**{AGE: age, "pk__lte": pk}), **{f"{AGE}__lte": age})
