"""The base of our commands: errors become one clear line instead of a traceback."""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from io import TextIOWrapper
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from django.utils import timezone

from housekeeping.exceptions import CannotPreview, HousekeepingError
from housekeeping.management import tables

JSON = "as JSON, with the objects of the API"
UNTIL = "the last day, 2027-01-31, or 2027-01-31T12:00:00+00:00"  # how an end is written


class OperatorCommand(BaseCommand):
    def run_from_argv(self, argv: list[str]) -> None:
        _survive_encodings()
        super().run_from_argv(argv)

    def print_help(self, prog_name: str, subcommand: str) -> None:
        _survive_encodings()
        super().print_help(prog_name, subcommand)

    def execute(self, *args: Any, **options: Any) -> str | None:
        if os.environ.get("NO_COLOR") and not options.get("force_color"):  # https://no-color.org
            options["no_color"] = True
        try:
            return super().execute(*args, **options)
        except CannotPreview as error:  # trying again never helps, as with a wrong option
            raise CommandError(str(error), returncode=2) from error
        except HousekeepingError as error:
            raise CommandError(str(error)) from error
        except BrokenPipeError:
            # The reader, such as head, has closed the pipe. Discard the rest of the output, so that the
            # flush at exit does not raise another error (Python's documentation of SIGPIPE).
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(1) from None
        except DatabaseError as error:
            # The first line of PostgreSQL's messages says what is wrong.
            reason = str(error).splitlines()[0]
            hint = "Is it up and writable, and `python manage.py migrate` done?"
            raise CommandError(f"The database can't be used: {reason}. {hint}") from error

    def print_table(self, heads: Sequence[tables.Cell], rows: Iterable[Sequence[tables.Cell]]) -> None:
        """In colour where Django's own lines are: on a terminal, or with --force-color."""
        has_colour = self.style.ERROR("") != ""
        made = tables.table(heads, rows)
        # Not all at once: with PYTHONUNBUFFERED, Python loses the error of a pipe that closes meanwhile.
        for line in tables.drawn(made, is_terminal=self.stdout.isatty(), has_colour=has_colour):
            self.stdout.write(line)

    def print_shown(self, shown: int, total: int, more: str) -> None:
        """``20 of 6,669 shown``, and how to see more; nothing if all are."""
        if shown < total:
            self.stdout.write(f"{shown:,} of {total:,} shown; {more}")

    def print_json(self, facts: Any) -> None:
        self.stdout.write(json.dumps(facts, indent=2))


class ActionCommand(OperatorCommand):
    """A command of several actions, each a method: ``list`` is ``_list``."""

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        getattr(self, f"_{action}")(options)


def _survive_encodings() -> None:
    r"""Write what the terminal's encoding does not have as ``\u2026``. A reason or a name may be anything."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def plain(moment: datetime) -> str:
    """To the second, in TIME_ZONE, with its offset."""
    return str(timezone.localtime(moment).replace(microsecond=0))
