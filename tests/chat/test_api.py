import base64
import re
from datetime import datetime

import pytest
from django.core import mail
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import RefreshToken

from chat import accounts
from chat.models import ChatMessage, Conversation, User
from housekeeping.models import Hold
from tests import make, services
from tests.conftest import with_token
from tests.make import ago, days

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse 9"
REGISTRATION = {"username": "ada", "email": "ada@example.com", "password": PASSWORD}
FOR_USERS = [
    ("post", "/api/chat", {"message": "Hello"}),
    ("get", "/api/chat/conversations", None),
    ("post", "/api/chat/conversations", {"title": "Backups"}),
    ("get", "/api/chat/conversations/{id}", None),
    ("get", "/api/chat/conversations/{id}/messages", None),
    ("post", "/api/chat/conversations/{id}/messages", {"content": "Hello"}),
    ("delete", "/api/chat/conversations/{id}", None),
]


@pytest.fixture
def anyone():
    return APIClient()


@pytest.fixture
def user():
    return make.user()


@pytest.fixture
def chat(user):
    """The API as one user sees it."""
    return with_token(user)


# --- Register and verify ------------------------------------------------------------------


def test_registering_answers_the_account_and_never_its_password(anyone):
    answer = anyone.post("/api/register", REGISTRATION)

    user = User.objects.get()
    assert answer.status_code == 201
    assert answer.json() == {"id": user.pk, "username": "ada", "email": "ada@example.com", "verified": False}


def test_from_registering_to_the_first_token(anyone):
    anyone.post("/api/register", REGISTRATION)
    refused = anyone.post("/api/token", {"username": "ada", "password": PASSWORD})
    token = re.search(r"/verify/(\S+)", mail.outbox[0].body).group(1)

    verified = anyone.post("/api/verify", {"token": token, "password": PASSWORD})
    answer = anyone.post("/api/token", {"username": "ada", "password": PASSWORD})

    assert refused.status_code == 401
    assert (verified.status_code, verified.json()["verified"]) == (200, True)
    assert answer.status_code == 200
    assert set(answer.json()) == {"access", "refresh"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"username": ""}, "username"),
        ({"username": "two words"}, "username"),
        ({"username": "x" * 151}, "username"),
        ({"username": "ﷺ" * 10}, "username"),  # eighteen letters and blanks each, as it would be kept
        ({"username": None}, "username"),
        ({"email": "not an address"}, "email"),
        ({"email": "x" * 250 + "@example.com"}, "email"),
        ({"password": "short"}, "password"),
        ({"password": "password1234"}, "password"),
        ({"password": "ada@example"}, "password"),
        ({"password": "x" * 129}, "password"),
    ],
)
def test_a_registration_that_can_not_be_names_the_field(anyone, change, field):
    answer = anyone.post("/api/register", REGISTRATION | change)

    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == [field]
    assert not User.objects.exists()


@pytest.mark.parametrize("field", ["username", "email", "password"])
def test_a_registration_needs_all_three_fields(anyone, field):
    body = {name: value for name, value in REGISTRATION.items() if name != field}

    answer = anyone.post("/api/register", body)

    assert answer.status_code == 400
    assert answer.json()["fields"] == {field: ["This field is required."]}


@pytest.mark.django_db(transaction=True)
def test_a_name_that_is_taken_is_named(anyone):
    make.user(username="ada", email="ada@example.com")

    answer = anyone.post("/api/register", REGISTRATION | {"email": "other@example.com"})

    assert answer.status_code == 400
    assert answer.json()["fields"] == {"username": ["That username is taken."]}


@pytest.mark.parametrize("account", [make.user, make.visitor])
def test_the_answer_does_not_tell_whether_an_address_has_an_account(account, anyone):
    account(username="ada", email="ada@example.com")

    taken = anyone.post("/api/register", REGISTRATION | {"username": "eve", "email": "Ada@Example.com"})
    free = anyone.post("/api/register", REGISTRATION | {"username": "bob", "email": "Bob@Example.com"})

    assert taken.status_code == free.status_code == 201
    assert {**taken.json(), "id": 0} == {
        "id": 0,
        "username": "eve",
        "email": "ada@example.com",
        "verified": False,
    }
    assert {**free.json(), "id": 0} == {
        "id": 0,
        "username": "bob",
        "email": "bob@example.com",
        "verified": False,
    }
    assert taken.json()["id"] == User.objects.get(username="eve").pk
    assert len(mail.outbox) == 2


@pytest.mark.parametrize("account", [make.user, make.visitor])
def test_asking_again_does_not_tell_it_either(account, anyone):
    account(email="ada@example.com")

    for email in ("ada@example.com", "free@example.com"):
        first = anyone.post("/api/register", REGISTRATION | {"username": email[:3], "email": email})
        second = anyone.post(
            "/api/register", REGISTRATION | {"username": email[:3], "email": "x@example.com"}
        )
        assert (first.status_code, second.status_code) == (201, 400)


def test_nobody_registers_with_more_rights(anyone):
    extra = {"is_active": True, "is_superuser": True, "email_verified_at": "2020-01-01T00:00:00Z"}

    anyone.post("/api/register", REGISTRATION | extra)

    user = User.objects.get()
    assert (user.is_active, user.is_superuser, user.is_verified) == (False, False, False)


def test_a_mail_server_out_of_reach_is_told_and_nothing_is_kept(anyone, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", services.free_port()

    answer = anyone.post("/api/register", REGISTRATION)

    assert answer.status_code == 503
    assert "try again later" in answer.json()["detail"]
    assert not User.objects.exists()


@pytest.mark.parametrize(
    "body", [{}, {"token": ""}, {"token": None}, {"token": "made up"}, {"token": "é" * 2000}]
)
def test_a_bad_verification_token_names_the_field(anyone, body):
    answer = anyone.post("/api/verify", body | {"password": PASSWORD})

    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == ["token"]


@pytest.mark.parametrize(
    ("password", "problem"),
    [({}, "registered with"), ({"password": "a guess"}, "not the password of this registration")],
)
def test_a_token_without_its_password_says_what_is_missing(anyone, password, problem):
    visitor = make.visitor(password=PASSWORD)

    answer = anyone.post("/api/verify", {"token": accounts.verification_token(visitor)} | password)

    assert answer.status_code == 400
    assert problem in answer.json()["fields"]["password"][0]
    assert not User.objects.get().is_verified


def test_verifying_answers_the_account(anyone):
    visitor = make.visitor(username="ada", email="ada@example.com", password=PASSWORD)
    token = accounts.verification_token(visitor)

    answer = anyone.post("/api/verify", {"token": token, "password": PASSWORD})

    assert answer.status_code == 200
    assert answer.json() == {
        "id": visitor.pk,
        "username": "ada",
        "email": "ada@example.com",
        "verified": True,
    }


# --- Tokens -------------------------------------------------------------------------------


def test_a_token_is_refreshed_and_the_used_one_is_worth_nothing(anyone, user):
    used = str(RefreshToken.for_user(user))

    first = anyone.post("/api/token/refresh", {"refresh": used})
    again = anyone.post("/api/token/refresh", {"refresh": used})

    assert (first.status_code, again.status_code) == (200, 401)
    assert set(first.json()) == {"access", "refresh"}


def test_a_blacklisted_token_is_not_refreshed(anyone, user):
    token = str(RefreshToken.for_user(user))

    blacklisted = anyone.post("/api/token/blacklist", {"refresh": token})
    refreshed = anyone.post("/api/token/refresh", {"refresh": token})

    assert (blacklisted.status_code, refreshed.status_code) == (200, 401)


@pytest.mark.parametrize(
    "end", [lambda user: user.delete(), lambda user: User.objects.update(is_active=False)]
)
def test_the_token_of_an_account_that_is_gone_is_not_refreshed(anyone, user, end):
    token = str(RefreshToken.for_user(user))
    end(user)

    answer = anyone.post("/api/token/refresh", {"refresh": token})

    assert answer.status_code == 401


@pytest.mark.parametrize("path", ["/api/token", "/api/token/refresh", "/api/token/blacklist"])
def test_a_token_request_without_its_fields_names_them(anyone, path):
    answer = anyone.post(path, {})

    assert answer.status_code == 400
    assert set(answer.json()["fields"]) == ({"username", "password"} if path == "/api/token" else {"refresh"})


def test_a_wrong_password_gets_no_token(anyone):
    make.user(username="ada", password=PASSWORD)

    answer = anyone.post("/api/token", {"username": "ada", "password": "another horse 9"})

    assert answer.status_code == 401


def test_signing_in_through_the_api_counts_as_a_login(anyone):
    user = make.user(username="ada", password=PASSWORD)

    answer = anyone.post("/api/token/", {"username": "ada", "password": PASSWORD})

    user.refresh_from_db()
    assert answer.status_code == 200
    assert user.last_login is not None


@pytest.mark.parametrize(("method", "path", "body"), FOR_USERS)
@pytest.mark.parametrize("credentials", [{}, {"HTTP_AUTHORIZATION": "Bearer nonsense"}], ids=["none", "bad"])
def test_without_a_good_token_there_is_nothing(anyone, method, path, body, credentials):
    conversation = make.conversation(messages=1)

    answer = getattr(anyone, method)(path.format(id=conversation.pk), body, **credentials)

    assert answer.status_code == 401
    assert (Conversation.objects.count(), ChatMessage.objects.count()) == (1, 1)


@pytest.mark.parametrize(
    "end",
    [
        lambda user: User.objects.update(is_active=False),
        lambda user: user.delete(),
        lambda user: User.objects.update(password="another hash"),
    ],
    ids=["deactivated", "deleted", "password changed"],
)
def test_a_token_ends_with_what_it_was_given_for(chat, user, end):
    end(user)

    answer = chat.get("/api/chat/conversations")

    assert answer.status_code == 401


def test_a_refresh_token_is_no_access_token(anyone, user):
    anyone.credentials(HTTP_AUTHORIZATION=f"Bearer {RefreshToken.for_user(user)}")

    answer = anyone.get("/api/chat/conversations")

    assert answer.status_code == 401


def test_a_browser_session_is_no_token(client, user):
    client.force_login(user)

    answer = client.get("/api/chat/conversations")

    assert answer.status_code == 401


# --- Every address ------------------------------------------------------------------------


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize(("method", "path", "body"), FOR_USERS)
def test_a_trailing_slash_is_accepted_and_not_needed(chat, user, method, path, body, slash):
    conversation = make.conversation(user=user, messages=1)

    answer = getattr(chat, method)(path.format(id=conversation.pk) + slash, body)

    assert answer.status_code == {"get": 200, "post": 201, "delete": 204}[method]


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("path", ["register", "verify", "token", "token/refresh", "token/blacklist"])
def test_a_trailing_slash_is_accepted_without_a_token_too(anyone, path, slash):
    answer = anyone.post(f"/api/{path}{slash}", {})

    assert answer.status_code == 400


@pytest.mark.parametrize(("method", "path", "body"), FOR_USERS[3:])
def test_what_belongs_to_another_is_not_found(chat, method, path, body):
    conversation = make.conversation(messages=1)

    answer = getattr(chat, method)(path.format(id=conversation.pk), body)

    assert answer.status_code == 404
    assert list(ChatMessage.objects.all()) == list(conversation.messages.all())


def test_an_administrator_sees_only_their_own_conversations_here(api):
    conversation = make.conversation()

    listed = api.get("/api/chat/conversations")
    asked = api.get(f"/api/chat/conversations/{conversation.pk}")

    assert listed.json()["results"] == []
    assert asked.status_code == 404


@pytest.mark.parametrize("pk", ["0", "999999", "9" * 18, "9" * 30, "abc", "-1", "1.5"])
@pytest.mark.parametrize("tail", ["", "/messages"])
def test_what_does_not_exist_is_not_found(chat, pk, tail):
    answer = chat.get(f"/api/chat/conversations/{pk}{tail}")

    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "/api/chat"),
        ("get", "/api/register"),
        ("get", "/api/verify"),
        ("delete", "/api/chat/conversations"),
        ("put", "/api/chat/conversations/{id}"),
        ("patch", "/api/chat/conversations/{id}"),
        ("delete", "/api/chat/conversations/{id}/messages"),
    ],
)
def test_what_an_address_does_not_do_is_refused(chat, user, method, path):
    conversation = make.conversation(user=user, messages=1)

    answer = getattr(chat, method)(path.format(id=conversation.pk), {})

    assert answer.status_code == 405
    assert ChatMessage.objects.count() == 1


@pytest.mark.parametrize("path", ["/api/chat", "/api/chat/conversations", "/api/register", "/api/verify"])
def test_only_json_is_spoken(chat, path):
    form = chat.post(path, "message=Hello", content_type="application/x-www-form-urlencoded")
    broken = chat.post(path, '{"message": ', content_type="application/json")

    assert (form.status_code, broken.status_code) == (415, 400)
    assert "JSON parse error" in broken.json()["detail"]


@pytest.mark.parametrize("body", ["[]", '"Hello"', "null", "17"])
def test_a_body_that_is_no_object_is_refused(chat, body):
    answer = chat.post("/api/chat", body, content_type="application/json")

    assert answer.status_code == 400
    assert not ChatMessage.objects.exists()


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
