"""Other ways to say what is expired: what stays is decided in each batch's own transaction."""

from dataclasses import replace

import pytest
from django.utils import timezone

from housekeeping.declared import rules
from housekeeping.declared.policies import Policy
from housekeeping.engine import plans
from housekeeping.engine.due.budget import DUTY, Budget
from housekeeping.engine.purge import expired, held_back, purge, purge_batches
from housekeeping.models import Hold
from housekeeping.runs import control
from housekeeping.runs.work import execution
from tests.make import ADA, days
from tests.zoo.models import Entry, Line, Owner

pytestmark = pytest.mark.django_db(transaction=True)

NOW = timezone.now()
newest_two = Policy(
    "newest_two",
    rows=lambda cutoff: Entry.objects.all(),
    age="written_at",
    keep_newest=2,
    of_each="owner",
)


def entry(owner=None, age=0, **fields):
    return Entry.objects.create(owner=owner, written_at=NOW - days(age), **fields)


def entries(owner, *ages):
    return [entry(owner, age) for age in ages]


def owner(**fields):
    return Owner.objects.create(**fields)


def carry_out(task, **options):
    run = control.request(task, send=lambda run: None, by=ADA, **options)
    return execution.execute(execution.claim(run.pk, run.attempts), batch_size=2)


@pytest.fixture
def declared(add_task):
    """A function that declares a task for a policy, and returns its name."""

    def declare(policy):
        add_task(policy.name, lambda purge: {"deleted": purge(policy)}, policy=policy)
        return policy.name

    return declare


# --- The newest of each owner -----------------------------------------------------------------


def test_the_newest_of_each_owner_stay():
    busy, quiet = owner(), owner()
    new, newer, *_old = entries(busy, 2, 1, 3, 4, 5)
    few = entries(quiet, 400, 500)
    nobodys = entries(None, 1, 2, 3)

    deleted = purge(newest_two)

    assert deleted == 3
    assert set(Entry.objects.all()) == {new, newer, *few, *nobodys}


def test_of_equally_old_rows_the_ones_with_the_highest_keys_stay():
    kept = entries(owner(), 7, 7, 7, 7)[2:]

    assert purge(newest_two) == 2
    assert set(Entry.objects.all()) == set(kept)


def test_an_owner_may_be_several_columns():
    one = owner()
    kept = [entry(one, 3, kind="a"), entry(one, 2, kind="b"), entry(one, 1, kind="b")]
    entry(one, 9, kind="b")
    policy = Policy(
        "x", lambda cutoff: Entry.objects.all(), age="written_at", keep_newest=2, of_each=("owner", "kind")
    )

    assert purge(policy) == 1
    assert set(Entry.objects.all()) == set(kept)


def test_rows_that_the_policy_does_not_return_stay_and_count_among_the_newest():
    one = owner()
    young = entries(one, 1, 2)
    old = entries(one, 40, 50)
    both = Policy(
        "both",
        lambda cutoff: Entry.objects.filter(written_at__lt=cutoff),
        days(30),
        age="written_at",
        keep_newest=3,
        of_each="owner",
    )

    assert purge(both) == 1
    assert set(Entry.objects.all()) == {*young, old[0]}


def test_counts_previews_and_what_if_agree_with_the_purge():
    one = owner()
    for made in entries(one, *range(1, 7)):
        Line.objects.create(entry=made)
    held = Entry.objects.order_by("written_at").first()
    Hold.objects.create(model="zoo.Entry", key=str(held.pk), reason="A dispute")

    seen = plans.look(newest_two, cutoff=NOW, retention=None)

    assert (seen["rows"], seen["tables"]) == (3, {"zoo.Entry": 3, "zoo.Line": 3})
    assert held_back(newest_two, cutoff=NOW) == {"held": 1, "protected": 0}
    assert (expired(newest_two, cutoff=NOW), plans.backlog(newest_two)["rows"]) == (3, 3)
    assert plans.what_if(newest_two, NOW) == {}
    assert purge(newest_two) == 3


def test_what_others_add_and_remove_between_the_batches_is_counted():
    one = owner()
    made = entries(one, 1, 2, 3, 4, 5)
    batches = purge_batches(newest_two, cutoff=NOW, batch_size=1)

    next(batches)
    made[0].delete()  # so that the third newest stays
    next(batches)
    new = entry(one)  # so that it goes
    rest = [batch.keys for batch in batches]

    assert rest == [[made[2].pk]]
    assert set(Entry.objects.all()) == {new, made[1]}


def test_a_plan_spares_what_is_one_of_the_newest_by_now(declared, settings):
    settings.HOUSEKEEPING_BRAKE_ROWS = 3
    task, one = declared(newest_two), owner()
    made = entries(one, 1, 2, 3, 4, 5, 6)
    run = carry_out(task)
    assert (run.status, run.plan[task]["rows"]) == ("held", 4)
    made[0].delete()

    approved = control.approve(run, send=lambda run: None, by=ADA)
    run = execution.execute(execution.claim(approved.pk, approved.attempts))

    assert (run.status, run.result) == ("succeeded", {"deleted": 3}), run.error
    assert set(Entry.objects.all()) == set(made[1:3])


def test_both_the_number_and_the_owner_have_to_be_declared():
    with pytest.raises(ValueError, match="has to have both keep_newest"):
        Policy("x", lambda cutoff: Entry.objects.all(), keep_newest=2)
    with pytest.raises(ValueError, match="has to have both keep_newest"):
        Policy("x", lambda cutoff: Entry.objects.all(), of_each="owner")


def test_a_figure_is_measured_again_once_another_number_is_declared():
    other = replace(newest_two, keep_newest=3)

    assert rules.digest(None, [newest_two]) != rules.digest(None, [other])


# --- A budget of rows -------------------------------------------------------------------------


def budget(rows, **fields):
    return Policy("budget", lambda cutoff: Entry.objects.all(), age="written_at", at_most=rows, **fields)


def test_the_oldest_go_until_the_table_has_at_most_so_many():
    made = entries(owner(), 1, 2, 3, 3, 3, 4)

    assert purge(budget(7)) == 0
    assert purge(budget(6)) == 0
    assert purge(budget(4)) == 2
    assert set(Entry.objects.all()) == {*made[:2], *made[3:5]}


def test_a_budget_is_counted_alike_by_previews_and_by_the_purge():
    for made in entries(owner(), *range(6)):
        Line.objects.create(entry=made)
    held = Entry.objects.order_by("written_at").first()
    Hold.objects.create(model="zoo.Entry", key=str(held.pk), reason="A dispute")

    seen = plans.look(budget(2), cutoff=NOW, retention=None)

    assert (seen["rows"], seen["tables"], seen["held_back"]["held"]) == (
        3,
        {"zoo.Entry": 3, "zoo.Line": 3},
        1,
    )
    assert plans.backlog(budget(2))["rows"] == expired(budget(2), cutoff=NOW) == 3
    assert purge(budget(2)) == 3
    assert Entry.objects.count() == 3  # two, and the one on hold


def test_rows_that_others_delete_meanwhile_are_not_deleted_twice_over():
    made = entries(owner(), 1, 2, 3, 4, 5, 6)
    batches = purge_batches(budget(3), cutoff=NOW, batch_size=1)

    next(batches)
    made[0].delete()
    made[1].delete()

    assert sum(len(batch.keys) for batch in batches) == 0
    assert Entry.objects.count() == 3


def test_a_count_that_takes_long_is_repeated_now_and_then(monkeypatch):
    entries(owner(), 1, 2, 3)
    monkeypatch.setattr("housekeeping.engine.due.budget.FEW", 0)
    counted = Budget(budget(1))
    counted.refresh()
    counted.took = 100.0  # as if it had
    Entry.objects.latest("written_at").delete()

    before = counted.beyond()
    counted.refresh()
    assert counted.beyond() == before  # so many seconds have not passed
    counted.counted_at -= 100.0 * DUTY
    counted.refresh()
    assert counted.beyond() != before


@pytest.mark.parametrize("policy", [budget(2), newest_two], ids=["budget", "newest"])
def test_rows_that_keep_coming_are_no_failure(declared, policy, settings):
    task, one = declared(policy), owner()
    entries(one, *range(6))
    run = control.request(task, send=lambda run: None, by=ADA)

    run = execution.execute(
        execution.claim(run.pk, run.attempts), batch_size=2, gone=lambda policy, keys: entry(one)
    )

    assert run.status == "succeeded", run.error
    assert run.receipt[task]["left"] > 0


def test_a_plan_of_a_budget_deletes_no_more_than_is_above_it_by_then(declared, settings):
    settings.HOUSEKEEPING_BRAKE_ROWS = 3
    task, one = declared(budget(2)), owner()
    made = entries(one, *range(6))
    run = carry_out(task)
    assert (run.status, run.plan[task]["rows"]) == ("held", 4)
    Entry.objects.filter(pk__in=[each.pk for each in made[:3]]).delete()

    approved = control.approve(run, send=lambda run: None, by=ADA)
    run = execution.execute(execution.claim(approved.pk, approved.attempts))

    assert (run.status, run.result) == ("succeeded", {"deleted": 1}), run.error
    assert set(Entry.objects.all()) == set(made[3:5])


def test_a_budget_stands_alone():
    for more in ({"retention": days(3)}, {"keep_newest": 2, "of_each": "owner"}):
        with pytest.raises(ValueError, match="can have at_most, a number, or other rules, not both"):
            budget(2, **more)
