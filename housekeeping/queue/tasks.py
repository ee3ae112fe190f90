"""The Huey tasks: one that carries out any run, and one periodic task per schedule."""

import uuid
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone
from huey.contrib.djhuey import HUEY, db_periodic_task, db_task

from housekeeping import runs, schedules
from housekeeping.exceptions import HousekeepingError, QueueUnreachable
from housekeeping.models import Run
from housekeeping.policies import Policy
from housekeeping.queue.huey import STORAGE_ERRORS
from housekeeping.registry import SCHEDULES, Schedule


class RunFailed(HousekeepingError):
    """Tells Huey that a run failed; the run itself keeps what was raised."""


@db_task(name="execute_run")
def execute_run(run_id: str, attempt: int) -> dict[str, Any] | None:
    """Carry out the run, unless its row says that it is not to be had.

    The result, and a failure, end in Huey's own result store, too: the id is the same.
    """
    consumer = HUEY.consumer.row if HUEY.consumer else None
    run = runs.claim(uuid.UUID(run_id), attempt, consumer=consumer)
    if run is None:
        return None
    run = runs.execute(run, should_stop=HUEY.is_stopping, gone=forget_results)
    if run.status == Run.Status.FAILED and run.result is None:
        raise RunFailed(run.error)
    return run.result


def send(run: Run) -> None:
    """Put the run's id into the queue. Raises QueueUnreachable."""
    try:
        HUEY.enqueue(execute_run.s(str(run.pk), run.attempts, id=str(run.pk)))
    except STORAGE_ERRORS as error:
        raise QueueUnreachable(f"The queue can't be reached: {error}") from error


def ping() -> None:
    """Raises QueueUnreachable where the queue's storage doesn't answer."""
    try:
        HUEY.pending_count()
    except STORAGE_ERRORS as error:
        raise QueueUnreachable(f"The queue can't be reached: {error}") from error


def keep_result(run: Run) -> None:
    """Put the result of a run that no consumer carried out where Huey's own would be."""
    try:
        HUEY.put_result(str(run.pk), run.result)
    except STORAGE_ERRORS as error:
        raise QueueUnreachable(f"The queue can't be reached: {error}") from error


def forget_results(policy: Policy, keys: list[Any]) -> None:
    """Huey's copy of a result goes with its run."""
    if policy.model is Run:
        for key in keys:
            HUEY.delete(str(key))


def _register(schedule: Schedule) -> None:
    """Make the schedule a periodic task of Huey's, of the schedule's id.

    Our own consumer has already opened the run when Huey comes to ask, so that no
    message is queued; under a consumer of Huey's own, this is what opens it.
    """

    def is_due(timestamp: datetime) -> bool:
        return schedules.is_due(schedule, timestamp.replace(tzinfo=UTC))

    @db_periodic_task(is_due, name=schedule.id)
    def open_run() -> None:
        schedules.tick(timezone.now(), send=send)


for _schedule in SCHEDULES.values():
    _register(_schedule)
