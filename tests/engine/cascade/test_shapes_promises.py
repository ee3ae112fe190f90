"""What a purge and its undo promise, on random rows of the shapes: what Django would delete, and back.

TRIES=80 in the environment tries ten times as many as `make prove`.
"""

from contextlib import contextmanager

import pytest
from hypothesis import given

from housekeeping import generic_rows
from housekeeping.models import Archive
from tests.engine.test_promises import batches, kills, survive, tries, undo_batches
from tests.shapes import worlds
from tests.shapes.models import Comment, Like, Tag
from tests.shapes.tasks import check, generic_as_before, run_of, undo

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("shapes")]


@tries(40)
@given(worlds.worlds(), batches, undo_batches)
def test_a_purge_is_what_django_deletes_and_an_undo_is_the_same_database(world, size, undo_size):
    world.create()

    check(world.task, batch_size=size, undo_batch_size=undo_size)


@tries(20)
@given(worlds.worlds(only="comments"), batches, undo_batches)
def test_rows_that_name_others_go_with_them_and_come_back(world, size, undo_size):
    world.create()

    with tags_go_along():
        check(world.task, batch_size=size, undo_batch_size=undo_size)


@tries(20)
@given(worlds.worlds(), batches, kills)
def test_killed_at_any_statement_and_resumed_ends_the_same(world, size, kills):
    killed(world, size, kills)


@tries(10)
@given(worlds.worlds(only="comments"), batches, kills)
def test_killed_among_rows_that_name_others(world, size, kills):
    with tags_go_along():
        killed(world, size, kills)


def killed(world, size, kills):
    world.create()
    before = worlds.everything()
    left, refused = worlds.as_django_would(world.policy, worlds.AS_OF - worlds.MONTH)

    run = survive(run_of(world.task), kills, batch_size=size)

    assert run.status == "succeeded", run.error
    assert worlds.everything() == left
    expired = world.policy.rows(worlds.AS_OF - worlds.MONTH)
    assert not set(expired.values_list("pk", flat=True)) - refused
    if Archive.objects.exists():
        undo(run)
    assert worlds.everything() == before


@contextmanager
def tags_go_along():
    with generic_as_before():
        generic_rows(Tag, of=[Comment, Like, Tag])
        yield
