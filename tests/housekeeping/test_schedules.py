import logging
from datetime import UTC, datetime, timedelta

import pytest

from housekeeping import registry, schedules
from housekeeping.exceptions import QueueUnreachable
from housekeeping.models import Run, ScheduleState
from housekeeping.registry import SCHEDULES
from tests import make

pytestmark = pytest.mark.django_db

MONDAY = datetime(2025, 12, 15, 12, tzinfo=UTC)
TUESDAY_2_AM = datetime(2025, 12, 16, 2, tzinfo=UTC)


@pytest.fixture
def sent():
    return []


@pytest.fixture
def only_daily():
    """The daily schedule alone, so that a test counts its runs and no others."""
    others = {key: SCHEDULES.pop(key) for key in list(SCHEDULES) if key != "daily_housekeeping"}
    yield
    daily = SCHEDULES.pop("daily_housekeeping")
    SCHEDULES["daily_housekeeping"] = daily
    SCHEDULES.update(others)


def test_the_schedules_are_those_of_the_contract():
    declared = [(key, one.name, str(one.trigger), one.task.name) for key, one in SCHEDULES.items()]

    assert declared == [
        ("daily_housekeeping", "Daily Housekeeping Tasks", "cron[hour='2', minute='0']", "all"),
        (
            "weekly_cleanup",
            "Weekly Conversation Cleanup",
            "cron[day_of_week='sun', hour='3', minute='0']",
            "conversations",
        ),
        ("statistics_generation", "Generate System Statistics", "interval[0:06:00:00]", "stats"),
    ]


def test_the_start_logs_the_schedules(caplog):
    with caplog.at_level(logging.INFO, "housekeeping"):
        schedules.announce()

    assert [record.getMessage() for record in caplog.records] == [
        "Scheduled: Daily housekeeping at 2:00 AM",
        "Scheduled: Weekly cleanup on Sunday at 3:00 AM",
        "Scheduled: Statistics generation every 6 hours",
    ]


def test_a_schedule_seen_for_the_first_time_owes_nothing(sent):
    schedules.tick(MONDAY, send=sent.append)

    assert sent == []
    assert ScheduleState.objects.get(id="daily_housekeeping").next_fire_at == TUESDAY_2_AM


def test_a_fire_time_opens_one_run(sent, only_daily):
    schedules.tick(MONDAY, send=sent.append)

    schedules.tick(TUESDAY_2_AM, send=sent.append)

    [run] = sent
    assert (run.task, run.schedule, run.scheduled_for) == ("all", "daily_housekeeping", TUESDAY_2_AM)
    assert (run.cause, run.status) == ("schedule", "queued")


def test_looking_again_in_the_same_minute_opens_no_second_run(sent, only_daily):
    schedules.tick(MONDAY, send=sent.append)

    for second in (0, 0, 1, 59):
        schedules.tick(TUESDAY_2_AM + timedelta(seconds=second), send=sent.append)

    assert len(sent) == 1


def test_several_missed_fire_times_are_caught_up_once(sent, only_daily):
    schedules.tick(MONDAY, send=sent.append)

    schedules.tick(TUESDAY_2_AM + timedelta(days=3, hours=9), send=sent.append)

    [run] = sent
    assert (run.cause, run.scheduled_for) == ("catch-up", TUESDAY_2_AM + timedelta(days=3))


def test_a_changed_trigger_owes_nothing_from_before(sent, only_daily):
    schedules.tick(MONDAY, send=sent.append)
    ScheduleState.objects.update(
        computed_from="0 1 * * * UTC", next_fire_at=TUESDAY_2_AM - timedelta(hours=1)
    )

    schedules.tick(TUESDAY_2_AM - timedelta(minutes=1), send=sent.append)

    assert sent == []
    assert ScheduleState.objects.get().next_fire_at == TUESDAY_2_AM


def test_a_paused_schedule_opens_nothing(sent, only_daily):
    schedules.tick(MONDAY, send=sent.append)
    ScheduleState.objects.update(is_paused=True)

    schedules.tick(TUESDAY_2_AM, send=sent.append)

    assert sent == []
    state = ScheduleState.objects.get()
    assert schedules.next_fire_time(SCHEDULES["daily_housekeeping"], state, MONDAY) is None


def test_a_fire_time_waits_behind_a_running_run(sent, only_daily):
    schedules.tick(MONDAY, send=sent.append)
    make.run("all", status="running", attempts=1)

    schedules.tick(TUESDAY_2_AM, send=sent.append)

    assert [run.status for run in sent] == ["queued"]


def test_a_fire_time_that_finds_one_waiting_is_on_record_as_missed(sent, only_daily):
    schedules.tick(MONDAY, send=sent.append)
    make.run("all")

    schedules.tick(TUESDAY_2_AM, send=sent.append)

    assert sent == []
    missed = Run.objects.get(schedule="daily_housekeeping")
    assert (missed.status, missed.scheduled_for) == ("missed", TUESDAY_2_AM)
    assert "waiting already" in missed.error


def test_a_fire_time_noticed_after_its_grace_is_on_record_as_missed(sent, only_daily):
    daily = SCHEDULES["daily_housekeeping"]
    SCHEDULES["daily_housekeeping"] = registry.Schedule(
        daily.id, daily.name, daily.trigger, daily.task, grace=timedelta(hours=1)
    )
    schedules.tick(MONDAY, send=sent.append)

    schedules.tick(TUESDAY_2_AM + timedelta(hours=2), send=sent.append)

    SCHEDULES["daily_housekeeping"] = daily
    assert sent == []
    assert Run.objects.get().status == "missed"


def test_a_queue_out_of_reach_loses_no_run(only_daily):
    def refuse(run):
        raise QueueUnreachable("connection refused")

    schedules.tick(MONDAY, send=refuse)

    schedules.tick(TUESDAY_2_AM, send=refuse)

    assert Run.objects.get().status == "queued"


def test_is_due_until_the_run_is_opened(sent, only_daily):
    daily = SCHEDULES["daily_housekeeping"]
    schedules.tick(MONDAY, send=sent.append)
    assert not schedules.is_due(daily, MONDAY)
    assert schedules.is_due(daily, TUESDAY_2_AM)

    schedules.tick(TUESDAY_2_AM, send=sent.append)

    assert not schedules.is_due(daily, TUESDAY_2_AM)
