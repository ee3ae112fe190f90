"""Control: what people ask for. Start a run, retry, cancel, approve or undo it, wait for it.

What it promises:

- A run is a row before it is a message. ``send`` puts its id into the queue, as a wake-up
  call: it does no harm if it comes twice, late or never.
- A request whose message can't be sent leaves nothing behind, and raises QueueUnreachable.
"""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Sum
from django.utils.translation import gettext, gettext_noop

from housekeeping.database import clock
from housekeeping.database.transactions import writing
from housekeeping.declared import registry
from housekeeping.engine import plans, restore, verification
from housekeeping.exceptions import (
    AlreadyRequested,
    KeyReused,
    NotPossible,
    PlanInDryRun,
    QueueUnreachable,
    RunInProgress,
)
from housekeeping.journal import acts
from housekeeping.journal.acts import Actor
from housekeeping.models import Run
from housekeeping.models.constraints import ONE_PER_KEY, ONE_WAITING, is_refused_by
from housekeeping.runs import endings

Send = Callable[[Run], None]
"""Puts a run's id into the queue. Raises QueueUnreachable."""

# To store a run. Another request may come first each time, and its run may have ended by the next try.
MOST_TRIES = 3


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
    """Ask a consumer to run ``task``. Returns the queued run.

    ``is_approved``: ``by`` has approved the run beforehand, so the brake lets it pass. ``plan``: a
    dry run; exactly the rows that it listed are deleted, and the brake lets the run pass, since
    somebody has seen the numbers. ``idempotency_key``: a repeated request with the same key opens
    no second run.

    Raises UnknownTask; CannotPreview for a dry run of a task that has none; PlanInDryRun for a dry
    run of a plan; NotPossible if the plan can't be carried out any more; RunInProgress if the task
    is queued or running already; AlreadyRequested, with the run, for a repeated key, and KeyReused
    if the key belongs to a different request. Raises QueueUnreachable if no consumer could be
    told; then no run is left behind.
    """
    asked = _queued(task, cause, by)
    asked.dry_run, asked.idempotency_key = dry_run, idempotency_key
    asked.schedule, asked.scheduled_for, asked.plan_of = schedule, scheduled_for, plan
    asked.retry_of = retry_of
    asked.approved_by = (asked.requested_by or "the site") if is_approved or plan else ""
    check_kind(dry_run=dry_run, has_plan=plan is not None)
    _refuse_repeated(asked)
    registry.find_task(task)
    if dry_run:
        registry.check_dry_run(task)
    if plan:
        check_plan(plan, task)
    _store(asked, is_approved, by)
    # Send only once the row is committed: a consumer could be faster than the commit.
    transaction.on_commit(lambda: _send_or_withdraw(asked, send))
    return asked


def check_kind(*, dry_run: bool, has_plan: bool) -> None:
    """Raises PlanInDryRun: a dry run makes a plan and carries out none."""
    if dry_run and has_plan:
        raise PlanInDryRun


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
    """Store the requested run. Raises RunInProgress, AlreadyRequested or KeyReused on a conflict."""
    for tries_left in reversed(range(MOST_TRIES)):
        active = Run.objects.in_the_way(run.task, dry_run=run.dry_run)
        _refuse_repeated(run)  # the active run may belong to this very request
        if active:
            raise RunInProgress(active)
        try:
            with writing():
                run.save(force_insert=True)
                if run.plan_of:
                    _carry_over(run.plan_of, run)
                _record_request(run, is_approved, by)
        except IntegrityError as error:
            # Another request came first. The next try finds its run, unless that has ended by then.
            if not (tries_left and is_refused_by(error, ONE_WAITING, ONE_PER_KEY)):
                raise
        else:
            return


def _record_request(run: Run, is_approved: bool, by: Actor | None) -> None:
    """Record what was requested, including the plan, the retried run and the approval."""
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
    """Raises NotPossible if the plan can't be carried out (any more)."""
    if plan.task != task or not plan.is_plan:
        text = gettext("Run %(run)s is not a finished dry run of the task %(task)s.")
        raise NotPossible(text % {"run": plan.pk, "task": repr(task)})
    stored = plan.planned_rows.aggregate(rows=Sum("rows"))["rows"] or 0
    if stored < sum(facts["rows"] for facts in plan.plan.values()):
        raise NotPossible(gettext("The rows of this plan are no longer stored: preview again."))
    if plan.carried_out.exclude(status__in=(Run.Status.FAILED, Run.Status.CANCELLED)).exists():
        raise NotPossible(gettext("This plan has already been carried out: preview again."))
    plans.check_policies(plan.plan)


def _carry_over(plan: Run, run: Run) -> None:
    """Copy the plan to the run, so that it does not depend on what becomes of the preview."""
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
    """Run a task again whose run failed, was cancelled or was missed. Returns the new run.

    Raises NotPossible for a run in any other state, and if a retention is longer now than the
    run's plan assumed. Raises what :func:`request` raises, too.
    """
    if run.undo_of:
        asked = {name: bool((run.undo_state or {}).get(name)) for name in ("unverified", "intact_only")}
        return undo(run.undo_of, send=send, by=by, **asked)
    if not run.can_be_retried:
        text = gettext(
            "This run is %(status)s. Only runs that failed, were cancelled or were missed can be retried."
        )
        raise NotPossible(text % {"status": gettext(run.status)})
    if not run.dry_run:
        plans.check_policies(run.plan)
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
    """Cancel a run: at once if it waits, after the current batch if it is running.

    Raises NotPossible if it has ended.
    """
    with writing():
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
            raise NotPossible(
                gettext("This run has already ended: %(status)s.") % {"status": gettext(run.status)}
            )
        acts.record(by, "cancel", run.pk, task=run.task, **changed)
    run.refresh_from_db()
    return run


def approve(run: Run, *, send: Send, by: Actor | None = None) -> Run:
    """Let a held run continue, with the cutoffs that it was held with.

    Raises NotPossible for a run that is not held, and if a retention is longer now than when the
    run was held; QueueUnreachable. The run then stays as it was.
    """
    held = Run.objects.filter(pk=run.pk, status=Run.Status.HELD)
    who = by.name if by else "the site"
    with writing():
        if not held.update(
            status=Run.Status.QUEUED, approved_by=who, error="", started_at=None, sent_at=clock.Now()
        ):
            run.refresh_from_db()
            text = gettext("This run is %(status)s. Only held runs can be approved.")
            raise NotPossible(text % {"status": gettext(run.status)})
        plans.check_policies(run.plan)
        after = {"status": Run.Status.QUEUED, "approved_by": who}
        acts.record(
            by, "approve", run.pk, task=run.task, rows=run.plan_rows, before={"status": "held"}, after=after
        )
    reason = run.error
    run.refresh_from_db()
    transaction.on_commit(lambda: _send_or_hold(run, send, reason))
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
    """Restore everything that a run has deleted. Returns the run that does it.

    ``unverified``: include archives of version 1.0 that can't be verified. ``intact_only``: put
    back the intact batches, although other archives are damaged or missing.

    A run that has not ended is cancelled first. Asking twice is harmless: while the undo is under
    way, it is returned again; afterwards there is nothing left to put back. Raises NotPossible if
    there is nothing to put back, QueueUnreachable if no consumer could be told.
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
    with writing():
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
        return gettext("This run has already been undone, by run %(run)s.") % {"run": done.pk}
    if not run.purged:
        return gettext("This run has deleted no rows that could be restored.")
    return gettext("This run has no archive: it has expired, or none was made.")


def wait(run: Run, seconds: float) -> Run:
    """Wait for the run to end, for at most so many seconds. Returns the run as it is then.

    Raises QueueUnreachable if the run was withdrawn because it could not be sent.
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
