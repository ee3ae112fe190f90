"""Schedules: noticing fire times, and owing each of them exactly one run.

What a schedule owes next is a row, computed from its last fire time and not matched
against the clock: a look that comes late, twice or from many consumers finds the same.
"""

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from housekeeping.exceptions import QueueUnreachable
from housekeeping.models import Run, ScheduleState
from housekeeping.registry import SCHEDULES, Schedule
from housekeeping.runs import Send

logger = logging.getLogger(__name__)

# A run noticed within this time of its fire time ran on schedule; later, it catches up.
PUNCTUAL = timedelta(seconds=60)


def announce() -> None:
    """Log what is declared, as the site starts."""
    for schedule in SCHEDULES.values():
        logger.info("Scheduled: %s %s", schedule.label, schedule.trigger.describe())


def states() -> dict[str, ScheduleState]:
    """The state of each schedule that a consumer has seen, by its id."""
    return {state.id: state for state in ScheduleState.objects.filter(id__in=SCHEDULES)}


def next_fire_time(schedule: Schedule, state: ScheduleState | None, now: datetime) -> datetime | None:
    """When the schedule is due next; None while it is paused."""
    if state and state.is_paused:
        return None
    if state and state.computed_from == _source(schedule):
        return state.next_fire_at
    return schedule.trigger.next_fire_time(now, timezone.get_default_timezone())


def tick(now: datetime, *, send: Send) -> list[Run]:
    """Look at every schedule, and open a run for each that is due. Returns those runs.

    Any number of consumers may look at the same moment: one of them opens each run.
    """
    known = states()
    opened = []
    for schedule in SCHEDULES.values():
        state = known.get(schedule.id)
        if state is None or state.computed_from != _source(schedule):
            _start_afresh(schedule, now)
        elif not state.is_paused and state.next_fire_at <= now:
            run = _open_run(schedule, state, now)
            if run and run.status == Run.Status.QUEUED:
                opened.append(run)
    for run in opened:
        try:
            send(run)
        except QueueUnreachable as error:  # the row is there; it is sent for again later
            logger.error("Run %s could not be sent: %s", run, error)
    return opened


def is_due(schedule: Schedule, now: datetime) -> bool:
    """Does the schedule owe a run at ``now`` that no consumer has opened yet?"""
    state = ScheduleState.objects.filter(id=schedule.id, is_paused=False).first()
    return bool(state and state.computed_from == _source(schedule) and state.next_fire_at <= now)


def _source(schedule: Schedule) -> str:
    return f"{schedule.trigger.expression()} {settings.TIME_ZONE}"


def _start_afresh(schedule: Schedule, now: datetime) -> None:
    """A schedule seen for the first time, or changed, owes nothing from before."""
    next_fire_at = schedule.trigger.next_fire_time(now, timezone.get_default_timezone())
    ScheduleState.objects.update_or_create(
        id=schedule.id, defaults={"computed_from": _source(schedule), "next_fire_at": next_fire_at}
    )


def _open_run(schedule: Schedule, state: ScheduleState, now: datetime) -> Run | None:
    """Move the schedule on, and open the run of the newest fire time that has passed.

    None where another consumer did it.
    """
    zone = timezone.get_default_timezone()
    fire_time = schedule.trigger.last_fire_time(now, zone)
    following = schedule.trigger.next_fire_time(fire_time, zone)
    late = now - fire_time
    run = Run(
        task=schedule.task.name,
        schedule=schedule.id,
        scheduled_for=fire_time,
        cause=Run.Cause.SCHEDULE if late <= PUNCTUAL else Run.Cause.CATCH_UP,
        status=Run.Status.QUEUED,
        requested_at=now,
        sent_at=now,
    )
    if schedule.grace is not None and late > schedule.grace:
        _miss(run, f"Noticed {late} late; the schedule's grace is {schedule.grace}.")
    with transaction.atomic():
        due = ScheduleState.objects.filter(
            id=schedule.id,
            is_paused=False,
            computed_from=state.computed_from,
            next_fire_at=state.next_fire_at,
        )
        if not due.update(next_fire_at=following):
            return None
        try:
            with transaction.atomic():
                run.save(force_insert=True)
        except IntegrityError:
            if Run.objects.filter(schedule=schedule.id, scheduled_for=fire_time).exists():
                return None
            _miss(run, "A run of this task was waiting already; it does this one's work, too.")
            run.save(force_insert=True)
    logger.info("Schedule %s is due (%s): run %s %s", schedule.id, fire_time.isoformat(), run.pk, run.status)
    return run


def _miss(run: Run, reason: str) -> None:
    run.status = Run.Status.MISSED
    run.finished_at = run.requested_at
    run.sent_at = None
    run.error = reason
