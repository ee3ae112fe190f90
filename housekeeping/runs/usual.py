"""What is usual for a task, and whether a run took much longer or deleted many more rows.

The rule: usual is the median of the task's runs that succeeded in the DAYS before the run, if there are
LEAST_RUNS of them. A run is unusual if it took FACTOR times as long, and LEAST_DURATION; or if it deleted
FACTOR times as many rows, and LEAST_ROWS. Dry runs and undos don't count.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from housekeeping.models import Run

DAYS = 28
LEAST_RUNS = 5
MOST_RUNS = 100  # the newest of them: enough for a median, and read fast for a task of every minute
FACTOR = 5
LEAST_DURATION = timedelta(seconds=10)
LEAST_ROWS = 100


@dataclass(frozen=True)
class Usual:
    """Medians, and of how many runs."""

    runs: int
    duration: timedelta
    rows: int


def of(task: str, before: datetime) -> Usual | None:
    """What is usual for runs that are requested at ``before``. None if too few have succeeded."""
    worked = Run.objects.did_work().filter(task=task, status=Run.Status.SUCCEEDED)
    there = worked.filter(requested_at__gte=before - timedelta(days=DAYS), requested_at__lt=before)
    runs = list(there.only("started_at", "finished_at", "deleted", "receipt").newest_first()[:MOST_RUNS])
    if len(runs) < LEAST_RUNS:
        return None
    seconds = median((run.duration or timedelta()).total_seconds() for run in runs)
    return Usual(len(runs), timedelta(seconds=seconds), round(median(run.purged for run in runs)))


def compare(run: Run) -> dict[str, Any]:
    """The fields that mark a run which has ended as unusual; none for most runs, often without a query."""
    if run.status not in (Run.Status.SUCCEEDED, Run.Status.FAILED) or run.dry_run or run.undo_of_id:
        return {}
    took, rows = run.duration or timedelta(), run.purged
    if took < LEAST_DURATION and rows < LEAST_ROWS:
        return {}
    usual = of(run.task, run.requested_at)
    if usual is None:
        return {}
    marks: dict[str, Any] = {}
    if took >= max(LEAST_DURATION, FACTOR * usual.duration):
        marks["usual_seconds"] = usual.duration.total_seconds()
    if rows >= max(LEAST_ROWS, FACTOR * usual.rows):
        marks["usual_rows"] = usual.rows
    return marks
