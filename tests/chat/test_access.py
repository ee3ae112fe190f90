"""Tokens, and what each address of the chat's API does with and without one."""

import pytest
from rest_framework_simplejwt.tokens import RefreshToken

from chat.models import ChatMessage, Conversation, User
from tests import make

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse 9"
FOR_USERS = [
    ("post", "/api/chat", {"message": "Hello"}),
    ("get", "/api/chat/conversations", None),
    ("post", "/api/chat/conversations", {"title": "Backups"}),
    ("get", "/api/chat/conversations/{id}", None),
    ("get", "/api/chat/conversations/{id}/messages", None),
    ("post", "/api/chat/conversations/{id}/messages", {"content": "Hello"}),
    ("delete", "/api/chat/conversations/{id}", None),
]


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


def test_a_password_is_taken_with_the_blanks_that_it_was_chosen_with(anyone, client):
    chosen = f"  {PASSWORD} "
    make.user(username="ada", password=chosen)

    for typed, right in ((chosen, True), (chosen.strip(), False)):
        token = anyone.post("/api/token", {"username": "ada", "password": typed})
        page = client.post("/sign-in", {"username": "ada", "password": typed})
        assert (token.status_code == 200, page.status_code == 302) == (right, right), typed
        client.logout()


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
