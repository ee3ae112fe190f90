"""Ages that are read from other rows: of the row that a row refers to, and of the rows that refer to it."""

import pytest
from django.db.models import F, Max, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

from chat.models import ChatMessage, Conversation
from housekeeping.declared.policies import Policy
from housekeeping.engine import plans
from housekeeping.engine.purge import expired, purge, purge_batches
from housekeeping.models import Run
from tests import make
from tests.make import days
from tests.zoo.models import Park

pytestmark = pytest.mark.django_db(transaction=True)

of_parent = Policy(
    "of_parent",
    rows=lambda cutoff: ChatMessage.objects.filter(
        Q(conversation=None) | Q(conversation__created_at__lt=cutoff)
    ),
    retention=days(30),
    age="conversation__created_at",
)
newest = Subquery(
    ChatMessage.objects.filter(conversation=OuterRef("pk")).order_by("-created_at").values("created_at")[:1]
)
of_newest_child = Policy(
    "of_newest_child",
    rows=lambda cutoff: Conversation.objects.alias(active_at=Coalesce(newest, "created_at")).filter(
        active_at__lt=cutoff
    ),
    retention=days(30),
    age=lambda: Coalesce(newest, "created_at"),
)
by_aggregate = Policy(
    "by_aggregate",
    rows=lambda cutoff: Conversation.objects.alias(active_at=Max("messages__created_at")).filter(
        active_at__lt=cutoff
    ),
    retention=days(30),
    age=lambda: Max("messages__created_at"),
)


def in_batches(policy, size=2):
    """The keys of each batch."""
    return [batch.keys for batch in purge_batches(policy, cutoff=make.ago(days=30), batch_size=size)]


def test_rows_go_by_the_age_of_the_row_that_they_refer_to_and_those_without_one_first():
    young, middle, old = (make.conversation(age=days(age), messages=2) for age in (1, 40, 50))
    orphans = [make.message().pk for _ in range(3)]
    [a, b], [c, d] = ([message.pk for message in of.messages.all()] for of in (old, middle))

    gone = in_batches(of_parent)

    assert list(map(set, gone)) == [set(orphans[:2]), {orphans[2], a}, {b, c}, {d}]
    assert set(ChatMessage.objects.all()) == set(young.messages.all())


def test_a_preview_of_rows_without_an_age_counts_them_and_lists_them_first():
    conversation = make.conversation(age=days(40), messages=1)
    orphan = make.message()

    seen = plans.look(of_parent, cutoff=make.ago(days=30), retention=days(30))

    assert seen["rows"] == 2
    assert [row["key"] for row in seen["sample"]] == [
        str(orphan.pk),
        str(conversation.messages.get().pk),
    ]
    assert (seen["sample"][0]["age_from"], seen["oldest"]) == (None, conversation.created_at.isoformat())


@pytest.mark.parametrize("policy", [of_newest_child, by_aggregate], ids=lambda policy: policy.name)
def test_a_row_is_as_old_as_its_newest_child(policy):
    revived, old, older, oldest = (make.conversation(age=days(age), messages=1) for age in (90, 60, 70, 80))
    make.message(conversation=revived, created_at=make.ago(days=1))

    seen = plans.look(policy, cutoff=make.ago(days=30), retention=days(30))
    backlog = plans.backlog(policy)
    gone = in_batches(policy)

    assert (seen["rows"], backlog["rows"], expired(policy, cutoff=make.ago(days=30))) == (3, 3, 0)
    assert seen["oldest"] == oldest.created_at.isoformat()
    assert (set(gone[0]), gone[1]) == ({oldest.pk, older.pk}, [old.pk])
    assert list(Conversation.objects.all()) == [revived]


def test_a_row_that_a_join_gives_several_times_goes_once():
    for _ in range(3):
        make.conversation(age=days(40), messages=3)
    joined = Policy("joined", lambda cutoff: Conversation.objects.filter(messages__created_at__lt=cutoff))

    assert sum(map(len, in_batches(joined))) == 3
    assert not Conversation.objects.exists()


def test_keys_that_are_no_moments_have_no_oldest():
    Park.objects.create()

    assert plans.backlog(Policy("parks", lambda cutoff: Park.objects.all()))["due_since"] is None


def test_only_an_age_that_can_be_null_is_looked_for():
    assert not Policy("x", lambda cutoff: Run.objects.all(), age=lambda: F("requested_at")).may_lack_age()
    assert not of_newest_child.may_lack_age()  # the age of the row itself takes the place
    assert of_parent.may_lack_age()
    assert by_aggregate.may_lack_age()


def test_purging_in_a_shell_takes_those_without_an_age():
    make.message()

    assert purge(of_parent) == 1
