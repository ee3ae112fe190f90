"""The queue: the only code that imports Huey.

- ``huey.py``      our Huey: signed messages, stored in SQLite, Redis or PostgreSQL
- ``consumer.py``  ``run_huey``: heartbeat, graceful stop, a scheduler that ticks each second
- ``tasks.py``     the Huey tasks: ``execute_run``, and one periodic task per schedule

A project names the class of its queue: ``HUEY = {"huey_class": "housekeeping.queue.SqliteQueue", …}``.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from housekeeping.queue.huey import PostgresQueue as PostgresQueue
    from housekeeping.queue.huey import RedisQueue as RedisQueue
    from housekeeping.queue.huey import SqliteQueue as SqliteQueue


def __getattr__(name: str) -> Any:
    # Late: huey.contrib.djhuey makes the queue on import, possibly before our models are loaded.
    if name not in ("SqliteQueue", "RedisQueue", "PostgresQueue"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from housekeeping.queue import huey

    return getattr(huey, name)
