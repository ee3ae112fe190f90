"""Waits for locks: which connection of PostgreSQL does the work of a run."""

from typing import Any

from django.db.models import Func, IntegerField


class BackendPid(Func):
    """The number of the process that serves this connection; NULL on SQLite."""

    output_field = IntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="NULL", **context)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="pg_backend_pid()", **context)
