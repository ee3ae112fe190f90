"""Execution: claim a run, carry it out, and save how it ended.

What it promises:

- One conditional UPDATE claims a run and raises its number of attempts. Only the worker
  with this number may write to the row: if its run was taken back while it was stalled, it
  changes nothing, and its open batch is rolled back.
- A failed run stores the error that was raised. ``endings`` has the promises about the end itself.
"""

import json
import logging
import threading
import traceback
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db import (
    DatabaseError,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    connection,
    transaction,
)
from django.db.models import F
from django.db.models.functions import Coalesce, Least

from housekeeping import conf, signals
from housekeeping.database import clock, discreet, guard, stored, transient, waits
from housekeeping.database.transactions import writing
from housekeeping.declared import registry, statistics
from housekeeping.declared.policies import Policy
from housekeeping.declared.registry import Task
from housekeeping.exceptions import (
    BrakeApplied,
    Cancelled,
    ClaimLost,
    ConsumerStopping,
    UnknownTask,
    each,
    is_database_gone,
)
from housekeeping.journal import acts, logs, pings
from housekeeping.journal.acts import Actor
from housekeeping.journal.alerting import alerts
from housekeeping.models import Consumer, Run
from housekeeping.models.constraints import ONE_RUNNING, is_refused_by
from housekeeping.runs import consumers, endings
from housekeeping.runs.work import purges, undos
from housekeeping.runs.work.attempts import Attempt, own

logger = logging.getLogger(__name__)

ERROR_LENGTH, TRACEBACK_LENGTH = 2_000, 50_000  # characters


def claim(
    run_id: uuid.UUID, attempt: int, *, consumer: Consumer | None = None, worker: str | None = None
) -> Run | None:
    """Claim a waiting run for its next attempt.

    ``attempt``: the number of attempts that the caller was told of. ``worker``: the name of the consumer's
    worker; by default, this process. Returns None if the run can't
    be claimed: another worker has it, it has ended or is gone, or its task is running.
    """
    waiting = Run.objects.due(clock.Now()).filter(pk=run_id, attempts=attempt, status=Run.Status.QUEUED)
    taken: dict[str, Any] = {
        "status": Run.Status.RUNNING,
        "attempts": F("attempts") + 1,
        "lease_until": clock.Now() + conf.life(),
        "consumer": consumer,
        "worker": worker or consumers.this_process(),
        "claimed_at": clock.Now(),
        "backend_pid": waits.BackendPid(),
        # Never later than now: the clock may have been ahead when an earlier attempt began.
        "started_at": Least(Coalesce("started_at", clock.Now()), clock.Now()),
        "as_of": Least(Coalesce("as_of", clock.Now()), clock.Now()),
    }
    try:
        claimed = transient.transact(lambda: waiting.update(**taken))
    except IntegrityError as error:
        if not is_refused_by(error, ONE_RUNNING):
            raise
        return None  # it waits until the other run of its task has ended
    return Run.objects.select_related("undo_of").get(pk=run_id) if claimed else None


def approve_claimed(run: Run, *, by: Actor) -> Run:
    """Approve a run that the caller has claimed, so that the brake lets it pass."""
    with writing():
        if own(run).filter(approved_by="").update(approved_by=by.name):
            before, after = {"approved_by": ""}, {"approved_by": by.name}
            acts.record(by, "approve", run.pk, task=run.task, before=before, after=after)
    run.refresh_from_db()
    return run


def execute(
    run: Run,
    *,
    should_stop: Callable[[], bool] = lambda: False,
    watch: Callable[[Run], None] = lambda run: None,
    gone: Callable[[Policy, list[Any]], None] = lambda policy, keys: None,
    publish: Callable[[Run, Any], None] = lambda run, result: None,
    batch_size: int | None = None,
) -> Run:
    """Carry out a claimed run and save how it ended.

    ``watch`` is called with the run before each batch, ``gone`` with the deleted keys after each
    batch. ``publish`` is called with the result just before the end is written, so that a reader
    who sees the end also finds the published result.

    ``should_stop`` is asked between batches. Once it returns true, the run goes back to waiting,
    and what it has done stays counted. The same happens on KeyboardInterrupt, which is raised
    again. Anything else that the task raises ends the run as failed. If the database itself is
    gone, nothing can be written: the run stays as it is, and is taken back once its lease has run
    out.
    """
    how = f"{run.cause} {run.kind}, attempt {run.attempts}"
    with logs.collect(run) as log:
        logger.info("Starting housekeeping task %s (%s)", run, how)
        try:
            if run.attempts == 1:
                pings.started(run)
            _end(Attempt(run, should_stop, watch, gone, publish, batch_size, log))
            run.refresh_from_db()
        except (OperationalError, InterfaceError, InternalError) as error:  # the last: read-only
            logger.error("The end of run %s can't be written; the run is taken back later: %s", run, error)
            if not connection.in_atomic_block:
                connection.close()
        else:
            log.write()
    return run


def _end(attempt: Attempt) -> None:
    """Carry the attempt out, and turn its outcome into the run's end."""
    run = attempt.run
    try:
        with _lease(run, attempt.lost):
            returned = _carry_out(attempt)
        attempt.log.write()  # before anybody can see that the run has ended
    except ClaimLost:
        logger.warning("Run %s was taken back while this worker was stalled; leaving it alone", run)
    except ConsumerStopping:
        _hand_back(run)
    except KeyboardInterrupt:
        _hand_back(run)
        raise
    except Cancelled:
        _finish(run, Run.Status.CANCELLED)
    except BrakeApplied as reason:
        _hold(run, str(reason))
    # BaseException: a task that calls sys.exit() has failed, and must not stop the worker.
    except BaseException as error:
        if is_database_gone(error):
            raise
        discreet.clean(error)
        logger.exception("Run %s failed", run)
        _fail(run, error)
    else:
        _conclude(run, returned, attempt.publish)


@dataclass(frozen=True)
class Returned:
    """What a task returned: an object for JSON, and the errors of its failed steps."""

    result: dict[str, Any] | None
    failures: list[Exception]


def _carry_out(attempt: Attempt) -> Returned:
    """Do the run's work. Raises what the task raises, RunStopped, and TypeError for a result that
    JSON can't hold."""
    run = attempt.run
    if run.undo_of:
        return _read(undos.put_back(attempt, run.undo_of))
    task = registry.find_task(run.task)
    if not run.dry_run:
        with guard.nothing_left_open():
            return _read(_call(task, attempt))
    registry.check_dry_run(task.name)  # another version of the site may have accepted the request
    with guard.no_writes():
        return _read(_call(task, attempt))


def _call(task: Task, attempt: Attempt) -> Any:
    """Call the task's function with the tools that it takes; a dry run gets tools that change nothing."""
    attempt.prepare(task.policies)
    is_dry = attempt.run.dry_run
    tools: dict[str, Callable[..., Any]] = {
        "purge": attempt.preview if is_dry else partial(purges.purge, attempt),
        "measure": statistics.measure if is_dry else statistics.take_snapshot,
        "mail": attempt.count_mails if is_dry else attempt.mail,
        "checkpoint": attempt.checkpoint,
    }
    attempt.checkpoint()
    return task.function(**{name: tools[name] for name in task.tools})


def _read(returned: Any) -> Returned:
    """Read a result once, since an object of the task's own may run any code. Raises TypeError."""
    try:
        result = stored.result(json.loads(json.dumps(returned, allow_nan=False)))
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"A task must return what JSON can represent: {error}") from error
    return Returned(result, list(getattr(returned, "failures", [])))


# --- Holding and ending a claim ---------------------------------------------------------------


@contextmanager
def _lease(run: Run, lost: threading.Event) -> Iterator[None]:
    """Renew the run's lease in a thread, however long one batch or count takes.

    Sets ``lost`` once the claim is lost.
    """
    done = threading.Event()

    def renew() -> None:
        while not done.wait(conf.beat().total_seconds()):
            try:
                if not transient.transact(lambda: own(run).update(lease_until=clock.Now() + conf.life())):
                    lost.set()
                    break
            except DatabaseError as error:
                logger.warning("The lease of run %s could not be renewed: %s", run, error)
            finally:
                connection.close()

    thread = threading.Thread(target=renew, name=f"lease-{run.pk}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _conclude(run: Run, returned: Returned, publish: Callable[[Run, Any], None]) -> None:
    try:
        publish(run, returned.result)
    except Exception as error:  # the run has done its work, even if the result can't be published
        logger.error("The result of run %s is only on its row, it could not be published: %s", run, error)
    if returned.failures:
        _fail(run, *returned.failures, result=returned.result)
    else:
        _finish(run, Run.Status.SUCCEEDED, result=returned.result)


def _fail(run: Run, *errors: BaseException, result: dict[str, Any] | None = None) -> None:
    for error in errors:  # a task may return failures that have not been cleaned yet
        discreet.clean(error)
    text = "; ".join(_sentence(error) for error in errors)
    trace = "\n".join("".join(traceback.format_exception(error)) for error in errors)
    _finish(
        run,
        Run.Status.FAILED,
        result=result,
        error=text[:ERROR_LENGTH],
        traceback=trace[-TRACEBACK_LENGTH:],
    )


def _sentence(error: BaseException) -> str:
    if isinstance(error, UnknownTask):
        return str(error)
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # its own __str__ is broken
        return type(error).__name__


def _finish(run: Run, status: Run.Status, **fields: Any) -> None:
    if not endings.end(run, status, rows=own(run), retried=run.retried, **fields):
        logger.warning("Run %s was taken back in the meantime; this worker does not write its end", run)


def _hold(run: Run, reason: str) -> None:
    """Let the run wait for approval. It replaces a run of the task that waits for one already."""
    # As if it had not started: time spent waiting for approval does not count as run time.
    held = {"status": Run.Status.HELD, "lease_until": None, "started_at": None, "error": reason}
    if not transient.transact(lambda: own(run).update(**held)):
        return
    run.refresh_from_db()
    logger.warning("Run %s is held for approval: %s", run, reason)
    pings.held(run)
    transaction.on_commit(lambda: alerts.held(run), robust=True)
    transaction.on_commit(lambda: signals.run_held.send_robust(Run, run=run), robust=True)
    older = Run.objects.filter(task=run.task, status=Run.Status.HELD).exclude(pk=run.pk)
    replaced = f"Run {run.pk} is held in its place."
    each(older, lambda one: endings.end(one, Run.Status.CANCELLED, rows=older, error=replaced))


def _hand_back(run: Run) -> None:
    waiting = {"status": Run.Status.QUEUED, "lease_until": None, "sent_at": None, "retried": run.retried}
    if transient.transact(lambda: own(run).update(**waiting)):
        logger.info("Run %s handed back after %s rows", run, run.done)


def hand_back_all(consumer: Consumer) -> int:
    """Let the runs of ``consumer`` wait again because its process is ending. Returns their number."""
    running = Run.objects.filter(consumer=consumer, status=Run.Status.RUNNING)
    return running.update(status=Run.Status.QUEUED, lease_until=None, sent_at=None)


def reject(run_id: uuid.UUID, task: str) -> None:
    """Store a failed run for a message whose task does not exist in this version of the site."""
    error = f"{UnknownTask(task, list(registry.TASKS))} Is a newer version of the site running somewhere?"
    run = Run(id=run_id, task=task[:100], cause=Run.Cause.MANUAL, requested_at=clock.now())
    endings.store(run, Run.Status.FAILED, error)
