"""Log lines that nobody can forge: one record, one line, whatever people typed."""

import logging
from typing import Any


class OneLine(logging.Formatter):
    """Writes what can't be printed (line breaks, escape sequences, marks that turn the
    direction of text, …) as ``\\n``, ``\\x1b``, ``\\u202e``.

    A traceback, and the list that Huey's consumer begins with, keep their lines, each behind a
    bar that no record begins with.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        text = super().formatMessage(record)
        if record.name != "huey.consumer":
            return printable(text)
        first, *more = text.split("\n")
        return "\n".join([printable(first), *map(_barred, more)])

    def formatException(self, ei: Any) -> str:  # noqa: N802
        return _barred(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:  # noqa: N802
        return _barred(super().formatStack(stack_info))


def printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode("ascii") for sign in text
    )


def _barred(text: str) -> str:
    return "\n".join(f"  | {printable(line)}" for line in text.split("\n"))
