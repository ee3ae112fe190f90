"""A run's own log: the lines that are logged while it is carried out, saved with the run.

Lines are collected in memory and written between batches, outside of the batches' transactions.
A batch that is rolled back therefore loses none of them.

The log has lines of the level INFO even if the project logs only warnings, as Django's own settings do.
Such a line goes only to the run's log: the project's handlers get the same lines as without us.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from django.db import DatabaseError, transaction

from housekeeping import run_context
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
            text = record.getMessage() if self.count < MOST_LINES else "The rest is only in the site's log."
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
    with run_context.carrying_out(str(run.pk), run.task), _at_info(names):
        for name in names:
            logging.getLogger(name).addHandler(handler)
        try:
            yield handler
        finally:
            for name in names:
                logging.getLogger(name).removeHandler(handler)


# --- Lines that the project's levels leave out ------------------------------------------------

_lock = threading.Lock()
_lowered: Counter[str] = Counter()  # the loggers that are at INFO because of us, with their number of runs


class _AsBefore(logging.Filter):
    """Hides records that only a run's log needs from the project's handlers. Lets all others pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.partition(".")[0] not in _lowered:
            return True
        return record.levelno >= _level_without_us(record.name)


_AS_BEFORE = _AsBefore()


@contextmanager
def _at_info(names: Iterable[str]) -> Iterator[None]:
    """In this block, these loggers make records of the level INFO. A level that the project set stays."""
    with _lock:
        lowered = [name for name in names if name in _lowered or _is_above_info(logging.getLogger(name))]
        for handler in _handlers_of_the_project(lowered):
            handler.addFilter(_AS_BEFORE)  # once; it stays, since it does nothing without a run
        _lowered.update(lowered)
        for name in lowered:
            logging.getLogger(name).setLevel(logging.INFO)
    try:
        yield
    finally:
        with _lock:
            _lowered.subtract(lowered)
            for name in [name for name in lowered if not _lowered[name]]:
                del _lowered[name]
                logging.getLogger(name).setLevel(logging.NOTSET)


def _is_above_info(logger: logging.Logger) -> bool:
    """Is the logger without a level of its own, and without INFO by the level that it inherits?"""
    return logger.level == logging.NOTSET and logger.getEffectiveLevel() > logging.INFO


def _handlers_of_the_project(names: Iterable[str]) -> list[logging.Handler]:
    """The handlers that get records of these loggers or of loggers below them."""
    known = list(logging.root.manager.loggerDict.items())
    below = [one for name, one in known if name.partition(".")[0] in names]
    loggers = [logging.root, *(one for one in below if isinstance(one, logging.Logger))]
    found = [handler for logger in loggers for handler in logger.handlers]
    return [handler for handler in found if not isinstance(handler, RunLog)]


def _level_without_us(name: str) -> int:
    """The effective level of a logger, as the project has set it."""
    logger: logging.Logger | None = logging.getLogger(name)
    while logger and (logger.level == logging.NOTSET or logger.name in _lowered):
        logger = logger.parent
    return logger.level if logger else logging.NOTSET
