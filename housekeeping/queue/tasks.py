"""The Huey tasks: one that carries out any run, and one periodic task per schedule."""

import logging
import multiprocessing
import threading
import uuid
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any

from django.db import DatabaseError, reset_queries
from django.utils.translation import gettext_noop as _
from huey.contrib.djhuey import HUEY, db_periodic_task, db_task

from housekeeping.database import clock
from housekeeping.declared.policies import Policy
from housekeeping.declared.registry import SCHEDULES, Schedule
from housekeeping.exceptions import HousekeepingError, QueueUnreachable, outage_of
from housekeeping.models import Run
from housekeeping.queue.huey import STORAGE_ERRORS
from housekeeping.runs import schedules, ticks
from housekeeping.runs.work import execution

logger = logging.getLogger(__name__)

PING = "ping"  # a key that is written to find out whether the storage accepts writes


class RunFailed(HousekeepingError):
    """Tells Huey that a run failed; the run itself stores the error."""


@db_task(name="execute_run")
def execute_run(run_id: str, attempt: int) -> dict[str, Any] | None:
    """Carry out the run if it can be claimed.

    Huey stores the result, or the failure, under the run's id as well.
    """
    run = _claim(uuid.UUID(run_id), attempt)
    if run is None:
        return None
    run = execution.execute(
        run,
        should_stop=HUEY.is_stopping,
        # With DEBUG on, Django remembers each query with its parameters, including whole archives.
        watch=lambda run: reset_queries(),
        gone=forget_results,
        publish=store_result,
    )
    if run.status == Run.Status.FAILED and run.result is None:
        raise RunFailed(run.error)
    result: dict[str, Any] | None = run.result
    return result


def _claim(run_id: uuid.UUID, attempt: int) -> Run | None:
    """None if the run can't be claimed, or if the database is out: then the run is sent again later."""
    consumer = HUEY.consumer.row if HUEY.consumer else None
    try:
        run = execution.claim(run_id, attempt, consumer=consumer, worker=_worker() if consumer else None)
    except DatabaseError as error:
        if not outage_of(error):
            raise
        HUEY.error_log.log_throttled("claim a run", error)
        return None
    HUEY.error_log.log_recovered("claim a run")
    return run


def _worker() -> str:
    """The name that Huey gave to the thread or the process of this worker: ``Worker-1``."""
    if multiprocessing.parent_process():
        return multiprocessing.current_process().name
    return threading.current_thread().name


def send(run: Run) -> None:
    """Put the run's id into the queue. Raises QueueUnreachable."""
    try:
        HUEY.enqueue(execute_run.s(str(run.pk), run.attempts, id=str(run.pk)))
    except STORAGE_ERRORS as error:
        raise QueueUnreachable(_("The queue can't be reached: %(error)s"), error=error) from error


def ping() -> None:
    """Raises QueueUnreachable if the queue's storage does not answer or does not accept writes."""
    try:
        HUEY.put(PING, None)
        HUEY.delete(PING)
    except STORAGE_ERRORS as error:
        raise QueueUnreachable(_("The queue can't be reached: %(error)s"), error=error) from error


def store_result(run: Run, result: Any) -> None:
    """Store a result where ``HUEY.result(run's id)`` finds it.

    Huey itself would store it only after the end of the run, and not for runs of commands.
    """
    HUEY.put_result(str(run.pk), result)


def forget_results(policy: Policy, keys: list[Any]) -> None:
    """Delete Huey's copies of the results of purged runs."""
    if policy.model is not Run:
        return
    try:
        for key in keys:
            HUEY.delete(str(key))
    except STORAGE_ERRORS as error:  # the runs are gone: an old copy must not fail the purge
        logger.warning("Results of purged runs stay in the queue's storage: %s", error)


def forget_results_with(holds: Callable[[str], bool], runs: list[Any]) -> int:
    """Delete all stored results, also of the site's own tasks, whose text ``holds`` accepts.

    The copies of these ``runs`` are stored anew, as their rows have them now. Returns how many results have
    changed. Raises QueueUnreachable.
    """
    try:
        held = [key for key, data in HUEY.storage.result_items().items() if holds(_text_of(data))]
        for key in held:
            HUEY.delete(key)
    except STORAGE_ERRORS as error:
        raise QueueUnreachable(_("The queue can't be reached: %(error)s"), error=error) from error
    for run in Run.objects.filter(pk__in=runs, result__isnull=False).exclude(status=Run.Status.FAILED):
        store_result(run, run.result)
    return len(held)


def _text_of(data: Any) -> str:
    """A stored result as text. One that can't be read is searched as it is."""
    try:
        return repr(HUEY.serializer.deserialize(bytes(data)))
    except Exception:  # signed by another key, or of a class that is gone
        return bytes(data).decode(errors="replace")


@cache
def register_schedules() -> None:
    """Register each schedule as a periodic task of Huey under its id, so that ``run_huey`` lists it.

    By the time Huey asks whether it is due, our scheduler has already opened the run.
    """
    for schedule in SCHEDULES.values():
        _register(schedule)


def _register(schedule: Schedule) -> None:
    def is_due(timestamp: datetime) -> bool:
        # Ignores the timestamp, which comes from the host's clock.
        return schedules.is_due(schedule, clock.roughly())

    @db_periodic_task(is_due, name=schedule.id)
    def open_run() -> None:
        ticks.tick(clock.now(), send=send)
