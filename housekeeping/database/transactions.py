"""Transactions that write, with any options of the project's SQLite.

Django begins a transaction on SQLite without a lock, unless OPTIONS has another ``transaction_mode``. If
such a transaction reads first and writes later while another process writes, it fails at once with
"database is locked": SQLite can't let it wait, since the rows that it has read may be out of date by then.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import DEFAULT_DB_ALIAS, connection, connections, transaction

from housekeeping.exceptions import is_database_gone

# How long to wait for another process to finish writing, in seconds. Django's default is 5.
PATIENCE = 20.0
# The key of PostgreSQL's advisory lock for transactions that take turns.
LOCK = 0x7475726E


@contextmanager
def writing(using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """As ``transaction.atomic``, but on SQLite take the write lock first, and wait for it up to PATIENCE.

    Inside a transaction of the caller it is a savepoint, as with ``atomic``. If the project has set a
    ``transaction_mode`` that begins with a lock, the project's timeout applies.
    """
    if connections[using].in_atomic_block or not _begins_without_lock(using):
        with transaction.atomic(using):
            yield
        return
    with waiting(PATIENCE, using), transaction.atomic(using):
        take_write_lock(using)
        yield


def take_write_lock(using: str = DEFAULT_DB_ALIAS) -> None:
    """On SQLite, begin the current transaction again, with the write lock. Call it before anything else.

    Raises OperationalError if another process has the lock for longer than SQLite waits.
    """
    if _begins_without_lock(using):
        with connections[using].cursor() as cursor:
            cursor.execute("COMMIT")  # Django's BEGIN, which has done nothing yet
            cursor.execute("BEGIN IMMEDIATE")


def take_turns() -> None:
    """Let transactions that call this run one after the other. On SQLite, writers do so anyway."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])


def _begins_without_lock(using: str) -> bool:
    if connections[using].vendor != "sqlite":
        return False
    mode = connections[using].settings_dict["OPTIONS"].get("transaction_mode") or "deferred"
    return str(mode).lower() == "deferred"


@contextmanager
def waiting(seconds: float, using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """Let SQLite wait so long for locks, including the one that a commit needs."""
    with connections[using].cursor() as cursor:
        [before] = cursor.execute("PRAGMA busy_timeout").fetchone()
        cursor.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")
    try:
        yield
    finally:
        with connections[using].cursor() as cursor:
            cursor.execute(f"PRAGMA busy_timeout = {before}")


@contextmanager
def apart(complain: Callable[[Exception], None]) -> Iterator[None]:
    """A savepoint whose failure is only complained about, as what is around it must happen in any case.

    If the database itself is gone, its error is raised: nothing around can be written either.
    """
    try:
        with transaction.atomic():
            yield
    except Exception as error:
        if is_database_gone(error):
            raise
        complain(error)
