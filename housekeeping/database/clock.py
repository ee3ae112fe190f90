"""All decisions use the database's clock: hosts may disagree about the time, but they share a database.

On SQLite that is the host's own clock, as the site and its database share the host.

- ``Now()`` is a part of a statement, for statements that decide by the time: leases, claims.
- ``now()`` asks the database, for callers that pass the time on as an argument.
- ``roughly()`` and ``estimate()`` add the monotonic time since the newest answer, so a change of the
  host's clock does not affect them. They are for pages and log lines, and decide nothing about rows.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import DateTimeField, Value, functions
from django.db.models.expressions import DatabaseDefault
from django.utils import timezone

# roughly() asks the database again after so many seconds.
MEASURED_EACH = 10.0
# An answer that took longer than this, in seconds, is ignored: nobody can tell when it was given.
SLOW = 1.0


@dataclass(frozen=True)
class _Measured:
    """The database's time at a moment of this host's monotonic clock (seconds)."""

    moment: datetime
    at: float

    def carried_on(self) -> datetime:
        return self.moment + timedelta(seconds=time.monotonic() - self.at)


_measured: _Measured | None = None


class Now(functions.Now):
    """The database's time at the start of the statement, not of its transaction."""

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        # SQLite's own time has no microseconds, so it could be earlier than a moment that Python took before.
        if compiler.using:
            return compiler.compile(Value(timezone.now(), DateTimeField()))
        # A table's definition (and a subquery) can't have a value of Python. The format is Python's, since
        # SQLite compares moments as texts.
        template = "REPLACE(STRFTIME('%%%%Y-%%%%m-%%%%d %%%%H:%%%%M:%%%%f000', 'NOW'), '.000000', '')"
        return self.as_sql(compiler, connection, template=template, **context)


class StampField(DateTimeField):
    """The moment at which a row was inserted, by the database's clock, unless another one is given.

    Django 6 leaves a column with a default in the database out of an INSERT. On SQLite, tables of our
    first versions have no such default, so the expression is always part of the INSERT. Migrations see
    a plain DateTimeField, as before.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"db_default": Now(), **options})

    def pre_save(self, model_instance: Any, add: bool) -> Any:
        value = super().pre_save(model_instance, add)
        return self.db_default if isinstance(value, DatabaseDefault) else value

    def deconstruct(self) -> Any:
        name, _, args, options = super().deconstruct()
        return name, "django.db.models.DateTimeField", args, options


Moment = datetime | Now
"""A given moment, or the moment at which the statement runs."""


def now() -> datetime:
    """The database's time, in UTC. Raises DatabaseError if the database can't be reached."""
    if connection.vendor != "postgresql":
        return timezone.now()
    began = time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0].astimezone(UTC)
    _measure(moment, began)
    return moment


def _measure(moment: datetime, began: float) -> None:
    global _measured
    took = time.monotonic() - began
    if took < SLOW or _measured is None:
        _measured = _Measured(moment, began + took / 2)


def roughly() -> datetime:
    """The database's time to within some milliseconds. Asks the database only every few seconds.

    Raises DatabaseError like :func:`now`.
    """
    if _measured is None or time.monotonic() - _measured.at > MEASURED_EACH:
        return now()
    return _measured.carried_on()


def estimate() -> datetime:
    """The database's time, by the newest answer to this process. Asks nothing and never fails."""
    return _measured.carried_on() if _measured else timezone.now()


def offset() -> timedelta:
    """How far this host's clock is ahead of the database's (negative: behind)."""
    return timezone.now() - estimate()


def shown(moment: datetime) -> str:
    """In TIME_ZONE, for mails and logs: ``2027-01-31 12:00 UTC``."""
    return f"{timezone.localtime(moment, timezone.get_default_timezone()):%Y-%m-%d %H:%M %Z}"
