"""The runs of a day, counted by half hour."""

from datetime import UTC, datetime, timedelta

import pytest

from housekeeping.reading.half_hours import NUMBER, WIDTH, half_hours, until
from tests import make

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 4, 12, 10, tzinfo=UTC)


def ran(at, *, seconds=None, **fields):
    times = {"started_at": at, "finished_at": at + timedelta(seconds=seconds)} if seconds is not None else {}
    return make.run("users", requested_at=at, **times, **fields)


def test_runs_of_a_half_hour_are_counted_by_outcome():
    at = datetime(2026, 3, 4, 11, 30, tzinfo=UTC)
    ran(at, seconds=2, status="succeeded")
    ran(at + timedelta(minutes=29), seconds=90.25, status="succeeded")
    failed = ran(at + timedelta(minutes=5), seconds=1, status="failed")
    ran(at + WIDTH, seconds=1, status="failed")

    found = {(one.begins_at, one.status): one for one in half_hours(NOW)}

    assert {key: one.runs for key, one in found.items()} == {
        (at, "failed"): 1,
        (at, "succeeded"): 2,
        (at + WIDTH, "failed"): 1,
    }
    assert found[at, "failed"].run_id == failed.pk
    assert found[at, "succeeded"].longest == pytest.approx(
        timedelta(seconds=90.25), abs=timedelta(milliseconds=1)
    )


def test_a_running_run_takes_until_now_and_a_waiting_one_no_time():
    ran(NOW - timedelta(minutes=3), status="queued")
    make.run(
        "stats",
        requested_at=NOW - timedelta(hours=2),
        started_at=NOW - timedelta(minutes=1),
        status="running",
    )

    longest = {one.task: one.longest for one in half_hours(NOW)}

    assert longest["users"] is None
    assert longest["stats"] == pytest.approx(timedelta(minutes=1), abs=timedelta(milliseconds=1))


def test_the_first_half_hour_is_whole_and_what_was_before_it_left_out():
    first = until(NOW) - NUMBER * WIDTH
    ran(first, status="missed")
    ran(first - timedelta(microseconds=1), status="missed")

    [one] = half_hours(NOW)

    assert (one.begins_at, one.runs) == (first, 1)
