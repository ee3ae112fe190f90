"""A limit for the time that statements on the chosen database may take, of either vendor."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError, transaction

from housekeeping.database import chosen
from housekeeping.database.chosen import connection

SQLITE_STEPS = 10_000  # of its virtual machine between two checks of the time: below a millisecond


class TooSlow(Exception):
    """The statements would have run past their deadline."""


@contextmanager
def time_limit(deadline: float | None) -> Iterator[Callable[[], None]]:
    """Raises TooSlow for a statement that runs past the deadline. None: there is no limit.

    Yields a function that raises it after the deadline, for the time between statements.
    """

    if deadline is None:
        yield lambda: None
        return

    def check() -> None:
        if time.monotonic() >= deadline:
            raise TooSlow

    check()
    limited = _postgresql_limit if connection.vendor == "postgresql" else _sqlite_limit
    try:
        with limited(deadline):
            yield check
    except OperationalError as error:
        if _is_interrupted(error):
            raise TooSlow from None
        raise


@contextmanager
def _postgresql_limit(deadline: float) -> Iterator[None]:
    milliseconds = max(int((deadline - time.monotonic()) * 1000), 1)
    with transaction.atomic(using=chosen.alias()), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = {milliseconds}")
        yield
        cursor.execute("SET LOCAL statement_timeout TO DEFAULT")  # in case this is inside another transaction


@contextmanager
def _sqlite_limit(deadline: float) -> Iterator[None]:
    connection.ensure_connection()
    raw: Any = connection.connection
    raw.set_progress_handler(lambda: time.monotonic() >= deadline, SQLITE_STEPS)
    try:
        yield
    finally:
        raw.set_progress_handler(None, 0)


def _is_interrupted(error: OperationalError) -> bool:
    names = {getattr(error.__cause__, name, None) for name in ("sqlstate", "sqlite_errorname")}
    return bool(names & {"57014", "SQLITE_INTERRUPT"})
