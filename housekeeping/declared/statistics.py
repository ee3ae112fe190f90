"""Numbers that describe a site: declared by its apps, and kept as snapshots."""

from collections.abc import Callable

from django.db import connection

from housekeeping.database import clock
from housekeeping.declared.registry import STATISTICS
from housekeeping.models import Snapshot

Numbers = dict[str, int]
Measure = Callable[[], Numbers]


def measure() -> Numbers:
    """Count now, each number by its name, in the order declared."""
    return {name: statistic.function() for name, statistic in STATISTICS.items()}


def take_snapshot() -> Numbers:
    """Count now, and keep the numbers with the database's size."""
    numbers = measure()
    Snapshot.objects.create(taken_at=clock.Now(), numbers=numbers, database_bytes=database_bytes())
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
