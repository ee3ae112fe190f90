"""Repeats a transaction that has failed because of another one.

After a deadlock, a serialization failure or a lock timeout, nothing is wrong with the work itself:
the database has rolled it back, and the same transaction usually succeeds a moment later.
"""

import logging
import random
import sqlite3
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections, transaction

from housekeeping.database.transactions import writing

logger = logging.getLogger(__name__)

T = TypeVar("T")

MOST_TRIES = 5
FIRST_PAUSE = 0.1  # seconds; twice as long before each further try
# No new try begins after so many seconds: on SQLite, a single one may wait 20 s for the write lock.
PATIENCE = 30.0

SQLSTATES = {
    "40001": "a serialization failure",
    "40P01": "a deadlock",
    "55P03": "a lock timeout",
}
LOCKED = "a locked database"


def conflict(error: BaseException) -> str:
    """The conflict with another transaction that ``error`` reports, in words; empty for any other error."""
    for one in (error, error.__cause__):
        if sqlstate := getattr(one, "sqlstate", None):
            return SQLSTATES.get(sqlstate, "")
        # Without the upper bits, which hold SQLite's extended code.
        if getattr(one, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return LOCKED
    return ""


def transact(
    work: Callable[[], T],
    *,
    apart: str = DEFAULT_DB_ALIAS,
    on_retry: Callable[[], None] = lambda: None,
    checkpoint: Callable[[], None] = lambda: None,
) -> T:
    """Call ``work`` in a transaction of its own, and again if it conflicts with another transaction.

    Returns what ``work`` returns. ``work`` is called at most five times, and not again after 30 s; the
    pauses between grow from about 0.1 s to 0.8 s. It must change nothing outside the database, since a
    failed try is rolled back. Before each further try, outside of any transaction, ``on_retry`` is called
    to count it, then ``checkpoint``; an error of either one ends the tries.

    ``apart``: another database whose rows ``work`` changes, too. It gets a transaction of its own, which is
    committed just before that of our own tables: an error before undoes both. If only the second commit
    fails, nothing is tried again.

    Inside a transaction of the caller, ``work`` is called once: after a conflict, the caller has to repeat
    the whole transaction. Raises the last conflict after the last try, and any other error at once.
    """
    is_inside = any(connections[alias].in_atomic_block for alias in (DEFAULT_DB_ALIAS, apart))
    began, tries = time.monotonic(), 0
    while True:
        tries += 1
        committed: list[str] = []
        try:
            with writing():
                if apart == DEFAULT_DB_ALIAS:
                    return work()
                with writing(apart):
                    transaction.on_commit(partial(committed.append, apart), using=apart)
                    return work()
        except DatabaseError as error:
            reason = conflict(error)
            is_last = tries == MOST_TRIES or time.monotonic() - began > PATIENCE
            if not reason or is_inside or is_last or committed:
                raise
        logger.info("Trying again after %s (try %s of %s)", reason, tries + 1, MOST_TRIES)
        # Two transactions that collided must not start again at the same moment.
        time.sleep(FIRST_PAUSE * 2 ** (tries - 1) * random.uniform(0.5, 1.5))  # noqa: S311
        on_retry()
        checkpoint()
