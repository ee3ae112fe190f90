"""Waits for locks: which connections of PostgreSQL wait for a lock, and who holds it.

SQLite does not tell: its writers wait for the whole database, one after the other.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Func, IntegerField


class BackendPid(Func):
    """The number of the process that serves this connection; NULL on SQLite."""

    output_field = IntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="NULL", **context)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="pg_backend_pid()", **context)


@dataclass(frozen=True)
class Holder:
    """A connection that holds the lock, or is before us in the queue for it."""

    pid: int
    application: str
    user: str


@dataclass(frozen=True)
class LockWait:
    """``since``: when the statement that waits began."""

    since: datetime
    holders: list[Holder]


def are_known() -> bool:
    """Does this database tell who waits for a lock?"""
    return connection.vendor == "postgresql"


# pg_blocking_pids takes a lock of its own, so it is asked only about those that wait.
_WAITS = """
SELECT waiting.pid, waiting.query_start, holder.pid,
       COALESCE(holder.application_name, ''), COALESCE(holder.usename, '')
FROM pg_stat_activity AS waiting
CROSS JOIN LATERAL unnest(pg_blocking_pids(waiting.pid)) AS blocking (pid)
LEFT JOIN pg_stat_activity AS holder ON holder.pid = blocking.pid
WHERE waiting.pid = ANY(%s) AND waiting.wait_event_type = 'Lock' AND waiting.datname = current_database()
ORDER BY waiting.pid, holder.pid
"""


def of(pids: Collection[int]) -> dict[int, LockWait]:
    """The waits of these connections, by their numbers."""
    if not pids or not are_known():
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_WAITS, [list(pids)])
        rows = cursor.fetchall()
    found: dict[int, LockWait] = {}
    for pid, since, holder, application, user in rows:
        wait = found.setdefault(pid, LockWait(since, []))
        if holder is not None and all(one.pid != holder for one in wait.holders):
            wait.holders.append(Holder(holder, application, user))
    return found
