"""Schedules as they are in force: what each owes next, and how an operator changes that.

A schedule's next fire time is stored in a row, together with what an operator has changed. Every
consumer sees a change at its next tick, a second later, and changes survive restarts.
``ticks`` notices the fire times.
"""

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.utils import timezone

from housekeeping.database import clock
from housekeeping.database.transactions import writing
from housekeeping.declared.registry import SCHEDULES, Schedule
from housekeeping.declared.triggers import Cron, Interval, parse
from housekeeping.exceptions import BadTrigger, UnknownSchedule, each
from housekeeping.journal import acts
from housekeeping.journal.acts import Actor
from housekeeping.models import Run, ScheduleState
from housekeeping.models.runs import WAITING_RETRY
from housekeeping.runs import endings, pauses

logger = logging.getLogger(__name__)

# A fire time noticed within this time is on schedule; one noticed later is caught up.
PUNCTUAL = timedelta(seconds=60)
# While an old and a new version of the site look at the same schedule, each takes the other's
# trigger for a change, once a second. If the last change is so recent, fire times since then are
# still owed.
RECENT_CHANGE = timedelta(seconds=10)


def announce(opening: str) -> None:
    """Log the declared schedules after ``opening``, a line about what this process does with them."""
    logger.info(opening)
    for schedule in SCHEDULES.values():
        if not schedule.is_upkeep:
            logger.info("Scheduled: %s %s", schedule.label, schedule.trigger.describe())


@dataclass(frozen=True)
class Entry:
    """A schedule as it is in force: declared, or as an operator has changed it."""

    schedule: Schedule
    state: ScheduleState | None
    is_task_paused: bool = False

    @property
    def trigger(self) -> Cron | Interval:
        return self.changed_trigger or self.schedule.trigger

    @property
    def changed_trigger(self) -> Cron | Interval | None:
        """The trigger that an operator has set; None if there is none."""
        if not (self.state and self.state.trigger):
            return None
        return _changed_trigger(self.schedule.id, self.state.trigger)

    @property
    def source(self) -> str:
        """What fire times are computed from. When it changes, they start afresh."""
        return f"{self.trigger.expression()} {settings.TIME_ZONE}"

    @property
    def is_paused(self) -> bool:
        """Is the schedule itself paused?"""
        return bool(self.state and self.state.is_paused)

    @property
    def is_stopped(self) -> bool:
        """Does it open no runs, as it or its task is paused?"""
        return self.is_paused or self.is_task_paused

    def next_fire_time(self, now: datetime) -> datetime | None:
        """When the schedule is due next; None while it or its task is paused."""
        if self.is_stopped:
            return None
        if self.state and self.state.computed_from == self.source:
            return self.state.next_fire_at
        return self.trigger.next_fire_time(now, timezone.get_default_timezone())


@lru_cache(maxsize=1_000)  # an error is logged once, not at every tick
def _changed_trigger(schedule_id: str, text: str) -> Cron | Interval | None:
    try:
        return parse(text)
    except BadTrigger as error:  # written by another version of the site
        logger.error("Schedule %s runs as declared: %s", schedule_id, error.english)
        return None


def entries(paused: Collection[str] | None = None) -> list[Entry]:
    """Every schedule as it is in force, in the order of declaration.

    ``paused``: the paused tasks, from a caller that has read them.
    """
    states = {state.id: state for state in ScheduleState.objects.filter(id__in=SCHEDULES)}
    paused = pauses.paused() if paused is None else paused
    return [
        Entry(schedule, states.get(schedule.id), schedule.task.name in paused)
        for schedule in SCHEDULES.values()
    ]


def find(schedule_id: str) -> Entry:
    """Raises UnknownSchedule."""
    if schedule_id not in SCHEDULES:
        raise UnknownSchedule(schedule_id, list(SCHEDULES))
    schedule, state = SCHEDULES[schedule_id], ScheduleState.objects.filter(id=schedule_id).first()
    return Entry(schedule, state, pauses.is_paused(schedule.task.name))


def fire_times(trigger: Cron | Interval, after: datetime, count: int = 5) -> list[datetime]:
    """The next ``count`` fire times after a moment, in UTC."""
    times = []
    for _ in range(count):
        after = trigger.next_fire_time(after, timezone.get_default_timezone())
        times.append(after)
    return times


def is_due(schedule: Schedule, now: datetime) -> bool:
    """Does the schedule owe a run at ``now`` that no consumer has opened yet?"""
    fire_time = find(schedule.id).next_fire_time(now)
    return bool(fire_time and fire_time <= now)


# --- What a schedule owes next ----------------------------------------------------------------


def start_afresh(entry: Entry, now: datetime) -> ScheduleState:
    """Compute the next fire time of a new or changed schedule. Earlier ones are not owed."""
    state = entry.state
    is_recent = state is not None and state.computed_at > now - RECENT_CHANGE
    since = min(state.computed_at, now) if state and is_recent else now
    with writing():
        state, _ = ScheduleState.objects.update_or_create(
            id=entry.schedule.id,
            defaults={
                "computed_from": entry.source,
                "computed_at": now,
                **next_after(entry.trigger, since),
            },
        )
    return state


def next_after(trigger: Cron | Interval, after: datetime) -> dict[str, Any]:
    """The fields of a schedule's row that owes nothing until the first fire time after a moment."""
    zone = timezone.get_default_timezone()
    following = trigger.next_fire_time(after, zone)
    return {"next_fire_at": following, "local_times": local_times(after.astimezone(zone), following)}


def local_times(after: datetime, following: datetime) -> str:
    local = following.astimezone(timezone.get_default_timezone())
    return f"{after.isoformat()} {local.isoformat()}"


def known_local_times(state: ScheduleState) -> tuple[datetime, datetime] | None:
    """The last local time and the next one, as they were when the next one was computed, if known."""
    try:
        after, following = map(datetime.fromisoformat, state.local_times.split())
    except ValueError:  # written by an older version, or damaged
        return None
    is_current = following == state.next_fire_at  # otherwise an older version has moved the schedule on
    return (after, following) if is_current and after.tzinfo else None


# --- Steering ---------------------------------------------------------------------------------


def pause(schedule_id: str, *, by: Actor | None = None) -> Entry:
    """Open no more runs until :func:`resume`. Queued and running runs are not touched."""
    return _steer(schedule_id, "pause", by, is_paused=True)


def resume(schedule_id: str, *, by: Actor | None = None) -> Entry:
    """Continue from now on. Fire times during the pause are not owed."""
    return _steer(schedule_id, "resume", by, is_paused=False)


def pause_all(*, by: Actor | None = None) -> None:
    for schedule_id in SCHEDULES:
        pause(schedule_id, by=by)


def resume_all(*, by: Actor | None = None) -> None:
    for schedule_id in SCHEDULES:
        resume(schedule_id, by=by)


def change(schedule_id: str, text: str, *, by: Actor | None = None) -> Entry:
    """Run by five cron fields or an interval ``[D ]HH:MM:SS`` instead of the declared trigger.

    Raises BadTrigger; then nothing has changed.
    """
    return _steer(schedule_id, "change trigger", by, trigger=parse(text).expression())


def reset(schedule_id: str, *, by: Actor | None = None) -> Entry:
    """Run by the declared trigger again."""
    return _steer(schedule_id, "reset trigger", by, trigger="")


def pause_task(task: str, *, reason: str = "", by: Actor | None = None) -> None:
    """Let no schedule, catch-up or automatic retry start the task until :func:`resume_task`.

    A person still may. Queued and running runs are not touched, but for automatic retries that wait: they
    are cancelled. Raises UnknownTask.
    """
    if not pauses.change(task, is_paused=True, reason=reason, by=by):
        return
    waiting = Run.objects.filter(WAITING_RETRY, task=task)
    facts: dict[str, Any] = {"cancel_requested": True, "error": pauses.PAUSED_BEFORE_RETRY}
    each(waiting, lambda run: endings.end(run, Run.Status.CANCELLED, rows=waiting, **facts))
    logger.info("Task %s: paused by %s", task, by.name if by else "the site")


def resume_task(task: str, *, by: Actor | None = None) -> None:
    """Continue from now on: fire times during the pause are not owed. Raises UnknownTask."""
    now = clock.now()
    with writing():
        # First, so that no consumer sees the task resumed and a fire time still owed.
        for schedule in SCHEDULES.values():
            if schedule.task.name == task and (entry := find(schedule.id)).is_task_paused:
                _owe_nothing(entry, now)
        if not pauses.change(task, is_paused=False, by=by):
            return
    logger.info("Task %s: resumed by %s", task, by.name if by else "the site")


def _owe_nothing(entry: Entry, now: datetime) -> None:
    following = next_after(entry.trigger, now)
    ScheduleState.objects.filter(id=entry.schedule.id).update(computed_at=now, **following)


def _steer(schedule_id: str, act: str, by: Actor | None, **fields: object) -> Entry:
    """Change the schedule's row and record who did it. The next fire time is computed from now."""
    now = clock.now()
    find(schedule_id)
    with writing():
        _start_afresh_if_new(schedule_id, now)
        state = ScheduleState.objects.select_for_update().get(id=schedule_id)
        before = {name: getattr(state, name) for name in fields}
        if before == fields:
            return find(schedule_id)  # nothing changes, so nothing is recorded
        for name, value in fields.items():
            setattr(state, name, value)
        entry = Entry(SCHEDULES[schedule_id], state, pauses.is_paused(SCHEDULES[schedule_id].task.name))
        state.computed_from = entry.source
        state.computed_at = now
        for name, value in next_after(entry.trigger, now).items():
            setattr(state, name, value)
        state.save()
        acts.record(by, act, schedule_id, before=before, after=dict(fields))
    logger.info("Schedule %s: %s by %s", schedule_id, act, by.name if by else "the site")
    return entry


def _start_afresh_if_new(schedule_id: str, now: datetime) -> None:
    entry = find(schedule_id)
    if entry.state is None:
        start_afresh(entry, now)
