"""A mail to those who can do something about it: a run is held, failed, or is well again.

Kept in the outbox once what it tells of is written, and sent from there: no run waits for a
mail server.
"""

import logging
import uuid

from django.contrib.auth import get_user_model

from housekeeping import addresses
from housekeeping.journal import outbox
from housekeeping.models import Run

logger = logging.getLogger(__name__)

REASON_LENGTH = 200  # characters of an error; its run's page has the rest


def held(run: Run) -> None:
    """Tell that a run waits for approval."""
    _tell(run, "is held for approval", f"{run.error}\n\nNothing is deleted. Approve or cancel it here:")


def ended(run_id: uuid.UUID) -> None:
    """Tell of a task's first failure after it was well, and of its first success after that.

    A task that fails each five minutes is told of once. Dry runs tell nothing.
    """
    try:
        run = Run.objects.get(pk=run_id)
        before = _ended_before(run)
    except Exception as error:  # the end is written, and stays as it is
        logger.error("Whether the end of run %s is worth a mail can't be told: %s", run_id, error)
        return
    if run.dry_run:
        return
    was_well = before is None or before.status == Run.Status.SUCCEEDED
    if run.status == Run.Status.FAILED and was_well:
        advice = "No further mail comes until it has succeeded again. What happened, and a button to retry:"
        _tell(run, "failed", f"{_reason(run)}\n\n{advice}")
    elif run.status == Run.Status.SUCCEEDED and not was_well:
        _tell(run, "succeeded again", "The run before this one had failed. This one:")


def _ended_before(run: Run) -> Run | None:
    """The newest other run of the task and of the same kind, work or undo."""
    alike = Run.objects.did_undo() if run.undo_of_id else Run.objects.did_work()
    return alike.filter(task=run.task).exclude(pk=run.pk).newest_first().first()


def _reason(run: Run) -> str:
    """The first line of the error. What a database says below it may quote a row."""
    return run.error.strip().partition("\n")[0][:REASON_LENGTH]


def _tell(run: Run, what: str, text: str) -> None:
    page = addresses.page_in_mail("run", run.pk) or f"Run {run.pk}"
    task = " ".join(run.task.split())  # a name that came in a message may hold a line break
    undo = "the undo of " if run.undo_of_id else ""
    try:
        recipients = _recipients()
        outbox.put(f"Housekeeping: {undo}{task} {what}", f"{text}\n{page}\n", recipients, kind="alert")
    except Exception as error:  # what it tells of is written, and stays as it is
        logger.error("Nobody could be told that run %s %s (%s)", run, what, type(error).__name__)
        return
    if not recipients:
        logger.warning("Nobody was told that run %s %s: no operator has a mail address", run, what)


def _recipients() -> list[str]:
    """Active accounts that may operate, with an address."""
    backend = "django.contrib.auth.backends.ModelBackend"  # of several, the one that knows rights
    people = get_user_model().objects.with_perm("housekeeping.operate", backend=backend)
    return list(people.exclude(email="").order_by("pk").values_list("email", flat=True))
