"""Whether others use the chosen database at the moment: they would wait for work that leaves no pauses."""

import time
from typing import Any

from housekeeping.database.chosen import connection

FIRST_LOOK = 0.5  # seconds; whoever writes seldom is seen later
QUIET = 3.0  # seconds without a sign, after which others that were seen are gone


class Others:
    """Looks for signs of others while it sleeps.

    On SQLite, others are seen if they write; readers never wait. On PostgreSQL, if a transaction of theirs
    ends that has written to any database of the server, or if a query of theirs is at work in this one.
    """

    def __init__(self) -> None:
        self.gone_at = time.monotonic() + FIRST_LOOK
        self._version: tuple[Any, ...] | None = None

    def are_there(self) -> bool:
        return time.monotonic() < self.gone_at

    def sleep(self, seconds: float) -> None:
        """Sleep so long, and look. Call it between two transactions."""
        seen = self._seen_on_sqlite if connection.vendor == "sqlite" else self._seen_on_postgresql
        if seen(seconds):
            self.gone_at = time.monotonic() + QUIET

    def _seen_on_sqlite(self, seconds: float) -> bool:
        time.sleep(seconds)
        before, self._version = self._version, _values("PRAGMA data_version")
        # Changed by every commit of another connection, and by none of ours.
        return before not in (None, self._version)

    def _seen_on_postgresql(self, seconds: float) -> bool:
        before = _values(f"SELECT {NEXT_WRITER}")
        time.sleep(seconds)
        now, at_work = _values(f"SELECT {NEXT_WRITER}, EXISTS ({AT_WORK})")
        return (now,) != before or bool(at_work)


NEXT_WRITER = "pg_snapshot_xmax(pg_current_snapshot())::text"
AT_WORK = (
    "SELECT FROM pg_stat_activity WHERE datname = current_database()"
    " AND backend_type = 'client backend' AND state <> 'idle' AND pid <> pg_backend_pid()"
)


def _values(query: str) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        found: tuple[Any, ...] = cursor.fetchone()
    return found
