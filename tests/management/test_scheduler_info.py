"""``scheduler_info``: the state and the next runs."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from housekeeping.declared.registry import SCHEDULES
from housekeeping.models import ScheduleState
from tests import make
from tests.management.commands import output

pytestmark = pytest.mark.django_db

RULE = "=" * 80
TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00:00"


def test_the_scheduler_is_shown_in_the_blocks_of_the_contract():
    printed = output("scheduler_info").partition("\nJob #4:")[0]  # a task that a site has added

    assert re.fullmatch(
        f"""\
{RULE}
Scheduler Status
{RULE}
Scheduler State: 0 \\(stopped\\)
Current Time: {TIME}

Total Scheduled Jobs: \\d+
{RULE}

Job #1:
  ID: daily_housekeeping
  Name: Daily Housekeeping Tasks
  Next Run: {TIME}
  Trigger: cron\\[hour='2', minute='0'\\]

Job #2:
  ID: weekly_cleanup
  Name: Weekly Conversation Cleanup
  Next Run: {TIME}
  Trigger: cron\\[day_of_week='sun', hour='3', minute='0'\\]

Job #3:
  ID: statistics_generation
  Name: Generate System Statistics
  Next Run: {TIME}
  Trigger: interval\\[0:06:00:00\\]
(?:{RULE}
)?""",
        printed,
    )


def test_the_next_runs_are_the_ones_that_the_schedules_owe():
    due = datetime(2031, 5, 4, 2, tzinfo=UTC)
    ScheduleState.objects.create(
        id="daily_housekeeping", next_fire_at=due, computed_from="0 2 * * * UTC", is_paused=False
    )

    printed = output("scheduler_info")

    assert "  Next Run: 2031-05-04 02:00:00+00:00\n" in printed


def test_a_fresh_heartbeat_is_state_1():
    make.consumer()

    assert "Scheduler State: 1 (running)\n" in output("scheduler_info")


@pytest.mark.parametrize(
    ("age", "fields"), [(timedelta(seconds=45), {}), (timedelta(), {"schedules": False})]
)
def test_a_stale_heartbeat_or_one_that_does_not_schedule_is_state_0(age, fields):
    make.consumer(age=age, **fields)

    assert "Scheduler State: 0 (stopped)\n" in output("scheduler_info")


def test_with_every_schedule_paused_it_is_state_2():
    make.consumer()
    for schedule in SCHEDULES:
        ScheduleState.objects.create(id=schedule, is_paused=True, next_fire_at=make.ago(), computed_from="")

    printed = output("scheduler_info")

    assert "Scheduler State: 2 (paused)\n" in printed
    assert printed.count("  Next Run: paused\n") >= 3
    assert "Next Run: 2" not in printed


def test_as_json_it_is_the_api_s_status(api):
    make.consumer()

    printed = json.loads(output("scheduler_info", "--json"))

    assert printed == api.get("/api/admin/scheduler/status").json()
    assert printed["status"] == "running"
