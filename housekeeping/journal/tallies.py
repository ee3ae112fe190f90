"""Tallies: how many runs ended in which way on each day. Charts read them instead of counting runs."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import F, QuerySet, Sum
from django.utils import timezone

from housekeeping.models import Run, Tally

EXPECTED = (Run.Status.SUCCEEDED, Run.Status.FAILED, Run.Status.MISSED)  # that monitoring asks about


def add(run: Run) -> None:
    """Count a run that has ended on the day of its end, or a missed one on the day it was due."""
    was_due = run.scheduled_for if run.status == Run.Status.MISSED else None
    day = day_of(was_due or run.finished_at)
    tally, _ = Tally.objects.get_or_create(day=day, task=run.task, status=run.status)
    Tally.objects.filter(pk=tally.pk).update(
        runs=F("runs") + 1,
        rows=F("rows") + run.purged,
        duration_ms=F("duration_ms") + round((run.duration or timedelta()) / timedelta(milliseconds=1)),
    )


def day_of(moment: datetime | None) -> date:
    """The day in TIME_ZONE, regardless of the activated zone."""
    return timezone.localdate(moment, timezone.get_default_timezone())


def since(now: datetime, days: int) -> QuerySet[Tally]:
    """The tallies of the last ``days`` days including today, oldest first."""
    first = day_of(now) - timedelta(days=days - 1)
    return Tally.objects.filter(day__gte=first).order_by("day")


@dataclass
class Total:
    """The runs of one task that ended in one way, on all days together."""

    runs: int = 0
    rows: int = 0
    seconds: float = 0


def totals(known: Collection[str]) -> dict[tuple[str, str], Total]:
    """Totals by task and status; zeros for a known task that has never succeeded, or never failed.

    Tasks that are not ``known`` are counted together as ``unknown``: their names came in messages,
    so there may be any number of them.
    """
    # Prometheus sees no increase in a counter whose first sample is 1.
    found = {(task, str(status)): Total() for task in known for status in EXPECTED}
    sums = Tally.objects.values_list("task", "status").annotate(Sum("runs"), Sum("rows"), Sum("duration_ms"))
    for task, status, runs, rows, duration_ms in sums:
        total = found.setdefault((task if task in known else "unknown", status), Total())
        total.runs += runs
        total.rows += rows
        total.seconds += duration_ms / 1000
    return found
