"""What the first page shows in addition to the overview of every face, and whether it has changed."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone

from housekeeping import conf
from housekeeping.dashboard import polls
from housekeeping.declared.registry import STATISTICS
from housekeeping.declared.statistics import Numbers
from housekeeping.models import MOST_OFFSET, Snapshot
from housekeeping.reading import overview
from housekeeping.reading.overview import TIMELINE, Mark, Overview, ScheduleCard, TaskCard
from housekeeping.runs import schedules


@dataclass(frozen=True)
class Tile:
    """A statistic, and its recent values, the oldest first."""

    name: str
    label: str
    number: int
    history: list[int]


@dataclass(frozen=True)
class OverviewPage:
    seen: Overview
    tiles: list[Tile]

    @property
    def has_paused_schedule(self) -> bool:
        return any(card.entry.is_paused for card in self.seen.scheduler.schedules)

    @property
    def has_running_schedule(self) -> bool:
        return any(not card.entry.is_paused for card in self.seen.scheduler.schedules)

    @property
    def schedules(self) -> list[tuple[ScheduleCard, TaskCard]]:
        """Each schedule with the card of its task."""
        tasks = {card.task.name: card for card in self.seen.cards}
        return [(card, tasks[card.schedule.task.name]) for card in self.seen.scheduler.schedules]

    @property
    def marks_around(self) -> list[Mark]:
        """The marks closest to now, for the table below the timeline: runs with their keys."""
        recent = [run for run in self.seen.recent if run.requested_at >= self.seen.now - TIMELINE]
        past = [Mark(run.requested_at, run.task, run.status, run.pk) for run in reversed(recent)]
        coming = [mark for mark in self.seen.timeline if mark.status == "next"]
        return past + coming[:10]

    @property
    def time_zone(self) -> str:
        return timezone.get_current_timezone_name()


TILE_SNAPSHOTS = 30


def read(now: datetime) -> OverviewPage:
    seen = overview.overview(now)
    return OverviewPage(seen, _tiles(seen.statistics.numbers))


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


# Everything that a consumer or an operator does changes one of these. Each is read from an index.
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
    """Changes with everything that the overview shows, and costs much less than reading it."""
    moments = (now - schedules.PUNCTUAL, now - timedelta(seconds=40), now - conf.life(), now + conf.ahead())
    late, measured, *alive = [connection.ops.adapt_datetimefield_value(at) for at in moments]
    with connection.cursor() as cursor:
        cursor.execute(_FINGERPRINT, [late, measured, MOST_OFFSET / timedelta(milliseconds=1), *alive])
        rows = cursor.fetchall()
    is_busy, is_measured = rows[0][2] > 0, rows[0][12] > 0
    # How often the page changes by itself: with each batch of a run; with figures that are measured for
    # the page because no consumer does; with the timeline. The ages of heartbeats and figures don't
    # count: after a 304, the page knows that they are still fresh (site.js).
    seconds = 1 if is_busy else 300 if is_measured else 30
    return polls.fingerprint(rows[0][:12], [row[13:] for row in rows], int(now.timestamp()) // seconds)
