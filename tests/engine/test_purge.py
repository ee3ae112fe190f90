import threading
import time
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection
from django.utils import timezone

from chat.models import ChatMessage, Conversation, User
from chat.tasks import never_verified_users, old_conversations, orphaned_messages
from housekeeping.database.others import FIRST_LOOK
from housekeeping.declared.policies import Policy
from housekeeping.engine.purge import PACES, Pace, expired, fitted, preview, purge, purge_batches
from tests import make
from tests.make import days

pytestmark = pytest.mark.django_db


def rows(batches):
    return sum(len(batch.keys) for batch in batches)


def test_exactly_thirty_days_old_stays_and_a_moment_more_goes():
    now = timezone.now()
    kept = make.conversation(created_at=now - days(30))
    make.conversation(created_at=now - days(30) - timedelta(microseconds=1))

    deleted = rows(purge_batches(old_conversations, cutoff=old_conversations.cutoff(now)))

    assert deleted == 1
    assert list(Conversation.objects.all()) == [kept]


def test_a_conversation_goes_with_all_its_messages_and_no_others():
    make.conversation(age=days(31), messages=3)
    kept = make.conversation(age=days(29), messages=2)
    orphan = make.message()

    deleted = purge(old_conversations)

    assert deleted == 1
    assert set(ChatMessage.objects.all()) == {*kept.messages.all(), orphan}


def test_the_owner_of_a_deleted_conversation_stays():
    conversation = make.conversation(age=days(100))

    purge(old_conversations)

    assert User.objects.filter(pk=conversation.user_id).exists()


def test_only_messages_without_a_conversation_are_orphans():
    kept = make.conversation(messages=1)
    make.message()
    make.message(created_at=make.ago(days=400))

    deleted = purge(orphaned_messages)

    assert deleted == 2
    assert list(ChatMessage.objects.all()) == list(kept.messages.all())


@pytest.mark.parametrize(
    "spared",
    [
        {"email_verified_at": make.ago(days=50)},  # verified, deactivated later
        {"is_active": True},
        {"last_login": make.ago(days=50)},
        {"is_staff": True},
        {"is_superuser": True},
        {"age": days(6.99)},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_each_condition_spares_a_user(spared):
    user = make.visitor(**{"age": days(100)} | spared)

    deleted = purge(never_verified_users)

    assert deleted == 0
    assert User.objects.filter(pk=user.pk).exists()


def test_a_visitor_who_never_verified_goes_after_a_week():
    now = timezone.now()
    make.visitor(date_joined=now - days(7) - timedelta(microseconds=1))
    kept = make.visitor(date_joined=now - days(7))

    deleted = rows(purge_batches(never_verified_users, cutoff=never_verified_users.cutoff(now)))

    assert deleted == 1
    assert list(User.objects.all()) == [kept]


def test_batches_are_bounded_and_count_every_row_once():
    user = make.user()
    Conversation.objects.bulk_create(Conversation(user=user, created_at=make.ago(days=40)) for _ in range(23))

    batches = purge_batches(old_conversations, cutoff=make.ago(days=30), batch_size=10)

    assert [len(batch.keys) for batch in batches] == [10, 10, 3]
    assert not Conversation.objects.exists()


def test_a_few_rows_that_wait_for_something_else_do_not_shrink_the_next_batch():
    user = make.user()
    Conversation.objects.bulk_create(
        Conversation(user=user, created_at=make.ago(days=40)) for _ in range(450)
    )

    batches = purge_batches(
        old_conversations,
        cutoff=make.ago(days=30),
        pace=Pace(target=0.001, pause=0),
        save_progress=lambda batch: time.sleep(0.02),
    )

    assert [len(batch.keys) for batch in batches] == [200, 200, 50]


@pytest.mark.parametrize(
    ("size", "took", "rows", "fitting"),
    [
        (200, 0.12, 22_000, 20),
        (200, 0.24, 2_200, 181),  # not 10: a slow disk makes few rows slow, too
        (10, 0.02, 100, 20),  # most of the time may be what each batch does
        (10, 0.05, 100, 10),  # these rows may be slow themselves
    ],
)
def test_batches_are_fitted_to_the_pace_but_keep_some_two_thousand_rows(size, took, rows, fitting):
    assert fitted(size, took, rows, PACES["normal"]) == fitting


def test_gentle_batches_shrink_to_five_hundred_rows():
    assert fitted(200, 0.4, 2_200, PACES["gentle"]) == 45


def test_a_purge_that_is_alone_does_not_leave_the_pauses_that_others_need():
    make.conversation(age=days(40))
    began = time.monotonic()

    batches = purge_batches(
        old_conversations,
        cutoff=make.ago(days=30),
        batch_size=1,
        pace=Pace(target=0.01, pause=100, alone=Pace(target=0.01, pause=0)),
        save_progress=lambda batch: time.sleep(FIRST_LOOK),
    )

    assert rows(batches) == 1
    assert time.monotonic() - began < 50 * FIRST_LOOK


def test_who_stops_iterating_leaves_whole_batches_behind():
    user = make.user()
    Conversation.objects.bulk_create(Conversation(user=user, created_at=make.ago(days=40)) for _ in range(25))
    batches = purge_batches(old_conversations, cutoff=make.ago(days=30), batch_size=10)

    next(batches)
    batches.close()

    assert Conversation.objects.count() == 15


def test_the_rows_go_oldest_first():
    user = make.user()
    rows = Conversation.objects.bulk_create(
        Conversation(user=user, created_at=make.ago(days=40 - number)) for number in range(6)
    )
    batches = purge_batches(old_conversations, cutoff=make.ago(days=30), batch_size=2)

    next(batches)

    assert set(Conversation.objects.values_list("pk", flat=True)) == {row.pk for row in rows[2:]}


def test_a_batch_whose_record_fails_is_undone():
    make.conversation(age=days(31), messages=2)

    def refuse(keys):
        raise RuntimeError("the record can't be written")

    with pytest.raises(RuntimeError):
        list(purge_batches(old_conversations, cutoff=make.ago(days=30), save_progress=refuse))

    assert Conversation.objects.count() == 1
    assert ChatMessage.objects.count() == 2


def test_a_conversation_that_comes_alive_before_its_batch_stays(settings):
    settings.HOUSEKEEPING_CONVERSATION_AGE_FROM = "last_message_at"
    _first, second = (make.conversation(age=days(40)) for _ in range(2))
    batches = purge_batches(old_conversations, cutoff=make.ago(days=30), batch_size=1)
    next(batches)

    Conversation.objects.filter(pk=second.pk).update(last_message_at=timezone.now())

    assert rows(batches) == 0
    assert list(Conversation.objects.all()) == [second]


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite's writers take turns")
@pytest.mark.django_db(transaction=True)
def test_a_message_that_comes_just_before_its_conversation_is_locked_saves_it(settings):
    settings.HOUSEKEEPING_CONVERSATION_AGE_FROM = "last_message_at"
    kept = make.conversation(age=days(40))

    def write():
        make.message(conversation=kept)
        connection.close()

    def meanwhile(execute, sql, *args):
        if "FOR UPDATE" in sql:
            writer = threading.Thread(target=write)
            writer.start()
            writer.join()
        return execute(sql, *args)

    with connection.execute_wrapper(meanwhile):
        assert rows(purge_batches(old_conversations, cutoff=make.ago(days=30))) == 0

    assert (Conversation.objects.count(), kept.messages.count()) == (1, 1)


def test_age_from_the_last_message_keeps_a_long_conversation_that_is_alive(settings):
    settings.HOUSEKEEPING_CONVERSATION_AGE_FROM = "last_message_at"
    alive = make.conversation(age=days(400), last_message_at=make.ago(days=1))
    imported = make.conversation(age=days(400))
    make.message(conversation=imported, created_at=make.ago(days=1))
    make.conversation(age=days(400), last_message_at=make.ago(days=31))
    make.conversation(age=days(400))

    deleted = purge(old_conversations)

    assert deleted == 2
    assert set(Conversation.objects.all()) == {alive, imported}


def test_a_preview_counts_what_a_purge_deletes_and_deletes_nothing():
    make.conversation(age=days(31), messages=2)
    make.conversation(age=days(31))
    make.conversation(age=days(1))

    counted = preview(old_conversations)

    assert Conversation.objects.count() == 3
    assert counted == purge(old_conversations) == 2


def test_a_protected_row_stops_the_purge_and_says_so(protected_user):
    others = Policy("everyone", rows=lambda cutoff: User.objects.filter(is_active=False))
    gone = make.visitor()

    with pytest.raises(IntegrityError):
        list(purge_batches(others, cutoff=timezone.now(), batch_size=10))

    assert User.objects.filter(pk=protected_user.pk).exists()
    assert User.objects.filter(pk=gone.pk).exists()


def test_nothing_due_costs_two_queries(django_assert_num_queries):
    with django_assert_num_queries(2):
        assert rows(purge_batches(old_conversations, cutoff=make.ago(days=30))) == 0


def test_memory_is_bounded_by_the_batch(django_assert_max_num_queries):
    """A batch fetches the keys of its own rows and no row of the next: queries grow with
    batches, and none of them reads more than a batch."""
    user = make.user()
    Conversation.objects.bulk_create(
        Conversation(user=user, created_at=make.ago(days=40)) for _ in range(100)
    )

    with django_assert_max_num_queries(4 * 14 + 4) as queries:
        list(purge_batches(old_conversations, cutoff=make.ago(days=30), batch_size=25))

    selects = [query["sql"] for query in queries if query["sql"].startswith("SELECT")]
    bounds = ("LIMIT 25", "LIMIT 1", " IN (", "= ANY(", "hold", "pg_advisory", "pg_snapshot")
    assert all(any(bound in sql for bound in bounds) for sql in selects)


def test_expired_counts_at_a_cutoff():
    make.conversation(age=days(10))
    make.conversation(age=days(20))

    assert expired(old_conversations, cutoff=make.ago(days=15)) == 1


@pytest.fixture
def protected_user():
    """A user that a row of a table which Django doesn't know of protects."""
    user = make.visitor()
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE invoice (customer_id bigint NOT NULL REFERENCES chat_user (id))")
        cursor.execute("INSERT INTO invoice VALUES (%s)", [user.pk])
    return user
