"""A run's own log: the lines that are logged while it is carried out, saved with the run.

Lines are collected in memory and written between batches, outside of the batches' transactions.
A batch that is rolled back therefore loses none of them.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, transaction

from housekeeping.database import clock, discreet
from housekeeping.declared import registry
from housekeeping.models import LogLine, Run, storable

# A task that logs each row must not fill the database that it cleans up.
MOST_LINES = 2_000
LINE_LENGTH = 2_000
WRITTEN_EACH = 1.0  # seconds; the page of a running run is not refreshed more often


class RunLog(logging.Handler):
    """Collects what this thread logs, until it is written."""

    def __init__(self, run: Run) -> None:
        super().__init__(logging.INFO)
        self.addFilter(discreet.Filter())
        self.run, self.thread = run, threading.get_ident()
        self.waiting: list[LogLine] = []
        self.count = 0
        self.written_at = time.monotonic()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread != self.thread or self.count >= MOST_LINES:
            return
        self.count += 1
        try:
            text = record.getMessage() if self.count < MOST_LINES else "The rest is in the site's log alone."
        except Exception:  # the arguments don't fit the text
            self.handleError(record)
            return
        clean = storable(text)[:LINE_LENGTH]
        self.waiting.append(
            LogLine(run=self.run, logged_at=clock.estimate(), level=record.levelname, text=clean)
        )

    def write_now_and_then(self) -> None:
        """Write what was collected, at most once a second: each time takes a transaction."""
        if time.monotonic() >= self.written_at + WRITTEN_EACH:
            self.write()

    def write(self) -> None:
        """Write what was collected since the last time. If that fails, the lines wait for the next time."""
        self.written_at = time.monotonic()
        waiting, self.waiting = self.waiting, []
        if not waiting:
            return
        try:
            with transaction.atomic():
                LogLine.objects.bulk_create(waiting)
        except DatabaseError:
            self.waiting = waiting


@contextmanager
def collect(run: Run) -> Iterator[RunLog]:
    """Collect what is logged in this block as the run's own log. The caller has to write it."""
    handler = RunLog(run)
    names = registry.loggers()
    for name in names:
        logging.getLogger(name).addHandler(handler)
    try:
        yield handler
    finally:
        for name in names:
            logging.getLogger(name).removeHandler(handler)
