"""Runs as the rows of a table.

They are written here because a template took two thirds of the time of a page of 50 runs
(docs/explanation/performance.md).
"""

from collections.abc import Iterable

from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext

from housekeeping.dashboard import wording
from housekeeping.dashboard.filters import CAUSES, STATUSES
from housekeeping.declared.registry import TASKS
from housekeeping.models import Run, in_words
from housekeeping.reading import words
from housekeeping.rights import NOTHING, Rights

ERROR_LENGTH = 120

ROW = """<tr id="run-row-{key}">{pick}
<th scope="row"><div class="name"><a href="{address}" title="{title}">{title}</a>{badges}</div></th>
<td data-label="{status_label}" class="status"><span class="badge"
 data-status="{status}">{status_word}</span></td>
<td data-label="{requested_label}" class="at"><time datetime="{iso}" data-as-is>{at}</time></td>
<td data-label="{origin_label}" class="origin muted">{origin}</td>
<td data-label="{waited_label}" class="length">{waited}</td>
<td data-label="{took_label}" class="length">{took}</td>
<td data-label="{result_label}" class="result" title="{whole}">{result}</td></tr>
"""
BADGE = ' <span class="badge">{}</span>'
PICK = """<td class="pick"><input type="checkbox" name="run" value="{key}" id="pick-{can}-{key}"
 data-can="{can}" aria-label="{name}"></td>"""
NO_PICK = SafeString('<td class="pick"></td>')
ERROR = '<span class="{}">{}</span>'
TITLE_LENGTH = 300  # of an error that the row shortens


def rows(runs: Iterable[Run], *, picked_by: Rights = NOTHING) -> list[SafeString]:
    """The rows of a table of runs. ``picked_by``: with boxes for the runs that these rights may act on."""
    table = _Table(picked_by)
    return [table.row(run) for run in runs]


class _Table:
    """What all rows of a table share, translated and looked up once."""

    def __init__(self, picked_by: Rights) -> None:
        self.picked_by = picked_by
        self.base = reverse("housekeeping:runs")
        self.known = {str(key): str(text) for texts in (STATUSES, CAUSES) for key, text in texts.items()}
        labels = {
            "status_label": gettext("Status"),
            "requested_label": gettext("Requested"),
            "origin_label": gettext("By"),
            "waited_label": gettext("Waited"),
            "took_label": gettext("Took"),
            "result_label": gettext("Result"),
        }
        self.form = ROW  # with the labels, so that they are escaped once
        for name, label in labels.items():
            self.form = self.form.replace(f"{{{name}}}", escape(label))
        self.titles = {name: wording.declared(task.title) for name, task in TASKS.items()}
        # Screen readers read this for the box alone.
        self.box_name = gettext("Select the run of %(task)s of %(at)s, %(status)s")

    def row(self, run: Run) -> SafeString:
        local = timezone.localtime(run.requested_at)
        at, status = f"{local:%Y-%m-%d %H:%M:%S}", self.known.get(run.status, run.status)
        title = self.titles.get(run.task, run.task)
        result, error = _result(run), Truncator(run.error)
        pick: SafeString | str = ""
        if self.picked_by.operate:
            name = self.box_name % {"task": title, "at": at, "status": status}
            pick = _pick(run, name, self.picked_by)
        origin = (self.known.get(run.cause, run.cause), run.requested_by, run.schedule)
        return format_html(
            self.form,
            key=run.pk,
            pick=pick,
            address=f"{self.base}/{run.pk}",
            title=title,
            badges=format_html_join("", BADGE, ((badge,) for badge in _badges(run))),
            status=run.status,
            status_word=status,
            iso=local.isoformat(timespec="milliseconds"),
            at=at,
            origin=", ".join(part for part in origin if part),
            waited=in_words(run.waited) or "–",
            took=run.took or "–",
            result=_error(run, error) if run.error else result,
            whole=error.chars(TITLE_LENGTH) if run.error else result,
        )


def _pick(run: Run, name: str, rights: Rights) -> SafeString:
    may_retry = run.can_be_retried and rights.may("retry", run)
    can = "cancel" if run.is_active else "retry" if may_retry else ""
    return format_html(PICK, key=run.pk, can=can, name=name) if can else NO_PICK


def _error(run: Run, text: Truncator) -> SafeString:
    look = "error" if run.status == Run.Status.FAILED else "muted"
    return format_html(ERROR, look, text.chars(ERROR_LENGTH))


def _badges(run: Run) -> list[str]:
    badges = []
    if run.dry_run:
        badges.append(gettext("dry run"))
    if run.undo_of_id:
        badges.append(gettext("undo"))
    if run.cancel_requested and run.is_active:
        badges.append(gettext("cancelling"))
    if run.is_unusual:
        badges.append(gettext("unusual"))
    return badges


def _result(run: Run) -> str:
    if run.status == Run.Status.RUNNING:
        progress = run.progress()
        numbers = {name: words.number(rows) for name, rows in progress.items()}
        return gettext("%(done)s of %(total)s rows") % numbers
    if put_off := wording.put_off(run):
        return put_off
    return wording.result(run)
