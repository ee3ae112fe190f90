"""The chat, its conversations and messages through the API."""

import base64
from datetime import datetime

import pytest

from chat.models import ChatMessage, Conversation
from housekeeping.models import Hold
from tests import make
from tests.make import ago, days

pytestmark = pytest.mark.django_db


# --- Chat ---------------------------------------------------------------------------------


def test_a_message_starts_a_conversation(chat, user):
    answer = chat.post("/api/chat", {"message": "How do I export my data?"})

    conversation, message = Conversation.objects.get(), ChatMessage.objects.get()
    assert answer.status_code == 201
    assert (conversation.user, conversation.title) == (user, "How do I export my data?")
    assert answer.json() == {
        "conversation": conversation.pk,
        "message": {
            "id": message.pk,
            "role": "user",
            "content": "How do I export my data?",
            "created_at": answer.json()["message"]["created_at"],
        },
        "reply": None,
    }
    assert datetime.fromisoformat(answer.json()["message"]["created_at"]) == message.created_at


def test_a_message_goes_on_in_a_conversation(chat, user):
    conversation = make.conversation(user=user)

    answer = chat.post("/api/chat", {"message": "And then?", "conversation": conversation.pk})

    assert answer.json()["conversation"] == conversation.pk
    assert conversation.messages.get().content == "And then?"


def test_the_reply_stands_beside_the_message(chat, settings):
    settings.CHAT_REPLY = "tests.chat.test_replies.echo"

    answer = chat.post("/api/chat", {"message": "Hi"}).json()

    assert (answer["reply"]["role"], answer["reply"]["content"]) == ("assistant", "Hi: Hi?")
    assert ChatMessage.objects.filter(conversation=answer["conversation"]).count() == 2


def test_a_reply_that_fails_is_no_failure_of_the_message(chat, settings):
    settings.CHAT_REPLY = "tests.chat.test_replies.fail"

    answer = chat.post("/api/chat", {"message": "Hi"})

    assert (answer.status_code, answer.json()["reply"]) == (201, None)
    assert ChatMessage.objects.get().content == "Hi"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("{}", "message"),
        ('{"message": ""}', "message"),
        ('{"message": "  "}', "message"),
        ('{"message": null}', "message"),
        ('{"message": {"text": "Hi"}}', "message"),
        ('{"message": "\\u0000"}', "message"),
        ('{"message": "\\ud800"}', "message"),
        ('{"message": "' + "x" * 32_001 + '"}', "message"),
        ('{"message": "Hi", "conversation": 999999}', "conversation"),
        ('{"message": "Hi", "conversation": "mine"}', "conversation"),
        ('{"message": "Hi", "conversation": [1]}', "conversation"),
        ('{"message": "Hi", "conversation": true}', "conversation"),
        ('{"message": "Hi", "conversation": 1.5}', "conversation"),
        ('{"message": "Hi", "conversation": 1e999}', "conversation"),
        ('{"message": "Hi", "conversation": ' + "9" * 40 + "}", "conversation"),
    ],
    ids=lambda text: text[:45],
)
def test_a_message_that_can_not_be_names_the_field(chat, body, field):
    answer = chat.post("/api/chat", body, content_type="application/json")

    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == [field]
    assert not ChatMessage.objects.exists()


def test_nobody_speaks_in_the_conversation_of_another(chat):
    conversation = make.conversation()

    answer = chat.post("/api/chat", {"message": "Hi", "conversation": conversation.pk})

    assert answer.status_code == 400
    assert "does not exist" in answer.json()["conversation"][0]
    assert not ChatMessage.objects.exists()


# --- Conversations ------------------------------------------------------------------------


def test_the_list_shows_ones_own_newest_first(chat, user):
    old = make.conversation(user=user, age=days(2), title="Old")
    new = make.conversation(user=user, age=days(1), title="New", last_message_at=ago(hours=1))
    make.conversation()

    answer = chat.get("/api/chat/conversations").json()

    assert (answer["next"], answer["previous"]) == (None, None)
    assert [row["id"] for row in answer["results"]] == [new.pk, old.pk]
    assert set(answer["results"][0]) == {"id", "title", "created_at", "last_message_at"}
    assert answer["results"][1]["last_message_at"] is None


def test_a_conversation_is_started_with_or_without_a_title(chat, user):
    titled = chat.post("/api/chat/conversations", {"title": "Backups"})
    untitled = chat.post("/api/chat/conversations", {})

    assert (titled.status_code, untitled.status_code) == (201, 201)
    assert (titled.json()["title"], untitled.json()["title"]) == ("Backups", "")
    assert Conversation.objects.of(user).count() == 2


@pytest.mark.parametrize("title", ["x" * 201, None, {"a": 1}])
def test_a_title_that_can_not_be_is_named(chat, title):
    answer = chat.post("/api/chat/conversations", {"title": title})

    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == ["title"]


def test_a_client_can_not_start_a_conversation_for_another_or_in_the_past(chat, user):
    body = {"title": "Mine", "user": make.user().pk, "created_at": "2001-01-01T00:00:00Z"}

    chat.post("/api/chat/conversations", body)

    conversation = Conversation.objects.get()
    assert conversation.user == user
    assert conversation.created_at > ago(minutes=1)


def test_one_conversation_is_shown(chat, user):
    conversation = make.conversation(user=user, title="Backups")

    answer = chat.get(f"/api/chat/conversations/{conversation.pk}")

    assert answer.status_code == 200
    assert (answer.json()["id"], answer.json()["title"]) == (conversation.pk, "Backups")


def test_a_conversation_is_deleted_with_its_messages_and_no_other(chat, user):
    conversation = make.conversation(user=user, messages=2)
    kept = make.conversation(user=user, messages=1)

    deleted = chat.delete(f"/api/chat/conversations/{conversation.pk}")
    again = chat.delete(f"/api/chat/conversations/{conversation.pk}")

    assert (deleted.status_code, again.status_code) == (204, 404)
    assert list(Conversation.objects.all()) == [kept]
    assert list(ChatMessage.objects.all()) == list(kept.messages.all())


def test_a_conversation_on_hold_is_not_deleted_and_the_answer_tells_why(chat, user):
    conversation = make.conversation(user=user, messages=1)
    Hold.objects.create(model="chat.Conversation", key=str(conversation.pk), reason="Suspected fraud")

    answer = chat.delete(f"/api/chat/conversations/{conversation.pk}")

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (409, "held")
    assert problem["message"] == "This conversation is on hold, so it can't be deleted."
    assert "fraud" not in answer.text
    assert conversation.messages.count() == 1


# --- Messages -----------------------------------------------------------------------------


def test_the_messages_of_a_conversation_newest_first(chat, user):
    conversation = make.conversation(user=user)
    old = make.message(conversation=conversation, created_at=ago(hours=2))
    new = make.message(conversation=conversation, created_at=ago(hours=1), role="assistant")
    make.message()

    answer = chat.get(f"/api/chat/conversations/{conversation.pk}/messages").json()

    assert [(row["id"], row["role"]) for row in answer["results"]] == [
        (new.pk, "assistant"),
        (old.pk, "user"),
    ]
    assert set(answer["results"][0]) == {"id", "role", "content", "created_at"}


def test_a_message_is_posted_as_the_user_whatever_role_it_claims(chat, user):
    conversation = make.conversation(user=user, age=days(40))

    answer = chat.post(
        f"/api/chat/conversations/{conversation.pk}/messages", {"content": "Hi", "role": "system"}
    )

    conversation.refresh_from_db()
    assert answer.status_code == 201
    assert (answer.json()["role"], answer.json()["content"]) == ("user", "Hi")
    assert conversation.last_message_at == conversation.messages.get().created_at


@pytest.mark.parametrize(
    "body", [{}, {"content": ""}, {"content": None}, {"content": []}, {"content": "x" * 32_001}]
)
def test_a_content_that_can_not_be_is_named(chat, user, body):
    conversation = make.conversation(user=user)

    answer = chat.post(f"/api/chat/conversations/{conversation.pk}/messages", body)

    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == ["content"]


# --- Pages --------------------------------------------------------------------------------


def walk(client, address):
    """The ids of every page, from the first to the last."""
    pages = []
    while address:
        page = client.get(address).json()
        pages.append([row["id"] for row in page["results"]])
        address = page["next"]
    return pages


def test_conversations_come_in_pages_each_of_them_once(chat, user):
    made = [Conversation(user=user, created_at=ago(hours=number)) for number in range(120)]
    keys = [row.pk for row in Conversation.objects.bulk_create(made)]

    pages = walk(chat, "/api/chat/conversations")

    assert pages == [keys[:50], keys[50:100], keys[100:]]


def test_messages_come_in_pages_even_those_of_the_same_moment(chat, user):
    conversation, moment = make.conversation(user=user), ago(hours=1)
    made = [
        ChatMessage(conversation=conversation, role="user", content="Hi", created_at=moment)
        for _ in range(60)
    ]
    keys = [row.pk for row in ChatMessage.objects.bulk_create(made)]

    pages = walk(chat, f"/api/chat/conversations/{conversation.pk}/messages")

    assert pages == [keys[:9:-1], keys[9::-1]]


def test_what_is_written_meanwhile_moves_no_page(chat, user):
    made = [Conversation(user=user, created_at=ago(hours=number)) for number in range(60)]
    keys = [row.pk for row in Conversation.objects.bulk_create(made)]
    first = chat.get("/api/chat/conversations").json()

    make.conversation(user=user)
    second = chat.get(first["next"]).json()
    back = chat.get(second["previous"]).json()

    assert [row["id"] for row in second["results"]] == keys[50:]
    assert [row["id"] for row in back["results"]] == keys[:50]


@pytest.mark.parametrize("cursor", ["x", "é", *(base64.b64encode(one).decode() for one in make.CURSORS)])
@pytest.mark.parametrize("tail", ["", "/{id}/messages"])
def test_a_cursor_that_was_made_up_is_not_found(chat, user, cursor, tail):
    conversation = make.conversation(user=user, messages=1)

    answer = chat.get(f"/api/chat/conversations{tail.format(id=conversation.pk)}", {"cursor": cursor})

    assert answer.status_code == 404
    assert (answer.json()["detail"], answer.json()["code"]) == ("Invalid cursor", "not_found")
