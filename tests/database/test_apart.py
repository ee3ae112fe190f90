"""A transaction in a second database beside ours: an error undoes both."""

import uuid

import pytest
from django.db import IntegrityError, connections, transaction

from housekeeping.database.transient import transact
from tests.zoo.models import House, Keeper

pytestmark = pytest.mark.django_db(transaction=True)


def hire():
    Keeper.objects.using("default").create(name="Noah")
    Keeper.objects.using("other").create(name="Noah")


def hired():
    return [Keeper.objects.using(alias).count() for alias in ("default", "other")]


def test_both_are_committed_the_other_one_first(any_other):
    order = []

    def work():
        hire()
        transaction.on_commit(lambda: order.append("ours"))
        transaction.on_commit(lambda: order.append("other"), using=any_other)

    transact(work, apart=any_other)

    assert (hired(), order) == ([1, 1], ["other", "ours"])


@pytest.mark.parametrize("alias", ["default", "other"])
def test_an_error_in_either_undoes_both(any_other, alias):
    def work():
        hire()
        twin = Keeper.objects.using(alias).get()
        twin.save(using=alias, force_insert=True)

    with pytest.raises(IntegrityError):
        transact(work, apart=any_other)

    assert hired() == [0, 0]
    assert not any(connections[one].in_atomic_block for one in ("default", any_other))


def test_if_only_our_commit_fails_that_of_the_other_database_stays(any_other):
    def work():
        hire()
        House.objects.using("default").create(code="a", park_id=uuid.uuid4())  # noticed by the commit

    with pytest.raises(IntegrityError):
        transact(work, apart=any_other)

    assert hired() == [0, 1]
