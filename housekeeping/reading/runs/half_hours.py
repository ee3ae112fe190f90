"""The runs of the last 24 hours, counted by half hour: a busy project has thousands a day.

A process counts a half hour once: after its end, and once all of its runs have ended, only a deletion
changes it, and then the number of runs differs.
"""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Count, DateTimeField, F, FloatField, Func, IntegerField, Max, TextField, Value
from django.db.models.functions import Cast, Coalesce

from housekeeping.models import Run, RunQuerySet

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


# A run may be committed so long after the moment of its request.
LATEST_COMMIT = timedelta(minutes=5)


@dataclass(frozen=True)
class Final:
    """What a process has counted for good: the runs of all half hours until a moment."""

    found: list[HalfHour]
    until: datetime


NOTHING = Final([], datetime.min.replace(tzinfo=UTC))
_final = NOTHING  # replaced as a whole, since threads share it


def until(now: datetime) -> datetime:
    """The end of the current half hour, where the last of the NUMBER half hours ends."""
    seconds = WIDTH.total_seconds()
    return datetime.fromtimestamp((now.timestamp() // seconds + 1) * seconds, UTC)


def half_hours(now: datetime) -> list[HalfHour]:
    """Those of the last NUMBER half hours in which something ran, the oldest first."""
    global _final
    begin, end = until(now) - NUMBER * WIDTH, until(now)
    final = _still_right(_final, begin, now)
    found = [*final.found, *_count(final.until, end, now)]
    open_from = until(now - LATEST_COMMIT) - WIDTH
    final_until = min([open_from, *(one.begins_at for one in found if one.status in Run.ACTIVE)])
    _final = Final([one for one in found if one.begins_at < final_until], final_until)
    return found


def _still_right(final: Final, begin: datetime, now: datetime) -> Final:
    """The part since ``begin``; nothing if runs were deleted or added since, or the clock went back."""
    if begin < final.until <= now:
        found = [one for one in final.found if one.begins_at >= begin]
        if _between(begin, final.until).count() == sum(one.runs for one in found):
            return Final(found, final.until)
    return Final([], begin)


def _between(begin: datetime, end: datetime) -> RunQuerySet:
    return Run.objects.filter(requested_at__gte=begin, requested_at__lt=end).order_by()


def _count(begin: datetime, end: datetime, now: datetime) -> list[HalfHour]:
    took = _Seconds(Coalesce("finished_at", Value(now, DateTimeField())), F("started_at"))
    counted = _between(begin, end).values_list("task", "status", _Number(F("requested_at")))
    rows = counted.annotate(runs=Count("pk"), key=Max(Cast("pk", TextField())), longest=Max(took))
    return [
        HalfHour(
            task,
            datetime.fromtimestamp(number * WIDTH.total_seconds(), UTC),
            status,
            count,
            uuid.UUID(key),
            timedelta(seconds=max(seconds, 0)) if seconds is not None else None,
        )
        for task, status, number, count, key, seconds in sorted(rows, key=lambda row: row[2])
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
