"""Figures that are expensive to measure on a large database: kept, each with its age.

A consumer measures them anew every 20 seconds. A page shows the kept ones, at most 30 seconds
old and with their age, so that nobody waits for a count; once a run has ended, those that are
cheap are measured by who looks, and seen as they are now.

A change of a retention or of holds makes every backlog wrong at once. It leaves a mark in the same
table (:func:`rules.changed`), and each figure keeps the rules that it was measured under: the mark,
and the retention as this version of the site declares it. A figure with other rules is never
shown, in any process, even if its measurement began before the change and ended after it.
"""

import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import DatabaseError, connection, transaction
from django.db.models import Q, Subquery

from housekeeping import conf
from housekeeping.database import clock, discreet, stored
from housekeeping.declared import registry, rules, statistics
from housekeeping.declared.registry import STATISTICS
from housekeeping.engine import archive, plans
from housekeeping.exceptions import each, is_database_gone, takes_no_writes
from housekeeping.models import Gauge, Run

EXPENSIVE_MS = 50
FRESH = timedelta(seconds=20)
OLD = timedelta(seconds=30)
# Measuring may take this part of the time at most, however large the database is.
DUTY = 0.1
BACKLOG = "backlog:"
LONGEST_POLICY = (Gauge._meta.get_field("name").max_length or 0) - len(BACKLOG)  # characters of its name


class PolicyFailed(Exception):
    """A policy can't be counted, as it raised an error: its text is that error's kind and message."""


def measures() -> dict[str, Callable[[], Any]]:
    """Every gauge by its name."""
    return {
        "statistics": statistics.measure,
        "archive": archive.size,
        **{
            f"{BACKLOG}{name}": partial(plans.backlog, policy) for name, policy in registry.policies().items()
        },
    }


def read_all(names: list[str]) -> dict[str, Gauge]:
    """The kept figures for a page, or new ones where that costs little or the kept one is outdated.

    The backlog of a policy that raises an error has None as its ``rows``, and an ``error``.
    """
    last_end = Run.objects.exclude(finished_at=None).order_by("-finished_at").values("finished_at")[:1]
    kept = Gauge.objects.annotate(last_end=Subquery(last_end)).in_bulk([*names, rules.MARK])
    mark = rules.mark_of(kept.get(rules.MARK))
    oldest = max([clock.roughly() - OLD, *(gauge.last_end for gauge in kept.values() if gauge.last_end)])
    return {name: _current(name, kept.get(name), oldest, mark) for name in names}


def _current(name: str, kept: Gauge | None, oldest: datetime, mark: str | None) -> Gauge:
    soon = clock.roughly() + conf.ahead()
    if kept is None or _is_outdated(kept, mark) or kept.measured_at > soon:
        return _measure_or_tell(name)
    is_fresh = oldest < kept.measured_at
    return kept if is_fresh or kept.took_ms >= EXPENSIVE_MS else _measure_or_tell(name)


def _measure_or_tell(name: str) -> Gauge:
    """Measure. If a policy raises an error, return a gauge with the error, which is not stored."""
    try:
        return _measured(name, lambda: _figure(name))
    except PolicyFailed as failure:
        value: dict[str, Any] = {"rows": None, "tables": {}, "due_since": None, "error": str(failure)}
        return Gauge(name=name, value=value, measured_at=clock.roughly(), took_ms=0)


def read_now(name: str) -> Gauge:
    """The figure as it is now; where it is expensive, no more than 30 seconds old."""
    now = clock.roughly()
    fresh = Gauge.objects.filter(name=name, measured_at__range=(now - OLD, now + conf.ahead()))
    kept = fresh.filter(took_ms__gte=EXPENSIVE_MS).first()
    return kept if kept and _is_readable(kept) else measure(name)


def _rules_of(name: str, mark: str | None) -> str:
    """The rules that a gauge goes by."""
    policy = registry.policies().get(name.removeprefix(BACKLOG))
    return rules.digest(mark, [policy] if policy else [])


def _is_outdated(gauge: Gauge, mark: str | None) -> bool:
    return not _is_readable(gauge) or (
        gauge.name.startswith(BACKLOG) and gauge.rules != _rules_of(gauge.name, mark)
    )


def _is_readable(gauge: Gauge) -> bool:
    """Another version, or somebody's SQL, may have stored anything under its name."""
    is_backlog = isinstance(gauge.value, dict) and "tables" in gauge.value
    is_number = isinstance(gauge.value, int)
    kinds = (gauge.name.startswith(BACKLOG), gauge.name == "archive")
    if gauge.name == "statistics":  # another version may have counted others
        return isinstance(gauge.value, dict) and stored.counts(gauge.value).keys() == STATISTICS.keys()
    return stored.is_figure(gauge.value) and kinds == (is_backlog, is_number)


def measure(name: str) -> Gauge:
    """Measure one gauge now, and store the figure. It is returned even if it can't be stored."""
    return _measured(name, measures()[name])


def _measured(name: str, figure: Callable[[], Any]) -> Gauge:
    began = time.monotonic()
    under = _rules_of(name, rules.mark())  # before it is measured
    value = stored.in_order(figure())  # as a kept one: the same figure is the same answer
    took_ms = round((time.monotonic() - began) * 1000)
    gauge = Gauge(name=name, value=value, measured_at=clock.roughly(), took_ms=took_ms, rules=under)
    try:
        with transaction.atomic():
            _keep(gauge)
    except DatabaseError as error:
        if not takes_no_writes(error):
            raise
    return gauge


def _figure(name: str) -> Any:
    """Raises PolicyFailed where a policy raises an error, and anything else as it is."""
    # In a transaction that is open already, PostgreSQL takes no statement after one that failed.
    savepoint = transaction.atomic() if connection.in_atomic_block else nullcontext()
    try:
        with savepoint:
            return measures()[name]()
    except Exception as error:
        if not name.startswith(BACKLOG) or is_database_gone(error) or takes_no_writes(error):
            raise
        raise PolicyFailed(discreet.sentence(error)) from error


def _keep(gauge: Gauge) -> None:
    figures = ["value", "measured_at", "took_ms", "claimed_at", "rules"]
    Gauge.objects.bulk_create([gauge], update_conflicts=True, unique_fields=["name"], update_fields=figures)


def refresh(now: datetime) -> None:
    """Measure what is not fresh any more. For a consumer, every few seconds.

    Of several consumers that look at the same moment, one measures. A figure for which that fails,
    by an error in a policy say, holds up no other: the first error is raised after all had their turn.
    """
    kept = Gauge.objects.in_bulk()
    mark = rules.mark_of(kept.get(rules.MARK))

    def look_at(name: str) -> None:
        gauge = kept.get(name)
        if gauge is None or (_is_due(gauge, mark, now) and _claim(gauge, now)):
            measure(name)

    each(measures(), look_at)


def _is_due(gauge: Gauge, mark: str | None, now: datetime) -> bool:
    return _is_outdated(gauge, mark) or not now - _rest(gauge) < gauge.measured_at <= now + conf.ahead()


def _rest(gauge: Gauge) -> timedelta:
    return max(FRESH, timedelta(milliseconds=gauge.took_ms / DUTY))


def _claim(gauge: Gauge, now: datetime) -> int:
    unclaimed = Q(claimed_at=None) | ~Q(claimed_at__range=(now - _rest(gauge), now + conf.ahead()))
    same = Gauge.objects.filter(unclaimed, pk=gauge.pk, measured_at=gauge.measured_at)
    return same.update(claimed_at=now)
