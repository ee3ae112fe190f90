"""Endings: the only place that ends a run.

What it promises:

- A run ends once, in one conditional UPDATE, as succeeded, failed, cancelled or missed.
- Everything that belongs to an end happens here: the tally, the line in the log, the message for
  a run that waits for the same task, the automatic retry, the alert and the pings about it.
- None of that can prevent a run from ending. A tally that can't be written now is marked on the run
  as owed, and ``pay_tallies`` writes it later.
"""

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from housekeeping import signals
from housekeeping.database import clock, transient
from housekeeping.database.transactions import apart, writing
from housekeeping.exceptions import each
from housekeeping.journal import pings, tallies
from housekeeping.journal.alerting import alerts
from housekeeping.models import Run, storable
from housekeeping.models.constraints import ONE_PER_FIRE_TIME, ONE_PER_ID, is_refused_by
from housekeeping.runs import acknowledgements, retries, usual

logger = logging.getLogger(__name__)


def end(
    run: Run, status: Run.Status, *, rows: QuerySet[Run], level: int = logging.INFO, **facts: Any
) -> bool:
    """End ``run`` and refresh it, if it is still among ``rows``. Returns whether it was.

    ``rows`` is the condition under which the caller may end the run, such as holding its claim.
    ``facts`` are further fields, such as the result. Raises DatabaseError if the end itself can't
    be written; then nothing has changed.
    """
    mine = rows.filter(pk=run.pk, status__in=Run.ACTIVE)
    facts = {name: storable(fact) for name, fact in facts.items()}

    def write() -> bool:
        if not mine.update(status=status, finished_at=clock.Now(), lease_until=None, **facts):
            return False
        run.refresh_from_db()
        _complete(run)
        return True

    if not transient.transact(write):
        return False
    what = "Undo of" if run.undo_of_id else "Housekeeping task"
    logger.log(level, "%s %s %s: %s", what, run, status, run.error or run.result or run.deleted)
    return True


def store(run: Run, status: Run.Status, error: str) -> bool:
    """Store a run that ended before it began, such as a missed fire time. False if it exists already."""
    run.status, run.finished_at, run.sent_at, run.error = status, run.requested_at, None, error
    try:
        with writing():
            run.save(force_insert=True)
            _complete(run)
    except IntegrityError as error:
        if not is_refused_by(error, ONE_PER_FIRE_TIME, ONE_PER_ID):
            raise
        return False
    return True


def pay_tallies() -> None:
    """Write the tallies that are owed. Raises the first error after all have had their turn."""
    each(Run.objects.filter(tally_owed=True), _pay_tally)


def _pay_tally(run: Run) -> None:
    with writing():
        if Run.objects.filter(pk=run.pk, tally_owed=True).update(tally_owed=None):
            tallies.add(run)


def _complete(run: Run) -> None:
    """Do what belongs to an end: some of it in the transaction that writes it, some after the commit."""
    _count(run)
    _mark(run)
    if run.status == Run.Status.SUCCEEDED and not run.dry_run and not run.undo_of_id:
        _end_acknowledgement(run)
    is_retried = run.status == Run.Status.FAILED and _retry(run)
    if run.status != Run.Status.MISSED:  # a watcher notices by itself that nothing has started
        pings.ended(run, is_tried_again=is_retried)
    # Robust: Django logs an error in one of these, and the end stays as it is.
    transaction.on_commit(lambda: _resend_waiting(run.task), robust=True)
    if told := _to_be_told(run, is_retried=is_retried):
        transaction.on_commit(lambda: alerts.ended(told), robust=True)
    transaction.on_commit(lambda: _tell_integrators(run), robust=True)


def _end_acknowledgement(run: Run) -> None:
    """End the acknowledgement of the task's failures in this transaction; if that fails, after the commit."""
    with _apart(run, "the acknowledgement of its task stays for now"):
        acknowledgements.end(run.task)
    transaction.on_commit(lambda: acknowledgements.end_if_it_succeeded(run.task), robust=True)


def _retry(run: Run) -> bool:
    """Open the next automatic retry. Returns whether there is one."""
    with _apart(run, "its retry can't be opened"):
        return retries.open_next(run) is not None
    return False


def _to_be_told(run: Run, *, is_retried: bool) -> uuid.UUID | None:
    """The run whose end may call for a mail. None while it is tried again."""
    if run.status == Run.Status.CANCELLED and run.retry_number and run.cancel_requested:
        # The failure before it is the last of its series, unless another run has done the work since.
        return None if retries.newer(run) else run.retry_of_id
    return None if is_retried else run.pk


def _tell_integrators(run: Run) -> None:
    signals.run_ended.send_robust(Run, run=run)
    if run.status == Run.Status.MISSED:
        signals.fire_time_missed.send_robust(Run, run=run)


def _count(run: Run) -> None:
    with _apart(run, "its tally can't be written now; it is written later"):
        tallies.add(run)
        return
    Run.objects.filter(pk=run.pk).update(tally_owed=True)


def _mark(run: Run) -> None:
    """Mark a run that was unusual for its task."""
    with _apart(run, "it can't be compared with earlier ones"):
        if marks := usual.compare(run):
            Run.objects.filter(pk=run.pk).update(**marks)
            run.usual_seconds, run.usual_rows = marks.get("usual_seconds"), marks.get("usual_rows")


@contextmanager
def _apart(run: Run, problem: str) -> Iterator[None]:
    """A part of an end that must not prevent it."""
    with apart(lambda error: logger.error("Run %s ended, but %s: %s", run, problem, error)):
        yield


def _resend_waiting(task: str) -> None:
    """Have a run sent again that has waited for the end of another run of its task."""
    Run.objects.filter(task=task, status=Run.Status.QUEUED).update(sent_at=None)
