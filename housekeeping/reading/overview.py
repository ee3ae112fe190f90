"""The state of everything, for the dashboard, the API, the commands and the metrics, in a few queries."""

import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from django.utils import timezone

from housekeeping import conf
from housekeeping.declared.registry import SCHEDULES, TASKS, Schedule
from housekeeping.engine import verification
from housekeeping.models import Consumer, Gauge, Run
from housekeeping.reading import gauges, policies, tasks
from housekeeping.reading.policies import PolicyCard
from housekeeping.reading.runs import newest
from housekeeping.reading.tasks import TaskCard
from housekeeping.reading.verdict import Verdict, is_late, verdict
from housekeeping.runs import consumers, pauses, schedules

RUNNING, PAUSED, STOPPED = "running", "paused", "stopped"


@dataclass(frozen=True)
class ScheduleCard:
    """A schedule, when it is due next, and the run that it opened last."""

    entry: schedules.Entry
    next_run_at: datetime | None
    last_run: Run | None = None
    is_late: bool = False

    @property
    def schedule(self) -> Schedule:
        return self.entry.schedule


@dataclass(frozen=True)
class SchedulerStatus:
    """Every schedule, in the order declared. ``status``: RUNNING, PAUSED or STOPPED."""

    status: str
    schedules: list[ScheduleCard]

    @property
    def listed(self) -> list[ScheduleCard]:
        """The schedules that the contract lists: all but the app's own upkeep."""
        return [card for card in self.schedules if not card.schedule.is_upkeep]


@dataclass(frozen=True)
class Mark:
    """A past run or a coming fire time on the timeline."""

    at: datetime
    task: str
    status: str  # a run's; "next" for a fire time
    run_id: uuid.UUID | None = None
    took: timedelta | None = None  # until now while it runs


@dataclass(frozen=True)
class Overview:
    now: datetime
    verdict: Verdict
    scheduler: SchedulerStatus
    consumers: list[Consumer]
    waiting: int  # queued runs that are due
    statistics: Gauge
    policies: list[PolicyCard]
    archive: Gauge  # bytes of all archives
    cards: list[TaskCard]
    active: list[Run]

    @property
    def is_busy(self) -> bool:
        """A run is queued or running, so that a page should refresh soon."""
        return any(run.status != Run.Status.HELD and not run.is_put_off for run in self.active)

    @property
    def recent(self) -> list[Run]:
        """The ten newest runs. Read here, as only the API has them."""
        return list(newest.with_consumer().newest_first()[:10])

    @property
    def timeline(self) -> list[Mark]:
        """The last 24 hours and the next. Read here, as only the API has them."""
        return _timeline([card.entry for card in self.scheduler.schedules], self.now)

    @property
    def archive_budget(self) -> int:
        """In bytes."""
        return int(conf.ARCHIVE_BUDGET_MB) * 1_000_000

    @property
    def next_schedule(self) -> ScheduleCard | None:
        """The schedule that is due first."""
        due = [card for card in self.scheduler.schedules if card.next_run_at]
        return min(due, key=lambda card: card.next_run_at or self.now, default=None)


# How far the timeline reaches back, and ahead.
TIMELINE = timedelta(hours=24)
MOST_ACTIVE = 50
MOST_MARKS = 300  # of past runs
MOST_FIRE_TIMES = 50  # of one schedule


def overview(now: datetime) -> Overview:
    alive = list(Consumer.objects.alive(now))
    # Few runs are active, so sort them here: the planner would walk the whole history in their order.
    active = sorted(newest.with_consumer().active()[:MOST_ACTIVE], key=lambda run: run.requested_at)
    ended, latest, opened = newest.find(
        (newest.ENDED, TASKS), (newest.OF_TASK, TASKS), (newest.OF_SCHEDULE, SCHEDULES)
    )
    latest |= {run.task: run for run in active if not run.is_put_off}
    states = pauses.states()
    paused = {name: state for name, state in states.items() if state.is_paused}
    scheduler = _scheduler_status(now, alive, opened, paused)
    entries = [card.entry for card in scheduler.schedules]
    figures = gauges.read_all([gauges.NUMBERS, gauges.ARCHIVE, *policies.backlogs(upkeep=False)])
    cards = policies.cards_of(figures, upkeep=False)
    return Overview(
        now=now,
        verdict=verdict(
            now,
            consumers=alive,
            entries=entries,
            states=states,
            active=active,
            newest=list(ended.values()),
            archive_bytes=figures[gauges.ARCHIVE].value,
            damaged=verification.damaged_runs(),
            failing_policies={card.policy.name: card.error for card in cards if card.error},
            failing_statistics=figures[gauges.NUMBERS].errors,
        ),
        scheduler=scheduler,
        consumers=alive,
        waiting=sum(run.status == Run.Status.QUEUED and not run.is_put_off for run in active),
        statistics=figures[gauges.NUMBERS],
        policies=cards,
        archive=figures[gauges.ARCHIVE],
        cards=tasks.cards_of(latest, ended, states),
        active=active,
    )


def _timeline(entries: list[schedules.Entry], now: datetime) -> list[Mark]:
    runs = Run.objects.filter(requested_at__gte=now - TIMELINE).newest_first()
    facts = runs.values_list("requested_at", "task", "status", "pk", "started_at", "finished_at")
    past = [
        Mark(at, task, status, pk, max((ended or now) - began, timedelta()) if began else None)
        for at, task, status, pk, began, ended in facts[:MOST_MARKS]
    ]
    coming = [
        Mark(at, entry.schedule.task.name, "next")
        for entry in entries
        for at in islice(_fire_times(entry, now), MOST_FIRE_TIMES)
    ]
    return [*past[::-1], *sorted(coming, key=lambda mark: mark.at)]


def _fire_times(entry: schedules.Entry, now: datetime) -> Iterator[datetime]:
    at, zone = entry.next_fire_time(now), timezone.get_default_timezone()
    while at and at <= now + TIMELINE:
        yield at
        at = entry.trigger.next_fire_time(at, zone)


def scheduler_status(now: datetime) -> SchedulerStatus:
    """Whether a consumer runs the schedules, and when each is due."""
    [last] = newest.find((newest.OF_SCHEDULE, SCHEDULES))
    return _scheduler_status(now, list(Consumer.objects.alive(now)), last, pauses.paused())


def _scheduler_status(
    now: datetime, alive: list[Consumer], last: dict[str, Run], paused: Collection[str]
) -> SchedulerStatus:
    cards = [
        ScheduleCard(entry, entry.next_fire_time(now), last.get(entry.schedule.id), is_late(entry, now))
        for entry in schedules.entries(paused)
    ]
    if all(card.entry.is_stopped for card in cards if not card.schedule.is_upkeep):
        status = PAUSED
    elif consumers.are_watching(alive):
        status = RUNNING
    else:
        status = STOPPED
    return SchedulerStatus(status, cards)
