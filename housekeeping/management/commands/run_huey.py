"""Huey's consumer command, with one clear line of error if it can't start."""

import logging
import os
import signal
import sys
import threading
from functools import cache
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError, CommandParser
from django.db import DatabaseError
from django.utils.module_loading import import_string
from huey.contrib.djhuey import HUEY
from huey.contrib.djhuey.management.commands.run_huey import Command as RunHueyCommand
from huey.exceptions import ConfigurationError

from housekeeping.database import discreet, private
from housekeeping.database.schema import has_unapplied_migrations
from housekeeping.declared import registry
from housekeeping.queue.huey import STORAGE_ERRORS

LINE = "{asctime} [{levelname}] {name} {process} {message}"


class Command(RunHueyCommand):
    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--stop-with-parent",
            action="store_true",
            help="stop when standard input ends: set by runserver for its consumer",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        HUEY.is_beside_site = options.pop("stop_with_parent")
        if HUEY.is_beside_site:
            _stop_with_parent()
        if options["workers"] is not None and options["workers"] < 1:
            raise CommandError("-w takes a whole number of workers from 1.")
        try:
            _set_up_logging(options)
            if has_unapplied_migrations():
                raise CommandError("The database is not up to date: run `python manage.py migrate` first.")
            registry.check_readable()
            # All tasks.py are imported already. Huey would end at a foreign one that fails.
            super().handle(*args, **options | {"disable_autoload": True})
        except DatabaseError as error:
            raise CommandError(f"The database can't be used: {error}") from error
        except STORAGE_ERRORS as error:
            raise CommandError(f"The queue can't be used: {error}") from error
        # -k greenlet without gevent; -s 7; -M 5 with -C
        except (ImportError, ValueError, ConfigurationError, ImproperlyConfigured) as error:
            raise CommandError(f"The consumer can't start with these options: {error}") from error


def _stop_with_parent() -> None:
    """Stop gracefully once standard input ends. It is a pipe from the parent.

    The system closes the pipe however the parent ends, even by kill -9.
    """

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 1024):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="Parent watch", daemon=True).start()


def _set_up_logging(options: dict[str, Any]) -> None:
    """Apply -l, -q and -V, which Huey ignores if the site's LOGGING has handlers."""
    for name in (*registry.loggers(), "huey"):
        logger = logging.getLogger(name)
        if options["logfile"]:
            logger.addHandler(_file_handler(options["logfile"]))
        if options["verbose"] is not None:
            logger.setLevel(logging.DEBUG if options["verbose"] else logging.WARNING)


@cache
def _file_handler(path: str) -> logging.Handler:
    try:
        handler = private.LogFile(path)
    except OSError as error:
        raise CommandError(f"-l {path}: the log can't be written there ({error.strerror}).") from error
    handler.setFormatter(_formatter())
    handler.addFilter(discreet.Filter())
    return handler


def _formatter() -> logging.Formatter:
    """The project's own formatter "dated" if it has one: this site's escapes line breaks, for example."""
    form = settings.LOGGING.get("formatters", {}).get("dated", {})
    kind = import_string(form.get("class", "logging.Formatter"))
    # Python's default style is "%".
    text, style = (form["format"], form.get("style", "%")) if "format" in form else (LINE, "{")
    formatter: logging.Formatter = kind(text, style=style)
    return formatter
