"""The trends of a task as JSON."""

from datetime import timedelta

from housekeeping.reading.as_json.fields import Day, Many, Number, Object, One, Text, Whole
from housekeeping.reading.runs.trends import Period, Trend
from housekeeping.runs.usual import Usual


def _seconds(took: timedelta | None) -> float | None:
    return None if took is None else took.total_seconds()


class TrendPeriod(Object[Period]):
    """What a task did on some days, one after the other."""

    first = Day(help="The first of the days, in TIME_ZONE.")
    days = Whole()
    runs = Whole(help="Runs that succeeded or failed.")
    failures = Whole()
    rows = Whole(help="Rows that were deleted.")
    p50_seconds = Number(
        lambda period: _seconds(period.p50), nullable=True, help="The median of the durations."
    )
    p95_seconds = Number(lambda period: _seconds(period.p95), nullable=True, help="Their 95th percentile.")


class UsualRun(Object[Usual]):
    """Medians of the runs that succeeded in the last 28 days."""

    runs = Whole()
    seconds = Number(lambda usual: _seconds(usual.duration))
    rows = Whole()


class TaskTrends(Object[Trend]):
    """The trends of a task."""

    task = Text()
    recent = One(TrendPeriod, help="The last seven days.")
    before = One(TrendPeriod, help="The 28 days before them.")
    usual = One(UsualRun, nullable=True, help="null: too few runs have succeeded.")
    days = Many(TrendPeriod, help="Each day, the oldest first.")
