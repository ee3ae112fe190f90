"""What a run that makes rows anonymous promises, on random databases of the zoo, killed anywhere."""

from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db.models import F, Q, Value
from django.db.models.functions import Concat
from hypothesis import given
from hypothesis import strategies as st

from housekeeping import Policy, anonymise
from housekeeping.declared import registry
from housekeeping.models import Archive
from housekeeping.runs import control
from tests.engine.test_promises import kills, sample, statements_of, survive, tries
from tests.zoo import worlds
from tests.zoo.models import Animal
from tests.zoo.tasks import carry_out, request, task_of, undo
from tests.zoo.worlds import AS_OF

pytestmark = pytest.mark.django_db(transaction=True)

CHANGED = {"tag": Concat(Value("gone-"), "pk"), "order": F("order") + 1, "chip": None, "facts": None}
CHANGED |= {"length": 0.1, "weight": None, "born": None, "fed_at": None, "guide": None, "nap": timedelta(1)}
COLUMNS = {"tag", "group", "chip", "facts", "length", "weight", "born", "fed_at", "guide_id", "nap"}
POLICY = Policy(
    "animals_unknown",
    lambda cutoff: Animal.objects.filter(seen_at__lt=cutoff),
    timedelta(days=30),
    "seen_at",
    then=anonymise(CHANGED, done=Q(tag__startswith="gone-")),
)

zoos = worlds.worlds().filter(lambda world: world.task in worlds.ZOO)
animal_worlds = zoos.map(lambda world: replace(world, task=POLICY.name))


@contextmanager
def declared():
    registry.task(policy=POLICY)(task_of(POLICY))
    try:
        yield
    finally:
        del registry.TASKS[POLICY.name]


@pytest.fixture(autouse=True)
def _task(settings):
    settings.HOUSEKEEPING_BRAKE_SHARE = 1
    with declared():
        yield


def changed(rows):
    """The rows that must be changed: expired, and not on hold, nor rows below or above them."""
    held = worlds.held(rows)
    return {
        row
        for row in worlds.roots(POLICY, POLICY.cutoff(AS_OF))
        if not held & {one for each in worlds.below(rows, row) for one in worlds.above(rows, each)}
    }


def check(before, after, expected):
    """Nothing but the named columns of the expected rows is different."""
    assert before.keys() == after.keys()
    for row, values in before.items():
        differ = {name for name in values if after[row][name] != values[name]}
        if row in expected:
            assert differ <= COLUMNS | {"doubled"}
            assert after[row]["tag"] == f"gone-{row[1]}"
            assert after[row]["group"] == values["group"] + 1
            assert [after[row][name] for name in ("chip", "facts", "born", "guide_id")] == [None] * 4
        else:
            assert not differ


@tries(30)
@given(animal_worlds, st.integers(1, 3), st.none() | st.integers(1, 3))
def test_what_a_preview_counts_is_changed_and_undone_it_is_the_same_database(world, batch_size, undo_batch):
    world.create()
    before = worlds.everything()
    expected = changed(before)

    preview = carry_out(request(POLICY.name, dry_run=True))
    assert worlds.everything() == before
    run = carry_out(request(POLICY.name), batch_size=batch_size)

    assert run.status == "succeeded", run.error
    assert run.deleted.get(POLICY.name, 0) == preview.plan_rows == len(expected)
    check(before, worlds.everything(), expected)
    again = carry_out(request(POLICY.name))
    assert (again.status, again.deleted.get(POLICY.name, 0)) == ("succeeded", 0)
    if expected:
        undone = undo(run, batch_size=undo_batch)
        assert (undone.status, undone.result["not_restored"]) == ("succeeded", {}), undone.error
    assert worlds.everything() == before
    assert not Archive.objects.exists()


@tries(20)
@given(animal_worlds, kills, kills)
def test_killed_at_any_statement_and_resumed_ends_the_same(world, kills, undo_kills):
    world.create()
    before = worlds.everything()
    expected = changed(before)

    run = survive(request(POLICY.name), kills, batch_size=2)

    assert (run.status, run.deleted.get(POLICY.name, 0)) == ("succeeded", len(expected)), run.error
    check(before, worlds.everything(), expected)
    if expected:
        undone = survive(control.undo(run, send=lambda run: None), undo_kills, batch_size=1)
        assert undone.status == "succeeded", undone.error
        assert sum(undone.result["restored"].values()) == len(expected)
    assert worlds.everything() == before


def two_batches():
    world = worlds.full()
    old = AS_OF - timedelta(days=60)
    for row in world.rows:
        if isinstance(row, Animal):
            row.seen_at = old
    world.create()
    return worlds.everything()


def statements():
    two_batches()
    run = request(POLICY.name)
    return statements_of(lambda: carry_out(run, batch_size=2))


def killed_before(number):
    before = two_batches()
    run = survive(request(POLICY.name), [number], batch_size=2)
    assert (run.status, run.deleted) == ("succeeded", {POLICY.name: 3}), (number, run.error)
    check(before, worlds.everything(), {row for row in before if row[0] is Animal})
    undone = survive(control.undo(run, send=lambda run: None), [number])
    assert undone.status == "succeeded", (number, undone.error)
    assert worlds.everything() == before, number


def test_a_kill_at_any_statement_ends_the_same():
    for number in sample(statements()):
        killed_before(number)
