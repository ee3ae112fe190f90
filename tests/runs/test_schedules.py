import logging
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from housekeeping.declared.registry import SCHEDULES
from housekeeping.declared.triggers import parse
from housekeeping.exceptions import BadTrigger, UnknownSchedule
from housekeeping.models import Act, Run, ScheduleState
from housekeeping.runs import schedules, ticks
from tests import make
from tests.make import ADA

pytestmark = pytest.mark.django_db

MONDAY = datetime(2025, 12, 15, 12, tzinfo=UTC)
TUESDAY_2_AM = datetime(2025, 12, 16, 2, tzinfo=UTC)


def test_the_schedules_are_those_of_the_contract():
    listed = [schedule for schedule in SCHEDULES.values() if not schedule.is_upkeep]
    declared = [(one.id, one.name, str(one.trigger), one.task.name) for one in listed]

    # A new task of the site comes after them, and changes nothing here.
    assert declared[:3] == [
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
        schedules.announce("The site is up:")

    assert [record.getMessage() for record in caplog.records][:4] == [
        "The site is up:",
        "Scheduled: Daily housekeeping at 2:00 AM",
        "Scheduled: Weekly cleanup on Sunday at 3:00 AM",
        "Scheduled: Statistics generation every 6 hours",
    ]


def test_is_due_until_the_run_is_opened(sent, only_daily):
    daily = SCHEDULES["daily_housekeeping"]
    ticks.tick(MONDAY, send=sent.append)
    assert not schedules.is_due(daily, MONDAY)
    assert schedules.is_due(daily, TUESDAY_2_AM)

    ticks.tick(TUESDAY_2_AM, send=sent.append)

    assert not schedules.is_due(daily, TUESDAY_2_AM)


# --- Steering --------------------------------------------------------------------------------


def test_a_pause_and_a_resume_owe_nothing_from_between(sent, only_daily):
    make.schedule_state("daily_housekeeping", due=make.ago(hours=-1))

    schedules.pause("daily_housekeeping", by=ADA)
    ScheduleState.objects.update(next_fire_at=make.ago(hours=5))
    ticks.tick(timezone.now(), send=sent.append)
    schedules.resume("daily_housekeeping", by=ADA)
    ticks.tick(timezone.now(), send=sent.append)

    assert (sent, Run.objects.count()) == ([], 0)
    assert ScheduleState.objects.get().next_fire_at > timezone.now()


def test_a_changed_trigger_is_in_force_and_can_be_reset(only_daily):
    changed = schedules.change("daily_housekeeping", "30 4 * * *", by=ADA)
    assert str(changed.trigger) == "cron[hour='4', minute='30']"

    reset = schedules.reset("daily_housekeeping", by=ADA)

    assert str(reset.trigger) == "cron[hour='2', minute='0']"
    assert schedules.find("daily_housekeeping").changed_trigger is None


def test_a_changed_trigger_is_what_the_next_look_goes_by(sent, only_daily):
    schedules.change("daily_housekeeping", "00:01:00", by=ADA)
    now = timezone.now()

    ticks.tick(now + timedelta(seconds=61), send=sent.append)

    assert len(sent) == 1


def test_a_trigger_that_can_not_be_read_changes_nothing(only_daily):
    schedules.change("daily_housekeeping", "30 4 * * *", by=ADA)

    with pytest.raises(BadTrigger):
        schedules.change("daily_housekeeping", "61 4 * * *", by=ADA)

    assert ScheduleState.objects.get().trigger == "30 4 * * *"
    assert Act.objects.count() == 1


def test_each_act_says_who_and_what_before_and_after(only_daily):
    schedules.change("daily_housekeeping", "30 4 * * *", by=ADA)
    schedules.pause("daily_housekeeping", by=ADA)
    schedules.pause("daily_housekeeping", by=ADA)  # it is paused already: nothing to record

    acts = [(act.who, act.what, act.target, act.details) for act in Act.objects.order_by("id")]
    assert acts == [
        (
            "ada",
            "change trigger",
            "daily_housekeeping",
            {"before": {"trigger": ""}, "after": {"trigger": "30 4 * * *"}},
        ),
        (
            "ada",
            "pause",
            "daily_housekeeping",
            {"before": {"is_paused": False}, "after": {"is_paused": True}},
        ),
    ]


def test_all_schedules_are_paused_and_resumed_together():
    schedules.pause_all(by=ADA)
    assert all(entry.is_paused for entry in schedules.entries())

    schedules.resume_all(by=ADA)
    assert not any(entry.is_paused for entry in schedules.entries())


def test_a_schedule_that_does_not_exist_is_refused():
    with pytest.raises(UnknownSchedule, match="'yearly'; choose one of daily_housekeeping, weekly"):
        schedules.pause("yearly", by=ADA)


def test_a_trigger_of_another_version_that_can_not_be_read_runs_as_declared(only_daily):
    make.schedule_state("daily_housekeeping", due=make.ago(hours=-1), trigger="@solstice")

    assert str(schedules.find("daily_housekeeping").trigger) == "cron[hour='2', minute='0']"


def test_the_next_fire_times_of_a_trigger_are_shown_before_it_is_saved():
    times = schedules.fire_times(parse("0 2 * * 1"), MONDAY, 3)

    assert times == [datetime(2025, 12, day, 2, tzinfo=UTC) for day in (22, 29)] + [
        datetime(2026, 1, 5, 2, tzinfo=UTC)
    ]
