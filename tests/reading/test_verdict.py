import pytest
from django.utils import timezone

from housekeeping.declared.registry import Unreadable
from housekeeping.reading import overview
from housekeeping.runs import schedules
from tests import make

pytestmark = pytest.mark.django_db


def look():
    return overview.overview(timezone.now()).verdict


def texts():
    return [finding.text for finding in look().findings]


@pytest.fixture
def consumer(db):
    return make.consumer()


def test_all_is_well_with_a_consumer_and_nothing_wrong(consumer):
    run = make.run(status="succeeded", finished_at=make.ago(minutes=5), deleted={"conversations": 1204})

    seen = look()

    assert (seen.level, seen.findings, seen.last) == ("good", [], run)
    assert seen.next[1] > timezone.now()


def test_the_last_run_is_one_that_purges_the_sites_rows(consumer):
    purged = make.run("all", status="succeeded", finished_at=make.ago(hours=4))
    make.run("stats", status="succeeded", finished_at=make.ago(hours=1))
    make.run("history", status="succeeded", finished_at=make.ago(minutes=5))

    assert look().last == purged


def test_without_a_consumer_the_command_that_starts_one_is_named():
    [finding] = look().findings

    assert (finding.level, finding.command) == ("bad", "python manage.py run_huey")


def test_a_file_of_tasks_that_can_t_be_imported_is_named(consumer, monkeypatch):
    broken = [Unreadable("mails.tasks", "ImportError: celery", False), Unreadable("shop.tasks", "boom", True)]
    monkeypatch.setattr("housekeeping.reading.verdict.UNREADABLE", broken)

    [finding] = look().findings

    assert finding.level == "bad"
    assert finding.text == "shop.tasks can't be imported, so its tasks don't run."
    assert finding.advice.startswith("boom: correct it")


def test_a_failed_task_is_said_until_it_has_succeeded_again(consumer):
    make.run("users", status="failed", error="Out of ink\nand more", requested_at=make.ago(hours=1))
    assert texts() == ["Cleanup inactive users failed: Out of ink"]

    make.run("users", status="succeeded", dry_run=True)
    assert len(texts()) == 1

    make.run("users", status="succeeded")
    assert texts() == []


def test_a_held_run_and_one_that_nobody_takes_are_worth_a_word(consumer):
    make.run("users", status="held", error="Most of the table.")
    make.run("stats", requested_at=make.ago(minutes=3))
    make.run("messages", requested_at=make.ago(minutes=1))

    assert texts() == [
        "Cleanup inactive users waits for approval: Most of the table.",
        "1 run has waited for a worker for more than two minutes.",
    ]


def test_a_late_schedule_is_worse_than_a_paused_one(consumer):
    schedules.pause("weekly_cleanup")
    make.schedule_state("daily_housekeeping", due=make.ago(minutes=2))

    assert [(finding.level, finding.text) for finding in look().findings] == [
        ("bad", "Late: Daily Housekeeping Tasks."),
        ("warning", "Paused: Weekly Conversation Cleanup."),
    ]


def test_an_archive_over_its_budget_is_said(consumer, settings):
    settings.HOUSEKEEPING_ARCHIVE_BUDGET_MB = 1
    make.archive(make.run(status="succeeded"), size=1_000_001)

    assert texts() == ["The archives for undo exceed their budget of 1 MB."]


@pytest.mark.parametrize(
    ("offset_ms", "words"), [(3_600_000, "1 h 0 min ahead of"), (-90_000, "1 min 30 s behind")]
)
def test_a_host_whose_clock_is_off_is_a_warning(offset_ms, words):
    make.consumer(host="db1", clock_offset_ms=offset_ms)

    [finding] = look().findings

    assert finding.level == "warning"
    assert finding.text == f"The clock of db1 is {words} the database's."


def test_a_clock_that_is_off_by_a_second_or_was_never_measured_is_no_warning():
    make.consumer(clock_offset_ms=-1_900)
    make.consumer(clock_offset_ms=None)

    assert look().findings == []


def test_the_timeline_shows_what_was_and_what_comes(consumer):
    run = make.run("stats", status="succeeded", requested_at=make.ago(hours=3), started_at=make.ago(hours=3))
    make.run("stats", status="succeeded", requested_at=make.ago(hours=25))

    marks = overview.overview(timezone.now()).timeline

    assert [mark.task for mark in marks if mark.status != "next"] == [run.task]
    assert sum(mark.status == "next" and mark.task == "stats" for mark in marks) in (3, 4)
