"""The development server, with a consumer beside it (HOUSEKEEPING_AUTOSTART)."""

from typing import Any

from django.conf import settings
from whitenoise.runserver_nostatic.management.commands.runserver import Command as RunserverCommand

from chat import autostart


class Command(RunserverCommand):
    def inner_run(self, *args: Any, **options: Any) -> None:
        # Here, and not in handle(): under the autoreloader only the process that serves
        # comes by, so that there is one consumer, and it is restarted with the code.
        if settings.HOUSEKEEPING_AUTOSTART:
            autostart.start_consumer()
        super().inner_run(*args, **options)
