"""Figures that are expensive to measure on a large database: saved, each with its age.

A consumer measures each again after 20 seconds or, if that takes long, after ten times as long as
it took (DUTY). A page shows the saved figures with their age, so that nobody waits for a count. Cheap
ones are measured for the page once they are 30 seconds old or a run has ended, so that they show its
outcome; expensive ones are as old as the consumer's last measurement.

A change of a retention or of holds makes every backlog wrong at once. It leaves a mark in the same
table (:func:`rules.changed`), and each figure is saved with the rules that it was measured under: the
mark, and the retention as this version of the site declares it. A figure with other rules is never
shown, in any process, even if its measurement began before the change and ended after it.

If a policy or a statistic raises an error, the error is saved. If the attempt costs little, each page
repeats it, so that a correction is seen at once.
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import DatabaseError, transaction
from django.db.models import Q, Subquery
from django.utils.translation import gettext

from housekeeping import conf
from housekeeping.database import clock, stored
from housekeeping.database.limits import TooSlow, time_limit
from housekeeping.declared import registry, rules, statistics
from housekeeping.declared.counting import counting
from housekeeping.declared.policies import Policy
from housekeeping.declared.registry import STATISTICS
from housekeeping.engine import archive, plans
from housekeeping.exceptions import PolicyFailed, StatisticFailed, each, takes_no_writes
from housekeeping.models import Gauge, Run
from housekeeping.models.states import NUMBERS as NUMBERS

EXPENSIVE_MS = 50
FRESH = timedelta(seconds=20)
OLD = timedelta(seconds=30)
# Measuring may take this part of the time at most, however large the database is.
DUTY = 0.1
# How long a page may try to count the rows beyond a budget.
PAGE_SECONDS = 0.3
ARCHIVE = "archive"
BACKLOG = "backlog:"
LONGEST_POLICY = (Gauge._meta.get_field("name").max_length or 0) - len(BACKLOG)  # characters of its name


def backlog_of(policy: str) -> str:
    """The name of the gauge that counts what the policy would delete."""
    return f"{BACKLOG}{policy}"


def measures() -> dict[str, Callable[[], Any]]:
    """Every gauge by its name."""
    return {
        NUMBERS: _numbers,
        ARCHIVE: archive.size,
        **{backlog_of(name): partial(_backlog, policy) for name, policy in registry.policies().items()},
    }


def _numbers() -> dict[str, int | str]:
    numbers, failures = statistics.count()
    return numbers | {name: failure.reason for name, failure in failures.items()}


def _backlog(policy: Policy, seconds: float | None = None) -> dict[str, Any]:
    """Raises TooSlow after so many ``seconds``."""
    try:
        with counting(policy), time_limit(seconds and time.monotonic() + seconds):
            return plans.backlog(policy)
    except PolicyFailed as failure:
        if isinstance(failure.__cause__, TooSlow):
            raise failure.__cause__ from None
        return {"rows": None, "tables": {}, "due_since": None, "error": failure.reason}


def read_all(names: list[str]) -> dict[str, Gauge]:
    """The saved figures for a page, or new ones if that costs little or the saved one is outdated.

    The backlog of a policy that raises an error has None as its ``rows``, and an ``error``.
    """
    last_end = Run.objects.exclude(finished_at=None).order_by("-finished_at").values("finished_at")[:1]
    saved = Gauge.objects.annotate(last_end=Subquery(last_end)).in_bulk([*names, rules.MARK])
    mark = rules.mark_of(saved.get(rules.MARK))
    oldest = max([clock.roughly() - OLD, *(gauge.last_end for gauge in saved.values() if gauge.last_end)])
    return {name: _current(name, saved.get(name), oldest, mark) for name in names}


def _current(name: str, saved: Gauge | None, oldest: datetime, mark: str | None) -> Gauge:
    soon = clock.roughly() + conf.ahead()
    if saved is None or _is_outdated(saved, mark) or saved.measured_at > soon:
        return _measure_for_page(name, saved)
    is_fresh = oldest < saved.measured_at and not saved.errors
    return saved if is_fresh or saved.took_ms >= EXPENSIVE_MS else _measure_for_page(name, saved)


def _measure_for_page(name: str, saved: Gauge | None) -> Gauge:
    """The figure as it is now. A budget may count millions of rows for it: then the saved one will do."""
    policy = _policy_of(name)
    if policy is None or not policy.at_most:
        return measure(name)
    try:
        return measure(name, seconds=PAGE_SECONDS)
    except TooSlow:
        if saved and _is_readable(saved):
            return saved
    error = gettext("counting takes too long for a page, so a consumer does it")
    value: dict[str, Any] = {"rows": None, "tables": {}, "due_since": None, "error": error}
    return Gauge(name=name, value=value, measured_at=clock.roughly(), took_ms=round(PAGE_SECONDS * 1000))


def read_now(name: str) -> Gauge:
    """The figure as it is now; if it is expensive, no more than 30 seconds old."""
    now = clock.roughly()
    fresh = Gauge.objects.filter(name=name, measured_at__range=(now - OLD, now + conf.ahead()))
    saved = fresh.filter(took_ms__gte=EXPENSIVE_MS).first()
    return saved if saved and _is_readable(saved) else measure(name)


def _rules_of(name: str, mark: str | None) -> str:
    """The rules that a gauge was measured under."""
    policy = _policy_of(name)
    return rules.digest(mark, [policy] if policy else [])


def _policy_of(name: str) -> Policy | None:
    """The policy whose backlog the gauge is; None for any other gauge."""
    return registry.policies().get(name.removeprefix(BACKLOG)) if name.startswith(BACKLOG) else None


def _is_outdated(gauge: Gauge, mark: str | None) -> bool:
    return not _is_readable(gauge) or (
        gauge.name.startswith(BACKLOG) and gauge.rules != _rules_of(gauge.name, mark)
    )


def _is_readable(gauge: Gauge) -> bool:
    """Another version, or somebody's SQL, may have stored anything under its name."""
    if gauge.name == NUMBERS:  # another version may have counted others
        return stored.are_statistics(gauge.value) and gauge.value.keys() == STATISTICS.keys()
    return stored.is_backlog(gauge.value) if gauge.name.startswith(BACKLOG) else stored.is_count(gauge.value)


def measure(name: str, *, seconds: float | None = None) -> Gauge:
    """Measure one gauge now, and store the figure. It is returned even if it can't be stored.

    Raises TooSlow if a backlog can't be counted in so many ``seconds``.
    """
    began = time.monotonic()
    under = _rules_of(name, rules.mark())  # before it is measured
    policy = _policy_of(name)
    measured = _backlog(policy, seconds) if policy else measures()[name]()
    value = stored.in_order(measured)  # as a saved one: the same figure is the same answer
    took_ms = round((time.monotonic() - began) * 1000)
    gauge = Gauge(name=name, value=value, measured_at=clock.roughly(), took_ms=took_ms, rules=under)
    try:
        with transaction.atomic():
            _save(gauge)
    except DatabaseError as error:
        if not takes_no_writes(error):
            raise
    return gauge


def _save(gauge: Gauge) -> None:
    figures = ["value", "measured_at", "took_ms", "claimed_at", "rules"]
    Gauge.objects.bulk_create([gauge], update_conflicts=True, unique_fields=["name"], update_fields=figures)


def refresh(now: datetime) -> None:
    """Measure what is not fresh any more. For a consumer, every few seconds.

    If several consumers look at the same moment, one of them measures. An error with one figure does
    not stop the others: the first error is raised at the end. Raises PolicyFailed or
    StatisticFailed, too, as long as a policy or a statistic can't be counted.
    """
    saved = Gauge.objects.in_bulk()
    mark = rules.mark_of(saved.get(rules.MARK))

    def look_at(name: str) -> None:
        gauge = saved.get(name)
        if gauge is None or (_is_due(gauge, mark, now) and _claim(gauge, now)):
            gauge = measure(name)
        if gauge.errors:
            raise _failure(gauge)

    each(measures(), look_at)


def _failure(gauge: Gauge) -> PolicyFailed | StatisticFailed:
    [(name, text), *_] = gauge.errors.items()
    if gauge.name == NUMBERS:
        return StatisticFailed(name, text)
    return PolicyFailed(gauge.name.removeprefix(BACKLOG), text)


def _is_due(gauge: Gauge, mark: str | None, now: datetime) -> bool:
    return _is_outdated(gauge, mark) or not now - _rest(gauge) < gauge.measured_at <= now + conf.ahead()


def _rest(gauge: Gauge) -> timedelta:
    return max(FRESH, timedelta(milliseconds=gauge.took_ms / DUTY))


def _claim(gauge: Gauge, now: datetime) -> int:
    unclaimed = Q(claimed_at=None) | ~Q(claimed_at__range=(now - _rest(gauge), now + conf.ahead()))
    same = Gauge.objects.filter(unclaimed, pk=gauge.pk, measured_at=gauge.measured_at)
    return same.update(claimed_at=now)
