"""The look for incidents: what is wrong is opened, what is over is closed."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from housekeeping.declared import registry
from housekeeping.declared.registry import SCHEDULES
from housekeeping.engine import verification
from housekeeping.journal import outbox
from housekeeping.models import Consumer, Delivery, Gauge, Incident, Run
from housekeeping.reading import gauges
from housekeeping.reading.alerting import site_look, watch
from housekeeping.runs import acknowledgements, endings, schedules, ticks
from housekeeping.runs.work import execution
from tests import make
from tests.make import days

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def consumer():
    yield make.consumer()
    outbox.settle()


def look():
    watch.look(timezone.now())


def seen():
    return {(one.kind, one.target) for one in Incident.objects.open()}


def ended(task="stats", status="failed", **fields):
    return make.run(task, status=status, finished_at=timezone.now(), **fields)


def test_a_site_in_order_has_no_incident():
    ended(status="succeeded")
    look()

    assert seen() == set()


# --- Runs -----------------------------------------------------------------------------------


def test_a_failure_that_nobody_could_tell_of_is_found_and_ends_with_the_next_success():
    ended(error="OSError: the disk is full")
    look()
    assert seen() == {("failed", "stats")}

    ended(status="succeeded")
    look()

    assert seen() == set()


@pytest.mark.parametrize("status", ["queued", "running"])
def test_a_failure_is_not_judged_while_its_task_is_under_way(status):
    run = ended()
    make.run("stats", status=status, retry_of=run, retry_number=1, cause="retry")

    look()

    assert seen() == set()


def test_a_dry_run_and_a_run_that_is_held_hide_no_failure():
    ended()
    make.run("stats", status="running", dry_run=True)
    make.run("stats", status="held", error="60 of 100 rows would go.")

    look()

    assert seen() == {("failed", "stats"), ("held", "stats")}


def test_an_incident_of_a_failure_stays_open_while_it_is_tried_again():
    ended()
    look()
    make.run("stats", status="running")

    look()

    assert seen() == {("failed", "stats")}


def test_who_acknowledges_or_pauses_is_not_reminded():
    for task in ("stats", "users", "messages"):
        ended(task)
    acknowledgements.acknowledge("stats", by=make.ADA)
    schedules.pause_task("users")
    look()
    Incident.objects.update(told_at=make.ago(days=2))

    look()

    reminded = Incident.objects.filter(told_at__gt=make.ago(days=1))
    assert {one.target for one in reminded} == {"messages"}


def test_a_failed_undo_and_a_task_that_is_gone_are_forgotten_after_a_week():
    for target in ("the undo of stats", "send_invoice"):
        Incident.objects.create(kind="failed", target=target, opened_at=make.ago(days=6), told_at=make.ago())
    look()
    assert len(seen()) == 2

    Incident.objects.update(opened_at=make.ago(days=8))
    look()

    assert (seen(), Delivery.objects.count()) == (set(), 0)


def test_a_run_that_was_approved_is_no_longer_held():
    run = make.run("users", status="held", error="60 of 100 rows would go.")
    look()
    assert Incident.objects.get().text == "60 of 100 rows would go."

    Run.objects.filter(pk=run.pk).update(status="queued")
    look()

    assert seen() == set()


# --- Schedules ------------------------------------------------------------------------------


def test_a_fire_time_that_a_running_consumer_does_not_notice_is_missed_until_it_is():
    state = make.schedule_state("weekly_cleanup", due=make.ago(minutes=5))
    look()
    assert seen() == {("missed", "weekly_cleanup")}
    assert Incident.objects.get().task == "conversations"

    state.next_fire_at = make.ago(days=-5)
    state.save()
    look()

    assert seen() == set()


def test_fire_times_of_a_site_without_a_consumer_are_not_told_one_by_one(consumer):
    make.schedule_state("weekly_cleanup", due=make.ago(minutes=5))
    consumer.delete()

    look()

    assert seen() == set()


@pytest.fixture
def strict(monkeypatch):
    """The weekly schedule has ten minutes of grace."""
    schedule = replace(SCHEDULES["weekly_cleanup"], grace=timedelta(minutes=10))
    monkeypatch.setitem(SCHEDULES, "weekly_cleanup", schedule)


def missed(late, hours_ago=1.0):
    due = make.ago(hours=hours_ago)
    run = Run(
        task="conversations", schedule="weekly_cleanup", cause="schedule", scheduled_for=due,
        requested_at=due + late,
    )  # fmt: skip
    endings.store(run, Run.Status.MISSED, "Noticed 0:30:00 late; the schedule's grace is 0:10:00.")
    return run


def test_a_fire_time_beyond_its_grace_is_missed_until_the_next_one_has_a_run(strict):
    run = missed(timedelta(minutes=30))
    look()
    assert seen() == {("missed", "weekly_cleanup")}
    assert Incident.objects.get().run == run.pk

    ended("conversations", "succeeded", schedule="weekly_cleanup", scheduled_for=make.ago(), cause="schedule")
    look()

    assert seen() == set()


def test_a_fire_time_that_a_catch_up_replaces_is_not_missed(strict):
    missed(timedelta(minutes=30), hours_ago=3)
    later = {"schedule": "weekly_cleanup", "scheduled_for": make.ago(hours=2), "cause": "catch-up"}
    ended("conversations", "succeeded", **later)

    look()

    assert seen() == set()


def test_a_fire_time_whose_work_a_waiting_run_does_is_not_missed(strict):
    missed(timedelta(minutes=30), hours_ago=3)
    missed(timedelta(seconds=1))

    look()

    assert seen() == set()


def test_after_an_outage_a_run_that_still_waits_does_its_work():
    make.run("conversations", status="queued", requested_at=make.ago(days=8))
    make.schedule_state("weekly_cleanup", due=make.ago(days=7))

    ticks.tick(timezone.now(), send=lambda run: None)
    look()

    assert Run.objects.filter(status="missed", schedule="weekly_cleanup").exists()
    assert seen() == set()


# --- Archives and backlogs ------------------------------------------------------------------


def test_archives_over_their_budget(settings):
    settings.HOUSEKEEPING_ARCHIVE_BUDGET_MB = 1
    gauge = Gauge.objects.create(name=gauges.ARCHIVE, value=3_000_000, measured_at=make.ago(), took_ms=1)
    look()
    assert seen() == {("archive", "")}
    assert Incident.objects.get().text == "They take 3 MB; the budget is 1 MB."

    gauge.value = 10
    gauge.save()
    look()

    assert seen() == set()


def test_each_damaged_archive_is_an_incident_of_its_own_however_many_there_are():
    for _ in range(verification.MOST_NAMED + 2):
        make.archive(ended("messages", "succeeded", archive_damage="messages: it can't be read."))
    look()
    assert {kind for kind, _ in seen()} == {"damaged"}
    assert len(seen()) == verification.MOST_NAMED + 2

    Run.objects.update(archive_damage=None)
    look()

    assert seen() == set()


def test_a_backlog_that_grows(monkeypatch):
    now = timezone.localtime()
    lows = {(now - days(back)).date().isoformat(): low for back, low in ((3, 100), (2, 120), (1, 1700))}
    Gauge.objects.create(name="lows", value={"messages": lows}, measured_at=now, took_ms=0)

    look()

    assert seen() == {("backlog", "messages")}
    assert Incident.objects.get().text == "1,700 rows were past due yesterday, 100 two days before."


# --- Consumers ------------------------------------------------------------------------------


def silent(age=timedelta(days=1), **fields):
    Consumer.objects.all().delete()
    return make.consumer(age=age, **fields)


def test_a_site_whose_consumers_are_gone_is_told_once_and_when_one_is_back():
    silent()
    look()
    look()
    assert seen() == {("consumer", "")}
    assert Incident.objects.get().text.startswith("The last one, host:1, has been silent since ")

    make.consumer()
    look()

    assert seen() == set()


def test_a_restart_is_no_incident():
    silent(timedelta(minutes=1), stopped_at=make.ago(minutes=1))

    look()

    assert seen() == set()


def test_a_site_that_never_had_a_consumer_lacks_none():
    Consumer.objects.all().delete()

    look()

    assert seen() == set()


def test_consumers_that_look_at_no_schedule_are_not_enough():
    silent(timedelta())
    Consumer.objects.update(schedules=False, started_at=make.ago(minutes=5))

    look()

    assert seen() == {("consumer", "")}
    assert "-n" in Incident.objects.get().text


def test_a_consumer_from_a_clock_that_was_ahead_hides_nothing():
    silent(days(1))
    make.consumer(age=days(-100))

    look()

    assert seen() == {("consumer", "")}


def test_an_error_with_one_kind_does_not_stop_the_others(monkeypatch):
    silent()

    def fails(now, still):
        raise ValueError("no water")

    monkeypatch.setitem(watch.LOOKS, watch.Kind.FAILED, fails)

    with pytest.raises(ValueError, match="no water"):
        look()

    assert seen() == {("consumer", "")}


def test_the_site_looks_for_consumers_alone_and_sends_what_waits():
    silent()
    ended()
    make.administrator(email="ada@example.com")
    outbox.put("Hello", "Text", ["ada@example.com"])
    outbox.settle()

    site_look.look()

    assert seen() == {("consumer", "")}
    assert not Delivery.objects.filter(sent_at=None).exists()


def test_a_task_of_two_failures_tells_its_newest(add_task):
    task = add_task("dishes", lambda: 1 / 0)
    for _ in range(2):
        run = execution.execute(execution.claim(make.run(task.name).pk, 0))

    look()

    assert Incident.objects.get().run == run.pk
    assert registry.TASKS[task.name]


def test_a_damaged_archive_that_the_limit_cuts_off_is_not_in_order(monkeypatch):
    monkeypatch.setattr(watch, "MOST_DAMAGED", 1)
    in_window = {"status": "succeeded", "archive_damage": "bad digest"}
    for minutes in (9, 5):
        run = make.run("conversations", requested_at=make.ago(minutes=minutes), **in_window)
        make.archive(run)
        watch.look(timezone.now())

    assert Incident.objects.open().filter(kind="damaged").count() == 2
