"""Runs as the rows of a table. What a row shows is made here, as a template is slow at it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.text import Truncator
from django.utils.translation import gettext

from housekeeping.dashboard import wording
from housekeeping.dashboard.filters import CAUSES, STATUSES
from housekeeping.models import Run

ERROR_LENGTH = 120
RESULTS = 3  # numbers of a result that a row has room for


@dataclass(frozen=True, slots=True)
class Row:
    key: str
    task: str
    address: str
    status: str
    status_word: str
    marks: list[str]
    at_iso: str
    at: str
    origin: str  # the cause, who asked, the schedule
    took: str
    error: str
    result: str
    can: str  # cancel, retry or nothing
    name: str  # for who can't see the row around its box


def rows(runs: Iterable[Run]) -> Iterator[Row]:
    """The rows of a table of runs."""
    words = {str(key): str(text) for texts in (STATUSES, CAUSES) for key, text in texts.items()}
    base = reverse("dashboard-runs")
    name = gettext("Select the run of %(task)s of %(at)s, %(status)s")
    for run in runs:
        local = timezone.localtime(run.requested_at)
        at, status = f"{local:%Y-%m-%d %H:%M:%S}", words[run.status]
        yield Row(
            key=str(run.pk),
            task=run.task,
            address=f"{base}/{run.pk}",
            status=run.status,
            status_word=status,
            marks=_marks(run),
            at_iso=local.isoformat(),
            at=at,
            origin=", ".join(part for part in (words[run.cause], run.requested_by, run.schedule) if part),
            took=run.took or "–",
            error=Truncator(run.error).chars(ERROR_LENGTH) if run.error else "",
            result="" if run.error else _result(run),
            can="cancel" if run.is_active else "retry" if run.can_be_retried else "",
            name=name % {"task": run.task, "at": at, "status": status},
        )


def _marks(run: Run) -> list[str]:
    marks = []
    if run.dry_run:
        marks.append(gettext("dry run"))
    if run.undo_of_id:
        marks.append(gettext("undo"))
    if run.cancel_requested and run.is_active:
        marks.append(gettext("cancelling"))
    return marks


def _result(run: Run) -> str:
    if run.status == Run.Status.RUNNING:
        progress = run.progress()
        numbers = {name: _number(rows) for name, rows in progress.items()}
        return gettext("%(done)s of %(total)s rows") % numbers
    numbers_of = run.result_lines()[:RESULTS]
    text = ", ".join(f"{wording.declared(name)} {_number(value)}" for name, value in numbers_of)
    return gettext("would be: %(result)s") % {"result": text} if run.dry_run and text else text


def _number(value: object) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(number_format(value, use_l10n=True, force_grouping=True)) if is_number else str(value)  # type: ignore[arg-type]
