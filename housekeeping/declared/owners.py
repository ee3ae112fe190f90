"""Retentions that each owner sets for its own rows, such as the tenants of a site."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import (
    Case,
    DurationField,
    F,
    FloatField,
    Max,
    Min,
    Model,
    OuterRef,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.expressions import Combinable
from django.db.models.functions import Greatest

from housekeeping import conf
from housekeeping.database.durations import Elapsed
from housekeeping.declared import columns

LONGEST = timedelta(days=conf.LONGEST_DAYS)
# Names in a query that no model's columns have: the owner's own value, and how long its rows are kept.
OWN, KEPT = "housekeeping_own", "housekeeping_kept"


@dataclass(frozen=True)
class ByOwner:
    """Rows are kept for as long as their owner wants.

    ``owner``: the path from a row to its owner, such as ``tenant`` or ``conversation__user``. ``kept``: the
    owner's column with the retention, a number of days or a duration, or a function that returns an
    expression of the owner's columns. ``otherwise``: the retention of owners where that is null; None
    keeps their rows for good. So does zero, less than that, and more than a hundred years.
    """

    owner: str
    kept: str | Callable[[], Combinable]
    otherwise: timedelta | None = None

    def model(self, rows: type[Model]) -> type[Model] | None:
        """The model of the owners of such rows; None if the path leads to none."""
        found = columns.along(rows, self.owner)
        return found[-1].related_model if found else None

    def with_kept(self, rows: QuerySet[Any], least_days: int) -> QuerySet[Any]:
        """``rows``, and as KEPT how long each of them is kept: null for good, else ``least_days`` or more."""
        if isinstance(self.kept, str):
            return self._with_limits(rows, F(f"{self.owner}__{self.kept}"), least_days)
        owners: QuerySet[Any] = QuerySet(self.model(rows.model))
        own = owners.filter(pk=OuterRef(f"{self.owner}__pk")).order_by().values(**{OWN: self.kept()})
        return self._with_limits(rows, Subquery(own[:1]), least_days)

    def range(self, owners: QuerySet[Any], least_days: int) -> tuple[timedelta | None, timedelta | None]:
        """The shortest and the longest retention of ``owners``; None for none. The longest is None if
        some of them keep their rows for good."""
        own: Any = F(self.kept) if isinstance(self.kept, str) else self.kept()
        owners = self._with_limits(owners, own, least_days).annotate(**{KEPT: F(KEPT)})
        ends = owners.aggregate(shortest=Min(KEPT), longest=Max(KEPT))
        is_for_good = owners.filter(**{KEPT: None}).exists()
        return ends["shortest"], None if is_for_good else ends["longest"]

    def _with_limits(self, rows: QuerySet[Any], own: Any, least_days: int) -> QuerySet[Any]:
        rows = rows.alias(**{OWN: own})
        is_days = not isinstance(rows.query.annotations[OWN].output_field, DurationField)
        unit: Any = FloatField() if is_days else DurationField()

        def value(kept: timedelta) -> Any:
            return kept / timedelta(days=1) if is_days else kept

        # One condition after the other, so that no date is computed from an absurd number.
        limited: Any = Case(
            When(**{OWN: None}, then=Value(self.otherwise and value(self.otherwise), unit)),
            When(**{f"{OWN}__lte": value(timedelta())}, then=None),
            When(**{f"{OWN}__gt": value(LONGEST)}, then=None),
            default=Greatest(OWN, Value(value(timedelta(days=least_days)), unit), output_field=unit),
            output_field=unit,
        )
        with_kept: QuerySet[Any] = rows.alias(**{KEPT: Elapsed(limited, is_days=is_days)})
        return with_kept
