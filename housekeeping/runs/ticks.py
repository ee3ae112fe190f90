"""Ticks: notice fire times, and open exactly one run for each.

A schedule's next fire time is stored in its row and computed from the last one, not matched
against the clock. A tick that comes late, twice or from many consumers therefore finds the same.
"""

import logging
import time
from collections import deque
from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache

from django.conf import settings
from django.db import IntegrityError
from django.utils import timezone

from housekeeping import conf
from housekeeping.database import clock
from housekeeping.database.transactions import writing
from housekeeping.declared.registry import SCHEDULES, Schedule
from housekeeping.declared.triggers import Cron, Interval
from housekeeping.exceptions import QueueUnreachable, each
from housekeeping.models import Run, ScheduleState
from housekeeping.models.constraints import ONE_PER_FIRE_TIME, ONE_WAITING, is_refused_by
from housekeeping.runs import endings, pauses, recovery
from housekeeping.runs.control import Send
from housekeeping.runs.schedules import (
    PUNCTUAL,
    Entry,
    entries,
    known_local_times,
    local_times,
    next_after,
    start_afresh,
)

logger = logging.getLogger(__name__)

# Of the fire times that one catch-up replaces, so many get a row of their own.
MOST_MISSED_ROWS = 50
MISSED_ROWS_SPAN = timedelta(days=7)
# A clock that is set back by no more than this, as in autumn, shows some times twice. They fire once.
SHOWN_TWICE = timedelta(hours=1)
# Hosts with different tzdata change the next fire time back and forth at every tick. Each process
# logs that once in so many seconds for each schedule.
ZONE_LOGGED_EACH = 3600.0
_zone_logged: dict[str, float] = {}


def tick(now: datetime, *, send: Send) -> list[Run]:
    """Look at every schedule, and open a run for each that is due. Returns these runs.

    Any number of consumers may look at the same moment: each run is opened by one of them. An
    error with one schedule does not hold up the others: the first one is raised after all have had
    their turn.
    """
    opened: list[Run] = []

    def look(entry: Entry) -> None:
        run = _look_at(entry, now)
        if run and run.status == Run.Status.QUEUED:
            opened.append(run)

    try:
        each(entries(), look)
    finally:
        _send(opened, send)
    return opened


def _look_at(entry: Entry, now: datetime) -> Run | None:
    """Open the schedule's run if it is due. None if it is not, or another consumer opened it."""
    state = entry.state
    if state is None or state.computed_from != entry.source:
        state = start_afresh(entry, now)
    _follow_the_zone(entry, state)
    is_stopped = state.is_paused or entry.is_task_paused
    if not is_stopped and _is_too_late(entry, state, now):
        _correct(entry, state, now)
    if is_stopped or state.next_fire_at > now:
        return None
    return _open_run(entry, state, now)


def _send(opened: list[Run], send: Send) -> None:
    for run in opened:
        try:
            recovery.send_or_mark(run, send)
        except QueueUnreachable as error:  # the row is there, and is sent at the next look
            logger.error("Run %s could not be sent: %s", run, error)


def _is_too_late(entry: Entry, state: ScheduleState, now: datetime) -> bool:
    """Does the schedule wait for a later fire time than its trigger gives from now on?

    If the zone's rules have changed, the clock may show a local time again that has fired already.
    It is not owed twice, so the last local time decides.
    """
    zone = timezone.get_default_timezone()
    soon = now.replace(second=0, microsecond=0) + timedelta(minutes=1) + conf.ahead()
    if state.next_fire_at <= _fire_time_after(entry.trigger, soon, zone):
        return False
    after, _ = known_local_times(state) or (None, None)
    return after is None or after > soon or state.next_fire_at > entry.trigger.resume(after, zone)


# A cron trigger takes a millisecond to compute. Ticks come each second; once a minute is enough here.
@lru_cache(maxsize=1_000)
def _fire_time_after(trigger: Cron | Interval, after: datetime, zone: tzinfo) -> datetime:
    return trigger.next_fire_time(after, zone)


def _correct(entry: Entry, state: ScheduleState, now: datetime) -> None:
    """Compute a fire time again that was computed while the clock was ahead.

    Runs that were opened early, for fire times still to come, keep their results but lose their
    fire times: otherwise the coming ones would count as done. A fixed hour that the clock has shown
    a short while ago counts as done, as when clocks change.
    """
    now = max(now, clock.now())  # this tick may have been stalled since it asked for the time
    if not _is_too_late(entry, state, now):
        return
    wrong, right = state.next_fire_at, next_after(entry.trigger, now) | {"computed_at": now}
    with writing():
        if ScheduleState.objects.filter(id=state.id, next_fire_at=wrong).update(**right):
            is_fixed = isinstance(entry.trigger, Cron) and entry.trigger.has_fixed_hour
            early = now + (SHOWN_TWICE if is_fixed else conf.ahead())
            Run.objects.filter(schedule=state.id, scheduled_for__gt=early).update(scheduled_for=None)
            logger.warning(
                "Schedule %s waited for %s, computed while the clock was ahead; it is due at %s",
                *(state.id, wrong.isoformat(), right["next_fire_at"].isoformat()),
            )
    for name, value in right.items():
        setattr(state, name, value)


def _follow_the_zone(entry: Entry, state: ScheduleState) -> None:
    """Compute the next fire time again if the zone's rules have changed since it was computed.

    Otherwise it would come at a different local time, and a daily task could run twice on one day.
    The new fire time follows the last local time.
    """
    zone = timezone.get_default_timezone()
    after, following = known_local_times(state) or (None, None)
    if not (after and following) or following.utcoffset() == following.astimezone(zone).utcoffset():
        return
    owed = entry.trigger.resume(after, zone)
    fields = {"next_fire_at": owed, "local_times": local_times(after, owed)}
    if ScheduleState.objects.filter(id=state.id, next_fire_at=following).update(**fields):
        _log_zone(state.id, owed, following)
    state.refresh_from_db(fields=list(fields))


def _log_zone(schedule_id: str, owed: datetime, before: datetime) -> None:
    if time.monotonic() - _zone_logged.get(schedule_id, -ZONE_LOGGED_EACH) < ZONE_LOGGED_EACH:
        return
    _zone_logged[schedule_id] = time.monotonic()
    logger.warning(
        "The rules of %s have changed, or differ between hosts: schedule %s is due %s, not %s",
        settings.TIME_ZONE,
        schedule_id,
        owed.isoformat(),
        before.isoformat(),
    )


def _open_run(entry: Entry, state: ScheduleState, now: datetime) -> Run | None:
    """Move the schedule on, and open the run of the newest fire time that has passed.

    None if another consumer did it.
    """
    schedule, zone = entry.schedule, timezone.get_default_timezone()
    # Never before the fire time that is owed, even if the clock was set back.
    fire_time = max(entry.trigger.last_fire_time(now, zone), state.next_fire_at)
    late = now - fire_time
    run = _run_of(schedule, fire_time, now)
    if late > PUNCTUAL:
        run.cause = Run.Cause.CATCH_UP
    older = list(_older_runs(entry, state.next_fire_at, fire_time, now))

    with writing():
        due = ScheduleState.objects.filter(
            id=schedule.id,
            is_paused=False,
            computed_from=state.computed_from,
            next_fire_at=state.next_fire_at,
        )
        if pauses.is_paused(schedule.task.name):  # since this tick began
            return None
        if not due.update(**next_after(entry.trigger, fire_time)):
            return None
        for missed, reason in older:
            endings.store(missed, Run.Status.MISSED, reason)
        if not _store(run, late):
            return None
    logger.info("Schedule %s is due (%s): run %s %s", schedule.id, fire_time.isoformat(), run.pk, run.status)
    return run


def _store(run: Run, late: timedelta) -> bool:
    """Store the run of a fire time: as missed if it is too late or another run does its work.

    False if another consumer has stored it.
    """
    grace = SCHEDULES[run.schedule].grace
    if grace is not None and late > grace:
        return endings.store(run, Run.Status.MISSED, f"Noticed {late} late; the schedule's grace is {grace}.")
    try:
        with writing():
            run.save(force_insert=True)
    except IntegrityError as error:
        if is_refused_by(error, ONE_PER_FIRE_TIME):
            return False
        if not is_refused_by(error, ONE_WAITING):
            raise
        reason = "A run of this task was waiting already; it does this one's work, too."
        return endings.store(run, Run.Status.MISSED, reason)
    return True


def _older_runs(entry: Entry, first: datetime, newest: datetime, now: datetime) -> Iterator[tuple[Run, str]]:
    """The last few of the fire times before the newest, as missed runs, each with the reason."""
    zone = timezone.get_default_timezone()
    fire_time = first
    if newest - first > MISSED_ROWS_SPAN:
        fire_time = entry.trigger.next_fire_time(newest - MISSED_ROWS_SPAN, zone)
    newest_missed: deque[datetime] = deque(maxlen=MOST_MISSED_ROWS)
    while fire_time < newest:
        newest_missed.append(fire_time)
        fire_time = entry.trigger.next_fire_time(fire_time, zone)

    for number, missed in enumerate(newest_missed):
        reason = (
            f"No consumer looked at the schedules then; the run of {newest.isoformat()} replaces this one,"
            " too."
        )
        if number == 0 and missed > first:
            reason += f" Those from {first.isoformat()} to here are not listed."
        yield _run_of(entry.schedule, missed, now), reason


def _run_of(schedule: Schedule, fire_time: datetime, now: datetime) -> Run:
    return Run(
        task=schedule.task.name,
        schedule=schedule.id,
        scheduled_for=fire_time,
        cause=Run.Cause.SCHEDULE,
        status=Run.Status.QUEUED,
        requested_at=now,
        sent_at=now,
    )
