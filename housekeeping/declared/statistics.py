"""Numbers that describe a site: declared by its apps, and kept as snapshots."""

from collections.abc import Callable

from django.db import connection

from housekeeping.database import clock, stored
from housekeeping.declared.counting import counting
from housekeeping.declared.registry import STATISTICS, Statistic
from housekeeping.exceptions import StatisticFailed
from housekeeping.models import Snapshot

Numbers = dict[str, int]
Measure = Callable[[], Numbers]


def count() -> tuple[Numbers, dict[str, StatisticFailed]]:
    """Count now: each number by its statistic's name, in the order declared, and the failures by name."""
    numbers, failures = {}, {}
    for name, statistic in STATISTICS.items():
        try:
            numbers[name] = _counted(statistic)
        except StatisticFailed as failure:
            failures[name] = failure
    return numbers, failures


def _counted(statistic: Statistic) -> int:
    with counting(statistic):
        number = statistic.function()
    if not stored.is_count(number):
        raise StatisticFailed(
            statistic.name, f"it returned {type(number).__name__}, not a whole number of 0 or more"
        )
    return number


def measure() -> Numbers:
    """Count now. Raises StatisticFailed for the first statistic that can't be counted."""
    numbers, failures = count()
    for failure in failures.values():
        raise failure
    return numbers


def take_snapshot() -> Numbers:
    """Count now, and store the numbers with the database's size.

    Raises StatisticFailed for the first statistic that can't be counted. The others are still stored.
    """
    numbers, failures = count()
    Snapshot.objects.create(taken_at=clock.Now(), numbers=numbers, database_bytes=database_bytes())
    for failure in failures.values():
        raise failure
    return numbers


def database_bytes() -> int:
    """What the database takes up on disk, free pages included."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_database_size(current_database())")
        else:
            cursor.execute("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
        size: int = cursor.fetchone()[0]
    return size
