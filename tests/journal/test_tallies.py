from datetime import UTC, datetime, timedelta

import pytest
from django.db.models import Sum
from django.utils import timezone

from housekeeping.journal import tallies
from housekeeping.models import Tally
from housekeeping.runs import control, ticks
from housekeeping.runs.work import execution
from tests import make
from tests.make import days

pytestmark = pytest.mark.django_db(transaction=True)


def carry_out(run, **options):
    return execution.execute(execution.claim(run.pk, run.attempts), **options)


def counted():
    """Runs and rows by task and status, of all days together: midnight may lie between two."""
    sums = Tally.objects.values_list("task", "status").annotate(Sum("runs"), Sum("rows"))
    return {(task, status): (runs, rows) for task, status, runs, rows in sums}


def test_each_end_is_counted_with_the_rows_that_were_deleted():
    make.conversation(age=days(40), messages=3)
    carry_out(make.run())
    carry_out(make.run())
    carry_out(make.run(dry_run=True))
    control.cancel(make.run("stats"))

    assert counted() == {("conversations", "succeeded"): (3, 1), ("stats", "cancelled"): (1, 0)}


def test_an_undo_takes_nothing_for_deleted():
    make.conversation(age=days(40))
    run = carry_out(make.run())

    carry_out(control.undo(run, send=lambda run: None))

    assert counted() == {("conversations", "succeeded"): (2, 1)}


def test_a_run_counts_on_the_day_that_it_is_in_the_sites_zone(settings):
    settings.TIME_ZONE = "America/New_York"

    tallies.add(make.run(status="succeeded", finished_at=datetime(2026, 11, 25, 3, 0, tzinfo=UTC)))

    assert str(Tally.objects.get().day) == "2026-11-24"


def test_missed_fire_times_are_counted_and_a_lost_claim_is_not():
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)  # every six hours: due then, and missed twice before
    make.schedule_state("statistics_generation", due=noon - timedelta(hours=12))
    ticks.tick(noon + timedelta(minutes=30), send=lambda run: None)
    run = execution.claim(make.run().pk, 0)
    make.Run.objects.filter(pk=run.pk).update(attempts=2)

    execution.execute(run)

    assert counted() == {("stats", "missed"): (2, 0)}


def test_the_last_days_are_given_oldest_first():
    today = timezone.localdate()
    for age in (0, 29, 30):
        Tally.objects.create(day=today - timedelta(days=age), task="users", status="failed")

    assert [tally.day for tally in tallies.since(timezone.now(), 30)] == [today - timedelta(days=29), today]
