from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from housekeeping.declared.triggers import Cron, Interval, parse
from housekeeping.exceptions import BadTrigger
from tests import cron_reference

NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("trigger", "shown", "words"),
    [
        (Cron(hour=2, minute=0), "cron[hour='2', minute='0']", "at 2:00 AM"),
        (Cron(hour=14), "cron[hour='14', minute='0']", "at 2:00 PM"),
        (Cron(hour=0, minute=5), "cron[hour='0', minute='5']", "at 12:05 AM"),
        (
            Cron(day_of_week="sun", hour=3, minute=0),
            "cron[day_of_week='sun', hour='3', minute='0']",
            "on Sunday at 3:00 AM",
        ),
        (
            Cron(day_of_week="mon,thu", hour=3),
            "cron[day_of_week='mon,thu', hour='3', minute='0']",
            "on Monday and Thursday at 3:00 AM",
        ),
        (Cron(minute="*/5"), "cron[minute='*/5']", "by cron */5 * * * *"),
        (Cron(minute="*"), "cron[minute='*']", "by cron * * * * *"),
        (Cron(hour=2, minute="*"), "cron[hour='2', minute='*']", "by cron * 2 * * *"),
        (
            Cron(day_of_week="mon-fri", hour=7),
            "cron[day_of_week='mon-fri', hour='7', minute='0']",
            "on Monday to Friday at 7:00 AM",
        ),
        (
            Cron(day_of_week="sun#1", hour=7),
            "cron[day_of_week='sun#1', hour='7', minute='0']",
            "by cron 0 7 * * sun#1",
        ),
        (Interval(hours=6), "interval[0:06:00:00]", "every 6 hours"),
        (Interval(minutes=5), "interval[0:00:05:00]", "every 5 minutes"),
        (Interval(days=1), "interval[1:00:00:00]", "every day"),
        (Interval(minutes=1, seconds=30), "interval[0:00:01:30]", "every 90 seconds"),
    ],
)
def test_a_trigger_reads_as_the_contract_says(trigger, shown, words):
    assert (str(trigger), trigger.describe()) == (shown, words)


@pytest.mark.parametrize(
    ("text", "trigger"),
    [
        ("0 2 * * *", Cron(hour=2, minute=0)),
        ("  0  3 * * SUN ", Cron(day_of_week="sun", hour=3, minute=0)),
        ("06:00:00", Interval(hours=6)),
        ("1 02:00:30", Interval(days=1, hours=2, seconds=30)),
    ],
)
def test_what_an_operator_writes_is_read(text, trigger):
    assert parse(text) == trigger
    assert parse(trigger.expression()) == trigger


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "five cron fields"),
        ("0 2 * *", "five cron fields"),
        ("0 0 2 * * *", "five cron fields"),
        ("61 2 * * *", "minute"),
        ("0 2 30 2 *", "day-of-month"),
        ("0 2 * * someday", "day-of-week"),
        ("00:00:30", "one minute"),
        ("400 00:00:00", "366 days"),
        ("6:70:00", "five cron fields"),
        ("٠٦:00:00", "five cron fields"),
    ],
)
def test_what_can_not_be_read_is_refused_with_a_reason(text, part):
    with pytest.raises(BadTrigger, match=part):
        parse(text)


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        # Spring: 02:00 to 03:00 on 8 March 2026 does not exist.
        ("0 2 * * *", "2026-03-07T12:00", "2026-03-08T03:00-04:00"),
        ("30 2 * * *", "2026-03-07T12:00", "2026-03-08T03:00-04:00"),
        ("30 2 * * *", "2026-03-08T03:00", "2026-03-09T02:30-04:00"),
        # Autumn: 01:00 to 02:00 on 1 November 2026 comes twice.
        ("30 1 * * *", "2026-10-31T12:00", "2026-11-01T01:30-04:00"),
        ("30 1 * * *", "2026-11-01T01:30", "2026-11-02T01:30-05:00"),
        ("0 3 * * sun", "2026-10-31T12:00", "2026-11-01T03:00-05:00"),
        # All that the gap skips fires once, and the second pass not at all.
        ("*/20 2 * * *", "2026-03-08T01:59", "2026-03-08T03:00-04:00"),
        ("*/20 2 * * *", "2026-03-08T03:00", "2026-03-09T02:00-04:00"),
        ("*/20 1 * * *", "2026-11-01T01:40", "2026-11-02T01:00-05:00"),
        # A wildcard hour goes by real time.
        ("*/5 * * * *", "2026-03-08T01:55", "2026-03-08T03:00-04:00"),
        ("*/5 * * * *", "2026-11-01T01:55", "2026-11-01T01:00-05:00"),
        ("*/30 00-23 * * *", "2026-11-01T01:30", "2026-11-01T01:00-05:00"),
        ("*/30 0-11,12-23 * * *", "2026-11-01T01:30", "2026-11-01T01:00-05:00"),
    ],
)
def test_a_clock_change_neither_skips_nor_repeats_a_fire_time(expression, after, expected):
    start = datetime.fromisoformat(after).replace(tzinfo=NEW_YORK)

    fire_time = parse(expression).next_fire_time(start, NEW_YORK)

    assert fire_time == datetime.fromisoformat(expected)
    assert fire_time.tzinfo is UTC


@pytest.mark.parametrize("expression", ["0 2 * * *", "*/20 1-3 * * *", "0 0 * * *", "*/20 * * * *"])
@pytest.mark.parametrize(
    ("zone", "year"),
    [
        ("America/New_York", 2026),
        ("Australia/Lord_Howe", 2026),  # half an hour
        ("Pacific/Chatham", 2026),  # at :45
        ("America/Santiago", 2026),  # at midnight
        ("Africa/Casablanca", 2026),  # back for a month
        ("Antarctica/Troll", 2026),  # two hours
        ("Pacific/Apia", 2011),  # skips a day
        ("Pacific/Kwajalein", 1969),  # repeats one
    ],
)
def test_fire_times_around_a_clock_change_are_those_found_minute_by_minute(zone, year, expression):
    changes = cron_reference.clock_changes(ZoneInfo(zone), year, year)

    wrong = [
        cron_reference.disagreements(parse(expression), ZoneInfo(zone), change, step=97) for change in changes
    ]

    assert changes
    assert wrong == [[] for _ in changes]


def test_an_interval_keeps_its_phase_across_a_clock_change():
    trigger = Interval(hours=6)
    before = datetime(2026, 3, 8, 5, 59, tzinfo=UTC)

    first = trigger.next_fire_time(before, NEW_YORK)
    second = trigger.next_fire_time(first, NEW_YORK)

    assert (first.hour, second - first) == (6, timedelta(hours=6))
