"""Figures that are dear to measure on a large database: kept, each with its age.

A consumer measures them anew every 20 seconds. Where one is cheap, whoever looks measures it
himself and sees it as it is now; where it is dear, a page shows the kept one and never waits.
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db.models import Q
from django.utils import timezone

from housekeeping import archive, plans, registry, stats
from housekeeping.models import Gauge

DEAR_MS = 50
FRESH = timedelta(seconds=20)
# Measuring may take this part of the time at most, however large the database is.
DUTY = 0.1


def measures() -> dict[str, Callable[[], Any]]:
    """Every gauge by its name."""
    return {
        "statistics": stats.measure,
        "archive": archive.size,
        **{f"backlog:{name}": partial(plans.backlog, policy) for name, policy in registry.policies().items()},
    }


def read(name: str) -> Gauge:
    """The figure with the moment at which it was measured: now, unless that is dear."""
    return read_all([name])[name]


def read_all(names: list[str]) -> dict[str, Gauge]:
    """As :func:`read`, for several at once."""
    kept = Gauge.objects.in_bulk(names)
    return {name: _current(name, kept.get(name)) for name in names}


def _current(name: str, kept: Gauge | None) -> Gauge:
    if kept is None:
        return measure(name)
    return kept if kept.took_ms >= DEAR_MS else _measured(name)


def read_fresh(name: str, *, at_most: timedelta = timedelta(seconds=30)) -> Gauge:
    """As :func:`read`, but measured now where the kept one is older than ``at_most``."""
    gauge = read(name)
    return gauge if gauge.measured_at >= timezone.now() - at_most else measure(name)


def measure(name: str) -> Gauge:
    """Measure one gauge now, and keep the figure."""
    gauge = _measured(name)
    figures = ["value", "measured_at", "took_ms", "claimed_at"]
    Gauge.objects.bulk_create([gauge], update_conflicts=True, unique_fields=["name"], update_fields=figures)
    return gauge


def _measured(name: str) -> Gauge:
    began = time.monotonic()
    value = measures()[name]()
    took_ms = round((time.monotonic() - began) * 1000)
    return Gauge(name=name, value=value, measured_at=timezone.now(), took_ms=took_ms)


def refresh(now: datetime) -> None:
    """Measure what is not fresh any more. For a consumer, every few seconds.

    Of several consumers that look at the same moment, one measures.
    """
    kept = Gauge.objects.in_bulk()
    for name in measures():
        gauge = kept.get(name)
        if gauge is None or (gauge.measured_at <= now - _rest(gauge) and _claim(gauge, now)):
            measure(name)


def _rest(gauge: Gauge) -> timedelta:
    return max(FRESH, timedelta(milliseconds=gauge.took_ms / DUTY))


def _claim(gauge: Gauge, now: datetime) -> int:
    unclaimed = Q(claimed_at=None) | Q(claimed_at__lt=now - _rest(gauge))
    same = Gauge.objects.filter(unclaimed, pk=gauge.pk, measured_at=gauge.measured_at)
    return same.update(claimed_at=now)
