"""How many rows and bytes each table of the chosen database has, and how old its rows are.

All SQL for this is here: each database has a module of its own. Nothing here scans a large table. What
would need a scan is estimated, from the database's statistics or from a sample, and marked so.

One table after the other is measured, each for SECONDS at most and in a short transaction of its own, so
that measuring neither waits for a lock for long nor holds one.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from django.db import DatabaseError

from housekeeping.database.chosen import connection
from housekeeping.database.limits import TooSlow, time_limit
from housekeeping.database.sizes import postgresql, sqlite
from housekeeping.database.sizes.ages import OLDER_THAN, Ages, Column
from housekeeping.database.sizes.found import Found, Size, Space
from housekeeping.exceptions import is_database_gone

__all__ = ["OLDER_THAN", "Ages", "Column", "Found", "Size", "Space", "TooSlow", "measure", "space", "tables"]

SECONDS = 2.0
VENDORS: dict[str, type[postgresql.Sizes | sqlite.Sizes]] = {
    "postgresql": postgresql.Sizes,
    "sqlite": sqlite.Sizes,
}


def tables() -> list[Found]:
    """Every table, except those of the database itself. A table's partitions count as one table."""
    return _ours().tables()


def measure(found: Found, columns: Sequence[Column], now: datetime) -> Size:
    """The size of one table, and the ages of its rows by each of ``columns``.

    Without ages if these take too long, or if the table has no such column. Raises DatabaseError, and
    TooSlow if the size alone takes longer than SECONDS, such as that of a locked table.
    """
    ours = _ours()
    with time_limit(time.monotonic() + SECONDS):
        size = ours.size(found)
    if not columns or not size.rows:
        return size
    try:
        with time_limit(time.monotonic() + SECONDS):
            return replace(size, ages=ours.ages(found, columns, now, size.rows))
    except (TooSlow, DatabaseError) as error:
        if is_database_gone(error, of=connection):
            raise
        return size


def space() -> Space:
    """The size of the whole database."""
    return _ours().space()


def _ours() -> postgresql.Sizes | sqlite.Sizes:
    return VENDORS[connection.vendor]()
