"""Who is running, and who looks at the schedules."""

import os
import socket
from datetime import datetime
from importlib import metadata

from django.db.models import QuerySet

import housekeeping
from housekeeping.models import LIFE, Consumer


def join(*, workers: int, worker_type: str, schedules: bool, now: datetime) -> Consumer:
    """Enter this process among the consumers."""
    return Consumer.objects.create(
        host=socket.gethostname(),
        pid=os.getpid(),
        workers=workers,
        worker_type=worker_type,
        schedules=schedules,
        version=version(),
        started_at=now,
        last_heartbeat_at=now,
    )


def version() -> str:
    """Of the code that this process runs: ``housekeeping 1.0, Huey 3.5.4``."""
    return f"housekeeping {housekeeping.__version__}, Huey {metadata.version('huey')}"


def beat(consumer: Consumer, now: datetime) -> None:
    """Give a sign of life. A row that was cleaned away meanwhile comes back."""
    consumer.last_heartbeat_at = now
    if not Consumer.objects.filter(pk=consumer.pk).update(last_heartbeat_at=now):
        consumer.save(force_insert=True)


def leave(consumer: Consumer, now: datetime) -> None:
    """Say that this consumer stops, so that nobody waits for its heartbeat to grow old."""
    Consumer.objects.filter(pk=consumer.pk).update(stopped_at=now, last_heartbeat_at=now)


def alive(now: datetime) -> QuerySet[Consumer]:
    return Consumer.objects.filter(stopped_at=None, last_heartbeat_at__gte=now - LIFE)
