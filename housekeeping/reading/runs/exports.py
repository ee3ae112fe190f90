"""The history of runs as a file."""

import csv
import json
from datetime import datetime, timedelta
from io import StringIO

from django.db.models import QuerySet
from django.utils import timezone

from housekeeping.models import Run

MOST = 10_000  # runs in one file, so that it is done within the time of a request
COLUMNS = (
    "id", "task", "schedule", "cause", "status", "dry_run", "requested_by", "requested_at", "started_at",
    "finished_at", "waited_seconds", "took_seconds", "attempts", "rows_deleted", "result", "error",
    "rows_made_anonymous",
)  # fmt: skip


def as_csv(runs: QuerySet[Run]) -> str:
    """The first :data:`MOST` of ``runs``, a line each, below a line with the names of the columns.

    ``rows_deleted`` counts the rows that were made anonymous, too: scripts of older versions read it.
    """
    stream = StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(COLUMNS)
    for run in runs[:MOST].iterator(chunk_size=500):
        writer.writerow(_safe(value) for value in _values(run))
    return stream.getvalue()


def _values(run: Run) -> tuple[object, ...]:
    moments = (run.requested_at, run.started_at, run.finished_at)
    ended = run.duration if run.finished_at else None
    return (
        run.pk, run.task, run.schedule, run.cause, run.status, run.dry_run, run.requested_by,
        *map(_iso, moments), _seconds(run.waited), _seconds(ended), run.attempts, run.purged,
        json.dumps(run.result, ensure_ascii=False) if run.result is not None else "", run.error,
        run.made_anonymous,
    )  # fmt: skip


def _iso(at: datetime | None) -> str:
    return timezone.localtime(at).isoformat() if at else ""


def _seconds(length: timedelta | None) -> str:
    return f"{length.total_seconds():.3f}" if length is not None else ""


def _safe(value: object) -> str:
    """A spreadsheet takes text that begins with one of these as a formula (OWASP, CSV injection)."""
    text = str(value) if value is not None else ""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
