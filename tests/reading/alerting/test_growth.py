"""A backlog grows if its lowest count rises on two days in a row, although a purge was due."""

from datetime import UTC, datetime, timedelta

import pytest

from housekeeping.models import Gauge
from housekeeping.reading import gauges
from housekeeping.reading.alerting import growth
from housekeeping.runs import schedules
from tests import make

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)  # a Thursday


def counted(moment, rows, policy="messages"):
    value = {"rows": rows, "tables": {}, "due_since": None}
    name = gauges.backlog_of(policy)
    Gauge.objects.update_or_create(name=name, defaults={"value": value, "measured_at": moment, "took_ms": 1})
    growth.note(moment)


def growing(now=NOON):
    return {one.policy: one.is_overdue for one in growth.growing(now)}


@pytest.fixture
def in_order():
    """Counts in the order of the days: ``note`` forgets old days as time goes on."""

    def record(*counts, policy="messages"):
        for back, of_day in zip(range(len(counts), 0, -1), counts, strict=True):
            for hour, rows in enumerate(of_day):
                counted(NOON - timedelta(days=back, hours=-hour), rows, policy)

    return record


def test_two_days_of_growth_are_told(in_order):
    in_order([100], [150, 120], [200, 170])

    assert growing() == {"messages": True}
    [one] = growth.growing(NOON)
    assert (one.lows, one.task) == ((100, 120, 170), "messages")


@pytest.mark.parametrize(
    "counts",
    [
        ([100], [150, 90], [200]),  # it has shrunk in between
        ([100], [120], [120]),
        ([0, 500], [0, 900], [0, 1500]),  # each purge does its work
        ([1], [2], [3]),  # a few rows in use
        ([100], [], [200]),  # not measured on one day
        ([], [100], [200]),
    ],
)
def test_what_does_not_rise_each_day_does_not_grow(in_order, counts):
    in_order(*counts)

    assert growing() == {}


def test_growth_between_two_purges_of_a_weekly_schedule_can_not_be_judged(in_order):
    for schedule in ("daily_housekeeping", "weekly_cleanup"):
        schedules.pause(schedule)
    in_order([100], [120], [170], policy="conversations")
    assert growing() == {"conversations": True}  # no schedule purges at all

    schedules.resume("weekly_cleanup")

    assert growing() == {"conversations": False}  # the next purge comes on Sunday


def test_what_was_counted_on_another_day_is_not_today_s():
    counted(NOON - timedelta(days=1), 100)
    growth.note(NOON)

    assert growth._lows(Gauge.objects.get(name=growth.LOWS))["messages"] == {"2026-11-25": 100}


@pytest.mark.parametrize("value", [7, [], {"messages": 7}, {"messages": {"2026-11-25": "x"}}], ids=str)
def test_whatever_is_stored_in_its_place_breaks_nothing(value):
    Gauge.objects.create(name=growth.LOWS, value=value, measured_at=NOON, took_ms=0)

    assert growing() == {}
    counted(NOON, 5)


def test_old_days_are_forgotten(in_order):
    in_order(*[[number] for number in range(9)])

    assert len(growth._lows(Gauge.objects.get(name=growth.LOWS))["messages"]) == growth.KEPT_DAYS


def test_a_policy_that_can_not_be_counted_has_no_lows():
    make.user()
    counted(NOON, None)

    assert growth._lows(Gauge.objects.get(name=growth.LOWS))["messages"] == {}


def test_nobody_can_tell_whether_a_backlog_grows_if_a_day_was_not_counted():
    lows = {"messages": {"2026-11-22": 100, "2026-11-24": 300}}
    Gauge.objects.create(name=growth.LOWS, value=lows, measured_at=NOON, took_ms=0)

    assert "messages" in growth.unknown(datetime(2026, 11, 25, 12, tzinfo=UTC))

    lows["messages"]["2026-11-23"] = 200
    Gauge.objects.update(value=lows)
    assert "messages" not in growth.unknown(datetime(2026, 11, 25, 12, tzinfo=UTC))
