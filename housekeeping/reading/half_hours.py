"""The runs of the last 24 hours, counted by half hour: a busy project has thousands a day."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Count, DateTimeField, F, FloatField, Func, IntegerField, Max, TextField, Value
from django.db.models.functions import Cast, Coalesce

from housekeeping.models import Run

WIDTH = timedelta(minutes=30)
NUMBER = timedelta(hours=24) // WIDTH


@dataclass(frozen=True)
class HalfHour:
    """Runs of one task with one outcome that were requested in the same half hour of the clock.

    ``run_id``: one of them. ``longest``: the longest execution, until now for a running one; None if none
    has started.
    """

    task: str
    begins_at: datetime
    status: str
    runs: int
    run_id: uuid.UUID
    longest: timedelta | None


def until(now: datetime) -> datetime:
    """The end of the current half hour, where the last of the NUMBER half hours ends."""
    seconds = WIDTH.total_seconds()
    return datetime.fromtimestamp((now.timestamp() // seconds + 1) * seconds, UTC)


def half_hours(now: datetime) -> list[HalfHour]:
    """Those of the last NUMBER half hours in which something ran, the oldest first."""
    end = until(now)
    runs = Run.objects.filter(requested_at__gte=end - NUMBER * WIDTH, requested_at__lt=end).order_by()
    took = _Seconds(Coalesce("finished_at", Value(now, DateTimeField())), F("started_at"))
    counted = runs.values_list("task", "status", _Number(F("requested_at"))).annotate(
        runs=Count("pk"), key=Max(Cast("pk", TextField())), longest=Max(took)
    )
    return [
        HalfHour(
            task,
            datetime.fromtimestamp(number * WIDTH.total_seconds(), UTC),
            status,
            count,
            uuid.UUID(key),
            timedelta(seconds=max(seconds, 0)) if seconds is not None else None,
        )
        for task, status, number, count, key, seconds in sorted(counted, key=lambda row: row[2])
    ]


class _Number(Func):
    """The number of the half hour since 1970."""

    output_field = IntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = f"CAST(STRFTIME('%%%%s', %(expressions)s) AS INTEGER) / {WIDTH.seconds}"
        return self.as_sql(compiler, connection, template=template, **context)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = f"FLOOR(EXTRACT(EPOCH FROM %(expressions)s) / {WIDTH.seconds})::bigint"
        return self.as_sql(compiler, connection, template=template, **context)


class _Seconds(Func):
    """The seconds from the second moment to the first. NULL if one of them is."""

    output_field = FloatField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        # Django's own difference calls Python for each row.
        template, joiner = "(JULIANDAY(%(expressions)s)) * 86400.0", ") - JULIANDAY("
        return self.as_sql(compiler, connection, template=template, arg_joiner=joiner, **context)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "EXTRACT(EPOCH FROM %(expressions)s)::double precision"
        return self.as_sql(compiler, connection, template=template, arg_joiner=" - ", **context)
