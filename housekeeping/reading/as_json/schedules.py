"""Schedules as JSON."""

from datetime import datetime
from typing import Any

from django.utils import timezone

from housekeeping.declared.triggers import Cron, Interval
from housekeeping.reading import overview
from housekeeping.reading.as_json.fields import (
    GIVEN,
    Facts,
    Flag,
    Many,
    Moment,
    Object,
    One,
    Text,
    Whole,
    iso,
)
from housekeeping.reading.as_json.runs import Run
from housekeeping.reading.overview import ScheduleCard
from housekeeping.runs import schedules

STATUSES = [overview.RUNNING, overview.PAUSED, overview.STOPPED]


class StatusJob(Object[ScheduleCard]):
    """A schedule, in short."""

    id = Text("schedule.id")
    name = Text("schedule.name")
    next_run_time = Moment("next_run_at", nullable=True, help="null if it or its task is paused.")
    trigger = Text(lambda job: str(job.entry.trigger))


class SchedulerStatus(Object[overview.SchedulerStatus]):
    """Whether the schedules run."""

    status = Text(choices=STATUSES)
    total_jobs = Whole(lambda scheduler: len(scheduler.listed))
    jobs = Many(StatusJob, "listed")


class NextRun(Object[ScheduleCard]):
    """The next fire time of all schedules."""

    schedule = Text("schedule.id")
    at = Moment("next_run_at")


class Job(Object[ScheduleCard]):
    """A schedule."""

    id = Text("schedule.id")
    name = Text("schedule.name")
    task = Text("schedule.task.name")
    trigger = Text(lambda job: str(job.entry.trigger))
    expression = Text(lambda job: job.entry.trigger.expression(), help="The trigger as PATCH accepts it.")
    declared_expression = Text(lambda job: job.schedule.trigger.expression())
    time_zone = Text(lambda job: timezone.get_default_timezone_name())
    paused = Flag("entry.is_paused")
    task_paused = Flag("entry.is_task_paused", help="Its task is paused, so it opens no runs.")
    changed = Flag(
        lambda job: job.entry.changed_trigger is not None, help="An operator has changed its trigger."
    )
    upkeep = Flag("schedule.is_upkeep", help="It belongs to the app itself.")
    next_run_time = Moment("next_run_at", nullable=True)
    next_fire_times = Many(Moment(), GIVEN)
    last_run = One(Run, nullable=True)
    late = Flag("is_late", help="A fire time is overdue, and no consumer has opened a run for it.")


class FireTimes(Object[Any]):
    """When a trigger fires."""

    trigger = Text(str)
    next_fire_times = Many(Moment(), GIVEN)


def schedule(job: ScheduleCard, now: datetime) -> Facts:
    """A schedule with everything that can be read and changed about it."""
    times = [] if job.entry.is_stopped else schedules.fire_times(job.entry.trigger, now)
    return Job.of(job, next_fire_times=[iso(moment) for moment in times])


def fire_times(trigger: Cron | Interval, now: datetime) -> Facts:
    times = schedules.fire_times(trigger, now)
    return FireTimes.of(trigger, next_fire_times=[iso(moment) for moment in times])
