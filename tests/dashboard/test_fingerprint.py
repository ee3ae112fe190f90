"""What the overview's page is answered 304 by."""

from datetime import timedelta

import pytest
from django.utils import timezone

from housekeeping.dashboard.pages.overview import fingerprint
from housekeeping.models import Consumer, Gauge
from housekeeping.reading import overview
from housekeeping.runs import consumers, schedules
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def consumer(db):
    return make.consumer()


def test_the_fingerprint_changes_with_what_is_shown_and_not_by_itself(consumer):
    overview.overview(timezone.now())
    Gauge.objects.update(measured_at=timezone.now())
    now = timezone.now().replace(minute=1, second=1)
    before = fingerprint(now)
    assert fingerprint(now + timedelta(seconds=2)) == before

    schedules.pause("weekly_cleanup", by=make.ADA)
    paused = fingerprint(now)
    make.run("stats")

    assert len({before, paused, fingerprint(now)}) == 3


def at_the_start_of_a_minute():
    return timezone.now().replace(second=1)


def test_what_grows_fresher_alone_changes_nothing_and_what_nobody_measures_does(consumer):
    """The page knows that what it is answered 304 for is as fresh as ever."""
    overview.overview(timezone.now())
    now = at_the_start_of_a_minute().replace(minute=1)
    Gauge.objects.update(measured_at=now)
    consumers.beat(consumer, now)
    before = fingerprint(now)

    later = now + timedelta(seconds=35)
    consumers.beat(consumer, later)
    Gauge.objects.update(measured_at=later)
    assert fingerprint(later) == before

    Gauge.objects.update(measured_at=now - timedelta(minutes=5))
    assert fingerprint(later) != before


@pytest.mark.parametrize("fields", [{"schedules": False}, {"version": "2.0"}], ids=str)
def test_another_consumer_in_the_place_of_one_changes_the_fingerprint(consumer, fields):
    now = at_the_start_of_a_minute()
    consumers.beat(consumer, now)
    before = fingerprint(now)

    consumers.leave(consumer, now)
    make.consumer(last_heartbeat_at=now, **fields)

    assert fingerprint(now) != before


def test_a_clock_that_goes_wrong_changes_the_fingerprint(consumer):
    now = at_the_start_of_a_minute()
    consumers.beat(consumer, now)
    before = fingerprint(now)

    Consumer.objects.update(clock_offset_ms=5_000)

    assert fingerprint(now) != before


def test_a_schedule_that_becomes_late_changes_the_fingerprint(consumer):
    now = at_the_start_of_a_minute()
    make.schedule_state("daily_housekeeping", due=now - schedules.PUNCTUAL)
    before = fingerprint(now)

    assert fingerprint(now + timedelta(seconds=2)) != before


WAITING = [
    {"status": "held", "error": "60 of 100"},
    {"cause": "retry", "retry_number": 1, "not_before": timezone.now() + timedelta(minutes=50)},
]


@pytest.mark.parametrize("fields", WAITING, ids=["held", "retry"])
def test_a_run_that_waits_for_somebody_or_for_its_moment_changes_nothing(consumer, fields):
    run, now = make.run("stats", **fields), at_the_start_of_a_minute()
    consumers.beat(consumer, now)
    before = fingerprint(now)

    assert fingerprint(now + timedelta(seconds=2)) == before

    type(run).objects.update(status="queued", not_before=None)
    assert len({before, fingerprint(now), fingerprint(now + timedelta(seconds=2))}) == 3


def test_a_retry_that_becomes_due_changes_the_fingerprint(consumer):
    now = at_the_start_of_a_minute()
    make.run("stats", cause="retry", retry_number=1, not_before=now + timedelta(seconds=1))
    before = fingerprint(now)

    assert fingerprint(now + timedelta(seconds=2)) != before
