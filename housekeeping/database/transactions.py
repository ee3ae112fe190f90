"""Transactions that write, whatever options the project's SQLite has.

Django begins a transaction on SQLite without a lock, unless OPTIONS has another ``transaction_mode``. A
transaction that reads first and writes later then fails at once with "database is locked" while
another process writes: SQLite can't let it wait, as what it has read may be out of date by then.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

# How long to wait for another process that writes, in seconds. Django's default is 5.
PATIENCE = 20.0


@contextmanager
def writing() -> Iterator[None]:
    """As ``transaction.atomic``; but on SQLite, begin with the write lock and wait for it patiently.

    Inside a transaction that the caller has begun it is a savepoint, as with ``atomic``. A project
    that sets ``transaction_mode`` so that it begins with a lock decides about the timeout, too.
    """
    if connection.in_atomic_block or not _begins_without_lock():
        with transaction.atomic():
            yield
        return
    with waiting(PATIENCE), transaction.atomic():
        take_write_lock()
        yield


def take_write_lock() -> None:
    """To be called first in a transaction that will write: on SQLite, begin it again with the lock.

    Raises OperationalError where another process keeps the lock for longer than SQLite waits.
    """
    if _begins_without_lock():
        with connection.cursor() as cursor:
            cursor.execute("COMMIT")  # Django's BEGIN, which has done nothing yet
            cursor.execute("BEGIN IMMEDIATE")


def _begins_without_lock() -> bool:
    if connection.vendor != "sqlite":
        return False
    mode = connection.settings_dict["OPTIONS"].get("transaction_mode") or "deferred"
    return str(mode).lower() == "deferred"


@contextmanager
def waiting(seconds: float) -> Iterator[None]:
    """Have SQLite wait so long for locks, the one to commit with included."""
    with connection.cursor() as cursor:
        [before] = cursor.execute("PRAGMA busy_timeout").fetchone()
        cursor.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA busy_timeout = {before}")
