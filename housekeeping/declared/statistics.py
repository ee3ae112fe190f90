"""Numbers that describe a site: declared by its apps, and kept as snapshots."""

from collections.abc import Callable

from django.db import connection

from housekeeping.database import clock, stored
from housekeeping.declared.failures import Failure, counted
from housekeeping.declared.registry import STATISTICS
from housekeeping.exceptions import StatisticsFailed
from housekeeping.models import Snapshot

Numbers = dict[str, int]
Measure = Callable[[], Numbers]


def count() -> tuple[Numbers, dict[str, str]]:
    """Count now: each number by its statistic's name, in the order declared, and the failures by name."""
    numbers, failures = {}, {}
    for name, statistic in STATISTICS.items():
        found = counted(statistic.function)
        if isinstance(found, Failure):
            failures[name] = found.text
        elif not stored.is_count(found):
            failures[name] = f"it returned {type(found).__name__}, not a whole number of 0 or more"
        else:
            numbers[name] = found
    return numbers, failures


def measure() -> Numbers:
    """Count now. Raises StatisticsFailed where a statistic can't be counted."""
    numbers, failures = count()
    if failures:
        raise StatisticsFailed(failures)
    return numbers


def take_snapshot() -> Numbers:
    """Count now, and store the numbers with the database's size.

    Raises StatisticsFailed where a statistic can't be counted. The others are stored all the same.
    """
    numbers, failures = count()
    Snapshot.objects.create(taken_at=clock.Now(), numbers=numbers, database_bytes=database_bytes())
    if failures:
        raise StatisticsFailed(failures)
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
