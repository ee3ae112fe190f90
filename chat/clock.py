"""Timestamps come from the database, since the hosts that write rows may disagree about the time."""

from typing import Any

from django.db.models import DateTimeField, Value, functions
from django.utils import timezone


class Now(functions.Now):
    """The time at which the statement runs, by the database's clock."""

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        # SQLite's own function gives no microseconds, and it reads the same clock: the host's.
        if compiler.using:
            return compiler.compile(Value(timezone.now(), DateTimeField()))
        return super().as_sqlite(compiler, connection, **context)
