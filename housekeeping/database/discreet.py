"""Removes the values of rows from errors of the database.

PostgreSQL quotes values in the parts that follow a message (DETAIL, CONTEXT, the LINE of a statement)
and in some messages; its client, SQLite and Django quote them in a few messages. Neither logs nor runs
store these values: an error is cleaned before it is logged or stored.
"""

import logging
import re
import sqlite3
from collections.abc import Iterator
from typing import Any

from django.db import Error

try:
    from psycopg import DataError as ClientDataError
except ImportError:  # a project on SQLite does not need PostgreSQL's client
    ClientDataError = ()  # type: ignore[assignment, misc]

WITHHELD = "an error that a function of the database raised; its text may hold values and is left out"

# The message of Django's own check of foreign keys on SQLite. A value may contain quotes and line breaks,
# so only the words that follow it show where it ends.
INVALID_KEY = re.compile(
    r"(with primary key )'.*'( has an invalid foreign key: .*? contains a value )'.*'( that does not have )",
    re.DOTALL,
)


def clean(error: BaseException) -> BaseException:
    """Remove the values of rows from ``error`` and from the errors that caused it. Returns ``error``."""
    for one in chain(error):
        words = _words(one)
        if words is not None:
            one.args = (words,)
    return error


def kind(error: BaseException) -> tuple[str, ...]:
    """Class, code and constraint: equal for two errors that differ only in their values."""
    for one in chain(error):
        if sqlstate := getattr(one, "sqlstate", None):
            diagnosis = one.diag  # type: ignore[attr-defined]
            return (type(one).__name__, sqlstate, diagnosis.constraint_name or diagnosis.column_name or "")
        if isinstance(one, sqlite3.Error):  # its messages name columns, and hold no values
            return (type(one).__name__, str(_words(one) or one))
    return (type(error).__name__,)


def sentence(error: BaseException) -> str:
    """The kind of ``error`` and the first line of its message, cleaned: ``ValueError: bad date``."""
    try:
        message = str(clean(error)).partition("\n")[0]
    except Exception:  # its own __str__ is broken
        message = ""
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


class Filter(logging.Filter):
    """Cleans the errors of a log record: the one with the traceback, and those in its text."""

    def filter(self, record: logging.LogRecord) -> bool:
        in_text = record.args.values() if isinstance(record.args, dict) else record.args or ()
        for one in (record.msg, *in_text, record.exc_info[1] if record.exc_info else None):
            if isinstance(one, BaseException):
                clean(one)
        return True


def chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and all other errors that its traceback shows."""
    waiting: list[Any] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [one.__context__, one.__cause__, *getattr(one, "exceptions", ())]


def _words(error: BaseException) -> str | None:
    """The cleaned message of an error of the database; None for any other error, which stays unchanged."""
    source = error.__cause__ if isinstance(error, Error) and error.__cause__ else error
    if getattr(source, "sqlstate", None):
        return _of_postgresql(source)
    if isinstance(source, ClientDataError):  # the client can't read a value, which it quotes at the end
        return re.split(r""": | ['"]""", _text(error), maxsplit=1)[0]
    if isinstance(source, sqlite3.Error) and not isinstance(source, sqlite3.IntegrityError):
        text = re.sub(r"(?s)(Could not decode to UTF-8 column .*?) with text .*", r"\1", _text(error))
        return _without_quotes(text)  # near "…": syntax error
    if isinstance(error, Error):
        return INVALID_KEY.sub(r"\1'…'\2'…'\3", _text(error))
    return None


def _text(error: BaseException) -> str:
    """The message without the rows that Django adds if a row is protected from deletion."""
    if len(error.args) < 2:
        return str(error)
    return error.args[0] if isinstance(error.args[0], str) else ""


def _of_postgresql(error: Any) -> str | None:
    diagnosis, sqlstate = error.diag, error.sqlstate
    if sqlstate.startswith("P0") or diagnosis.source_function == "exec_stmt_raise":
        return WITHHELD
    text: str = diagnosis.message_primary or ""
    if sqlstate.startswith("22"):  # invalid data, which is quoted or at the end of the message
        return _without_quotes(text.partition(": ")[0])
    # A syntax error quotes a part of the statement.
    return _without_quotes(text) if sqlstate == "42601" else text


def _without_quotes(text: str) -> str:
    return re.sub(r'"[^"]*("|$)', '"…"', text)
