"""Alerts about runs: a run is held, a task fails, and it succeeds again.

They are told once the event itself is written, so no run waits for a server. What they miss, because a
process died in between, the next look for incidents finds.
"""

import logging
import uuid

from housekeeping.journal.alerting import incidents
from housekeeping.journal.alerting.incidents import Condition, Kind
from housekeeping.models import Run
from housekeeping.models.text import one_line

logger = logging.getLogger(__name__)

REASON_LENGTH = 200  # characters of an error; its run's page has the rest


def held(run: Run) -> None:
    """Report that a run waits for approval."""
    try:
        incidents.begin(of_held(run))
    except Exception as error:  # the run waits, and stays as it is
        _log(error, run.pk)


def ended(run_id: uuid.UUID) -> None:
    """Report a task's first failure after a success, and its first success after a failure.

    A task that fails every five minutes is told once, and again each day. Dry runs cause nothing. A
    failure that is tried again is not reported: the last one of its series is.
    """
    try:
        run = Run.objects.get(pk=run_id)
        if not run.dry_run:
            _judge(run)
    except Exception as error:  # the end is written and stays as it is
        _log(error, run_id)


def _judge(run: Run) -> None:
    held = Run.objects.active().filter(task=run.task, status=Run.Status.HELD)
    if not held.exists():
        incidents.end(Kind.HELD, one_line(run.task, 100))
    if run.status not in (Run.Status.FAILED, Run.Status.SUCCEEDED):
        return
    alike = Run.objects.did_undo() if run.undo_of_id else Run.objects.did_work()
    newest = alike.filter(task=run.task).newest_first().first()
    if newest is None or newest.status == Run.Status.SUCCEEDED:
        incidents.end(Kind.FAILED, target_of(run), run=newest.pk if newest else None)
    elif not is_tried_again(newest):
        incidents.begin(of_failure(newest))


def is_tried_again(run: Run) -> bool:
    """Does an automatic retry of the failed run wait, or run?"""
    return run.retries.filter(retry_number__isnull=False, status__in=Run.ACTIVE).exists()


def target_of(run: Run) -> str:
    task = one_line(run.task, 100)  # a name that came in a message may hold a line break
    return f"the undo of {task}" if run.undo_of_id else task


def of_failure(run: Run, *, is_known: bool = False) -> Condition:
    """The last failure of a task. The lines below the error's first may quote a row, as databases do."""
    reason = run.error.strip().partition("\n")[0][:REASON_LENGTH]
    return Condition(Kind.FAILED, target_of(run), reason, one_line(run.task, 100), run.pk, is_known)


def of_held(run: Run) -> Condition:
    return Condition(Kind.HELD, one_line(run.task, 100), run.error, one_line(run.task, 100), run.pk)


def _log(error: Exception, run_id: uuid.UUID) -> None:
    logger.error("Nobody could be told about run %s (%s)", run_id, type(error).__name__)
