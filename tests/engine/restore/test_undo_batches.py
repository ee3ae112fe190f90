"""An undo in batches: stopped, cancelled and resumed between two of them."""

import threading
import time

import pytest
from django.db import connection, connections, transaction

from chat.models import ChatMessage, Conversation, User
from housekeeping.engine.restore.undo import LIMITS
from housekeeping.models import Hold, Run
from housekeeping.runs import control
from tests import make
from tests.make import days
from tests.zoo.tasks import carry_out

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _no_brake(settings):
    settings.HOUSEKEEPING_BRAKE_SHARE = 1


def purged(task="conversations", *, batch_size=1):
    return carry_out(control.request(task, send=lambda run: None), batch_size=batch_size)


def asked(run):
    return control.undo(run, send=lambda run: None)


def after(conversations):
    """Tells an undo to stop once so many conversations are back."""
    return lambda: Conversation.objects.count() >= conversations


def conversations(number):
    return [make.conversation(age=days(40), messages=2) for _ in range(number)]


def test_a_stopped_undo_keeps_what_is_back_and_goes_on_from_there():
    conversations(5)
    run = purged()
    undo = carry_out(asked(run), batch_size=1, should_stop=after(2))
    assert (undo.status, undo.deleted) == ("queued", {"restored": 6})
    assert (Conversation.objects.count(), ChatMessage.objects.count()) == (2, 4)

    undo = carry_out(undo, batch_size=1)

    assert undo.result["restored"] == {"chat.Conversation": 5, "chat.ChatMessage": 10}
    assert undo.progress() == {"done": 15, "total": 15}
    assert (Conversation.objects.count(), ChatMessage.objects.count()) == (5, 10)


def test_a_cancelled_undo_keeps_what_is_back_and_another_one_puts_back_the_rest():
    conversations(4)
    run = purged()
    first = asked(run)

    def cancel(shown):
        if Hold.objects.count() == 2:
            Run.objects.filter(pk=shown.pk).update(cancel_requested=True)

    first = carry_out(first, batch_size=1, watch=cancel)

    assert (first.status, Conversation.objects.count(), Hold.objects.count()) == ("cancelled", 2, 2)
    assert purged().result == {"deleted_conversations": 0}
    second = carry_out(asked(run), batch_size=1)
    assert second.result["restored"] == {"chat.Conversation": 2, "chat.ChatMessage": 4}
    assert not run.archives.exists()


def test_a_large_batch_comes_back_in_parts_of_whole_conversations():
    conversations(6)
    run = purged(batch_size=6)
    undo = asked(run)

    undo = carry_out(undo, batch_size=6, should_stop=after(1))

    assert (Conversation.objects.count(), ChatMessage.objects.count()) == (2, 4)
    run.refresh_from_db()
    assert run.archives_kept == run.archives.count() == 4
    undo = carry_out(undo, batch_size=6)
    assert (undo.status, Conversation.objects.count(), ChatMessage.objects.count()) == ("succeeded", 6, 12)


def test_nothing_is_attached_to_a_stranger_who_comes_between_two_batches():
    """The user stays away, as somebody has the address; then another user gets the key."""
    user = make.visitor(age=days(50), email="a@example.com")
    make.conversation(user=user, age=days(40), messages=1)
    run = purged("all")
    taken = make.user(email="a@example.com")
    undo = carry_out(asked(run), batch_size=1, should_stop=lambda: seen(undo_of=run))
    assert undo.status == "queued"
    stranger = make.user(id=user.pk, email="b@example.com")

    undo = carry_out(undo, batch_size=1)

    assert undo.result["not_restored"]["chat.Conversation: the row that it refers to is gone"] == 1
    assert not Conversation.objects.exists()
    assert set(User.objects.all()) == {taken, stranger}


def seen(**undo):
    """The undo has been to a batch."""
    return bool((Run.objects.get(**undo).undo_state or {}).get("at"))


def test_the_archives_of_an_undo_under_way_do_not_expire():
    conversations(3)
    run = purged()
    undo = carry_out(asked(run), batch_size=1, should_stop=after(1))
    run.archives.update(expires_at=make.ago(days=1))

    purged("history")
    undo = carry_out(undo)

    assert (undo.status, Conversation.objects.count()) == ("succeeded", 3)


def test_an_undo_that_has_not_begun_in_time_does_not_begin():
    conversations(1)
    run = purged()
    undo = asked(run)
    run.archives.update(expires_at=make.ago(days=1))

    undo = carry_out(undo)

    assert (undo.status, Conversation.objects.exists()) == ("failed", False)
    assert "some of its archives have expired" in undo.error


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite's writers take turns")
def test_an_undo_that_waits_for_a_lock_can_be_stopped(monkeypatch):
    monkeypatch.setattr("housekeeping.engine.restore.undo.LIMITS", LIMITS | {"lock_timeout": "100ms"})
    owner = make.user()
    make.conversation(user=owner, age=days(40))
    undo = asked(purged())
    is_locked, is_over = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            User.objects.select_for_update().get(pk=owner.pk)
            is_locked.set()
            is_over.wait(5)
        connections.close_all()

    holder = threading.Thread(target=hold)
    holder.start()
    is_locked.wait(10)
    asked_at = time.monotonic()
    undo = carry_out(undo, should_stop=lambda: time.monotonic() > asked_at + 0.5)
    is_over.set()
    holder.join()

    assert (undo.status, Conversation.objects.exists()) == ("queued", False)
    assert undo.retried
