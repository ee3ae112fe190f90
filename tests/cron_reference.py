"""Computes fire times minute by minute: slow but simple, to compare declared/triggers.py with."""

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
NAMES = {name: number for number, name in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])}
RANGES = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12), "weekday": (0, 7)}

EXPRESSIONS = [
    "0 2 * * *", "30 2 * * *", "30 1 * * *", "0 0 * * *", "59 23 * * *", "15 0,1,2,3 * * *", "*/20 2 * * *",
    "*/20 1 * * *", "*/15 0-3 * * *", "* 2 * * *", "0 3 * * sun", "0 0 1 * *", "45 2 1-7 * sun",
    "*/7 22-23 * * *", "*/5 * * * *", "*/20 * * * *", "0 * * * *", "30 * * * *", "* * * * *", "0 */2 * * *",
    "10 */3 * * *", "*/30 0-23 * * *", "0 * * * sun", "17 * 1 * *",
]  # fmt: skip


def matches(expression, clock):
    minute, hour, day, month, weekday = expression.split()
    of_day = clock.day in _numbers(day, "day")
    of_week = clock.isoweekday() % 7 in {number % 7 for number in _numbers(weekday, "weekday")}
    both = day.startswith("*") or weekday.startswith("*")
    return (
        clock.minute in _numbers(minute, "minute")
        and clock.hour in _numbers(hour, "hour")
        and clock.month in _numbers(month, "month")
        and (of_day and of_week if both else of_day or of_week)
    )


@cache
def _numbers(field, kind):
    """The numbers in a field such as ``1,4-6`` or ``*/20``."""
    found = set()
    for term in field.split(","):
        span, _, step = term.partition("/")
        first, _, last = span.partition("-")
        low, high = RANGES[kind] if span == "*" else (_number(first), _number(last or first))
        found |= set(range(low, high + 1, int(step or 1)))
    return found


def _number(text):
    return NAMES[text] if text in NAMES else int(text)


def fire_times(expression, zone, start, end):
    """All fire times from ``start`` to ``end``, which are in UTC and on a whole minute."""
    hour = expression.split()[1]
    is_wildcard = hour.startswith("*") or hour == "0-23"
    return [
        moment
        for moment, clock, is_first_pass, skipped in minutes(zone, start, end)
        if (matches(expression, clock) and (is_wildcard or is_first_pass))
        or (not is_wildcard and any(matches(expression, each) for each in skipped))
    ]


@cache
def minutes(zone, start, end):
    """Each minute, with what the clock shows, whether for the first time, and the times that it skips."""
    found, shown, moment = [], set(), start - 26 * 60 * MINUTE
    clock = _clock(moment - MINUTE, zone)
    while moment < end:
        before, clock = clock, _clock(moment, zone)
        skipped = [before + number * MINUTE for number in range(1, (clock - before) // MINUTE)]
        if moment >= start:
            found.append((moment, clock, clock not in shown, skipped))
        shown.add(clock)
        moment += MINUTE
    return found


def _clock(moment, zone):
    return moment.astimezone(zone).replace(tzinfo=None)


def clock_changes(zone, first_year=2025, last_year=2030):
    """The first minute after each change of the zone's offset, in UTC."""
    changes = []
    day, end = datetime(first_year, 1, 1, tzinfo=UTC), datetime(last_year + 1, 1, 1, tzinfo=UTC)
    while day < end:
        if _offset(day, zone) != _offset(day + DAY, zone):
            of_day = (day + number * MINUTE for number in range(1, 1441))
            changes.append(next(minute for minute in of_day if _offset(minute, zone) != _offset(day, zone)))
        day += DAY
    return changes


def _offset(moment, zone):
    return moment.astimezone(zone).utcoffset()


def different_zones():
    """One zone for each set of clock changes that tzdata has for these years."""
    by_changes = {}
    for name in sorted(available_timezones()):
        zone = ZoneInfo(name)
        changes = tuple(clock_changes(zone))
        offsets = [_offset(moment, zone) for moment in (datetime(2025, 1, 1, tzinfo=UTC), *changes)]
        by_changes.setdefault((changes, *offsets), name)
    return sorted(by_changes.values())


def disagreements(trigger, zone, change, *, around=DAY, step):
    """Where the trigger and this module disagree, checked every ``step`` minutes around ``change``.

    Each is a tuple (moment, next fire time, last fire time), as the trigger computes it.
    """
    times = fire_times(trigger.expression(), zone, change - 2 * around, change + 2 * around)
    asked = {change + number * MINUTE for number in range(-around // MINUTE, around // MINUTE, step)}
    asked |= {time + timedelta(seconds=seconds) for time in times[::step] for seconds in (-1, 0, 0.5)}
    return [
        (moment, *answers)
        for moment in sorted(asked)
        if times and times[0] <= moment < times[-1]
        for place in [bisect_right(times, moment)]
        for answers in [(trigger.next_fire_time(moment, zone), trigger.last_fire_time(moment, zone))]
        if answers != (times[place], times[place - 1])
    ]
