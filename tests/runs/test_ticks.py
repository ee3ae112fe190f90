import logging
import zoneinfo
from datetime import UTC, datetime, timedelta
from importlib.resources import files

import pytest
from django.utils import timezone

from housekeeping.declared import registry
from housekeeping.declared.registry import SCHEDULES
from housekeeping.declared.triggers import Cron
from housekeeping.exceptions import QueueUnreachable
from housekeeping.models import Run, ScheduleState
from housekeeping.runs import schedules, ticks
from tests import make

pytestmark = pytest.mark.django_db

MONDAY = datetime(2025, 12, 15, 12, tzinfo=UTC)
TUESDAY_2_AM = datetime(2025, 12, 16, 2, tzinfo=UTC)


def test_a_schedule_seen_for_the_first_time_owes_nothing(sent):
    ticks.tick(MONDAY, send=sent.append)

    assert sent == []
    assert ScheduleState.objects.get(id="daily_housekeeping").next_fire_at == TUESDAY_2_AM


def test_a_fire_time_opens_one_run(sent, only_daily):
    ticks.tick(MONDAY, send=sent.append)

    ticks.tick(TUESDAY_2_AM, send=sent.append)

    [run] = sent
    assert (run.task, run.schedule, run.scheduled_for) == ("all", "daily_housekeeping", TUESDAY_2_AM)
    assert (run.cause, run.status) == ("schedule", "queued")


def test_looking_again_in_the_same_minute_opens_no_second_run(sent, only_daily):
    ticks.tick(MONDAY, send=sent.append)

    for second in (0, 0, 1, 59):
        ticks.tick(TUESDAY_2_AM + timedelta(seconds=second), send=sent.append)

    assert len(sent) == 1


def test_several_missed_fire_times_are_caught_up_once(sent, only_daily):
    ticks.tick(MONDAY, send=sent.append)

    ticks.tick(TUESDAY_2_AM + timedelta(days=3, hours=9), send=sent.append)

    [run] = sent
    assert (run.cause, run.scheduled_for) == ("catch-up", TUESDAY_2_AM + timedelta(days=3))
    missed = Run.objects.filter(status="missed").order_by("scheduled_for")
    assert [one.scheduled_for for one in missed] == [TUESDAY_2_AM + timedelta(days=day) for day in range(3)]
    assert "replaces this one" in missed[0].error


def test_a_changed_trigger_owes_nothing_from_before(sent, only_daily):
    ticks.tick(MONDAY, send=sent.append)
    ScheduleState.objects.update(
        computed_from="0 1 * * * UTC", next_fire_at=TUESDAY_2_AM - timedelta(hours=1)
    )

    ticks.tick(TUESDAY_2_AM - timedelta(minutes=1), send=sent.append)

    assert sent == []
    assert ScheduleState.objects.get().next_fire_at == TUESDAY_2_AM


def test_a_trigger_that_can_t_be_read_is_logged_once_and_the_declared_one_holds(sent, only_daily, caplog):
    ticks.tick(MONDAY, send=sent.append)
    ScheduleState.objects.update(trigger="99 99 * * *")

    for second in range(3):
        ticks.tick(TUESDAY_2_AM + timedelta(seconds=second), send=sent.append)

    logged = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(logged) == 1
    assert logged[0].startswith("Schedule daily_housekeeping runs as declared: ")
    assert len(sent) == 1


def test_a_paused_schedule_opens_nothing(sent, only_daily):
    ticks.tick(MONDAY, send=sent.append)
    ScheduleState.objects.update(is_paused=True)

    ticks.tick(TUESDAY_2_AM, send=sent.append)

    assert sent == []
    assert schedules.find("daily_housekeeping").next_fire_time(MONDAY) is None


def test_a_fire_time_waits_behind_a_running_run(sent, only_daily):
    ticks.tick(MONDAY, send=sent.append)
    make.run("all", status="running", attempts=1)

    ticks.tick(TUESDAY_2_AM, send=sent.append)

    assert [run.status for run in sent] == ["queued"]


def test_a_fire_time_that_finds_one_waiting_is_on_record_as_missed(sent, only_daily):
    ticks.tick(MONDAY, send=sent.append)
    make.run("all")

    ticks.tick(TUESDAY_2_AM, send=sent.append)

    assert sent == []
    missed = Run.objects.get(schedule="daily_housekeeping")
    assert (missed.status, missed.scheduled_for) == ("missed", TUESDAY_2_AM)
    assert "waiting already" in missed.error


def test_a_waiting_dry_run_swallows_no_fire_time(sent, only_daily):
    ticks.tick(MONDAY, send=sent.append)
    make.run("all", dry_run=True)

    ticks.tick(TUESDAY_2_AM, send=sent.append)

    [run] = sent
    assert (run.status, run.dry_run) == ("queued", False)


def test_a_fire_time_noticed_after_its_grace_is_on_record_as_missed(sent, only_daily):
    daily = SCHEDULES["daily_housekeeping"]
    SCHEDULES["daily_housekeeping"] = registry.Schedule(
        daily.id, daily.name, daily.trigger, daily.task, grace=timedelta(hours=1)
    )
    ticks.tick(MONDAY, send=sent.append)

    ticks.tick(TUESDAY_2_AM + timedelta(hours=2), send=sent.append)

    SCHEDULES["daily_housekeeping"] = daily
    assert sent == []
    assert Run.objects.get().status == "missed"


@pytest.mark.django_db(transaction=True)
def test_a_schedule_that_can_not_be_looked_at_holds_up_no_other(sent):
    ticks.tick(MONDAY, send=sent.append)
    last_day = {"next_fire_at": datetime(9999, 12, 31, tzinfo=UTC)}
    last_day["local_times"] = "9999-12-31T23:59:00+00:00 9999-12-31T05:00:00+05:00"
    ScheduleState.objects.filter(id=next(iter(SCHEDULES))).update(**last_day)

    with pytest.raises(OverflowError):
        ticks.tick(MONDAY + timedelta(days=9), send=sent.append)

    opened = set(Run.objects.filter(status="queued").values_list("schedule", flat=True))
    assert opened == {run.schedule for run in sent}
    assert len(opened) > 1


@pytest.mark.parametrize("local_times", ["", "x y", "x", "2025-12-16"])
def test_local_times_that_can_not_be_read_are_unknown(local_times, sent, only_daily):
    ticks.tick(MONDAY, send=sent.append)
    ScheduleState.objects.update(local_times=local_times)

    ticks.tick(TUESDAY_2_AM, send=sent.append)

    assert len(sent) == 1


def test_a_queue_out_of_reach_loses_no_run(only_daily):
    def refuse(run):
        raise QueueUnreachable("connection refused")

    ticks.tick(MONDAY, send=refuse)

    ticks.tick(TUESDAY_2_AM, send=refuse)

    assert Run.objects.get().status == "queued"


def test_a_fire_time_computed_while_the_clock_was_ahead_is_computed_anew(sent, caplog):
    now = timezone.now()
    weekly = SCHEDULES["weekly_cleanup"].trigger
    make.schedule_state("weekly_cleanup", due=now + timedelta(days=3 * 365))

    ticks.tick(now, send=sent.append)

    state = ScheduleState.objects.get(id="weekly_cleanup")
    assert state.next_fire_at == weekly.next_fire_time(now, timezone.get_default_timezone())
    assert "Schedule weekly_cleanup waited for" in caplog.text


def test_a_run_that_was_opened_early_does_not_stand_for_its_fire_time(sent):
    now = MONDAY.replace(year=2100)
    due = SCHEDULES["weekly_cleanup"].trigger.next_fire_time(now, timezone.get_default_timezone())
    early = make.run(
        schedule="weekly_cleanup", scheduled_for=due, cause="schedule", status="missed", finished_at=now
    )
    make.schedule_state("weekly_cleanup", due=due + timedelta(days=70))
    ticks.tick(now, send=sent.append)

    ticks.tick(due + timedelta(seconds=1), send=sent.append)

    early.refresh_from_db()
    answer = Run.objects.get(schedule="weekly_cleanup", scheduled_for=due)
    assert (early.scheduled_for, answer.status) == (None, "queued")


@pytest.mark.parametrize(("back", "runs"), [(30, 1), (120, 1), (3_500, 1), (2 * 3_600, 2)])
def test_a_clock_that_is_set_back_across_a_fire_time_fires_it_once(back, runs, sent, only_daily):
    due = TUESDAY_2_AM.replace(year=2100)

    for moment in (-60, 0, 1, 1 - back, 2 - back, -1, 0, 1, 60):
        ticks.tick(due + timedelta(seconds=moment), send=sent.append)
        Run.objects.update(status="succeeded", finished_at=due)

    assert len(sent) == runs


# --- Several missed, several versions, a clock that moves ------------------------------------


def test_a_long_absence_leaves_a_bounded_number_of_rows(sent, only_daily):
    ticks.tick(MONDAY, send=sent.append)
    ScheduleState.objects.update(trigger="*/5 * * * *", computed_from="*/5 * * * * UTC")

    ticks.tick(MONDAY + timedelta(days=365), send=sent.append)

    assert len(sent) == 1
    missed = Run.objects.filter(status="missed").order_by("scheduled_for")
    assert len(missed) == ticks.MOST_MISSED_ROWS
    assert "are not listed" in missed[0].error


def test_an_old_and_a_new_version_side_by_side_miss_nothing(sent, only_daily):
    """Each takes the other's trigger for a change, and still no fire time is lost."""
    second = timedelta(seconds=1)
    now = TUESDAY_2_AM - timedelta(seconds=30)
    daily = SCHEDULES["daily_housekeeping"]
    other = registry.Schedule(daily.id, daily.name, Cron(hour=3), daily.task)

    for _ in range(60):
        for version in (daily, other):
            SCHEDULES[daily.id] = version
            ticks.tick(now, send=sent.append)
        now += second
    SCHEDULES[daily.id] = daily

    assert [run.scheduled_for for run in sent] == [TUESDAY_2_AM]


def test_a_clock_that_is_set_back_repeats_nothing(sent, only_daily):
    ticks.tick(MONDAY, send=sent.append)
    ticks.tick(TUESDAY_2_AM, send=sent.append)

    for minutes in (-60, -1, 0, 1):
        ticks.tick(TUESDAY_2_AM + timedelta(minutes=minutes), send=sent.append)

    assert len(sent) == 1


# --- The rules of a zone --------------------------------------------------------------------------


@pytest.fixture
def casablanca(settings, tmp_path):
    """Gives Casablanca, where the site is, the rules of another zone, as new tzdata may."""

    def goes_by(zone):
        rules = tmp_path / "Africa" / "Casablanca"
        rules.parent.mkdir(exist_ok=True)
        rules.write_bytes(files("tzdata").joinpath("zoneinfo", *zone.split("/")).read_bytes())
        zoneinfo.ZoneInfo.clear_cache()
        timezone.get_default_timezone.cache_clear()

    before = zoneinfo.TZPATH
    settings.TIME_ZONE = "Africa/Casablanca"
    zoneinfo.reset_tzpath([tmp_path])
    yield goes_by
    zoneinfo.reset_tzpath(before)
    zoneinfo.ZoneInfo.clear_cache()


def look_each_hour(start, end):
    while start < end:
        ticks.tick(start, send=lambda run: None)
        Run.objects.filter(status="queued").update(status="succeeded")
        start += timedelta(hours=1)


# Not in the past: a schedule that is looked at late is not corrected by the clock.
IN_2100 = MONDAY.replace(year=2100)


@pytest.mark.parametrize("changed_at", ["2100-12-17T01:30Z", "2100-12-17T00:30Z", "2100-12-16T18:00Z"])
@pytest.mark.parametrize(
    ("before", "after"),
    [("Etc/GMT-2", "Etc/GMT-1"), ("Etc/GMT-1", "Etc/GMT-2"), ("Etc/GMT-1", "Asia/Kolkata")],
)
def test_a_daily_task_runs_once_a_day_while_the_rules_of_its_zone_change(
    casablanca, only_daily, before, after, changed_at
):
    changed_at = datetime.fromisoformat(changed_at)
    casablanca(before)
    look_each_hour(IN_2100, changed_at)

    casablanca(after)
    look_each_hour(changed_at, IN_2100 + timedelta(days=6))

    local = [
        run.scheduled_for.astimezone(zoneinfo.ZoneInfo(before if run.requested_at < changed_at else after))
        for run in Run.objects.order_by("scheduled_for")
    ]
    assert [(moment.day, moment.hour) for moment in local] == [(day, 2) for day in range(16, 22)]


def test_hosts_whose_rules_of_the_zone_differ_say_so_once_an_hour(
    casablanca, only_daily, monkeypatch, caplog
):
    monkeypatch.setattr(ticks, "_zone_logged", {})
    casablanca("Etc/GMT-2")
    ticks.tick(IN_2100, send=lambda run: None)

    for zone in ("Etc/GMT-1", "Etc/GMT-2") * 5:
        casablanca(zone)
        ticks.tick(IN_2100 + timedelta(seconds=1), send=lambda run: None)

    assert caplog.text.count("differ between hosts") == 1


def test_what_a_version_before_has_moved_on_is_left_as_it_is(casablanca, sent, only_daily):
    casablanca("Etc/GMT-2")
    ticks.tick(MONDAY, send=sent.append)
    moved_on = TUESDAY_2_AM + timedelta(hours=22)  # as such a version computes it
    ScheduleState.objects.update(next_fire_at=moved_on)

    ticks.tick(MONDAY + timedelta(hours=1), send=sent.append)

    assert ScheduleState.objects.get().next_fire_at == moved_on
