"""Carry out a run in the process of a command, without a consumer or without waiting for one."""

import sys
from collections.abc import Callable
from contextlib import redirect_stdout, suppress

from django.core.management.base import CommandError
from tqdm import tqdm

from housekeeping.database import clock
from housekeeping.exceptions import RunInProgress
from housekeeping.journal import outbox
from housekeeping.journal.acts import Actor
from housekeeping.models import Run
from housekeeping.queue import tasks as queue
from housekeeping.runs import control, recovery
from housekeeping.runs.work import execution

HELD = 3  # exit status: nothing was deleted; approve the run, or run the command with --yes


def waiting_run(
    task: str, *, dry_run: bool, plan: Run | None, by: Actor | None, tell: Callable[[str], object]
) -> Run | None:
    """A waiting run of the task, to be carried out instead of a new one. None: open a new one.

    ``by`` approves a held run; with None it stays held. Raises CommandError if another run is in the way
    and can't be carried out here.
    """
    recovery.take_back_silent(clock.now())  # there may be no consumer to do it
    active = Run.objects.active().filter(task=task, dry_run=dry_run)
    running = active.filter(status=Run.Status.RUNNING).first()
    if running:
        raise refusal(running)
    waiting = active.due(clock.now()).filter(status=Run.Status.QUEUED, undo_of=None)
    queued = waiting.order_by("requested_at", "pk").first()
    found = queued or Run.objects.in_the_way(task, dry_run=dry_run)
    if found is None:
        return None
    is_wanted = plan is None or found.plan_of_id == plan.pk
    if found.status == Run.Status.HELD and by and is_wanted:
        tell(f"Run {found.pk} is held; it is approved and carried out here.")
        return control.approve(found, send=tell_nobody, by=by)
    if found.status != Run.Status.QUEUED or found.undo_of_id or not is_wanted:
        raise refusal(found, is_in_plan_s_way=not is_wanted)
    asked = f", asked for by {found.requested_by}" if found.requested_by else ""
    only = f" It takes only the rows of the plan {found.plan_of_id}." if found.plan_of_id else ""
    tell(f"Run {found.pk} ({found.cause}{asked}) waits for a consumer; it is carried out here.{only}")
    return found


def tell_nobody(run: Run) -> None:
    """Sends nothing to the queue, since this process carries out the run."""


def refusal(run: Run, *, is_in_plan_s_way: bool = False) -> CommandError:
    """Why a run of the task can't be carried out while ``run`` has not ended, and what to do.

    ``is_in_plan_s_way``: a plan was requested, and ``run`` deletes other rows than the plan's.
    """
    where = f"{run.consumer or 'a command'}"
    cancel = f"cancel it with `housekeeping_runs cancel {run.pk}`"
    if run.status == Run.Status.RUNNING:
        advice = f"It is carried out by {where}: wait until it ends, or {cancel}."
    elif run.status == Run.Status.HELD and is_in_plan_s_way:
        advice = f"It takes other rows than the plan: {cancel}, and carry out the plan again."
    elif run.status == Run.Status.HELD:
        advice = f"Approve it with `housekeeping_runs approve {run.pk}` or with --yes, or {cancel}."
    elif run.undo_of_id:
        advice = f"It restores rows: carry it out with `housekeeping_runs carry-out {run.pk}`, or {cancel}."
    else:
        advice = f"Leave out --plan to carry it out, or {cancel}."
    code = HELD if run.status == Run.Status.HELD else 1
    return CommandError(f"{RunInProgress(run)} {advice}", returncode=code)


def carry_out(run: Run, *, approved_by: Actor | None = None) -> Run:
    """Claim a waiting run and carry it out here, with a progress bar on a terminal.

    Raises CommandError if it can't be claimed any more. Ctrl-C hands the run back and is raised again.
    """
    claimed = execution.claim(run.pk, run.attempts)
    if claimed is None:
        raise _gone(run)
    if approved_by:
        claimed = execution.approve_claimed(claimed, by=approved_by)
    # disable=None: a bar on a terminal only. Output of the task, such as a mail to the console, must not
    # end up inside our JSON.
    with redirect_stdout(sys.stderr):
        with tqdm(total=0, unit=" rows", disable=None, leave=False) as bar:

            def watch(run: Run) -> None:
                progress = run.progress()
                bar.total = progress["total"]
                bar.update(progress["done"] - bar.n)

            run = execution.execute(
                claimed, watch=watch, gone=queue.forget_results, publish=queue.store_result
            )
        # The run has ended: Ctrl-C only stops waiting for the mail server.
        with suppress(KeyboardInterrupt):
            # Without a consumer, as under cron, nobody else sends the mails in the outbox.
            outbox.send_if_nobody_else()
            outbox.settle()
    return run


def was_stopped(run: Run) -> bool:
    """Did Ctrl-C stop the run? It may have come just after the run had ended or was held."""
    run.refresh_from_db()
    return run.status in (Run.Status.QUEUED, Run.Status.RUNNING)


def carry_out_waiting(run: Run, *, approved_by: Actor | None = None) -> Run:
    """As :func:`carry_out`, for a run that somebody else has requested: after Ctrl-C it waits again."""
    try:
        return carry_out(run, approved_by=approved_by)
    except KeyboardInterrupt:
        if not was_stopped(run):
            return run
        text = f"Stopped after {run.done} rows; run {run.pk} waits again, for a consumer or a command."
        raise CommandError(text) from None


def _gone(run: Run) -> CommandError:
    """Why a run that waited a moment ago could not be claimed."""
    now = Run.objects.filter(pk=run.pk).first()
    beside = Run.objects.filter(task=run.task, status=Run.Status.RUNNING, dry_run=False).first()
    if now and now.status == Run.Status.RUNNING:
        return refusal(now)
    if now and now.status != Run.Status.QUEUED:
        return CommandError(f"Run {run.pk} is {now.status}; only one that is queued is carried out.")
    if beside:
        return refusal(beside)
    return CommandError(f"Run {run.pk} was withdrawn meanwhile.")
