"""Probes for machines: is the process up, and can it do its work?"""

from collections.abc import Callable

from django.db import DatabaseError, connection, transaction
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from housekeeping.database.schema import has_unapplied_migrations
from housekeeping.database.transactions import take_write_lock, waiting
from housekeeping.exceptions import QueueUnreachable, is_busy
from housekeeping.queue import tasks as queue


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """The process answers."""
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """200 if database and queue can be reached and written to and all migrations are applied, else 503.

    The answer does not quote errors, whose texts may name hosts and users.
    """
    parts = {
        "database": _state(_ask_database),
        "migrations": _state(_ask_migrations),
        "queue": _state(queue.ping),
    }
    ready = all(state == "ok" for state in parts.values())
    return JsonResponse({"status": "ok" if ready else "unavailable"} | parts, status=200 if ready else 503)


def _ask_database() -> None:
    """Raises DatabaseError if the database can't be reached or written to."""
    if connection.vendor == "sqlite":
        _begin_to_write()
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('transaction_read_only')")  # also "on" on a standby
        if cursor.fetchone()[0] != "off":
            raise DatabaseError("The database is read-only.")


def _begin_to_write() -> None:
    """Take SQLite's write lock without waiting. If somebody else has it, the database can be written to."""
    try:
        with waiting(0), transaction.atomic():
            take_write_lock()
    except DatabaseError as error:
        if not is_busy(error):
            raise


def _ask_migrations() -> None:
    if has_unapplied_migrations():
        raise DatabaseError("migrations are missing")


def _state(ask: Callable[[], None]) -> str:
    try:
        ask()
    except (DatabaseError, QueueUnreachable):
        return "unavailable"
    return "ok"
