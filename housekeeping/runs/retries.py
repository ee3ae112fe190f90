"""Automatic retries: a run that failed is tried again, as a run of its own, if its task declares ``retries``.

What it promises:

- A retry is opened in the transaction that ends the failed run: none is lost, and none is opened twice.
- It waits at least twice as long as the one before it, up to an hour, and up to half of that in addition, so
  that tasks that failed together don't come back together.
- It is dropped if another run of its task has been requested meanwhile, and not opened for a paused task.
"""

import random
from datetime import timedelta

from housekeeping.database import clock
from housekeeping.declared.registry import LONGEST_RETRY_DELAY, TASKS, Task
from housekeeping.models import Run
from housekeeping.models.runs import LONGEST_RETRY_WAIT
from housekeeping.runs import pauses

SUPERSEDED = "Run {run} was requested before this retry was due, and does its work."


def open_next(run: Run) -> Run | None:
    """Open the retry of a run that has failed. None if there is none to come.

    Neither a dry run nor an undo is tried again, nor a plan that somebody has approved: its rows may not
    be those that were seen.
    """
    number = (run.retry_number or 0) + 1
    task = TASKS.get(run.task)
    if task is None or number > task.retries or run.dry_run or run.undo_of_id or run.plan_of_id:
        return None
    if pauses.is_paused(run.task):
        return None
    now = clock.now()
    return Run.objects.create(
        task=run.task,
        schedule=run.schedule,
        scheduled_for=run.scheduled_for,
        cause=Run.Cause.RETRY,
        status=Run.Status.QUEUED,
        requested_at=now,
        retry_of=run,
        retry_number=number,
        not_before=now + delay(task, number),
    )


def delay(task: Task, number: int) -> timedelta:
    """How long the n-th retry waits: exponential backoff with jitter."""
    least = min(task.retry_delay * 2 ** (number - 1), LONGEST_RETRY_DELAY)
    jitter = random.uniform(1, LONGEST_RETRY_WAIT / LONGEST_RETRY_DELAY)  # noqa: S311 - it spreads load, and keeps no secret
    return timedelta(seconds=least.total_seconds() * jitter)


def newer(run: Run) -> Run | None:
    """The run that does the work of a waiting retry, as it was requested after it."""
    others = Run.objects.filter(task=run.task, dry_run=False, undo_of=None, requested_at__gt=run.requested_at)
    unfit = (Run.Status.CANCELLED, Run.Status.MISSED)
    return others.exclude(status__in=unfit).exclude(pk=run.pk).newest_first().first()
