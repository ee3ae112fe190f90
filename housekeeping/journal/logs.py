"""A run's own log: what is logged while it is carried out, kept with it.

Lines are gathered in memory and written between batches, so that a batch's transaction
holds none of them and one that is rolled back takes none of them along.
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

# A task that logs each row must not fill the database that it tidies.
MOST_LINES = 2_000
LINE_LENGTH = 2_000
AT_MOST_EACH = 1.0  # seconds; whoever looks at a run that goes on looks no more often


class RunLog(logging.Handler):
    """Gathers what this thread logs, until it is written."""

    def __init__(self, run: Run) -> None:
        super().__init__(logging.INFO)
        self.addFilter(discreet.Filter())
        self.run, self.thread = run, threading.get_ident()
        self.waiting: list[LogLine] = []
        self.kept = 0
        self.written_at = time.monotonic()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread != self.thread or self.kept >= MOST_LINES:
            return
        self.kept += 1
        try:
            text = record.getMessage() if self.kept < MOST_LINES else "The rest is in the site's log alone."
        except Exception:  # arguments that don't fit its text
            self.handleError(record)
            return
        clean = storable(text)[:LINE_LENGTH]
        self.waiting.append(
            LogLine(run=self.run, logged_at=clock.estimate(), level=record.levelname, text=clean)
        )

    def write_now_and_then(self) -> None:
        """Write what was gathered, unless that was done just now: each time is a transaction."""
        if time.monotonic() >= self.written_at + AT_MOST_EACH:
            self.write()

    def write(self) -> None:
        """Write what was gathered since the last time. What can't be written waits for the next."""
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
def kept(run: Run) -> Iterator[RunLog]:
    """Keep what is logged meanwhile as the run's own log. Who enters it writes it."""
    handler = RunLog(run)
    names = registry.loggers()
    for name in names:
        logging.getLogger(name).addHandler(handler)
    try:
        yield handler
    finally:
        for name in names:
            logging.getLogger(name).removeHandler(handler)
