"""Trends of a task: its runs, failures, rows and durations by day, the last week beside the four before."""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from housekeeping.declared import registry
from housekeeping.journal import tallies
from housekeeping.models import Run, Tally
from housekeeping.runs import usual
from housekeeping.runs.usual import Usual

RECENT, BEFORE = 7, 28  # days, today included, and the days before them
MOST_DURATIONS = 2_000  # of the newest runs
ENDED = (Run.Status.SUCCEEDED, Run.Status.FAILED)

Duration = tuple[date, timedelta]


@dataclass(frozen=True)
class Period:
    """What a task did on some days, one after the other. ``p50`` and ``p95``: of the durations; None
    without a run, or if the runs are not among the newest MOST_DURATIONS.
    """

    first: date
    days: int
    runs: int  # that succeeded or failed
    failures: int
    rows: int
    p50: timedelta | None
    p95: timedelta | None

    @property
    def runs_a_day(self) -> float:
        return self.runs / self.days

    @property
    def rows_a_day(self) -> float:
        return self.rows / self.days


@dataclass(frozen=True)
class Trend:
    """``usual``: None if too few runs have succeeded."""

    task: str
    days: list[Period]  # the oldest first, each of one day
    recent: Period
    before: Period
    usual: Usual | None

    @property
    def periods(self) -> tuple[Period, Period]:
        return self.recent, self.before


def of_task(name: str, now: datetime, *, days: int = 30, took: Sequence[Duration] | None = None) -> Trend:
    """``took``: the durations of the last RECENT + BEFORE days, for a caller that has read them.

    Raises UnknownTask.
    """
    registry.find_task(name)
    today, reach = tallies.day_of(now), max(days, RECENT + BEFORE)
    counted = list(tallies.since(now, reach).filter(task=name))
    took = durations(name, now, days=reach) if took is None else took

    def period(first: date, length: int) -> Period:
        return _period(first, length, counted, took)

    begin = today - timedelta(days=RECENT - 1)
    each = [today - timedelta(days=days - 1 - number) for number in range(days)]
    return Trend(
        name,
        [period(day, 1) for day in each],
        period(begin, RECENT),
        period(begin - timedelta(days=BEFORE), BEFORE),
        usual.of(name, now),
    )


def durations(task: str, now: datetime, *, days: int) -> list[Duration]:
    """Of the task's runs that ended in the last days: the day of the end, and how long the run took."""
    ended = Run.objects.did_work().filter(task=task)
    moments = ended.newest_first().values_list("started_at", "finished_at")[:MOST_DURATIONS]
    first = tallies.day_of(now) - timedelta(days=days - 1)
    return [
        (day, max(finished - started, timedelta()))
        for started, finished in moments
        if started and finished and (day := tallies.day_of(finished)) >= first
    ]


def percentiles(took: Sequence[timedelta]) -> tuple[timedelta, timedelta]:
    """The median and the 95th percentile of at least one duration, in whole milliseconds."""
    numbers = [one / timedelta(milliseconds=1) for one in took]
    if len(numbers) == 1:
        numbers *= 2
    of_twenty = statistics.quantiles(numbers, n=20, method="inclusive")
    p50, p95 = round(statistics.median(numbers)), round(of_twenty[-1])
    return timedelta(milliseconds=p50), timedelta(milliseconds=p95)


def by_day(took: Iterable[Duration]) -> dict[date, list[timedelta]]:
    found: dict[date, list[timedelta]] = defaultdict(list)
    for day, duration in took:
        found[day].append(duration)
    return found


def _period(first: date, days: int, counted: Sequence[Tally], took: Sequence[Duration]) -> Period:
    end = first + timedelta(days=days)
    within = [tally for tally in counted if first <= tally.day < end]
    lengths = [duration for day, duration in took if first <= day < end]
    p50, p95 = percentiles(lengths) if lengths else (None, None)
    return Period(
        first,
        days,
        runs=sum(tally.runs for tally in within if tally.status in ENDED),
        failures=sum(tally.runs for tally in within if tally.status == Run.Status.FAILED),
        rows=sum(tally.rows for tally in within),
        p50=p50,
        p95=p95,
    )
