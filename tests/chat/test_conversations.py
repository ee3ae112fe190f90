import threading

import pytest
from django.db import connection, transaction
from django.utils import timezone

from chat import conversations
from chat.models import ChatMessage, Conversation
from housekeeping.steering import holds
from tests import make
from tests.make import days

pytestmark = pytest.mark.django_db


def test_a_conversation_starts_empty():
    user = make.user()

    conversation = conversations.start(user, "Backups")

    assert (conversation.user, conversation.title) == (user, "Backups")
    assert not conversation.messages.exists()


def test_a_message_counts_as_the_last_activity():
    conversation = make.conversation(age=days(40))
    before = timezone.now()

    message = conversations.post(conversation, "Still there?")

    conversation.refresh_from_db()
    assert (message.role, message.content) == ("user", "Still there?")
    assert before <= message.created_at == conversation.last_message_at


def test_a_message_leaves_the_age_of_its_conversation_alone():
    conversation = make.conversation(age=days(40))
    age = conversation.created_at

    conversations.post(conversation, "Still there?")

    conversation.refresh_from_db()
    assert conversation.created_at == age


def test_a_conversation_that_was_purged_meanwhile_takes_no_message():
    conversation = make.conversation()
    Conversation.objects.all().delete()

    with pytest.raises(Conversation.DoesNotExist):
        conversations.post(conversation, "Still there?")

    assert not ChatMessage.objects.exists()


def test_what_is_said_first_starts_a_conversation_of_that_title():
    user = make.user()

    message, _ = conversations.say(user, "How do I\n export  my data?")

    conversation = Conversation.objects.get()
    assert message.conversation == conversation
    assert (conversation.user, conversation.title) == (user, "How do I export my data?")
    assert message.content == "How do I\n export  my data?"


@pytest.mark.parametrize(
    ("length", "title"), [(59, "x" * 59), (60, "x" * 60), (61, "x" * 59 + "…"), (5000, "x" * 59 + "…")]
)
def test_a_long_beginning_is_cut_to_a_title(length, title):
    message, _ = conversations.say(make.user(), "x" * length)

    assert message.conversation.title == title
    assert len(message.content) == length


def test_what_is_said_in_a_conversation_goes_on_there():
    conversation = make.conversation(title="Backups", messages=1)

    message, _ = conversations.say(conversation.user, "And restores?", conversation)

    assert Conversation.objects.get() == message.conversation == conversation
    assert conversation.messages.count() == 2
    assert message.conversation.title == "Backups"


def test_what_is_said_in_a_conversation_that_is_gone_is_said_nowhere():
    conversation = make.conversation()
    Conversation.objects.all().delete()

    with pytest.raises(Conversation.DoesNotExist):
        conversations.say(conversation.user, "Still there?", conversation)

    assert not Conversation.objects.exists()
    assert not ChatMessage.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_conversation_is_deleted_with_the_message_that_arrives_meanwhile():
    conversation = make.conversation(messages=1)
    posted, deleting = threading.Event(), threading.Event()

    def post():
        with transaction.atomic():
            conversations.post(conversation, "Wait!")
            posted.set()
            deleting.wait(0.5)
        connection.close()

    writer = threading.Thread(target=post)
    writer.start()
    posted.wait(5)
    conversations.delete(conversation)
    deleting.set()
    writer.join()

    assert not Conversation.objects.exists()
    assert not ChatMessage.objects.exists()


@pytest.mark.parametrize("place", ["conversation", "message", "user"])
def test_a_conversation_on_hold_is_not_deleted(place):
    conversation = make.conversation(messages=2)

    row = hold(place, conversation)

    with pytest.raises(conversations.ConversationHeld):
        conversations.delete(conversation)
    assert conversation.messages.count() == 2
    holds.end(row)
    conversations.delete(conversation)
    assert not Conversation.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("place", ["conversation", "message", "user"])
def test_a_conversation_is_not_deleted_when_a_hold_is_made_meanwhile(place):
    conversation = make.conversation(messages=1)
    held, deleting = threading.Event(), threading.Event()

    def make_a_hold():
        with transaction.atomic():
            hold(place, conversation)
            held.set()
            deleting.wait(0.5)
        connection.close()

    operator = threading.Thread(target=make_a_hold)
    operator.start()
    held.wait(5)
    with pytest.raises(conversations.ConversationHeld):
        conversations.delete(conversation)
    deleting.set()
    operator.join()

    assert conversation.messages.count() == 1


def hold(place, conversation):
    rows = {"conversation": conversation, "message": conversation.messages.first(), "user": conversation.user}
    row = rows[place]
    return holds.add(row._meta.label, row.pk, reason="A dispute")
