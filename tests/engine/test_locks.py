"""A purge beside transactions that hold rows which it wants (PostgreSQL)."""

import threading
import time
from contextlib import contextmanager

import pytest
from django.db import OperationalError, connection, connections, transaction

from chat.models import ChatMessage, Conversation
from chat.tasks import old_conversations
from housekeeping.engine import holds
from housekeeping.engine.purge import purge_batches
from housekeeping.models import Run
from housekeeping.runs import control
from housekeeping.runs.work import execution
from tests import make
from tests.conftest import with_token
from tests.make import days
from tests.services import wait_until
from tests.zoo import tasks as zoo
from tests.zoo.models import Animal, House, Meal, Park, Visit

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite's writers take turns"),
]


@contextmanager
def elsewhere():
    """Another connection, in a transaction that is open until the end; gives its cursor."""
    other = connection.copy()
    other.set_autocommit(False)
    try:
        with other.cursor() as cursor:
            yield cursor
    finally:
        other.rollback()
        other.close()


def lock(cursor, row):
    cursor.execute(f"UPDATE {row._meta.db_table} SET id = id WHERE id = %s", [row.pk])


def old(number=3, messages=2):
    return [make.conversation(age=days(40 + n), messages=messages) for n in range(number)]


def batches(**options):
    return list(purge_batches(old_conversations, cutoff=make.ago(days=30), **options))


def carry_out(run):
    return execution.execute(execution.claim(run.pk, run.attempts))


def test_a_locked_message_spares_its_conversation_and_no_other():
    held = old()[1]
    began = time.monotonic()

    with elsewhere() as cursor:
        lock(cursor, held.messages.first())
        [batch] = batches()

    assert time.monotonic() - began < 5
    assert (len(batch.keys), batch.in_use) == (2, 1)
    assert list(Conversation.objects.all()) == [held]
    assert held.messages.count() == ChatMessage.objects.count() == 2


def test_a_locked_conversation_is_spared_and_counted_without_waiting():
    _first, held, _last = old()
    retries = []

    with elsewhere() as cursor:
        lock(cursor, held)
        [batch] = batches(on_retry=lambda: retries.append(1))

    assert (len(batch.keys), batch.in_use, retries) == (2, 1, [])


def test_a_message_that_is_being_written_spares_its_conversation():
    _first, live, _last = old()

    with elsewhere() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # else it looks for its conversation at its commit
        cursor.execute(
            "INSERT INTO chat_chatmessage (conversation_id, role, content, created_at)"
            " VALUES (%s, 'user', 'new', now())",
            [live.pk],
        )
        [batch] = batches()

    assert (len(batch.keys), batch.in_use) == (2, 1)


def test_a_row_that_is_locked_far_below_spares_what_it_goes_with():
    parks = [Park.objects.create(opened_at=make.ago(days=40)) for _ in range(3)]
    houses = [House.objects.create(code=f"h{n}", park=park) for n, park in enumerate(parks)]
    meals = [Meal.objects.create(animal=Animal.objects.create(house=house)) for house in houses]
    Meal.objects.create(animal=meals[0].animal)

    with elsewhere() as cursor:
        lock(cursor, meals[1])
        [batch] = purge_batches(zoo.POLICIES[0], cutoff=make.ago(days=30))

    assert (len(batch.keys), batch.in_use) == (2, 1)
    assert [Park.objects.get(), House.objects.get(), Meal.objects.get()] == [parks[1], houses[1], meals[1]]


def test_a_locked_row_that_would_lose_its_reference_spares_what_it_refers_to():
    gone, held = (Park.objects.create(opened_at=make.ago(days=40)) for _ in range(2))
    free, locked = Visit.objects.create(park=gone), Visit.objects.create(park=held)

    with elsewhere() as cursor:
        lock(cursor, locked)
        [batch] = purge_batches(zoo.POLICIES[0], cutoff=make.ago(days=30))

    assert (batch.keys, batch.in_use) == ([gone.pk], 1)
    assert Park.objects.get() == held
    free.refresh_from_db()
    assert free.park_id is None


@pytest.fixture
def unique_visits():
    with connection.cursor() as cursor:
        cursor.execute("CREATE UNIQUE INDEX visits_of_a_park ON zoo_visit (park_id, id)")
        yield
        cursor.execute("DROP INDEX visits_of_a_park")


def test_a_reference_in_a_unique_index_of_several_columns_is_a_key(unique_visits):
    gone, held = (Park.objects.create(opened_at=make.ago(days=40)) for _ in range(2))
    Visit.objects.create(park=gone)
    referred_to = Visit.objects.create(park=held)

    with elsewhere() as cursor:
        cursor.execute("SELECT 1 FROM zoo_visit WHERE id = %s FOR KEY SHARE", [referred_to.pk])
        [batch] = purge_batches(zoo.POLICIES[0], cutoff=make.ago(days=30))

    assert (batch.keys, batch.in_use) == ([gone.pk], 1)
    assert Park.objects.get() == held


def test_only_the_batch_with_a_row_in_use_is_tried_again():
    conversations = old(30)
    retries = []

    with elsewhere() as cursor:
        lock(cursor, conversations[-1].messages.first())  # the oldest goes first
        made = batches(batch_size=5, on_retry=lambda: retries.append(1))

    assert [len(batch.keys) for batch in made] == [4, 5, 5, 5, 5, 5]
    assert len(retries) == 1


def test_rows_in_use_all_over_cost_one_wait_and_not_one_for_each_batch():
    conversations = old(30, messages=1)
    retries = []

    with elsewhere() as cursor:
        for conversation in conversations[::5]:
            lock(cursor, conversation.messages.get())
        made = batches(batch_size=5, on_retry=lambda: retries.append(1))

    assert sum(batch.in_use for batch in made) == 6
    assert len(retries) == 1


def test_a_batch_waits_for_a_hold_that_takes_a_while_to_be_made():
    old()

    def make_a_hold():
        with transaction.atomic():
            holds.wait_for_batches()
            is_begun.set()
            time.sleep(0.8)
        connections.close_all()

    is_begun = threading.Event()
    maker = threading.Thread(target=make_a_hold)
    maker.start()
    is_begun.wait(10)
    [batch] = batches()
    maker.join()

    assert (len(batch.keys), batch.in_use) == (3, 0)


def test_a_run_whose_only_leftovers_are_in_use_succeeds_and_says_so(dashboard):
    _first, held, other, _last = old(4)

    with elsewhere() as cursor:
        lock(cursor, held.messages.first())
        lock(cursor, other)
        run = carry_out(make.run())

    assert (run.status, run.result, run.retried) == ("succeeded", {"deleted_conversations": 2}, 1)
    facts = run.receipt["conversations"]
    assert (facts["left"], facts["in_use"]) == (2, 2)
    assert run.log_lines.filter(text="2 rows of conversations were in use and stay for the next run").exists()
    page = dashboard.get(f"/scheduler-admin/runs/{run.pk}").content.decode()
    assert page.count("2 rows were in use and stay for the next run.") == 2
    assert "1 transaction" in page

    assert carry_out(make.run()).result == {"deleted_conversations": 2}


def test_a_row_that_is_free_again_after_the_pause_goes_with_the_same_run():
    held = old()[1]

    with elsewhere() as cursor:
        lock(cursor, held.messages.first())
        release = threading.Timer(1.0, cursor.connection.rollback)
        release.start()
        run = carry_out(make.run())
        release.join()

    assert (run.status, run.result) == ("succeeded", {"deleted_conversations": 3})
    assert run.receipt["conversations"]["in_use"] == 0


def test_a_run_that_rests_is_cancelled_within_a_second():
    held = old()[1]
    run = make.run()

    def cancel():
        wait_until(lambda: Run.objects.get(pk=run.pk).deleted)
        Run.objects.filter(pk=run.pk).update(cancel_requested=True)
        connections.close_all()

    with elsewhere() as cursor:
        lock(cursor, held)
        canceller = threading.Thread(target=cancel)
        canceller.start()
        ended = carry_out(run)
        canceller.join()

    assert (ended.status, ended.done) == ("cancelled", 2)


def test_what_was_purged_around_a_row_in_use_can_be_undone():
    held = old()[1]
    before = set(Conversation.objects.all()), set(ChatMessage.objects.all())

    with elsewhere() as cursor:
        lock(cursor, held.messages.first())
        run = carry_out(make.run())
    undone = carry_out(control.undo(run, send=lambda run: None))

    assert undone.status == "succeeded", undone.error
    assert (set(Conversation.objects.all()), set(ChatMessage.objects.all())) == before


@pytest.mark.parametrize("delete", ["account", "message first"])
def test_a_purge_and_a_delete_in_the_other_order_both_come_through(delete):
    """As Django's admin does it: what hangs from a row is touched before the row is."""
    conversations = old(20)
    target, failures = conversations[10], []

    def in_the_other_order():
        try:
            with transaction.atomic():
                if delete == "account":
                    target.messages.all().delete()
                    is_begun.set()
                    time.sleep(0.2)
                    target.user.delete()
                else:
                    target.messages.update(content="edited")
                    is_begun.set()
                    time.sleep(0.2)
                    Conversation.objects.filter(pk=target.pk).update(title="edited")
        except OperationalError as error:
            failures.append(error)
        finally:
            connections.close_all()

    is_begun = threading.Event()
    other = threading.Thread(target=in_the_other_order)
    other.start()
    is_begun.wait(10)
    run = carry_out(make.run())
    other.join()

    assert failures == []
    assert run.status == "succeeded", run.error
    assert not Conversation.objects.exists()


def wait_for_a_waiting_transaction():
    def waits():
        with elsewhere() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
            return cursor.fetchone()[0]

    wait_until(waits, what="a transaction that waits for a lock")


def delete_account(client, conversation):
    return client.post(f"/admin/chat/user/{conversation.user_id}/delete/", {"post": "yes"})


def delete_selected(client, conversation):
    facts = {"action": "delete_selected", "_selected_action": [conversation.pk], "post": "yes"}
    return client.post("/admin/chat/conversation/", facts)


def delete_by_the_api(client, conversation):
    return with_token(conversation.user).delete(f"/api/chat/conversations/{conversation.pk}")


@pytest.mark.parametrize("delete", [delete_account, delete_selected, delete_by_the_api])
def test_a_delete_takes_its_locks_in_the_order_of_a_purge(dashboard, delete):
    conversation, retries = make.conversation(age=days(40), messages=2), []
    answers = []

    def work():
        answers.append(delete(dashboard, conversation).status_code)
        connections.close_all()

    other = threading.Thread(target=work)

    def meanwhile(execute, sql, params, many, context):
        if sql.startswith('DELETE FROM "chat_chatmessage"') and threading.current_thread() is not other:
            other.start()
            wait_for_a_waiting_transaction()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(meanwhile):
        [batch] = batches(on_retry=lambda: retries.append(1))
    other.join()

    assert (batch.keys, batch.in_use, retries) == ([conversation.pk], 0, [])
    assert answers[0] in (204, 302)
    assert not ChatMessage.objects.exists()


def test_a_table_that_is_locked_for_seconds_fails_nothing():
    old()

    with elsewhere() as cursor:
        cursor.execute("LOCK TABLE chat_chatmessage IN ACCESS EXCLUSIVE MODE")
        release = threading.Timer(1.5, cursor.connection.rollback)
        release.start()
        run = carry_out(make.run())
        release.join()

    assert (run.status, run.result) == ("succeeded", {"deleted_conversations": 3})
    assert run.retried


def test_a_lock_that_outlasts_all_patience_fails_the_run_with_the_reason(monkeypatch):
    monkeypatch.setattr("housekeeping.engine.purge.CAREFUL_LOCK_TIMEOUT", "50ms")
    old()

    with elsewhere() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [holds.LOCK])
        run = carry_out(make.run())

    assert run.status == "failed"
    assert "lock timeout" in run.error
    assert (run.retried, Conversation.objects.count()) == (4, 3)
