"""Every clock change of five zones, 2025 to 2030: each day, each fire time, exactly once.

The expected moments are worked out from the zone's own rules (zoneinfo), not by cron code.
"""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from housekeeping.declared.triggers import Cron, Interval

ZONES = ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]
START, END = date(2025, 1, 1), date(2031, 1, 1)


def days():
    return [START + timedelta(days=number) for number in range((END - START).days)]


def moment_on(day, clock, zone):
    """When a clock on the wall first shows ``clock`` on ``day``; in a gap, when the gap ends."""
    wall = datetime.combine(day, clock, tzinfo=zone)  # fold=0: the first of two
    there_and_back = wall.astimezone(UTC).astimezone(zone)
    if there_and_back.replace(tzinfo=None) == wall.replace(tzinfo=None):
        return wall.astimezone(UTC)
    # The wall clock never shows it. Step to the first minute that it does show.
    minute = there_and_back.astimezone(UTC) - timedelta(hours=2)
    while minute.astimezone(zone).replace(tzinfo=None) < wall.replace(tzinfo=None):
        minute += timedelta(minutes=1)
    return minute


def fire_times(trigger, zone):
    moment = datetime.combine(START, time(), tzinfo=zone).astimezone(UTC) - timedelta(seconds=1)
    end = datetime.combine(END, time(), tzinfo=zone).astimezone(UTC)
    times = []
    while (moment := trigger.next_fire_time(moment, zone)) < end:
        times.append(moment)
    return times


@pytest.mark.parametrize(
    "clock", [time(0, 30), time(1, 30), time(1, 45), time(2), time(2, 30), time(3)], ids=str
)
@pytest.mark.parametrize("name", ZONES)
def test_a_daily_trigger_fires_once_on_every_day_of_six_years(name, clock):
    zone = ZoneInfo(name)

    times = fire_times(Cron(hour=clock.hour, minute=clock.minute), zone)

    assert times == [moment_on(day, clock, zone) for day in days()]


@pytest.mark.parametrize("name", ZONES)
def test_a_weekly_trigger_fires_once_on_every_sunday_of_six_years(name):
    zone = ZoneInfo(name)

    times = fire_times(Cron(day_of_week="sun", hour=3), zone)

    assert times == [moment_on(day, time(3), zone) for day in days() if day.isoweekday() == 7]


@pytest.mark.parametrize("name", ZONES)
def test_an_interval_of_six_hours_counts_elapsed_time_through_every_change(name):
    times = fire_times(Interval(hours=6), ZoneInfo(name))

    assert {later - earlier for earlier, later in pairwise(times)} == {timedelta(hours=6)}
    assert all(moment.hour % 6 == 0 for moment in times)


FIELDS = {
    "minute": st.one_of(st.integers(0, 59).map(str), st.sampled_from(["*/15", "0,30", "10-20/5"])),
    "hour": st.one_of(st.integers(0, 23).map(str), st.sampled_from(["*", "*/6", "1,2,3"])),
    "day": st.sampled_from(["*", "1", "15", "31", "L"]),
    "month": st.sampled_from(["*", "3", "10,11"]),
    "day_of_week": st.sampled_from(["*", "sun", "mon-fri", "0,3"]),
}
CRONS = st.fixed_dictionaries(FIELDS).map(lambda fields: Cron(**fields))
INTERVALS = st.integers(1, 5000).map(lambda minutes: Interval(minutes=minutes))
MOMENTS = st.datetimes(datetime(2025, 1, 1), datetime(2030, 12, 1), timezones=st.just(UTC))


@given(trigger=CRONS | INTERVALS, start=MOMENTS, name=st.sampled_from(ZONES), gap=st.integers(1, 10**7))
def test_fire_times_increase_and_none_is_skipped(trigger, start, name, gap):
    """From wherever in between one looks, the next fire time is the same."""
    zone = ZoneInfo(name)
    first = trigger.next_fire_time(start, zone)
    second = trigger.next_fire_time(first, zone)

    assert start < first < second
    between = first + (second - first) * (gap % 999) / 1000
    assert trigger.next_fire_time(between, zone) == second
    before = start + (first - start) * (gap % 999) / 1000
    assert trigger.next_fire_time(before, zone) == first


@given(trigger=CRONS | INTERVALS, moment=MOMENTS, name=st.sampled_from(ZONES))
def test_the_last_fire_time_is_the_newest_that_has_passed(trigger, moment, name):
    zone = ZoneInfo(name)

    last = trigger.last_fire_time(moment, zone)

    assert last <= moment < trigger.next_fire_time(last, zone)
    assert trigger.next_fire_time(last - timedelta(microseconds=1), zone) == last
