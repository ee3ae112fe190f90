from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from housekeeping.exceptions import BadTrigger
from housekeeping.triggers import Cron, Interval, parse

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
    ],
)
def test_a_clock_change_neither_skips_nor_repeats_a_fire_time(expression, after, expected):
    start = datetime.fromisoformat(after).replace(tzinfo=NEW_YORK)

    fire_time = parse(expression).next_fire_time(start, NEW_YORK)

    assert fire_time == datetime.fromisoformat(expected)
    assert fire_time.tzinfo is UTC


def test_an_interval_keeps_its_phase_across_a_clock_change():
    trigger = Interval(hours=6)
    before = datetime(2026, 3, 8, 5, 59, tzinfo=UTC)

    first = trigger.next_fire_time(before, NEW_YORK)
    second = trigger.next_fire_time(first, NEW_YORK)

    assert (first.hour, second - first) == (6, timedelta(hours=6))
