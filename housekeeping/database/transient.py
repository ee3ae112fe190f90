"""Carry out a transaction again that lost out to another one.

A deadlock, a serialization failure and a lock that was not to be had in time say nothing
about the work itself: the database has rolled it back, and the same transaction usually
succeeds a moment later.
"""

import logging
import random
import sqlite3
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import DatabaseError, connection

from housekeeping.database.transactions import writing

logger = logging.getLogger(__name__)

T = TypeVar("T")

MOST_TRIES = 5
FIRST_PAUSE = 0.1  # seconds; twice as long before each further try
# On SQLite a single try may wait 20 s for the write lock: no new one begins after so many seconds.
PATIENCE = 30.0

SQLSTATES = {
    "40001": "a serialization failure",
    "40P01": "a deadlock",
    "55P03": "a lock that was not to be had in time",
}
LOCKED = "a locked database"


def conflict(error: BaseException) -> str:
    """Names the conflict with another transaction that ``error`` reports; empty for any other error."""
    for one in (error, error.__cause__):
        if sqlstate := getattr(one, "sqlstate", None):
            return SQLSTATES.get(sqlstate, "")
        # Without SQLite's own detail, which is in the upper bits.
        if getattr(one, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return LOCKED
    return ""


def transact(
    work: Callable[[], T],
    *,
    on_retry: Callable[[], None] = lambda: None,
    checkpoint: Callable[[], None] = lambda: None,
) -> T:
    """Call ``work`` in a transaction of its own, and again if it conflicts with another one.

    Returns what ``work`` returns. It is called at most five times, and not again once 30 s
    have passed; the pauses between grow from about 0.1 s to 0.8 s. ``work`` must change nothing
    outside the database, since a try that fails is rolled back. Before each further try, and
    outside of any transaction, ``on_retry`` is called to count it, then ``checkpoint``: what
    either raises ends the tries.

    Inside a transaction that the caller has begun, ``work`` is called once: after a conflict
    the whole of that transaction has to be repeated, by whoever began it. Raises the last
    conflict when the tries are used up, and any other error at once.
    """
    is_inside = connection.in_atomic_block
    began, tries = time.monotonic(), 0
    while True:
        tries += 1
        try:
            with writing():
                return work()
        except DatabaseError as error:
            reason = conflict(error)
            is_last = tries == MOST_TRIES or time.monotonic() - began > PATIENCE
            if not reason or is_inside or is_last:
                raise
        logger.info("Trying again after %s (try %s of %s)", reason, tries + 1, MOST_TRIES)
        # Two that collided must not start again in the same moment.
        time.sleep(FIRST_PAUSE * 2 ** (tries - 1) * random.uniform(0.5, 1.5))  # noqa: S311
        on_retry()
        checkpoint()
