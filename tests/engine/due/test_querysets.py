"""Querysets that a project may return as a policy's rows, and the numbers that are told of them."""

import pytest

from chat.models import Conversation
from housekeeping.declared.policies import Policy
from housekeeping.engine import plans
from housekeeping.engine.purge import Walk, expired, held_back, purge, purge_batches
from housekeeping.models import Hold
from tests import make
from tests.make import ago, days

pytestmark = pytest.mark.django_db(transaction=True)


def old(**fields):
    return Policy("old", retention=days(30), age="created_at", **fields)


in_reverse = old(rows=lambda cutoff: Conversation.objects.filter(created_at__lt=cutoff).reverse())
with_messages = old(
    rows=lambda cutoff: Conversation.objects.filter(messages__pk__gt=0, created_at__lt=cutoff)
)


def conversations(*ages, **fields):
    return [make.conversation(age=days(age), **fields) for age in ages]


def test_rows_in_reverse_order_go_oldest_first_all_the_same():
    oldest, middle, newest = conversations(50, 40, 35)

    batches = purge_batches(in_reverse, cutoff=ago(days=30), batch_size=1)

    assert [batch.keys for batch in batches if batch.keys] == [[oldest.pk], [middle.pk], [newest.pk]]
    assert not Conversation.objects.exists()


def test_a_walk_over_rows_in_reverse_order_takes_each_once():
    oldest, *_, newest = conversations(50, 40, 35, 34, 33)

    walk = Walk(in_reverse, ago(days=30))
    taken = [key for _ in range(4) for key in walk.take(2)]

    assert (len(taken), taken[0], taken[-1]) == (5, oldest.pk, newest.pk)


def test_a_row_that_a_join_gives_several_times_counts_once():
    oldest, held = conversations(50, 40, messages=3)
    Hold.objects.create(model="chat.Conversation", key=str(held.pk), reason="x")
    cutoff = ago(days=30)

    seen = plans.look(with_messages, cutoff=cutoff, retention=days(30))

    assert seen["rows"] == expired(with_messages, cutoff=cutoff) == 1
    assert seen["held_back"] == held_back(with_messages, cutoff=cutoff) == {"held": 1, "protected": 0}
    assert [row["key"] for row in seen["sample"]] == [str(oldest.pk)]
    assert purge(with_messages) == 1
