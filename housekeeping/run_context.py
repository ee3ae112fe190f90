"""The run that a thread carries out, for the lines that it logs.

It imports nothing, because logging is set up before the apps are loaded.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_run: ContextVar[tuple[str | None, str | None]] = ContextVar("run", default=(None, None))


@contextmanager
def carrying_out(run_id: str, task: str) -> Iterator[None]:
    """In this block, the thread carries out a run of the task."""
    token = _run.set((run_id, task))
    try:
        yield
    finally:
        _run.reset(token)


def current() -> tuple[str | None, str | None]:
    """The id and the task of the run that this thread carries out; None for both if there is none."""
    return _run.get()


class Filter(logging.Filter):
    """Adds ``run_id`` and ``task`` to each record: of the run that the thread carries out, otherwise None.

    For handlers whose formatter prints these fields, such as one for JSON.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        record.run_id, record.task = current()
        return True
