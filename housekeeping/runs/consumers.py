"""Consumers: the processes that carry out runs and look at the schedules, by their heartbeats."""

import logging
import os
import socket
from collections.abc import Collection
from datetime import datetime, timedelta
from importlib import metadata

import housekeeping
from housekeeping.database import clock
from housekeeping.models import Consumer

logger = logging.getLogger(__name__)


def join(*, workers: int, worker_type: str, schedules: bool, now: datetime) -> Consumer:
    """Register this process as a consumer."""
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


def this_process() -> str:
    """``host:pid``"""
    return f"{socket.gethostname()}:{os.getpid()}"


def are_watching(alive: Collection[Consumer]) -> bool:
    """Does one of the consumers look at the schedules?"""
    return any(consumer.schedules for consumer in alive)


def version() -> str:
    """The version of the code that this process runs: ``housekeeping 1.0, Huey 3.5.4``."""
    return f"housekeeping {housekeeping.__version__}, Huey {metadata.version('huey')}"


def beat(consumer: Consumer, now: datetime) -> None:
    """Write the heartbeat, and how far this host's clock is off.

    If the consumer's row has been cleaned up in the meantime, it is written again.
    """
    had_wrong_clock = consumer.has_wrong_clock
    consumer.last_heartbeat_at = now
    consumer.clock_offset_ms = round(clock.offset() / timedelta(milliseconds=1))
    signs = {"last_heartbeat_at": now, "clock_offset_ms": consumer.clock_offset_ms}
    if not Consumer.objects.filter(pk=consumer.pk).update(**signs):
        consumer.save(force_insert=True)
    if consumer.has_wrong_clock and not had_wrong_clock:
        logger.warning("%s Housekeeping uses the database's clock.", consumer.clock_in_words)
    elif had_wrong_clock and not consumer.has_wrong_clock:
        logger.warning("The clock of %s agrees with the database's again.", consumer.host)


def leave(consumer: Consumer, now: datetime) -> None:
    """Note that this consumer stops: it counts as gone at once, not only when its heartbeat is old."""
    Consumer.objects.filter(pk=consumer.pk).update(stopped_at=now, last_heartbeat_at=now)
