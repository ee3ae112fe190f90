"""The runs of a day, counted by half hour."""

from datetime import UTC, datetime, timedelta

import pytest

from housekeeping.models import Run
from housekeeping.reading.runs import half_hours as counting
from housekeeping.reading.runs.half_hours import LATEST_COMMIT, NUMBER, WIDTH, half_hours, until
from tests import make

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 4, 12, 10, tzinfo=UTC)
count = counting._count


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


# --- What a process has counted for good --------------------------------------------------


@pytest.fixture
def counted_from(monkeypatch):
    """The moments that the database was asked to count from."""
    moments = []
    monkeypatch.setattr(
        counting, "_count", lambda begin, end, now: moments.append(begin) or count(begin, end, now)
    )
    return moments


def test_a_half_hour_that_is_over_is_counted_once(counted_from):
    for ago in range(20):
        ran(NOW - timedelta(minutes=11 + 60 * ago), seconds=3, status="succeeded")

    first = half_hours(NOW)
    ran(NOW, seconds=1, status="failed")
    second = half_hours(NOW)

    assert counted_from == [until(NOW) - NUMBER * WIDTH, until(NOW) - WIDTH]
    assert second[:-1] == first
    assert (second[-1].status, second[-1].runs) == ("failed", 1)


def test_a_half_hour_with_a_run_that_has_not_ended_is_counted_again(counted_from):
    held = ran(NOW - timedelta(hours=5), seconds=1, status="held")
    ran(NOW - timedelta(hours=2), seconds=1, status="succeeded")
    half_hours(NOW)

    Run.objects.filter(pk=held.pk).update(status="cancelled")

    assert [one.status for one in half_hours(NOW)] == ["cancelled", "succeeded"]
    assert counted_from[-1] == until(held.requested_at) - WIDTH
    half_hours(NOW)
    assert counted_from[-1] == until(NOW) - WIDTH


def test_a_run_that_was_deleted_or_came_late_is_noticed():
    gone = ran(NOW - timedelta(hours=5), seconds=1, status="succeeded")
    ran(NOW - timedelta(hours=2), seconds=1, status="failed")
    half_hours(NOW)

    Run.objects.filter(pk=gone.pk).delete()
    assert [one.status for one in half_hours(NOW)] == ["failed"]

    ran(NOW - timedelta(hours=3), seconds=1, status="missed")
    assert [one.status for one in half_hours(NOW)] == ["missed", "failed"]


def test_the_half_hour_before_stays_open_for_a_run_that_is_committed_late(counted_from):
    begins = until(NOW) - WIDTH
    ran(begins - WIDTH, seconds=1, status="succeeded")
    half_hours(begins + LATEST_COMMIT - timedelta(seconds=1))
    late = ran(begins - timedelta(seconds=1), seconds=1, status="failed")

    assert late.status in {one.status for one in half_hours(begins + LATEST_COMMIT)}
    assert counted_from[-1] == begins - WIDTH


def test_the_window_moves_on_and_a_clock_that_goes_back_shows_what_was_then():
    ran(NOW - timedelta(hours=23, minutes=30), seconds=1, status="missed")
    ran(NOW - timedelta(hours=2), seconds=1, status="succeeded")
    assert [one.status for one in half_hours(NOW)] == ["missed", "succeeded"]

    assert [one.status for one in half_hours(NOW + timedelta(hours=1))] == ["succeeded"]
    assert [one.status for one in half_hours(NOW - timedelta(hours=12))] == ["missed"]
    assert [one.status for one in half_hours(NOW)] == ["missed", "succeeded"]
