"""All that the faces show, read in a few queries. Templates and serializers only print it."""

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from housekeeping import conf
from housekeeping.declared.registry import SCHEDULES, STATISTICS, TASKS, Schedule, Task
from housekeeping.declared.triggers import parse
from housekeeping.engine import verification
from housekeeping.engine.holds import without_row
from housekeeping.exceptions import BadRetention, BadTrigger
from housekeeping.journal import tallies
from housekeeping.models import (
    MOST_OFFSET,
    Act,
    Consumer,
    Gauge,
    Hold,
    Run,
    Snapshot,
    Tally,
)
from housekeeping.reading import gauges, newest, policies, search, words
from housekeeping.reading.policies import PolicyCard
from housekeeping.reading.verdict import Verdict, is_late, verdict
from housekeeping.runs import schedules
from housekeeping.steering import retentions
from housekeeping.steering.holds import Group, group, holdable

RUNNING, PAUSED, STOPPED = "running", "paused", "stopped"


@dataclass(frozen=True)
class Job:
    """A schedule, when it is due next, and the run it opened last."""

    entry: schedules.Entry
    next_run_at: datetime | None
    last_run: Run | None = None
    is_late: bool = False

    @property
    def schedule(self) -> Schedule:
        return self.entry.schedule


@dataclass(frozen=True)
class TaskCard:
    """A task, with its active run, else the newest that it had."""

    task: Task
    latest: Run | None


@dataclass(frozen=True)
class SchedulerStatus:
    status: str
    jobs: list[Job]

    @property
    def listed(self) -> list[Job]:
        """The jobs that the contract lists: all but our own upkeep."""
        return [job for job in self.jobs if not job.schedule.is_upkeep]


@dataclass(frozen=True)
class Mark:
    """A run that was, or a fire time that comes, on the timeline."""

    at: datetime
    task: str
    status: str  # a run's; "next" for a fire time
    run_id: uuid.UUID | None = None


@dataclass(frozen=True)
class Tile:
    """One of the five numbers, and how it went lately, oldest first."""

    name: str
    label: str
    number: int
    history: list[int]


@dataclass(frozen=True)
class Overview:
    now: datetime
    verdict: Verdict
    scheduler: SchedulerStatus
    consumers: list[Consumer]
    waiting: int  # runs that wait for a worker
    statistics: Gauge
    tiles: list[Tile]
    policies: list[PolicyCard]
    archive: Gauge  # bytes that undo keeps
    cards: list[TaskCard]
    active: list[Run]
    recent: list[Run]
    timeline: list[Mark]

    @property
    def is_busy(self) -> bool:
        """Something is queued or running: it is worth looking again soon."""
        return any(run.status != Run.Status.HELD for run in self.active)

    @property
    def has_paused_schedule(self) -> bool:
        return any(job.entry.is_paused for job in self.scheduler.jobs)

    @property
    def has_running_schedule(self) -> bool:
        return any(not job.entry.is_paused for job in self.scheduler.jobs)

    @property
    def archive_budget(self) -> int:
        """Bytes."""
        return int(conf.ARCHIVE_BUDGET_MB) * 1_000_000

    @property
    def jobs(self) -> list[tuple[Job, TaskCard]]:
        """Each job, and the card of its task."""
        cards = {card.task.name: card for card in self.cards}
        return [(job, cards[job.schedule.task.name]) for job in self.scheduler.jobs]

    @property
    def next_job(self) -> Job | None:
        """The job that is due first."""
        due = [job for job in self.scheduler.jobs if job.next_run_at]
        return min(due, key=lambda job: job.next_run_at or self.now, default=None)

    @property
    def marks_around(self) -> list[Mark]:
        """The part of the timeline that is near, for its table: its runs with their keys."""
        recent = [run for run in self.recent if run.requested_at >= self.now - TIMELINE]
        past = [Mark(run.requested_at, run.task, run.status, run.pk) for run in reversed(recent)]
        coming = [mark for mark in self.timeline if mark.status == "next"]
        return past + coming[:10]

    @property
    def time_zone(self) -> str:
        return timezone.get_current_timezone_name()


TILE_SNAPSHOTS = 30
# The timeline reaches so far back and ahead, with so many marks at most on either side.
TIMELINE = timedelta(hours=24)
MOST_ACTIVE = 50
MOST_MARKS = 300
MOST_SNAPSHOTS = 1_000
MOST_FIRE_TIMES = 50  # of one schedule


def overview(now: datetime) -> Overview:
    alive = list(Consumer.objects.alive(now))
    # Sorted here: asked for in order, the database would look through all runs for these few.
    active = sorted(newest.with_consumer().active()[:MOST_ACTIVE], key=lambda run: run.requested_at)
    ended, latest, opened = newest.find(
        (newest.ENDED, TASKS), (newest.OF_TASK, TASKS), (newest.OF_SCHEDULE, SCHEDULES)
    )
    latest |= {run.task: run for run in active}
    scheduler = _scheduler_status(now, alive, opened)
    entries = [job.entry for job in scheduler.jobs]
    figures = gauges.read_all(["statistics", "archive", *policies.backlogs(upkeep=False)])
    return Overview(
        now=now,
        verdict=verdict(
            now,
            consumers=alive,
            entries=entries,
            active=active,
            newest=list(ended.values()),
            archive_bytes=figures["archive"].value,
            damaged=verification.damaged_runs(),
        ),
        scheduler=scheduler,
        consumers=alive,
        waiting=sum(run.status == Run.Status.QUEUED for run in active),
        statistics=figures["statistics"],
        tiles=_tiles(figures["statistics"].value),
        policies=policies.cards_of(figures, upkeep=False),
        archive=figures["archive"],
        cards=[TaskCard(task, latest.get(name)) for name, task in TASKS.items()],
        active=active,
        recent=list(newest.with_consumer().newest_first()[:10]),
        timeline=_timeline(entries, now),
    )


def _tiles(numbers: Mapping[str, int]) -> list[Tile]:
    labels = {name: one.label for name, one in STATISTICS.items() if name in numbers}
    snapshots = list(Snapshot.objects.all()[:TILE_SNAPSHOTS])[::-1]
    return [
        Tile(name, str(label), numbers[name], [snapshot[name] for snapshot in snapshots] + [numbers[name]])
        for name, label in labels.items()
    ]


def _timeline(entries: list[schedules.Entry], now: datetime) -> list[Mark]:
    runs = Run.objects.filter(requested_at__gte=now - TIMELINE).newest_first()
    past = [Mark(*facts) for facts in runs.values_list("requested_at", "task", "status")[:MOST_MARKS]]
    zone = timezone.get_default_timezone()
    coming: list[Mark] = []
    for entry in entries:
        at = entry.next_fire_time(now)
        times = 0
        while at and at <= now + TIMELINE and times < MOST_FIRE_TIMES:
            coming.append(Mark(at, entry.schedule.task.name, "next"))
            at = entry.trigger.next_fire_time(at, zone)
            times += 1
    return [*past[::-1], *sorted(coming, key=lambda mark: mark.at)]


# Whatever is done, by a consumer or an operator, moves one of these; each is read off an index.
_FINGERPRINT = """
SELECT (SELECT max(finished_at) FROM housekeeping_run),
       (SELECT max(requested_at) FROM housekeeping_run),
       (SELECT count(*) FROM housekeeping_run WHERE finished_at IS NULL),
       (SELECT sum(attempts) FROM housekeeping_run WHERE finished_at IS NULL),
       (SELECT max(id) FROM housekeeping_act),
       (SELECT max(next_fire_at) FROM housekeeping_schedulestate),
       (SELECT min(next_fire_at) FROM housekeeping_schedulestate WHERE NOT is_paused),
       (SELECT count(*) FROM housekeeping_schedulestate WHERE NOT is_paused AND next_fire_at < %s),
       alive.number, alive.watching, alive.newest, alive.wrong,
       (SELECT count(*) FROM housekeeping_gauge WHERE measured_at > %s),
       name, value
FROM (
    SELECT count(*) AS number, count(*) FILTER (WHERE schedules) AS watching, max(started_at) AS newest,
           count(*) FILTER (WHERE abs(clock_offset_ms) > %s) AS wrong
    FROM housekeeping_consumer WHERE stopped_at IS NULL AND last_heartbeat_at BETWEEN %s AND %s
) AS alive LEFT JOIN housekeeping_gauge ON true ORDER BY name
"""


def fingerprint(now: datetime) -> str:
    """Changes with anything that the overview shows, and is had without reading what it shows."""
    moments = (now - schedules.PUNCTUAL, now - timedelta(seconds=40), now - conf.life(), now + conf.ahead())
    late, measured, *alive = [connection.ops.adapt_datetimefield_value(at) for at in moments]
    with connection.cursor() as cursor:
        cursor.execute(_FINGERPRINT, [late, measured, MOST_OFFSET / timedelta(milliseconds=1), *alive])
        rows = cursor.fetchall()
    is_busy, is_measured = rows[0][2] > 0, rows[0][12] > 0
    # Progress moves with each batch; what no consumer measures is measured by who looks; and the
    # timeline moves on. The ages of heartbeats and figures are left out: a page that is answered
    # 304 knows that they are as fresh as ever (site.js).
    seconds = 1 if is_busy else 300 if is_measured else 30
    facts = [rows[0][:12], [row[13:] for row in rows], int(now.timestamp()) // seconds]
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]


def scheduler_status(now: datetime) -> SchedulerStatus:
    """Whether schedules are being looked at, and what is due when, in the order declared."""
    [last] = newest.find((newest.OF_SCHEDULE, SCHEDULES))
    return _scheduler_status(now, list(Consumer.objects.alive(now)), last)


def _scheduler_status(now: datetime, alive: list[Consumer], last: dict[str, Run]) -> SchedulerStatus:
    jobs = [
        Job(entry, entry.next_fire_time(now), last.get(entry.schedule.id), is_late(entry, now))
        for entry in schedules.entries()
    ]
    if all(job.entry.is_paused for job in jobs if not job.schedule.is_upkeep):
        status = PAUSED
    elif any(consumer.schedules for consumer in alive):
        status = RUNNING
    else:
        status = STOPPED
    return SchedulerStatus(status, jobs)


def trends(now: datetime, days: int) -> tuple[list[Tally], list[Snapshot]]:
    """The tallies and snapshots of the last so many days, oldest first."""
    snapshots = Snapshot.objects.filter(taken_at__gte=now - timedelta(days=days))[:MOST_SNAPSHOTS]
    return list(tallies.since(now, days)), list(snapshots)[::-1]


@dataclass(frozen=True)
class SchedulePage:
    """A schedule, and the fire times of the trigger that somebody is about to save."""

    job: Job
    trigger: str
    problem: str
    fire_times: list[datetime]
    acts: list[Act]

    @property
    def time_zone(self) -> str:
        return timezone.get_current_timezone_name()


def schedule_page(schedule_id: str, now: datetime, *, trigger: str | None = None) -> SchedulePage:
    """``trigger``: what is asked about; without it, the trigger in force."""
    entry = schedules.find(schedule_id)
    last = Run.objects.filter(schedule=schedule_id).newest_first().first()
    text = entry.trigger.expression() if trigger is None else trigger
    problem, times = "", []
    try:
        times = schedules.fire_times(parse(text), now)
    except BadTrigger as error:
        problem = str(error)
    acts = list(Act.objects.filter(target=schedule_id)[:5])
    return SchedulePage(Job(entry, entry.next_fire_time(now), last), text, problem, times, acts)


@dataclass(frozen=True)
class PolicyPage:
    """A policy, and what a retention that somebody is about to save would hit."""

    card: PolicyCard
    days: str
    problem: str
    effect: retentions.Effect | None
    acts: list[Act]


def policy_page(name: str, now: datetime, *, retention_days: str | None = None) -> PolicyPage:
    """``retention_days``: what is asked about. Raises UnknownPolicy."""
    card = policies.card(name)
    problem, effect = "", None
    if retention_days is not None:
        try:
            effect = retentions.effect(card.policy, retentions.parse(retention_days), now)
        except BadRetention as error:
            problem = str(error)
    days = retention_days if retention_days is not None else str(card.retention_days)
    return PolicyPage(card, days, problem, effect, list(Act.objects.filter(target=name)[:5]))


@dataclass(frozen=True)
class UndoHolds:
    """What an undo put back and holds, as one thing."""

    undo: Run
    group: Group


@dataclass(frozen=True)
class HoldPage:
    """A page of holds: an undo's as one, and those that somebody made one by one. ``older``:
    what the next page of either begins after."""

    now: datetime
    undos: list[UndoHolds]
    older_undos: uuid.UUID | None
    single: list[Hold]
    older: int | None
    gone: frozenset[int]  # the ids of single holds whose row is gone

    @property
    def models(self) -> list[str]:
        return list(holdable())


def hold_page(now: datetime, *, before: str = "", undos_before: str = "", size: int = 50) -> HoldPage:
    """``before`` and ``undos_before``: the last hold, and the last undo, of the page before."""
    holding = Exists(Hold.objects.filter(undo=OuterRef("pk")))
    runs = list(older_than(Run.objects.newest_first().filter(holding), undos_before)[: size + 1])
    single = Hold.objects.filter(undo=None).order_by("-pk")
    if before.isdecimal() and len(before) < 19:
        single = single.filter(pk__lt=int(before))
    found = list(single[: size + 1])
    return HoldPage(
        now=now,
        undos=[UndoHolds(run, group(run)) for run in runs[:size]],
        older_undos=runs[size - 1].pk if len(runs) > size else None,
        single=found[:size],
        older=found[size - 1].pk if len(found) > size else None,
        gone=without_row(found[:size]),
    )


def older_than(history: QuerySet[Run], pk: str) -> QuerySet[Run]:
    """The part of the history below the run of that id; all of it, if there is no such run."""
    try:
        last = Run.objects.get(pk=uuid.UUID(pk))
    except (ValueError, Run.DoesNotExist):
        return history
    # One look at the schedules opens several runs at the same moment: the id tells them apart.
    shown_beside = {"requested_at": last.requested_at, "pk__gte": last.pk}
    return history.filter(requested_at__lte=last.requested_at).exclude(**shown_beside)


# Until the API asks the modules that these moved to.
policy, preview, holds, message = policies.card, policies.preview, search.holds, words.message
