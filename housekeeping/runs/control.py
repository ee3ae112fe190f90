"""Runs: asked for, claimed, carried out, ended.

What it promises:

- A run is a row before it is a message. ``send`` puts its id into the queue, as a
  wake-up call that may come twice, late or never without harm.
- One conditional UPDATE claims a run and raises its number of attempts. Only who knows
  that number may write to the row: a worker that was stalled and wakes up after its run
  was taken back changes nothing, and its open batch is rolled back.
- A failed run keeps what was raised. ``endings`` has the promises about the end itself.
"""

import logging
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
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
from django.db.models import F, Q, Sum
from django.db.models.functions import Coalesce, Least
from django.utils.translation import gettext, gettext_noop

from housekeeping import conf
from housekeeping.database import clock, discreet, transient
from housekeeping.declared import registry
from housekeeping.declared.policies import Policy
from housekeeping.engine import plans, restore, verification
from housekeeping.exceptions import (
    AlreadyRequested,
    BrakeApplied,
    Cancelled,
    ClaimLost,
    ConsumerStopping,
    KeyReused,
    NotPossible,
    QueueUnreachable,
    RunInProgress,
    UnknownTask,
    each,
    is_database_gone,
)
from housekeeping.journal import acts, alerts, logs
from housekeeping.journal.acts import Actor
from housekeeping.models import Consumer, Run
from housekeeping.runs import endings
from housekeeping.runs.attempts import Attempt, Returned, own
from housekeeping.runs.constraints import ONE_PER_KEY, ONE_RUNNING, ONE_WAITING, is_refused_by

logger = logging.getLogger(__name__)

Send = Callable[[Run], None]
"""Puts a run's id into the queue. Raises QueueUnreachable."""

MOST_LOSSES = 3
# Of storing a run while others, that end at once, are faster each time.
MOST_TRIES = 3
# A message that nobody answered for so long is taken for lost, and sent again.
RESEND_AFTER = timedelta(seconds=60)
ERROR_LENGTH = 2_000  # characters of a message; the traceback beside it is whole up to:
TRACEBACK_LENGTH = 50_000


# --- Asking for a run -------------------------------------------------------------------------


def request(
    task: str,
    *,
    send: Send,
    cause: Run.Cause = Run.Cause.MANUAL,
    dry_run: bool = False,
    by: Actor | None = None,
    schedule: str = "",
    scheduled_for: datetime | None = None,
    is_approved: bool = False,
    plan: Run | None = None,
    idempotency_key: str = "",
    retry_of: Run | None = None,
) -> Run:
    """Ask a consumer to run ``task``. Returns its queued run.

    ``is_approved``: the brake lets it pass, as ``by`` has said so beforehand. ``plan``: the
    dry run whose rows it deletes, and no others; who asks for that has seen the numbers, so
    that the brake lets it pass, too. ``idempotency_key``: whoever repeats the request with
    the same key opens no second run. Raises UnknownTask; CannotPreview for a dry run of a task that
    has none; NotPossible where there is no such
    plan any more; RunInProgress where the task is queued or running already;
    QueueUnreachable where no consumer could be told, and then no run is left behind;
    AlreadyRequested, with the run, for a repeated key, KeyReused where it stood for something else.
    """
    asked = _queued(task, cause, by)
    asked.dry_run, asked.idempotency_key = dry_run, idempotency_key
    asked.schedule, asked.scheduled_for, asked.plan_of = schedule, scheduled_for, plan
    asked.retry_of = retry_of
    asked.approved_by = (asked.requested_by or "the site") if is_approved or plan else ""
    _refuse_repeated(asked)
    registry.find_task(task)
    if dry_run:
        registry.check_dry_run(task)
    if plan:
        check_plan(plan, task)
    _store(asked, is_approved, by)
    # Only a committed row is worth a message: a consumer could be faster than the commit.
    transaction.on_commit(lambda: _send_or_withdraw(asked, send))
    return asked


def _refuse_repeated(asked: Run) -> None:
    if not asked.idempotency_key:
        return
    same_key = {"requested_by": asked.requested_by, "idempotency_key": asked.idempotency_key}
    earlier = Run.objects.filter(**same_key).first()
    if earlier is None:
        return
    if any(getattr(earlier, name) != getattr(asked, name) for name in ("task", "dry_run", "plan_of_id")):
        raise KeyReused(asked.idempotency_key, earlier)
    raise AlreadyRequested(earlier)


def _store(run: Run, is_approved: bool, by: Actor | None) -> None:
    """Store a run that was asked for, or raise what it conflicts with: a run that is there."""
    for tries_left in reversed(range(MOST_TRIES)):
        active = Run.objects.in_the_way(run.task, dry_run=run.dry_run)
        _refuse_repeated(run)  # the active run may be this very request
        if active:
            raise RunInProgress(active)
        try:
            with transaction.atomic():
                run.save(force_insert=True)
                if run.plan_of:
                    _carry_over(run.plan_of, run)
                _record_request(run, is_approved, by)
        except IntegrityError as error:
            # Another request was faster by a moment; its run is found next, unless it has ended since.
            if not (tries_left and is_refused_by(error, ONE_WAITING, ONE_PER_KEY)):
                raise
        else:
            return


def _record_request(run: Run, is_approved: bool, by: Actor | None) -> None:
    """What was asked for, and with what: a plan, a retry and an approval are acts of consequence."""
    what = "retry" if run.cause == Run.Cause.RETRY else "carry out" if run.plan_of else "trigger"
    details: dict[str, Any] = {"task": run.task, "after": {"status": run.status}}
    if run.dry_run:
        details["dry_run"] = True
    if run.schedule:
        details["schedule"] = run.schedule
    if run.retry_of:
        details["retry_of"] = str(run.retry_of.pk)
    if run.plan_of:
        details |= {"plan_of": str(run.plan_of.pk), "rows": run.plan_rows}
    if is_approved:
        details["after"]["approved_by"] = run.approved_by
    acts.record(by, what, run.pk, **details)


def check_plan(plan: Run, task: str) -> None:
    """Raises NotPossible where the plan can't be carried out (any more)."""
    if plan.task != task or not plan.is_plan:
        text = gettext("Run %(run)s is no finished dry run of the task %(task)s.")
        raise NotPossible(text % {"run": plan.pk, "task": repr(task)})
    kept = plan.planned_rows.aggregate(rows=Sum("rows"))["rows"] or 0
    if kept < sum(facts["rows"] for facts in plan.plan.values()):
        raise NotPossible(gettext("The rows of this plan are not kept any more: preview again."))
    if plan.carried_out.exclude(status__in=(Run.Status.FAILED, Run.Status.CANCELLED)).exists():
        raise NotPossible(gettext("This plan is carried out already: preview again."))
    plans.check_retentions(plan.plan)


def _carry_over(plan: Run, run: Run) -> None:
    """The run has the plan as its own: what becomes of the preview changes nothing for it."""
    run.plan, run.cutoffs = plan.plan, plan.cutoffs
    run.save(update_fields=["plan", "cutoffs"])
    plans.copy(plan, to=run)


def _queued(task: str, cause: Run.Cause, by: Actor | None) -> Run:
    now = clock.now()
    name = by.name if by else ""
    return Run(
        task=task,
        cause=cause,
        status=Run.Status.QUEUED,
        requested_by=name,
        requested_at=now,
        sent_at=now,
    )


def _send_or_withdraw(run: Run, send: Send) -> None:
    try:
        send(run)
    except QueueUnreachable as reason:
        Run.objects.filter(pk=run.pk, status=Run.Status.QUEUED, attempts=0).delete()
        acts.failed(run.undo_of_id or run.pk, reason)
        raise


def retry(run: Run, *, send: Send, by: Actor | None = None) -> Run:
    """Run again what failed, was cancelled or was missed, as a new run.

    Raises NotPossible for any other, and where rows are kept longer by now than it was held
    with; and what :func:`request` raises.
    """
    if run.undo_of:
        asked = {name: bool((run.undo_state or {}).get(name)) for name in ("unverified", "intact_only")}
        return undo(run.undo_of, send=send, by=by, **asked)
    if not run.can_be_retried:
        text = gettext("This run is %(status)s; only one that failed, was cancelled or missed is retried.")
        raise NotPossible(text % {"status": gettext(run.status)})
    if not run.dry_run:
        plans.check_retentions(run.plan)
    return request(
        run.task,
        send=send,
        cause=Run.Cause.RETRY,
        dry_run=run.dry_run,
        by=by,
        schedule=run.schedule,
        scheduled_for=run.scheduled_for,
        plan=run.plan_of,
        retry_of=run,
    )


def cancel(run: Run, *, by: Actor | None = None) -> Run:
    """Cancel a run that has not ended: at once if it waits, after its batch if it runs.

    Raises NotPossible if it has ended.
    """
    with transaction.atomic():
        run.refresh_from_db(from_queryset=Run.objects.select_for_update())
        waiting = Run.objects.filter(pk=run.pk, status__in=(Run.Status.QUEUED, Run.Status.HELD))
        running = Run.objects.filter(pk=run.pk, status=Run.Status.RUNNING)
        changed: dict[str, Any] = {
            "before": {"status": run.status},
            "after": {"status": Run.Status.CANCELLED},
        }
        if running.update(cancel_requested=True):
            asked = {"cancel_requested": run.cancel_requested}
            changed = {"before": asked, "after": {"cancel_requested": True}}
        elif not endings.end(run, Run.Status.CANCELLED, rows=waiting, cancel_requested=True):
            run.refresh_from_db()
            raise NotPossible(gettext("This run is %(status)s already.") % {"status": gettext(run.status)})
        acts.record(by, "cancel", run.pk, task=run.task, **changed)
    run.refresh_from_db()
    return run


def approve(run: Run, *, send: Send, by: Actor | None = None) -> Run:
    """Let a held run go on, with the cutoff that it was held with.

    Raises NotPossible for any other, and where rows are kept longer by now than it was held
    with; QueueUnreachable. Then it stays as it was.
    """
    held = Run.objects.filter(pk=run.pk, status=Run.Status.HELD)
    who = by.name if by else "the site"
    with transaction.atomic():
        if not held.update(
            status=Run.Status.QUEUED, approved_by=who, error="", started_at=None, sent_at=clock.Now()
        ):
            run.refresh_from_db()
            text = gettext("This run is %(status)s; only one that is held is approved.")
            raise NotPossible(text % {"status": gettext(run.status)})
        plans.check_retentions(run.plan)
        after = {"status": Run.Status.QUEUED, "approved_by": who}
        acts.record(
            by, "approve", run.pk, task=run.task, rows=run.plan_rows, before={"status": "held"}, after=after
        )
    reason = run.error
    run.refresh_from_db()
    transaction.on_commit(lambda: _send_or_hold(run, send, reason))
    return run


def approve_claimed(run: Run, *, by: Actor) -> Run:
    """Let the brake pass a run that the caller has claimed, as ``by`` has said beforehand."""
    with transaction.atomic():
        if own(run).filter(approved_by="").update(approved_by=by.name):
            before, after = {"approved_by": ""}, {"approved_by": by.name}
            acts.record(by, "approve", run.pk, task=run.task, before=before, after=after)
    run.refresh_from_db()
    return run


def _send_or_hold(run: Run, send: Send, reason: str) -> None:
    try:
        send(run)
    except QueueUnreachable as failure:
        acts.failed(run.pk, failure)
        waiting = Run.objects.filter(pk=run.pk, status=Run.Status.QUEUED)
        waiting.update(status=Run.Status.HELD, approved_by="", error=reason)
        raise


def undo(
    run: Run,
    *,
    send: Send,
    by: Actor | None = None,
    unverified: bool = False,
    intact_only: bool = False,
) -> Run:
    """Put back all that a run has deleted. Returns the run that does it.

    ``unverified``: also what version 1.0 kept and what can't be verified. ``intact_only``: the batches
    whose archives are intact, where others are damaged or missing.

    A run that has not ended is cancelled first. Asking twice is harmless: while the undo is
    under way it is returned, and once it is done there is nothing left to put back. Raises
    NotPossible where there is nothing, QueueUnreachable where no consumer could be told.
    """
    under_way = run.undos.active().first()
    if under_way:
        return under_way
    if run.status in (Run.Status.QUEUED, Run.Status.HELD) and not run.archives.exists():
        text = gettext("This run is %(status)s and has deleted nothing; cancel it instead.")
        raise NotPossible(text % {"status": gettext(run.status)})
    if not run.is_active and not run.archives.exists():
        raise NotPossible(_why_nothing_to_undo(run))
    restore.check_window(run)
    if run.is_active:
        cancel(run, by=by)
    putting_back = _queued(run.task, Run.Cause.MANUAL, by)
    putting_back.undo_of = run
    asked = {"unverified": unverified, "intact_only": intact_only}
    putting_back.undo_state = {name: True for name, is_asked in asked.items() if is_asked} or None
    with transaction.atomic():
        putting_back.save(force_insert=True)
        rows = run.archives.aggregate(rows=Sum("rows"))["rows"] or 0
        acts.record(
            by,
            "undo",
            run.pk,
            task=run.task,
            run=str(putting_back.pk),
            rows=rows,
            **(putting_back.undo_state or {}),
        )
    transaction.on_commit(lambda: _send_or_withdraw(putting_back, send))
    return putting_back


def _why_nothing_to_undo(run: Run) -> str:
    if verification.in_undo_window().filter(pk=run.pk).exists():
        return gettext(
            "All archives of this run are missing, though its undo window is open. Restore the table"
            " housekeeping_archive from a backup of the database."
        )
    done = run.undos.filter(status=Run.Status.SUCCEEDED).first()
    if done:
        return gettext("This run is undone already, by run %(run)s.") % {"run": done.pk}
    if not run.purged:
        return gettext("This run has deleted nothing that could be put back.")
    return gettext(
        "Nothing of this run is kept any more: its undo window has closed, or no archive was made."
    )


def reject(run_id: uuid.UUID, task: str) -> None:
    """Keep a message for a task that this version of the site does not know, as a failed run."""
    error = f"{UnknownTask(task, list(registry.TASKS))} Is a newer version of the site running somewhere?"
    run = Run(id=run_id, task=task[:100], cause=Run.Cause.MANUAL, requested_at=clock.now())
    endings.store(run, Run.Status.FAILED, error)


def wait(run: Run, seconds: float) -> Run:
    """Look at the row until the run has ended, for at most so many seconds.

    Raises QueueUnreachable where whoever asked for the run could not send it, and withdrew it.
    """
    deadline = time.monotonic() + seconds
    pause = 0.02
    _look_again(run)
    while run.status in (Run.Status.QUEUED, Run.Status.RUNNING) and time.monotonic() < deadline:
        time.sleep(min(pause, max(deadline - time.monotonic(), 0)))
        pause = min(pause * 1.5, 0.25)
        _look_again(run)
    return run


def _look_again(run: Run) -> None:
    try:
        run.refresh_from_db()
    except Run.DoesNotExist:
        text = gettext_noop("The queue can't be reached: %(error)s")
        raise QueueUnreachable(text, error=f"run {run.pk} was withdrawn") from None


# --- Carrying it out --------------------------------------------------------------------------


def claim(run_id: uuid.UUID, attempt: int, *, consumer: Consumer | None = None) -> Run | None:
    """Take a waiting run as its next attempt.

    ``attempt`` is the number of attempts that the caller was told of. None where the run
    is not to be had: it was claimed by another, has ended, is gone, or its task is running.
    """
    waiting = Run.objects.filter(pk=run_id, attempts=attempt, status=Run.Status.QUEUED)
    taken: dict[str, Any] = {
        "status": Run.Status.RUNNING,
        "attempts": F("attempts") + 1,
        "lease_until": clock.Now() + conf.life(),
        "consumer": consumer,
        # Not later than now, if the clock was ahead as an earlier attempt began.
        "started_at": Least(Coalesce("started_at", clock.Now()), clock.Now()),
        "as_of": Least(Coalesce("as_of", clock.Now()), clock.Now()),
    }
    try:
        claimed = transient.transact(lambda: waiting.update(**taken))
    except IntegrityError as error:
        if not is_refused_by(error, ONE_RUNNING):
            raise
        return None  # this one waits for the end of the other
    return Run.objects.select_related("undo_of").get(pk=run_id) if claimed else None


def execute(
    run: Run,
    *,
    should_stop: Callable[[], bool] = lambda: False,
    watch: Callable[[Run], None] = lambda run: None,
    gone: Callable[[Policy, list[Any]], None] = lambda policy, keys: None,
    publish: Callable[[Run, Any], None] = lambda run, result: None,
    batch_size: int | None = None,
) -> Run:
    """Carry out a claimed run and write down how it ended.

    ``watch`` is shown the run's progress before each batch, ``gone`` the keys that a batch
    has deleted after it. ``publish`` is handed the result just before the run is seen to
    have ended, so that whoever sees the end finds the result there, too.

    ``should_stop`` is asked between batches; once it is true, the run goes back to waiting,
    with what it has done counted. The same happens on KeyboardInterrupt, which is raised
    again. Whatever else the task raises ends the run as failed; but where the database
    itself is gone, nothing can be written: the run is left as it is, and taken back once
    its lease has run out.
    """
    how = f"{run.cause} {'dry run' if run.dry_run else 'run'}, attempt {run.attempts}"
    with logs.kept(run) as log:
        logger.info("Starting housekeeping task %s (%s)", run, how)
        try:
            _end(Attempt(run, should_stop, watch, gone, publish, batch_size, log))
            run.refresh_from_db()
        except (OperationalError, InterfaceError, InternalError) as error:  # the last: read-only
            logger.error("The end of run %s can't be written, it is taken back later: %s", run, error)
            if not connection.in_atomic_block:
                connection.close()
        else:
            log.write()
    return run


def _end(attempt: Attempt) -> None:
    """Carry the attempt out, and turn whatever comes of it into the run's end."""
    run = attempt.run
    try:
        with _lease(run, attempt.lost):
            returned = attempt.carry_out()
        attempt.log.write()  # before the run is seen to have ended
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
    # BaseException: a task that calls sys.exit() has failed, and must not take the worker along.
    except BaseException as error:
        if is_database_gone(error):
            raise
        discreet.clean(error)
        logger.exception("Run %s failed", run)
        _fail(run, error)
    else:
        _conclude(run, returned, attempt.publish)


# --- Holding and ending a claim ---------------------------------------------------------------


@contextmanager
def _lease(run: Run, lost: threading.Event) -> Iterator[None]:
    """Renew the run's lease from a thread, however long one batch or count takes.

    Sets ``lost`` once the claim is.
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
    except Exception as error:  # the run has done its work, whoever can't be told of it
        logger.error("The result of run %s is on its row alone: %s", run, error)
    if returned.failures:
        _fail(run, *returned.failures, result=returned.result)
    else:
        _finish(run, Run.Status.SUCCEEDED, result=returned.result)


def _fail(run: Run, *errors: BaseException, result: dict[str, Any] | None = None) -> None:
    for error in errors:  # a task may hand over failures that nobody has cleaned
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
        logger.warning("Run %s was taken back meanwhile; its end here is not written", run)


def _hold(run: Run, reason: str) -> None:
    """Let the run wait for approval, in the place of one of this task that waits already."""
    # It has not started: what it waits for an approval is no time that it took.
    held = {"status": Run.Status.HELD, "lease_until": None, "started_at": None, "error": reason}
    if not transient.transact(lambda: own(run).update(**held)):
        return
    run.refresh_from_db()
    logger.warning("Run %s is held for approval: %s", run, reason)
    transaction.on_commit(lambda: alerts.held(run), robust=True)
    older = Run.objects.filter(task=run.task, status=Run.Status.HELD).exclude(pk=run.pk)
    replaced = f"Run {run.pk} is held in its place."
    each(older, lambda one: endings.end(one, Run.Status.CANCELLED, rows=older, error=replaced))


def _hand_back(run: Run) -> None:
    waiting = {"status": Run.Status.QUEUED, "lease_until": None, "sent_at": None, "retried": run.retried}
    if transient.transact(lambda: own(run).update(**waiting)):
        logger.info("Run %s handed back after %s rows", run, run.done)


def hand_back_all(consumer: Consumer) -> int:
    """Let all that ``consumer`` carries out wait again, as its process ends at once. Returns how many."""
    running = Run.objects.filter(consumer=consumer, status=Run.Status.RUNNING)
    return running.update(status=Run.Status.QUEUED, lease_until=None, sent_at=None)


# --- Nothing lost -----------------------------------------------------------------------------


def recover(now: datetime, *, send: Send) -> None:
    """Take back the runs whose worker went silent, and send for those that nobody took.

    Any number of consumers may look at the same moment: one of them gets each run. A run for
    which that fails holds up no other: the first error is raised once all had their turn.
    QueueUnreachable is one; what could not be sent is sent with a later look.
    """
    steps = (
        lambda: _date_back(now),
        lambda: take_back_silent(now),
        lambda: _send_for_unheard(now, send),
        endings.pay_tallies,
    )
    each(steps, lambda step: step())


def _date_back(now: datetime) -> None:
    """Runs that are dated in the future, as the clock was ahead, happened by now: left so, one would
    pass for the newest run of its task for as long."""
    late = now + conf.ahead()
    found = Run.objects.filter(Q(requested_at__gt=late) | Q(finished_at__gt=late))
    if not (keys := list(found.values_list("pk", flat=True)[:1_000])):
        return
    runs = Run.objects.filter(pk__in=keys)
    for name in ("requested_at", "started_at", "finished_at"):
        runs.filter(**{f"{name}__gt": now}).update(**{name: now})
    logger.warning("Runs dated in the future, as the clock was ahead, were dated back to now: %s", len(keys))


def take_back_silent(now: datetime) -> None:
    """Take back the runs whose worker went silent. Raises the first error, after all had their turn."""
    running = Run.objects.filter(status=Run.Status.RUNNING)
    # Read before it is written: on SQLite an UPDATE takes the write lock even where it changes nothing.
    each(running.filter(lease_until__gt=now + conf.life() + conf.ahead()), _shorten_lease)
    each(running.filter(lease_until__lt=now), lambda run: _take_back(run, now))


def _shorten_lease(run: Run) -> None:
    """A lease that is longer than any that is given was written while the clock was ahead.

    A worker that is alive renews it in time; one that is not is noticed once it runs out.
    """
    too_long = own(run).filter(lease_until__gt=clock.Now() + conf.life() + conf.ahead())
    if too_long.update(lease_until=clock.Now() + conf.life()):
        logger.warning("Run %s had a lease from a clock that was ahead; it now ends in %s", run, conf.life())


def _send_for_unheard(now: datetime, send: Send) -> None:
    unheard = Run.objects.filter(
        Q(sent_at=None) | Q(sent_at__lt=now - RESEND_AFTER) | Q(sent_at__gt=now + conf.ahead()),
        status=Run.Status.QUEUED,
    )

    def send_for(run: Run) -> None:
        if unheard.filter(pk=run.pk).update(sent_at=now):
            send_or_mark(run, send)

    each(unheard, send_for)


def distrust_messages() -> None:
    """Send for every waiting run with the next look.

    A consumer that dies takes along the messages that it has read and not yet claimed.
    Where one has died, or one starts, the rows are asked; a message too many does no harm.
    """
    Run.objects.filter(status=Run.Status.QUEUED).update(sent_at=None)


def send_or_mark(run: Run, send: Send) -> None:
    """Send the run's id; where that fails, mark the row to be sent for with the next look.

    Raises QueueUnreachable.
    """
    try:
        send(run)
    except QueueUnreachable:
        Run.objects.filter(pk=run.pk, status=Run.Status.QUEUED).update(sent_at=None)
        raise


def _take_back(run: Run, now: datetime) -> None:
    mine = own(run).filter(lease_until__lt=now)
    silent = f"its worker ({run.consumer or 'a command'}) went silent in attempt {run.attempts}"
    if run.losses + 1 < MOST_LOSSES:
        taken = mine.update(status=Run.Status.QUEUED, losses=F("losses") + 1, lease_until=None, sent_at=None)
        if taken:
            logger.warning("Run %s is taken back: %s", run, silent)
            distrust_messages()
    else:
        error = f"Abandoned: {silent}, and {MOST_LOSSES} attempts were lost that way."
        losses = F("losses") + 1
        endings.end(run, Run.Status.FAILED, rows=mine, level=logging.ERROR, losses=losses, error=error)
