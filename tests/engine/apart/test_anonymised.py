"""Rows in another database that are made anonymous: changed, set back, and whatever is killed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from housekeeping.models import Archive, Hold, Run
from housekeeping.runs import control
from tests.engine.apart.test_apart import nothing_open
from tests.engine.apart.test_bookkeeping import killed_between_the_commits
from tests.engine.ends import test_anonymise_promises as promises
from tests.engine.ends.test_anonymise_promises import POLICY, animal_worlds
from tests.engine.test_promises import kills, sample, survive, tries
from tests.zoo import worlds
from tests.zoo.models import Animal
from tests.zoo.tasks import carry_out, request

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _apart(zoo_apart, settings):
    settings.HOUSEKEEPING_BRAKE_SHARE = 1
    with promises.declared():
        yield


@tries(12)
@given(animal_worlds, st.integers(1, 3), kills, kills)
def test_killed_anywhere_it_ends_the_same_and_undone_it_is_the_same_database(world, size, kills, undo_kills):
    world.create()
    before = worlds.everything()
    expected = promises.changed(before)

    run = survive(request(POLICY.name), kills, batch_size=size)

    assert (run.status, run.deleted.get(POLICY.name, 0)) == ("succeeded", len(expected)), run.error
    promises.check(before, worlds.everything(), expected)
    if expected:
        undone = survive(control.undo(run, send=lambda run: None), undo_kills, batch_size=size)
        assert (undone.status, undone.result["not_restored"]) == ("succeeded", {}), undone.error
        assert sum(undone.result["restored"].values()) == len(expected)
    assert worlds.everything() == before
    assert nothing_open()
    assert not Archive.objects.exists()


def test_a_kill_at_any_statement_and_between_the_commits_ends_the_same():
    for number in sample(promises.statements()):
        promises.killed_before(number)


@pytest.mark.parametrize("is_killed", [False, True])
def test_an_undo_holds_what_it_has_set_back_and_keeps_the_rest(is_killed):
    promises.two_batches()
    run = carry_out(request(POLICY.name))
    leo, mia, tom = Animal.objects.order_by("pk")
    Animal.objects.filter(pk=leo.pk).update(tag="Leonardo")
    tom.delete()

    undone = control.undo(run, send=lambda run: None)
    undone = killed_between_the_commits(undone) if is_killed else carry_out(undone)
    undone = carry_out(Run.objects.get(pk=undone.pk)) if is_killed else undone

    assert undone.result["restored"] == {"zoo.Animal": 1}
    assert undone.result["not_restored"] == {
        "zoo.Animal: tag was set to another since": 1,
        "zoo.Animal: its row is gone": 1,
    }
    assert {*Hold.objects.values_list("key", flat=True)} == {str(leo.pk), str(mia.pk)}
    assert Archive.objects.get().rows == 2
