"""What our commands share: an operator reads one clear line, never a traceback."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError


class OperatorCommand(BaseCommand):
    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except DatabaseError as error:
            # A message of PostgreSQL's goes on for lines; the first says what is wrong.
            reason = str(error).splitlines()[0]
            hint = "Is it up, and `python manage.py migrate` done?"
            raise CommandError(f"The database can't be used: {reason}. {hint}") from error
