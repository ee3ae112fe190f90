"""The development server. It also starts a consumer (HOUSEKEEPING_AUTOSTART)."""

from typing import Any

from django.conf import settings
from whitenoise.runserver_nostatic.management.commands.runserver import Command as RunserverCommand

from chat import autostart


class Command(RunserverCommand):
    def inner_run(self, *args: Any, **options: Any) -> None:
        # Not in handle(): under the autoreloader, only the process that serves reaches this line, so
        # there is one consumer, and it restarts when the code changes.
        if settings.HOUSEKEEPING_AUTOSTART:
            autostart.start_consumer()
        super().inner_run(*args, **options)
