"""Paused tasks."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from housekeeping.exceptions import UnknownTask
from housekeeping.models import Act, Run, ScheduleState, TaskState
from housekeeping.runs import control, pauses, schedules, ticks
from tests import make
from tests.make import ADA

pytestmark = pytest.mark.django_db

MONDAY = datetime(2025, 12, 15, 12, tzinfo=UTC)
TUESDAY_2_AM = datetime(2025, 12, 16, 2, tzinfo=UTC)


def test_no_schedule_and_no_catch_up_starts_a_paused_task(sent, only_daily):
    ticks.tick(MONDAY, send=sent.append)
    schedules.pause_task("all", by=ADA)

    ticks.tick(TUESDAY_2_AM, send=sent.append)
    ticks.tick(TUESDAY_2_AM + timedelta(days=2), send=sent.append)

    assert sent == []
    assert not Run.objects.exists()


def test_a_task_that_is_paused_while_a_consumer_looks_is_not_started(sent, only_daily):
    ticks.tick(MONDAY, send=sent.append)
    [entry] = schedules.entries()
    schedules.pause_task("all")

    assert not entry.is_task_paused  # as the consumer has read it
    assert ticks._open_run(entry, entry.state, TUESDAY_2_AM) is None
    assert ScheduleState.objects.get().next_fire_at == TUESDAY_2_AM


def test_a_person_may_start_a_paused_task(sent):
    schedules.pause_task("stats", by=ADA)

    run = control.request("stats", send=sent.append, by=ADA)

    assert run.status == Run.Status.QUEUED


def test_the_schedules_of_other_tasks_go_on(sent):
    ticks.tick(MONDAY, send=sent.append)
    schedules.pause_task("all")

    ticks.tick(TUESDAY_2_AM + timedelta(hours=9), send=sent.append)

    assert "stats" in {run.task for run in sent}
    assert "all" not in {run.task for run in sent}


def test_what_waits_when_a_task_is_paused_is_not_touched():
    run = make.run("stats")

    schedules.pause_task("stats")

    run.refresh_from_db()
    assert run.status == Run.Status.QUEUED


def test_a_resumed_task_owes_no_fire_time_of_the_pause(sent, only_daily):
    now = timezone.now()
    ticks.tick(now - timedelta(days=3), send=sent.append)
    schedules.pause_task("all")

    schedules.resume_task("all")
    ticks.tick(now, send=sent.append)

    assert sent == []
    assert ScheduleState.objects.get().next_fire_at > now


def test_a_schedule_that_is_paused_itself_stays_so(sent, only_daily):
    schedules.pause("daily_housekeeping")
    schedules.pause_task("all")

    schedules.resume_task("all")

    entry = schedules.find("daily_housekeeping")
    assert (entry.is_paused, entry.is_task_paused, entry.is_stopped) == (True, False, True)


def test_who_paused_and_why_is_kept_and_recorded_once():
    schedules.pause_task("stats", reason="Moving\nhouse", by=ADA)
    schedules.pause_task("stats", reason="Moving house", by=ADA)

    state = pauses.paused()["stats"]
    assert (state.changed_by, state.reason) == ("ada", "Moving house")
    [act] = Act.objects.all()
    assert (act.what, act.target) == ("pause task", "stats")
    assert act.details["after"] == {"is_paused": True, "reason": "Moving house"}


def test_a_task_that_is_not_paused_is_resumed_without_an_act(only_daily, sent):
    ticks.tick(MONDAY, send=sent.append)

    schedules.resume_task("all", by=ADA)

    assert not Act.objects.exists()
    assert ScheduleState.objects.get().next_fire_at == TUESDAY_2_AM


def test_a_task_that_is_not_declared_can_not_be_paused():
    with pytest.raises(UnknownTask):
        schedules.pause_task("laundry")

    assert not TaskState.objects.exists()


def test_a_paused_task_that_is_declared_no_more_is_left_out(add_task):
    add_task("passing", dict)
    schedules.pause_task("passing")
    TaskState.objects.update(name="gone")

    assert pauses.paused() == {}
