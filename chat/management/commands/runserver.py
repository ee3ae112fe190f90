"""The development server. It also starts a consumer (HOUSEKEEPING_AUTOSTART)."""

import os
from typing import Any

from django.conf import settings
from whitenoise.runserver_nostatic.management.commands.runserver import Command as RunserverCommand

from chat import autostart
from site_config import port


class Command(RunserverCommand):
    def inner_run(self, *args: Any, **options: Any) -> None:
        if problem := port.problem_of(int(self.port), self.addr):
            # Django does the same: the autoreloader's thread would swallow SystemExit. No consumer is
            # started that would end at once.
            self.stderr.write(problem)
            os._exit(1)
        # Not in handle(): under the autoreloader, only the process that serves reaches this line, so
        # there is one consumer, and it restarts when the code changes.
        if settings.HOUSEKEEPING_AUTOSTART:
            autostart.start_consumer()
        super().inner_run(*args, **options)
