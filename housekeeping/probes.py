"""For machines that watch the site: is its process up, and can it do its work?"""

from collections.abc import Callable

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from housekeeping.exceptions import QueueUnreachable
from housekeeping.queue import tasks as queue


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """The process answers."""
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Database and queue are reachable, migrations are applied: 200, else 503 with the reason.

    The reasons are words of ours: an error's own text may name hosts and users.
    """
    parts = {
        "database": _state(_ask_database),
        "migrations": _state(_ask_migrations),
        "queue": _state(queue.ping),
    }
    ready = all(state == "ok" for state in parts.values())
    return JsonResponse({"status": "ok" if ready else "unavailable"} | parts, status=200 if ready else 503)


def unapplied_migrations() -> bool:
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _ask_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _ask_migrations() -> None:
    if unapplied_migrations():
        raise DatabaseError("migrations are missing")


def _state(ask: Callable[[], None]) -> str:
    try:
        ask()
    except (DatabaseError, QueueUnreachable):
        return "unavailable"
    return "ok"
