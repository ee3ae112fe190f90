"""What the first page shows in addition to the overview of every face, and whether it has changed."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.apps import apps
from django.db import connection
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from housekeeping import conf
from housekeeping.dashboard import polls, wording
from housekeeping.dashboard.parts import strips
from housekeeping.declared.registry import STATISTICS, Task
from housekeeping.declared.statistics import Numbers
from housekeeping.models import MOST_OFFSET, REASON_LENGTH, Run, Snapshot
from housekeeping.models.runs import LONGEST_RETRY_WAIT
from housekeeping.reading import overview
from housekeeping.reading.overview import Overview, ScheduleCard
from housekeeping.reading.policies import PolicyCard
from housekeeping.reading.runs import half_hours
from housekeeping.reading.tasks import TaskCard
from housekeeping.runs import schedules


@dataclass(frozen=True)
class Tile:
    """A statistic, and its recent values, the oldest first."""

    name: str
    label: str
    number: int
    history: list[int]


@dataclass(frozen=True)
class TaskRow:
    """A task with its active or newest run, and everything that belongs to it."""

    task: Task
    latest: Run | None
    schedules: list[ScheduleCard]
    policies: list[PolicyCard]
    strip: SafeString | str
    card: TaskCard

    @property
    def title(self) -> str:
        return wording.declared(self.task.title)

    @property
    def next(self) -> ScheduleCard | None:
        """The schedule that is due first; if all are paused, one of them."""
        due = [card for card in self.schedules if card.next_run_at]
        return min(due, key=_next_run_at, default=next(iter(self.schedules), None))

    longest_reason = REASON_LENGTH  # that a form about the task takes

    @property
    def today(self) -> str:
        """The first day that an acknowledgement may end on."""
        return timezone.localdate(timezone=timezone.get_default_timezone()).isoformat()

    @property
    def is_late(self) -> bool:
        return any(card.is_late for card in self.schedules)

    @property
    def others(self) -> int:
        """How many schedules it has in addition to the next one."""
        return len(self.schedules) - 1

    @property
    def rows_due(self) -> int | None:
        """None if a policy can't be counted, or the task has none."""
        counts = [card.rows_due for card in self.policies]
        return sum(number for number in counts if number) if counts and None not in counts else None

    @property
    def due_since(self) -> datetime | None:
        return min((card.due_since for card in self.policies if card.due_since), default=None)

    @property
    def errors(self) -> list[str]:
        return [card.error for card in self.policies if card.error]


def _next_run_at(card: ScheduleCard) -> datetime:
    return card.next_run_at or datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Group:
    """The tasks that one app declares."""

    name: str
    rows: list[TaskRow]


@dataclass(frozen=True)
class OverviewPage:
    seen: Overview
    tiles: list[Tile]
    groups: list[Group]

    @property
    def number_of_tasks(self) -> int:
        return sum(len(group.rows) for group in self.groups)

    @property
    def at_work(self) -> list[Run]:
        """The runs that work or will do so by themselves. One that is held is in the verdict."""
        return [run for run in self.seen.active if run.status != Run.Status.HELD]

    @property
    def has_paused_schedule(self) -> bool:
        return any(card.entry.is_paused for card in self.seen.scheduler.schedules)

    @property
    def has_running_schedule(self) -> bool:
        return any(not card.entry.is_paused for card in self.seen.scheduler.schedules)

    @property
    def time_zone(self) -> str:
        """The zone that schedules are read in."""
        return timezone.get_default_timezone_name()


TILE_SNAPSHOTS = 30


def read(now: datetime) -> OverviewPage:
    seen = overview.overview(now)
    return OverviewPage(seen, _tiles(seen.statistics.numbers), _groups(seen))


def _groups(seen: Overview) -> list[Group]:
    """The tasks by the app that declares them, in the order declared; the upkeep of this app comes last."""
    bars = strips.strips(half_hours.half_hours(seen.now), half_hours.until(seen.now))
    policies = {card.policy.name: card for card in seen.policies}
    groups: dict[str, list[TaskRow]] = {}
    for card in seen.cards:
        task = card.task
        row = TaskRow(
            task,
            card.latest,
            [one for one in seen.scheduler.schedules if one.schedule.task.name == task.name],
            [policies[policy.name] for policy in task.policies if policy.name in policies],
            bars.get(task.name, ""),
            card,
        )
        groups.setdefault(_app_of(task), []).append(row)
    upkeep = gettext("Upkeep of housekeeping itself")
    own = groups.pop(OWN, [])
    found = [Group(name, rows) for name, rows in groups.items()]
    return [*found, Group(upkeep, own)] if own else found


OWN = "housekeeping"


def _app_of(task: Task) -> str:
    """The name of the app that declares the task, for people; OWN for this one."""
    config = apps.get_containing_app_config(task.function.__module__)
    if config is None:
        return task.function.__module__.partition(".")[0]
    return OWN if config.label == OWN else str(config.verbose_name)


def _tiles(numbers: Numbers) -> list[Tile]:
    labels = {name: one.label for name, one in STATISTICS.items() if name in numbers}
    snapshots = list(Snapshot.objects.all()[:TILE_SNAPSHOTS])[::-1]
    return [
        Tile(name, str(label), numbers[name], [*_history(name, snapshots), numbers[name]])
        for name, label in labels.items()
    ]


def _history(name: str, snapshots: list[Snapshot]) -> list[int]:
    """A snapshot has no number for a statistic that was declared later, or could not be counted."""
    return [snapshot.numbers[name] for snapshot in snapshots if name in snapshot.numbers]


# Everything that a consumer or an operator does changes one of these. Each is read from an index. As text,
# since psycopg would make a datetime of each moment for each gauge.
_FINGERPRINT = """
SELECT (SELECT CAST(max(finished_at) AS text) FROM housekeeping_run),
       (SELECT CAST(max(requested_at) AS text) FROM housekeeping_run),
       (SELECT count(*) FROM housekeeping_run WHERE finished_at IS NULL),
       (SELECT count(*) FROM housekeeping_run WHERE finished_at IS NULL AND status <> 'held'
            AND NOT (status = 'queued' AND coalesce(not_before > %s AND not_before <= %s, false))),
       (SELECT sum(attempts) FROM housekeeping_run WHERE finished_at IS NULL),
       (SELECT max(id) FROM housekeeping_act),
       (SELECT CAST(max(next_fire_at) AS text) FROM housekeeping_schedulestate),
       (SELECT CAST(min(next_fire_at) AS text) FROM housekeeping_schedulestate WHERE NOT is_paused),
       (SELECT count(*) FROM housekeeping_schedulestate WHERE NOT is_paused AND next_fire_at < %s),
       alive.number, alive.watching, alive.newest, alive.wrong,
       (SELECT count(*) FROM housekeeping_gauge WHERE measured_at > %s),
       name, value
FROM (
    SELECT count(*) AS number, count(*) FILTER (WHERE schedules) AS watching,
           CAST(max(started_at) AS text) AS newest,
           count(*) FILTER (WHERE abs(clock_offset_ms) > %s) AS wrong
    FROM housekeeping_consumer WHERE stopped_at IS NULL AND last_heartbeat_at BETWEEN %s AND %s
) AS alive LEFT JOIN housekeeping_gauge ON true ORDER BY name
"""


def fingerprint(now: datetime) -> str:
    """Changes with everything that the overview shows, and costs much less than reading it."""
    # Neither a run that is held nor a retry that is not due yet changes by itself (Overview.is_busy).
    put_off = (now, now + LONGEST_RETRY_WAIT + conf.ahead())
    moments = (*put_off, now - schedules.PUNCTUAL, now - timedelta(seconds=40))
    alive = (now - conf.life(), now + conf.ahead())
    before, after = (
        [connection.ops.adapt_datetimefield_value(at) for at in some] for some in (moments, alive)
    )
    with connection.cursor() as cursor:
        cursor.execute(_FINGERPRINT, [*before, MOST_OFFSET / timedelta(milliseconds=1), *after])
        rows = cursor.fetchall()
    is_busy, is_measured = rows[0][3] > 0, rows[0][13] > 0
    # The page also changes without an act: with each batch of a run, with figures that are measured for
    # the page because no consumer does it, and with the timeline. The ages of heartbeats and figures
    # don't count: after a 304, connection.js shows them as fresh.
    seconds = 1 if is_busy else 300 if is_measured else 30
    return polls.fingerprint(rows[0][:13], [row[14:] for row in rows], int(now.timestamp()) // seconds)
