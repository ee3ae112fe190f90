import sqlite3
import threading
import time

import pytest
from django.db import DatabaseError, IntegrityError, OperationalError, connection, connections, transaction

from chat.models import Conversation
from housekeeping.database import transient
from housekeeping.exceptions import Cancelled
from tests import make
from tests.make import days

on_postgres = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite's writers take turns")
on_sqlite = pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL locks rows")


def execute(sql, *values):
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


def conflict():
    raise OperationalError("deadlock detected") from Deadlock()


class Deadlock(Exception):
    sqlstate = "40P01"


class Work:
    """Fails a number of times, then makes a conversation."""

    def __init__(self, failures, fail=conflict):
        self.failures, self.fail, self.calls = failures, fail, 0

    def __call__(self):
        self.calls += 1
        made = make.conversation(title=f"try {self.calls}")
        if self.calls <= self.failures:
            self.fail()
        return made


@pytest.mark.django_db(transaction=True)
def test_what_conflicts_is_carried_out_again_and_each_retry_is_counted():
    work, retries = Work(failures=2), []

    transient.transact(work, on_retry=lambda: retries.append(connection.in_atomic_block))

    assert [row.title for row in Conversation.objects.all()] == ["try 3"]
    assert retries == [False, False]  # outside of the transactions that were rolled back


@pytest.mark.django_db(transaction=True)
def test_after_five_tries_the_conflict_is_raised_and_nothing_has_changed():
    work = Work(failures=5)

    with pytest.raises(OperationalError, match="deadlock"):
        transient.transact(work)

    assert (work.calls, Conversation.objects.count()) == (5, 0)


@pytest.mark.django_db(transaction=True)
def test_no_further_try_begins_once_patience_is_over(monkeypatch):
    monkeypatch.setattr(transient, "PATIENCE", 0.0)
    work = Work(failures=1)

    with pytest.raises(OperationalError):
        transient.transact(work)

    assert work.calls == 1


def refuse():
    raise IntegrityError("a constraint")


def disconnect():
    raise OperationalError("server closed the connection unexpectedly")


@pytest.mark.parametrize("fail", [refuse, disconnect])
@pytest.mark.django_db(transaction=True)
def test_any_other_error_is_raised_at_once(fail):
    work = Work(failures=1, fail=fail)

    with pytest.raises(DatabaseError):
        transient.transact(work)

    assert work.calls == 1


@pytest.mark.django_db(transaction=True)
def test_a_checkpoint_ends_the_tries():
    work = Work(failures=3)

    def checkpoint():
        raise Cancelled

    with pytest.raises(Cancelled):
        transient.transact(work, checkpoint=checkpoint)

    assert (work.calls, Conversation.objects.count()) == (1, 0)


@pytest.mark.django_db(transaction=True)
def test_inside_somebody_elses_transaction_it_is_tried_once():
    work = Work(failures=1)

    with pytest.raises(OperationalError), transaction.atomic():
        transient.transact(work)

    assert work.calls == 1


@on_sqlite
@pytest.mark.django_db(transaction=True)
def test_on_sqlite_it_waits_out_a_writer_that_outlasts_the_timeout():
    conversation = make.conversation()
    execute("PRAGMA busy_timeout = 10")
    retries = []
    other = sqlite3.connect(connection.settings_dict["NAME"], uri=True, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.3, other.rollback)
    release.start()

    try:
        transient.transact(conversation.delete, on_retry=lambda: retries.append(1))
    finally:
        release.join()
        other.close()
        connection.close()

    assert retries
    assert not Conversation.objects.exists()


@on_postgres
@pytest.mark.django_db(transaction=True)
def test_both_sides_of_a_deadlock_come_through():
    first, second = make.conversation(age=days(1)), make.conversation(age=days(2))
    both_hold_one, retries = threading.Barrier(2), []

    def retitle(*rows):
        attempts = []

        def work():
            attempts.append(1)
            for row in rows:
                Conversation.objects.filter(pk=row.pk).update(title="changed")
                if len(attempts) == 1 and row is rows[0]:
                    both_hold_one.wait(10)

        transient.transact(work, on_retry=lambda: retries.append(1))
        connections.close_all()

    other = threading.Thread(target=retitle, args=[second, first])
    other.start()
    retitle(first, second)
    other.join()

    assert len(retries) == 1
    assert Conversation.objects.filter(title="changed").count() == 2


@on_postgres
@pytest.mark.django_db(transaction=True)
def test_a_serialization_failure_is_carried_out_again():
    conversation, calls = make.conversation(title="0"), []

    def elsewhere():
        Conversation.objects.filter(pk=conversation.pk).update(title="1")
        connections.close_all()

    def work():
        calls.append(1)
        execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        title = Conversation.objects.get(pk=conversation.pk).title
        if len(calls) == 1:
            thread = threading.Thread(target=elsewhere)
            thread.start()
            thread.join()
        Conversation.objects.filter(pk=conversation.pk).update(title=f"{title}+")

    transient.transact(work)

    conversation.refresh_from_db()
    assert conversation.title == "1+"


@on_postgres
@pytest.mark.django_db(transaction=True)
def test_a_lock_that_was_not_to_be_had_in_time_is_asked_for_again():
    conversation = make.conversation()
    is_locked, retries = threading.Event(), []

    def hold():
        with transaction.atomic():
            Conversation.objects.select_for_update().get(pk=conversation.pk)
            is_locked.set()
            time.sleep(0.3)
        connections.close_all()

    def work():
        execute("SET LOCAL lock_timeout = '20ms'")
        conversation.delete()

    holder = threading.Thread(target=hold)
    holder.start()
    is_locked.wait(10)
    transient.transact(work, on_retry=lambda: retries.append(1))
    holder.join()

    assert retries
    assert not Conversation.objects.exists()
