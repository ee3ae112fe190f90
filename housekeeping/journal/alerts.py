"""Alerts: mail to operators when a run is held, when a task fails, and when it succeeds again.

An alert goes into the outbox once the event itself is written, so no run waits for a mail server.
"""

import logging
import uuid

from housekeeping import addresses
from housekeeping.journal import outbox, recipients
from housekeeping.models import Run

logger = logging.getLogger(__name__)

REASON_LENGTH = 200  # characters of an error; its run's page has the rest


def held(run: Run) -> None:
    """Report that a run waits for approval."""
    _tell(run, "is held for approval", f"{run.error}\n\nNothing is deleted. Approve or cancel it here:")


def ended(run_id: uuid.UUID) -> None:
    """Report a task's first failure after a success, and its first success after a failure.

    A task that fails every five minutes causes one mail. Dry runs cause none. A failure that is tried
    again is not reported: the last one of its series is.
    """
    try:
        run = Run.objects.get(pk=run_id)
        before = _ended_before(run)
    except Exception as error:  # the end is written and stays as it is
        logger.error("Could not find out whether the end of run %s calls for a mail: %s", run_id, error)
        return
    if run.dry_run:
        return
    was_told = before is not None and before.status == Run.Status.FAILED and not _was_to_be_retried(before)
    if run.status == Run.Status.FAILED and not was_told:
        advice = "No further mail is sent until it has succeeded again. Details, and a button to retry:"
        _tell(run, "failed", f"{_reason(run)}\n\n{advice}")
    elif run.status == Run.Status.SUCCEEDED and was_told:
        _tell(run, "succeeded again", "The run before this one had failed. This one:")


def _ended_before(run: Run) -> Run | None:
    """The newest other run of the same task and kind: real work or undo. None of the run's own series."""
    alike = Run.objects.did_undo() if run.undo_of_id else Run.objects.did_work()
    return alike.filter(task=run.task).exclude(pk__in=_series(run)).newest_first().first()


def _series(run: Run) -> list[uuid.UUID]:
    """The run, and those that it tries again by itself."""
    keys = [run.pk]
    while run.retry_number and run.retry_of:
        run = run.retry_of
        keys.append(run.pk)
    return keys


def _was_to_be_retried(run: Run) -> bool:
    """Was an automatic retry opened that came to nothing, as another run did its work?"""
    return run.retries.filter(retry_number__isnull=False, cancel_requested=False).exists()


def _reason(run: Run) -> str:
    """The first line of the error. The lines below may quote a row, as databases do."""
    return run.error.strip().partition("\n")[0][:REASON_LENGTH]


def _tell(run: Run, what: str, text: str) -> None:
    task = " ".join(run.task.split())  # a name that came in a message may hold a line break
    undo = "the undo of " if run.undo_of_id else ""
    try:
        people = recipients.of_alerts()
        outbox.put(f"Housekeeping: {undo}{task} {what}", f"{text}\n{_link(run)}\n", people, kind="alert")
    except Exception as error:  # the event itself is written and stays as it is
        logger.error("Nobody could be told that run %s %s (%s)", run, what, type(error).__name__)
        return
    if not people:
        nobody = "no operator has a mail address, and ADMINS is empty"
        logger.warning("Nobody was told that run %s %s: %s", run, what, nobody)


def _link(run: Run) -> str:
    """The address of the run's page; its name if the project has no pages."""
    return addresses.page_in_mail("run", run.pk) or f"Run {run.pk}"
