"""Rows are stamped by the database, as the hosts that write them may disagree about the time."""

from typing import Any

from django.db.models import DateTimeField, Value, functions
from django.utils import timezone


class Now(functions.Now):
    """The time of the statement, by the database's clock."""

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        # SQLite's own time has no microseconds; its clock is the host's anyway.
        if compiler.using:
            return compiler.compile(Value(timezone.now(), DateTimeField()))
        return super().as_sqlite(compiler, connection, **context)
