"""Policies: which rows are expired, and for how long rows are kept."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import F, Model, QuerySet
from django.db.models.expressions import Combinable

from housekeeping.models import PolicyState


@dataclass(frozen=True)
class Policy:
    """Rows that are kept for ``retention`` and deleted after it.

    ``rows(cutoff)`` gives the rows that had expired at ``cutoff``, as an unsliced
    queryset of one model that gives each row once. A policy without an age (``retention``
    None) is handed the run's own moment as its cutoff. ``age``: the column (never null, best
    with an index) or expression that the rows grow old by. ``shortest_days``: the shortest
    retention that an operator may set. ``is_upkeep``: the housekeeping's own rows, which are
    neither archived nor braked.
    """

    name: str
    rows: Callable[[datetime], QuerySet[Any]]
    retention: timedelta | None = None
    age: str | Callable[[], Combinable] = "pk"
    is_upkeep: bool = False
    shortest_days: int = 1

    def age_of(self) -> Combinable:
        """What a purge walks by, and what tells the oldest row."""
        return F(self.age) if isinstance(self.age, str) else self.age()

    @property
    def model(self) -> type[Model]:
        """The table, also where the rows are a proxy's."""
        model = self.rows(datetime.max.replace(tzinfo=UTC)).model
        return model._meta.concrete_model or model

    @property
    def model_name(self) -> str:
        """``chat.Conversation``"""
        return self.model._meta.label

    def in_words(self, rows: int) -> str:
        """So many of the policy's rows: ``5 conversations``."""
        names = self.model._meta
        return f"{rows:,} {names.verbose_name if rows == 1 else names.verbose_name_plural}"

    def retention_in_force(self) -> timedelta | None:
        """As an operator has set it, else as declared. None for a policy without an age."""
        return self.retention_with(PolicyState.objects.filter(name=self.name).first())

    def retention_with(self, state: PolicyState | None) -> timedelta | None:
        """The retention in force, for who has the policy's state at hand."""
        if self.retention is None or state is None or state.retention_days is None:
            return self.retention
        return timedelta(days=state.retention_days)

    def cutoff(self, as_of: datetime) -> datetime:
        """The cutoff of a run whose moment is ``as_of``, by the retention in force."""
        return cutoff_for(self.retention_in_force(), as_of)


def cutoff_for(retention: timedelta | None, as_of: datetime) -> datetime:
    """The moment, in UTC, before which rows are expired. Without a retention it is ``as_of`` itself.

    A day of retention is 24 hours that have passed, also where the local clock was changed.
    """
    return as_of.astimezone(UTC) - (retention or timedelta())


def in_days(retention: timedelta | None) -> float | None:
    """A retention as a number of days, whole where it is whole."""
    if retention is None:
        return None
    days = retention / timedelta(days=1)
    return int(days) if days == int(days) else round(days, 6)
