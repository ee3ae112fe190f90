"""Runs as the rows of a table. They are written here and not in a template: that took a page
of 50 runs two thirds of its time (docs/performance.md)."""

from collections.abc import Iterable

from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext

from housekeeping.dashboard import wording
from housekeeping.dashboard.filters import CAUSES, STATUSES
from housekeeping.models import Run
from housekeeping.reading import words
from housekeeping.rights import NOTHING, Rights

ERROR_LENGTH = 120
RESULTS = 3  # numbers of a result that a row has room for

ROW = """<tr id="run-row-{key}">{pick}
<th scope="row"><a href="{address}">{task}</a>{badges}</th>
<td data-label="{status_label}"><span class="badge" data-status="{status}">{status_word}</span></td>
<td data-label="{requested_label}">
<time datetime="{iso}">{at}</time><br><span class="muted small">{origin}</span></td>
<td data-label="{took_label}"><span class="nowrap">{took}</span></td>
<td data-label="{result_label}" class="result">{result}</td></tr>
"""
BADGE = ' <span class="badge">{}</span>'
PICK = """<td class="pick"><input type="checkbox" name="run" value="{key}" id="pick-{can}-{key}"
 data-can="{can}" aria-label="{name}"></td>"""
NO_PICK = SafeString('<td class="pick"></td>')
ERROR = '<span class="{}">{}</span>'


def rows(runs: Iterable[Run], *, picked_by: Rights = NOTHING) -> list[SafeString]:
    """The rows of a table of runs, with boxes to pick those that these rights cancel or retry."""
    known = {str(key): str(text) for texts in (STATUSES, CAUSES) for key, text in texts.items()}
    labels = {
        "status_label": gettext("Status"),
        "requested_label": gettext("Requested"),
        "took_label": gettext("Took"),
        "result_label": gettext("Result"),
    }
    base = reverse("housekeeping:runs")
    # For who can't see the row around its box.
    name = gettext("Select the run of %(task)s of %(at)s, %(status)s")
    made = []
    for run in runs:
        local = timezone.localtime(run.requested_at)
        at, status = f"{local:%Y-%m-%d %H:%M:%S}", known[run.status]
        pick = ""
        if picked_by.operate:
            pick = _pick(run, name % {"task": run.task, "at": at, "status": status}, picked_by)
        html = format_html(
            ROW,
            **labels,
            key=run.pk,
            pick=pick,
            address=f"{base}/{run.pk}",
            task=run.task,
            badges=format_html_join("", BADGE, ((badge,) for badge in _badges(run))),
            status=run.status,
            status_word=status,
            iso=local.isoformat(),
            at=at,
            origin=", ".join(part for part in (known[run.cause], run.requested_by, run.schedule) if part),
            took=run.took or "–",
            result=_error(run) if run.error else _result(run),
        )
        made.append(html)
    return made


def _pick(run: Run, name: str, rights: Rights) -> SafeString:
    may_retry = run.can_be_retried and rights.may("retry", run)
    can = "cancel" if run.is_active else "retry" if may_retry else ""
    return format_html(PICK, key=run.pk, can=can, name=name) if can else NO_PICK


def _error(run: Run) -> SafeString:
    look = "error" if run.status == Run.Status.FAILED else "muted"
    return format_html(ERROR, look, Truncator(run.error).chars(ERROR_LENGTH))


def _badges(run: Run) -> list[str]:
    badges = []
    if run.dry_run:
        badges.append(gettext("dry run"))
    if run.undo_of_id:
        badges.append(gettext("undo"))
    if run.cancel_requested and run.is_active:
        badges.append(gettext("cancelling"))
    return badges


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
    return words.number(value) if is_number else str(value)  # type: ignore[arg-type]
