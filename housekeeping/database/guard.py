"""Prevents a dry run from writing, regardless of what its task does.

What it promises:

- Inside :func:`no_writes`, a statement that might write raises WriteInDryRun before it is sent, on
  every database of the site.
- The database refuses writes, too: SQLite by ``PRAGMA query_only``, PostgreSQL because each
  statement runs in a read-only transaction. So ``SELECT`` of a function that deletes fails as well.
- A task that swallows the error still fails: the first error is raised again at the end.
- Nothing is left on a connection afterwards. PostgreSQL's read-only transaction ends with its
  statement, so a connection that is shared through a pooler is safe as well. A transaction that a
  task has begun by hand and left open is rolled back, and the run fails.

It covers this thread's connections. It does not cover other threads, other processes, connections
that a task opens itself, and calls that bypass execute wrappers (psycopg's ``copy``, ``callproc``
on PostgreSQL). In an atomic block of the task on PostgreSQL, it also misses a function that writes while
rows of ``QuerySet.iterator()`` are fetched: by then, the statement's savepoint has ended.
"""

import re
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from django.db import DatabaseError, connections, transaction

from housekeeping.exceptions import TransactionLeftOpen, WriteInDryRun

Execute = Callable[[str, Any, bool, dict[str, Any]], Any]

READS = {"SELECT", "WITH", "VALUES", "TABLE", "EXPLAIN", "SHOW"}
# Statements of a task's transaction.atomic(). They change no rows.
CONTROLS = {"BEGIN", "START", "SAVEPOINT", "RELEASE", "ROLLBACK", "COMMIT", "END"}
# A WITH or an EXPLAIN that contains one of these words writes.
WRITES = re.compile(r"\b(INSERT|UPDATE|DELETE|MERGE)\b", re.IGNORECASE)
# Comments and quoted texts, including PostgreSQL's E'…' and $tag$…$tag$; a line may end with \r. Nested
# comments don't match: the start of the outer one remains, and the statement is refused.
NO_CODE = re.compile(
    r"""--[^\r\n]*|/\*(?:(?!/\*).)*?\*/|\bE'(?:[^'\\]|\\.|'')*'|'[^']*'|"[^"]*"|(?<![\w$])\$([^\W\d]\w*|)\$.*?\$\1\$""",
    re.DOTALL | re.IGNORECASE,
)
READ_ONLY_TRANSACTION = "25006"  # PostgreSQL's code for a write in one

_active = threading.local()


@contextmanager
def no_writes() -> Iterator[None]:
    """Refuse writes until the block ends. Raises WriteInDryRun, even if the block has swallowed it, and
    TransactionLeftOpen as :func:`nothing_left_open` does.
    """
    guard = _Guard()
    with nothing_left_open():
        with ExitStack() as stack:
            stack.callback(guard.leave)
            for alias in connections:
                stack.enter_context(connections[alias].execute_wrapper(guard))
            guard.enter()
            yield
        if guard.refused:
            raise guard.refused


@contextmanager
def nothing_left_open() -> Iterator[None]:
    """Roll back a transaction that the block began by hand and has not ended; then raises
    TransactionLeftOpen. Otherwise Django could not begin one to write the end of the run.
    """
    try:
        yield
    except BaseException as error:
        left_open = _roll_back()
        # Probably because Django can't begin a transaction inside the open one: say so.
        if left_open and isinstance(error, DatabaseError):
            raise left_open from error
        raise
    if left_open := _roll_back():
        raise left_open


@contextmanager
def bookkeeping() -> Iterator[None]:
    """Let our own statements write: a run's row, its plan, its log. Does nothing outside a dry run."""
    guard: _Guard | None = getattr(_active, "guard", None)
    if guard is None:
        yield
        return
    before, guard.is_lifted = guard.is_lifted, True
    try:
        yield
    finally:
        guard.is_lifted = before


class _Guard:
    """An execute wrapper for each of this thread's connections."""

    def __init__(self) -> None:
        self.is_lifted = False
        self.refused: WriteInDryRun | None = None

    def enter(self) -> None:
        _active.guard = self
        for connection in connections.all(initialized_only=True):
            _query_only(connection, True)

    def leave(self) -> None:
        _active.guard = None
        for connection in connections.all(initialized_only=True):
            _query_only(connection, False)

    def __call__(self, execute: Execute, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        connection = context["connection"]
        kind = _kind(sql)
        if self.is_lifted or kind in CONTROLS:
            _query_only(connection, False)  # SQLite's BEGIN IMMEDIATE counts as a write
            try:
                return execute(sql, params, many, context)
            finally:
                _query_only(connection, True)
        if kind not in READS:
            raise self._refusal(kind, connection)
        _query_only(connection, True)  # not set yet on a connection that was opened meanwhile
        try:
            with self._read_only(connection):
                return execute(sql, params, many, context)
        except DatabaseError as error:
            if _is_refused(error):
                raise self._refusal(kind, connection) from error
            raise

    @contextmanager
    def _read_only(self, connection: Any) -> Iterator[None]:
        if connection.vendor != "postgresql":
            yield
            return
        # In an atomic block of the task this is a savepoint, which ends the setting, too.
        with transaction.atomic(using=connection.alias):
            with bookkeeping(), connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION READ ONLY")
            yield

    def _refusal(self, kind: str, connection: Any) -> WriteInDryRun:
        error = WriteInDryRun(kind, connection.alias)
        self.refused = self.refused or error
        return error


def _kind(sql: Any) -> str:
    """The statement's first word, in capitals; for a WITH or EXPLAIN that writes, the word for that."""
    text = sql if isinstance(sql, str) else sql.as_string(None)  # psycopg's composed SQL
    text = NO_CODE.sub(" ", text).strip().rstrip("; \n").lstrip("( \n")
    if ";" in text or "/*" in text:
        return "SEVERAL STATEMENTS"
    word = (re.match(r"\w+", text) or [""])[0].upper()
    writes = WRITES.search(text) if word in ("WITH", "EXPLAIN") else None
    return writes[1].upper() if writes else word


def _query_only(connection: Any, is_on: bool) -> None:
    """Only for an open connection to SQLite: opening one would create the file."""
    if connection.vendor == "sqlite" and connection.connection is not None:
        connection.connection.execute(f"PRAGMA query_only = {int(is_on)}")


def _roll_back() -> TransactionLeftOpen | None:
    """Roll back the transactions left open on this thread's connections. Returns the error to raise."""
    left_open = [each for each in connections.all(initialized_only=True) if _is_left_open(each)]
    for connection in left_open:
        connection.rollback()
    return TransactionLeftOpen(left_open[0].alias) if left_open else None


def _is_left_open(connection: Any) -> bool:
    """Is it in a transaction that Django has not begun?"""
    if connection.connection is None or connection.in_atomic_block or not connection.get_autocommit():
        return False
    if connection.vendor == "postgresql":
        # By name, since psycopg may not be installed in a project on SQLite.
        return connection.connection.info.transaction_status.name in ("INTRANS", "INERROR")
    return connection.vendor == "sqlite" and bool(connection.connection.in_transaction)


def _is_refused(error: DatabaseError) -> bool:
    """Did the database refuse to write in a read-only transaction?"""
    cause = error.__cause__
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_READONLY
    return getattr(cause, "sqlstate", None) == READ_ONLY_TRANSACTION
