"""Log lines that user input can't forge: each record is one line, regardless of its text."""

import logging
from typing import Any

from pythonjsonlogger.json import JsonFormatter

LEFT_OUT = ("request", "server_time")  # an object of Django's; the time, in another format


class Json(JsonFormatter):
    """A record as a JSON object in one line: only the fields that it has, and no objects of Django's."""

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in log_data.items() if value is not None and name not in LEFT_OUT}


class OneLine(logging.Formatter):
    """Escapes characters that can't be printed (line breaks, escape sequences, marks that change the
    direction of text) as ``\\n``, ``\\x1b``, ``\\u202e``.

    Tracebacks, and the list that Huey's consumer logs at its start, keep their lines. Each starts with a
    bar, which no other record starts with.
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
