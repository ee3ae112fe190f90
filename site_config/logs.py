"""The site's log, with lines that user input can't forge: each record is one line, regardless of its text.

The secrets that links of mails end with are not in it.
"""

import logging
import re
from pathlib import Path
from typing import Any

from pythonjsonlogger.json import JsonFormatter

TEXT = {
    "line": "[{levelname}] {message}",
    "dated": "{asctime} [{levelname}] {name} {process} {message}",
    "served": "[{server_time}] {message}",
}
JSON = {
    "()": "site_config.logs.Json",
    "fmt": ["levelname", "name", "message", "process", "run_id", "task", "request_id"],
    "rename_fields": {"levelname": "level", "name": "logger", "exc_info": "traceback"},
    "timestamp": "time",
}
# Whoever reads the end of such an address could use the link. The first one also holds a mail address.
LINKS = re.compile(r"(/(?:verify|password/new)/)[^\s\"'<>?]+")
LEFT_OUT = ("request", "server_time")  # an object of Django's; the time, in another format
FILTERS = {
    "refusals": {"()": "site_config.refusals.Filter"},
    "discreet": {"()": "housekeeping.database.discreet.Filter"},
    "run": {"()": "housekeeping.run_context.Filter"},
    "request": {"()": "django_guid.log_filters.CorrelationId", "correlation_id_field": "request_id"},
}
LEVELS = {
    "housekeeping": "INFO",
    "chat": "INFO",
    "huey": "INFO",
    "axes": "ERROR",  # its lines hide the account and the address: site_config/refusals.py has them
    "django_guid": "ERROR",  # not each id of a caller that is not a UUID
    "django": "WARNING",  # also with DEBUG off, when Django's own logging is silent
    "": "WARNING",  # every other library
}


def config(*, file: Path | None, as_json: bool) -> dict[str, Any]:
    """Django's LOGGING: to the console, and to ``file`` if there is one."""
    handlers: dict[str, dict[str, Any]] = {
        name: {"class": "logging.StreamHandler", "formatter": formatter}
        for name, formatter in (("console", "line"), ("served", "served"))
    }
    used = ["console"]
    if file:
        # logrotate may move it away
        handlers["file"] = {"class": "housekeeping.database.private.LogFile", "formatter": "dated"}
        handlers["file"]["filename"] = file
        used.append("file")
    loggers = {name: {"handlers": used, "level": level, "propagate": False} for name, level in LEVELS.items()}
    # The requests that runserver logs go only to the console, as in Django.
    loggers["django.server"] = {"handlers": ["served"], "level": "INFO", "propagate": False}
    one_line = {"class": "site_config.logs.OneLine", "style": "{"}
    text = {name: one_line | {"format": line} for name, line in TEXT.items()}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": dict.fromkeys(TEXT, JSON) if as_json else text,
        "filters": FILTERS,
        "handlers": {name: handler | {"filters": list(FILTERS)} for name, handler in handlers.items()},
        "loggers": loggers,
    }


class Json(JsonFormatter):
    """A record as a JSON object in one line: only the fields that it has, and no objects of Django's."""

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        return {
            name: without_links(value) if isinstance(value, str) else value
            for name, value in log_data.items()
            if value is not None and name not in LEFT_OUT
        }


class OneLine(logging.Formatter):
    """Escapes characters that can't be printed (line breaks, escape sequences, marks that change the
    direction of text) as ``\\n``, ``\\x1b``, ``\\u202e``.

    Tracebacks, and the list that Huey's consumer logs at its start, keep their lines. Each starts with a
    bar, which no other record starts with.
    """

    def format(self, record: logging.LogRecord) -> str:
        return without_links(super().format(record))

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


def without_links(text: str) -> str:
    return LINKS.sub(r"\1…", text)


def printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode("ascii") for sign in text
    )


def _barred(text: str) -> str:
    return "\n".join(f"  | {printable(line)}" for line in text.split("\n"))
