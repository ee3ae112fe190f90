"""Backlogs that grow: each day's lowest count of what is past due, kept for some days.

The lowest count of a day is what purges leave behind, so the rise between two purges does not count. A
backlog grows if its lowest count has risen on two days in a row, although a purge was due in that time.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.utils import timezone

from housekeeping.database.transactions import writing
from housekeeping.declared import registry
from housekeeping.declared.policies import Policy
from housekeeping.models import Gauge
from housekeeping.reading import gauges
from housekeeping.runs import schedules
from housekeeping.runs.schedules import Entry

LOWS = "lows"  # the gauge with the lowest counts: by policy, by day
KEPT_DAYS = 4
# A few rows that are in use stay past due: that is no backlog.
LEAST_ROWS = 100


@dataclass(frozen=True)
class Growth:
    """``lows``: the lowest counts of three days, the last one yesterday's. ``is_overdue``: a purge by the
    policy was due in that time, or none ever is.
    """

    policy: str
    task: str
    lows: tuple[int, int, int]
    is_overdue: bool


def note(now: datetime) -> None:
    """Remember the lowest counts of today, from the gauges that were measured today."""
    today = _day(now)
    names = {gauges.backlog_of(name): name for name in registry.policies()}
    measured = [one for one in Gauge.objects.filter(name__in=names) if _day(one.measured_at) == today]
    rows = {names[one.name]: one.value.get("rows") for one in measured if isinstance(one.value, dict)}
    with writing():
        saved = Gauge.objects.select_for_update().filter(name=LOWS).first()
        known = _lows(saved)
        lows = {name: _noted(known.get(name, {}), rows.get(name), today) for name in registry.policies()}
        if saved is None or lows != known:
            facts = {"value": lows, "measured_at": now, "took_ms": 0}
            Gauge.objects.update_or_create(name=LOWS, defaults=facts)


def unknown(now: datetime) -> set[str]:
    """The policies that could not be counted on one of the three days, so that nobody can tell."""
    lows = _lows(Gauge.objects.filter(name=LOWS).first())
    days = {day.isoformat() for day in _days(now)}
    return {name for name in registry.policies() if days - lows.get(name, {}).keys()}


def growing(now: datetime) -> list[Growth]:
    """The policies whose backlogs have grown for two days."""
    days = _days(now)
    lows = _lows(Gauge.objects.filter(name=LOWS).first())
    entries = schedules.entries() if lows else []
    found = []
    for name, policy in registry.policies().items():
        before, between, after = (lows.get(name, {}).get(day.isoformat(), 0) for day in days)
        if before < between < after and after >= LEAST_ROWS and days[0].isoformat() in lows[name]:
            tasks = [task for task in registry.TASKS.values() if policy in task.policies]
            narrowest = min(tasks, key=lambda task: len(task.policies))
            counts = (before, between, after)
            found.append(Growth(name, narrowest.name, counts, _is_overdue(policy, entries, days)))
    return found


def _is_overdue(policy: Policy, entries: Collection[Entry], days: list[date]) -> bool:
    """Was a purge by the policy due on the last two of the days? Yes, if no schedule has it at all."""
    zone = timezone.get_default_timezone()
    begin = datetime.combine(days[1], time(), zone)
    end = datetime.combine(days[-1] + timedelta(days=1), time(), zone)
    its = [one for one in entries if policy in one.schedule.task.policies and not one.is_stopped]
    return not its or any(one.trigger.last_fire_time(end, zone) >= begin for one in its)


def _noted(lows: dict[str, int], rows: Any, today: date) -> dict[str, int]:
    oldest = (today - timedelta(days=KEPT_DAYS)).isoformat()
    kept = {day: low for day, low in lows.items() if oldest < day <= today.isoformat()}
    if isinstance(rows, int):
        kept[today.isoformat()] = min(rows, kept.get(today.isoformat(), rows))
    return kept


def _lows(gauge: Gauge | None) -> dict[str, dict[str, int]]:
    """Another version, or somebody's SQL, may have stored anything."""
    value = gauge.value if gauge and isinstance(gauge.value, dict) else {}
    return {
        name: {day: low for day, low in lows.items() if isinstance(low, int)}
        for name, lows in value.items()
        if isinstance(lows, dict)
    }


def _days(now: datetime) -> list[date]:
    """The three days before today."""
    return [_day(now) - timedelta(days=back) for back in (3, 2, 1)]


def _day(moment: datetime) -> date:
    return timezone.localdate(moment, timezone.get_default_timezone())
