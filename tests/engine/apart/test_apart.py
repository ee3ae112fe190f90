"""The zoo in a second database, of the same kind and of another one: what purges and undos promise holds."""

import pytest
from hypothesis import given

from housekeeping.models import Archive, Handover, Received
from housekeeping.runs import control
from housekeeping.tasks import verify_archives
from tests.engine import test_promises as promises
from tests.engine.test_promises import batches, kills, tries, undo_batches
from tests.zoo import worlds
from tests.zoo.tasks import carry_out, request, undo

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("purged_apart")]


def nothing_open():
    verify_archives()  # as every night: a kill at the end of a run leaves what both databases have
    return not Handover.objects.using("other").exists() and not Received.objects.exists()


@tries(12)
@given(worlds.worlds(), batches, undo_batches)
def test_what_is_expired_goes_and_comes_back(world, size, undo_size):
    world.create()
    before = worlds.everything()
    left, counts = promises.fate(world.task, before)

    preview = carry_out(request(world.task, dry_run=True))
    run = carry_out(request(world.task), batch_size=size)

    assert run.status == "succeeded", run.error
    assert worlds.everything() == left
    assert promises.counted(run) == counts
    if world.task != "all":
        assert preview.result == run.result
    if Archive.objects.exists():
        undone = undo(run, batch_size=undo_size)
        assert (undone.status, undone.result["not_restored"]) == ("succeeded", {}), undone.error
    assert worlds.everything() == before
    assert nothing_open()


@tries(12)
@given(worlds.worlds(least_holds=1), batches, kills)
def test_killed_anywhere_held_rows_stay_and_it_ends_the_same(world, size, kills):
    world.create()
    before = worlds.everything()
    left, counts = promises.fate(world.task, before)

    run = promises.survive(request(world.task), kills, batch_size=size)

    assert run.status == "succeeded", run.error
    assert worlds.everything() == left
    assert (promises.counted(run), promises.removed(run)) == (counts, len(before) - len(left))
    if Archive.objects.exists():
        promises.survive(control.undo(run, send=lambda run: None), kills)
    assert worlds.everything() == before


def test_a_kill_before_each_statement_and_between_the_commits_of_a_purge():
    for number in promises.sample(promises.statements_of_a_purge()):
        promises.purge_killed_before(number)


def test_a_kill_before_each_statement_and_between_the_commits_of_an_undo():
    for number in promises.sample(promises.statements_of_an_undo()):
        promises.undo_killed_before(number)
