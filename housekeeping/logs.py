"""A run's own log: what is logged while it is carried out, kept with it.

Lines are gathered in memory and written between batches, so that a batch's transaction
holds none of them and one that is rolled back takes none of them along.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from django.db import DatabaseError, transaction

from housekeeping.models import LogLine, Run

# A task that logs each row must not fill the database that it tidies.
MOST_LINES = 2_000
LINE_LENGTH = 2_000

LOGGERS = ("housekeeping", "chat")


class RunLog(logging.Handler):
    """Gathers what this thread logs, until it is written."""

    def __init__(self, run: Run) -> None:
        super().__init__(logging.INFO)
        self.run, self.thread = run, threading.get_ident()
        self.waiting: list[LogLine] = []
        self.kept = 0

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread != self.thread or self.kept >= MOST_LINES:
            return
        self.kept += 1
        text = record.getMessage() if self.kept < MOST_LINES else "The rest is in the site's log alone."
        moment = datetime.fromtimestamp(record.created, tz=UTC)
        clean = text.replace("\0", "\N{REPLACEMENT CHARACTER}")[:LINE_LENGTH]
        self.waiting.append(LogLine(run=self.run, logged_at=moment, level=record.levelname, text=clean))

    def write(self) -> None:
        """Write what was gathered since the last time. What can't be written waits for the next."""
        waiting, self.waiting = self.waiting, []
        try:
            with transaction.atomic():
                LogLine.objects.bulk_create(waiting)
        except DatabaseError:
            self.waiting = waiting


@contextmanager
def kept(run: Run) -> Iterator[RunLog]:
    """Keep what is logged meanwhile as the run's own log. Who enters it writes it."""
    handler = RunLog(run)
    for name in LOGGERS:
        logging.getLogger(name).addHandler(handler)
    try:
        yield handler
    finally:
        for name in LOGGERS:
            logging.getLogger(name).removeHandler(handler)
