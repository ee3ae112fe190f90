"""CHAT_REPLY names one of these functions, as a site would name its own."""

import logging

import pytest
from django.core.checks import run_checks

from chat import conversations, replies
from chat.models import ChatMessage
from tests import make

pytestmark = pytest.mark.django_db


def echo(conversation, message):
    return f"{conversation.title}: {message.content}?"


def nothing(conversation, message):
    return None


def fail(conversation, message):
    raise ConnectionRefusedError("the model is away")


def delete_the_conversation(conversation, message):
    conversation.delete()
    return "Gone."


@pytest.fixture
def errors(caplog):
    """What the chat logs, in which an operator looks for the reason."""
    logger = logging.getLogger("chat")
    logger.addHandler(caplog.handler)
    yield caplog
    logger.removeHandler(caplog.handler)


def test_without_a_reply_function_nobody_answers():
    message, reply = conversations.say(make.user(), "Anybody here?")

    assert reply is None
    assert list(ChatMessage.objects.all()) == [message]


def test_the_named_function_answers_as_the_assistant(settings):
    settings.CHAT_REPLY = f"{__name__}.echo"

    message, reply = conversations.say(make.user(), "Anybody here?")

    assert (reply.role, reply.content) == ("assistant", "Anybody here?: Anybody here??")
    assert list(message.conversation.messages.all()) == [message, reply]


def test_the_reply_counts_as_the_last_activity(settings):
    settings.CHAT_REPLY = f"{__name__}.echo"

    message, reply = conversations.say(make.user(), "Anybody here?")

    message.conversation.refresh_from_db()
    assert message.conversation.last_message_at == reply.created_at > message.created_at


def test_a_function_may_have_nothing_to_say(settings):
    settings.CHAT_REPLY = f"{__name__}.nothing"

    message, reply = conversations.say(make.user(), "Anybody here?")

    assert reply is None
    assert list(message.conversation.messages.all()) == [message]


@pytest.mark.parametrize(("function", "reason"), [("fail", "the model is away"), ("not_there", "not_there")])
def test_a_function_that_fails_costs_the_reply_and_not_the_message(settings, errors, function, reason):
    settings.CHAT_REPLY = f"{__name__}.{function}"

    message, reply = conversations.say(make.user(), "Anybody here?")

    assert reply is None
    assert list(message.conversation.messages.all()) == [message]
    assert f"The reply function failed on message {message.pk}" in errors.text
    assert reason in errors.text


def test_a_reply_to_a_conversation_that_is_gone_leaves_no_orphan(settings, errors):
    settings.CHAT_REPLY = f"{__name__}.delete_the_conversation"

    _, reply = conversations.say(make.user(), "Anybody here?")

    assert reply is None
    assert not ChatMessage.objects.exists()


def test_what_the_function_raises_reaches_the_caller_of_reply(settings):
    settings.CHAT_REPLY = f"{__name__}.fail"
    conversation = make.conversation(messages=1)

    with pytest.raises(ConnectionRefusedError):
        replies.reply(conversation, conversation.messages.get())


def test_a_reply_function_that_is_not_there_is_found_by_check(settings):
    settings.CHAT_REPLY = "chat.nowhere.answer"

    assert "chat.E001" in [error.id for error in run_checks()]
