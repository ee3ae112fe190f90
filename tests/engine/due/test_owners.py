"""Retentions that each owner sets for its own rows."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.db.models import Case, F, When
from django.utils import timezone

from housekeeping import ByOwner
from housekeeping.declared import rules
from housekeeping.declared.policies import Policy
from housekeeping.engine import plans
from housekeeping.engine.purge import expired, purge, purge_batches
from housekeeping.models import Run
from housekeeping.runs import control
from housekeeping.runs.work import execution
from tests import make
from tests.make import ADA, days
from tests.zoo.models import Entry, Owner

pytestmark = pytest.mark.django_db(transaction=True)

MOMENT = timedelta(microseconds=1)
YEAR = days(365)


def policy(kept="kept_days", otherwise=None, **fields):
    return Policy(
        "entries",
        rows=lambda cutoff: Entry.objects.filter(written_at__lt=cutoff),
        age="written_at",
        retention_by=ByOwner("owner", kept, otherwise),
        **fields,
    )


def entry(owner, moment):
    return Entry.objects.create(owner=owner, written_at=moment)


def delete(of, now):
    return sum(len(batch.keys) for batch in purge_batches(of, cutoff=of.cutoff(now), batch_size=2))


@pytest.fixture
def task(add_task):
    declared = policy(otherwise=days(30))
    add_task("entries", lambda purge: {"deleted": purge(declared)}, policy=declared)
    return "entries"


@pytest.mark.parametrize("kept", ["kept_days", "kept_for", lambda: F("kept_days"), lambda: F("kept_for")])
def test_each_owner_s_rows_go_after_its_own_retention_and_not_a_microsecond_before(kept):
    now = timezone.now()
    short, long = (Owner.objects.create(kept_days=one, kept_for=days(one)) for one in (7, 400))
    stay = [entry(short, now - days(7)), entry(long, now - days(400)), entry(short, now)]
    entry(short, now - days(7) - MOMENT)
    entry(long, now - days(400) - MOMENT)

    deleted = delete(policy(kept), now)

    assert deleted == 2
    assert set(Entry.objects.all()) == set(stay)


@pytest.mark.parametrize("number", [None, 0, -5, 36_501, 2**31 - 1])
def test_without_a_number_that_can_be_used_rows_stay_for_good(number):
    one = Owner.objects.create(kept_days=number)
    entry(one, datetime(1900, 1, 1, tzinfo=UTC))

    assert purge(policy()) == 0
    assert purge(policy(otherwise=days(30))) == (number is None)


def test_a_duration_below_the_shortest_retention_counts_as_that():
    one = Owner.objects.create(kept_for=timedelta(seconds=1))
    young, old = entry(one, make.ago(days=9)), entry(one, make.ago(days=11))

    assert purge(policy("kept_for", shortest_days=10)) == 1
    assert (young, old) == (Entry.objects.get(), old)


def test_rows_without_an_owner_are_kept_as_those_of_an_owner_without_a_number():
    entry(None, make.ago(days=31))

    assert purge(policy()) == 0
    assert purge(policy(otherwise=days(30))) == 1


def test_a_function_of_the_owner_decides():
    free, paid = Owner.objects.create(kept_days=1), Owner.objects.create(kept_days=2)
    stays = entry(paid, make.ago(days=31))
    entry(free, make.ago(days=31))

    assert purge(policy(lambda: Case(When(kept_days=1, then=30), default=365))) == 1
    assert Entry.objects.get() == stays


def test_a_day_is_24_hours_where_the_connection_s_zone_changes_its_clocks():
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET TIME ZONE 'Europe/Berlin'")
    now = datetime(2026, 3, 30, 12, tzinfo=UTC)
    for kept in ("kept_days", "kept_for"):
        one = Owner.objects.create(kept_days=10, kept_for=days(10))
        entry(one, now - days(10))
        assert delete(policy(kept), now) == 0
    connection.close()


def test_the_backlog_tells_the_range_and_since_when_the_first_row_is_due():
    now = timezone.now()
    owners = [Owner.objects.create(kept_days=one) for one in (90, 30, 365)]
    for one in owners:
        entry(one, now - days(100))

    seen = plans.backlog(policy())

    assert (seen["rows"], seen["retention_range"]) == (2, {"shortest_days": 30, "longest_days": 365})
    assert seen["due_since"] == (now - days(70)).isoformat()
    assert expired(policy(), cutoff=policy().cutoff(now)) == 2


@pytest.mark.parametrize(
    ("numbers", "otherwise", "expected"),
    [
        ([], None, (None, None)),
        ([None], None, (None, None)),
        ([7, None], None, (7, None)),
        ([7, None], YEAR, (7, 365)),
        ([0, 30], YEAR, (30, None)),
        ([30, 30], None, (30, 30)),
    ],
)
def test_the_range_of_the_retentions_in_force(numbers, otherwise, expected):
    for number in numbers:
        Owner.objects.create(kept_days=number)

    found = plans.backlog(policy(otherwise=otherwise))["retention_range"]
    assert (found["shortest_days"], found["longest_days"]) == expected


def test_a_plan_deletes_nothing_of_an_owner_whose_retention_was_raised_since(task):
    raised, same = Owner.objects.create(kept_days=30), Owner.objects.create(kept_days=30)
    stays = entry(raised, make.ago(days=40))
    entry(same, make.ago(days=40))
    dry = carry_out(control.request(task, send=lambda run: None, by=ADA, dry_run=True))
    Owner.objects.filter(pk=raised.pk).update(kept_days=60)

    run = carry_out(control.request(task, send=lambda run: None, by=ADA, plan=dry))

    assert (dry.result, run.status, run.result) == ({"deleted": 2}, "succeeded", {"deleted": 1}), run.error
    assert Entry.objects.get() == stays
    assert run.receipt[task]["retention_range"] == {"shortest_days": 30, "longest_days": 30}


def test_a_run_counts_from_its_own_moment_however_late_it_goes_on(task):
    one = Owner.objects.create(kept_days=30)
    run = control.request(task, send=lambda run: None, by=ADA)
    Run.objects.filter(pk=run.pk).update(as_of=make.ago(days=5))
    entry(one, make.ago(days=33))

    run = carry_out(run)

    assert (run.status, run.result) == ("succeeded", {"deleted": 0}), run.error


def carry_out(run):
    return execution.execute(execution.claim(run.pk, run.attempts))


def test_one_retention_or_that_of_the_owners():
    with pytest.raises(ValueError, match="has both retention and retention_by"):
        policy(retention=days(30))


def test_figures_are_measured_again_once_the_owners_are_asked_otherwise():
    assert rules.digest(None, [policy()]) != rules.digest(None, [policy(otherwise=days(30))])
    assert rules.digest(None, [policy()]) != rules.digest(None, [policy("kept_for")])
