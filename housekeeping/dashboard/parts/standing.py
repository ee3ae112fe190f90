"""The sentence at the top of the page of a run: how the run stands, or how it ended."""

from collections.abc import Sequence
from datetime import datetime

from django.utils.translation import gettext, ngettext

from housekeeping.dashboard import wording
from housekeeping.database import stored
from housekeeping.declared.registry import Task
from housekeeping.engine import plans
from housekeeping.exceptions import NotPossible
from housekeeping.models import Consumer, Run
from housekeeping.reading import ends, words


def of(run: Run, task: Task | None, undos: Sequence[Run], now: datetime) -> str:
    """``undos``: the undos of ``run``."""
    status = Run.Status(run.status)
    if status == Run.Status.QUEUED:
        return _queued(run, now)
    if status == Run.Status.RUNNING:
        return _running(run)
    if status == Run.Status.HELD:
        waits = outdated(run) or ends.told(run, "Nothing is deleted until somebody approves it.")
        return f"{run.error} {waits}"
    if status == Run.Status.SUCCEEDED:
        return _succeeded(run, task) + _since(run, undos)
    if status == Run.Status.FAILED:
        return _failed(run, task) + _since(run, undos)
    if status == Run.Status.CANCELLED:
        return _cancelled(run) + _since(run, undos)
    return gettext("It did not run.") + f" {run.error}"


def _queued(run: Run, now: datetime) -> str:
    if put_off := wording.put_off(run):
        return f"{put_off}."
    if not Consumer.objects.alive(now).exists():
        return gettext(
            "It is waiting, but no consumer is running. Start one with “python manage.py run_huey”."
        )
    beside = Run.objects.active().filter(task=run.task, status=Run.Status.RUNNING, dry_run=False)
    if not run.dry_run and beside.exists():
        return gettext("It is waiting for another run of this task to end.")
    if run.attempts:
        return gettext("It was handed back and is waiting for a consumer to resume it.")
    return gettext("It is waiting for a consumer.")


def _running(run: Run) -> str:
    if run.cancel_requested:
        return gettext("It has been cancelled and stops after its current batch.")
    if run.undo_of_id:
        text = gettext("It restores rows in batches; restored so far: %(rows)s.")
        return text % {"rows": words.rows(run.done)}
    if run.dry_run:
        return ends.told(run, "It counts what would be deleted, and deletes nothing.")
    if run.purged:
        return ends.told(run, "It is running; %(rows)s are deleted so far.") % {
            "rows": words.rows(run.purged)
        }
    return gettext("It is running.")


def _succeeded(run: Run, task: Task | None) -> str:
    took = {"took": run.took}
    if run.undo_of_id:
        restored = words.own_first(run.restored, [one.name for one in task.policies] if task else ())
        if not any(restored.values()):
            return gettext("No rows were restored. It took %(took)s.") % took + _left(run)
        text = gettext("%(rows)s restored in %(took)s.") % {"rows": words.tables(restored), **took}
        return text + _left(run)
    if run.dry_run:
        rows = words.planned(run)
        return ends.told(run, "A dry run: %(rows)s would be deleted. Nothing was deleted.") % {"rows": rows}
    spared = words.in_use(sum(facts.get("in_use", 0) for facts in run.receipt.values()))
    if any(run.removed.values()):
        return ends.told(run, "%(rows)s deleted in %(took)s.") % {"rows": words.removed(run), **took} + spared
    if spared:
        return ends.told(run, "No rows were deleted. It took %(took)s.") % took + spared
    if task and task.policies:
        return ends.told(run, "No rows were eligible for deletion. It took %(took)s.") % took
    return gettext("Done in %(took)s.") % took


def _not_restored(undo: Run) -> int:
    """Rows that an undo, which has ended, could not put back."""
    return sum(stored.counts((undo.result or {}).get("not_restored")).values())


def _left(undo: Run) -> str:
    """A sentence about what an undo could not put back, after a space; empty if there is nothing."""
    rows = _not_restored(undo)
    text = ngettext("%(n)s row could not be restored.", "%(n)s rows could not be restored.", rows)
    return " " + text % {"n": words.number(rows)} if rows else ""


def _since(run: Run, undos: Sequence[Run]) -> str:
    """A sentence about what undos have put back since, after a space; empty without an undo."""
    tables = run.removed
    if not undos or not any(tables.values()):
        return ""
    back = sum(undo.restored.get(table, 0) for undo in undos for table in tables)
    if back >= sum(tables.values()):
        return " " + gettext("They have been restored since.")
    if not back:
        return " " + gettext("None of them has been restored yet.")
    text = ngettext(
        "%(n)s of these rows has been restored since.", "%(n)s of these rows have been restored since.", back
    )
    return " " + text % {"n": words.number(back)}


def _failed(run: Run, task: Task | None) -> str:
    if run.started_at is None:
        return gettext("It failed before it began.")
    if run.undo_of_id and run.done:
        text = gettext("It failed after %(took)s; %(rows)s restored, the rest stays in the archive.")
        return text % {"took": run.took, "rows": words.rows(run.done)}
    if run.dry_run or run.undo_of_id:
        return gettext("It failed after %(took)s, and changed nothing.") % {"took": run.took}
    deleted = {"rows": words.removed(run), "took": run.took}
    if run.purged:
        return ends.told(run, "It failed after %(took)s; %(rows)s were deleted before that.") % deleted
    if task and not task.policies:  # it may have deleted files, sent mails, or erased half a person
        return gettext("It failed after %(took)s.") % deleted
    return ends.told(run, "It failed after %(took)s, and deleted nothing.") % deleted


def _cancelled(run: Run) -> str:
    if run.error:
        return gettext("Cancelled.") + f" {run.error}"
    if run.undo_of_id and run.done:
        rows = words.rows(run.done)
        return gettext("Cancelled; %(rows)s restored, the rest stays in the archive.") % {"rows": rows}
    if run.purged:
        rows = words.removed(run)
        return ends.told(run, "Cancelled; %(rows)s were deleted before that.") % {"rows": rows}
    return gettext("Cancelled before it changed anything.")


def level(run: Run) -> str:
    """The colour of the sentence: success, warning, error or info."""
    if run.status == Run.Status.SUCCEEDED and run.undo_of_id and _not_restored(run):
        return "warning"
    return {
        Run.Status.SUCCEEDED: "success",
        Run.Status.FAILED: "error",
        Run.Status.HELD: "warning",
        Run.Status.MISSED: "warning",
    }.get(Run.Status(run.status), "info")


def outdated(run: Run) -> str:
    """Why the rows of the run's plan may no longer be deleted; empty if they may."""
    try:
        plans.check_policies(run.plan)
    except NotPossible as error:
        return str(error)
    return ""
