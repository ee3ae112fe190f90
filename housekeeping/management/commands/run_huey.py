"""Huey's consumer command, with one clear line where it can't start."""

import os
import signal
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import DatabaseError
from huey.contrib.djhuey.management.commands.run_huey import Command as RunHueyCommand

from housekeeping import autostart
from housekeeping.probes import unapplied_migrations
from housekeeping.queue.huey import STORAGE_ERRORS


class Command(RunHueyCommand):
    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            autostart.STOP_WITH_PARENT,
            action="store_true",
            help="stop when standard input ends: set by runserver for the consumer beside it",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options.pop("stop_with_parent"):
            autostart.when_parent_ends(lambda: os.kill(os.getpid(), signal.SIGTERM))
        try:
            if unapplied_migrations():
                raise CommandError("The database is not up to date: run `python manage.py migrate` first.")
            super().handle(*args, **options)
        except DatabaseError as error:
            raise CommandError(f"The database can't be used: {error}") from error
        except STORAGE_ERRORS as error:
            raise CommandError(f"The queue can't be used: {error}") from error
