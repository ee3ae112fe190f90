"""How often somebody may try to sign in or to register, and an account may post."""

import json

import pytest
from django.conf import settings as site_settings
from rest_framework.test import APIClient

from chat.models import ChatMessage
from tests import make
from tests.conftest import throttled, with_token

pytestmark = pytest.mark.django_db

RATES = dict(site_settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"])  # before the tests switch them off


def sign_in(name, **headers):
    return APIClient().post("/api/token", {"username": name, "password": "wrong"}, headers=headers)


def test_tokens_are_throttled_by_address_whatever_the_account(rate):
    rate("token_by_address", "2/min")

    assert [throttled(sign_in(name)) for name in ("a", "b", "c")] == [False, False, True]


def test_an_address_is_not_changed_by_a_header(rate):
    rate("token_by_address", "1/min")

    tries = [sign_in("a", **{"X-Forwarded-For": address}) for address in ("1.1.1.1", "2.2.2.2")]

    assert [throttled(one) for one in tries] == [False, True]


def test_tokens_are_throttled_by_account_whatever_the_address_and_whether_it_exists(rate):
    rate("token_by_account", "1/min")
    make.user(username="ada")

    for name in ("ada", "nobody"):
        first, second = sign_in(name), sign_in(name.upper())
        assert [throttled(first), throttled(second)] == [False, True]


@pytest.mark.parametrize("other", [" 1815", "1815 ", "\t1815", "1815\u2003", 1815])
def test_no_other_way_to_write_a_name_gets_a_guess_more(other, rate):
    rate("token_by_account", "1/min")

    assert [throttled(sign_in(name)) for name in ("1815", other)] == [False, True]


def test_a_name_that_is_no_text_at_all_makes_no_throttle_fail(rate):
    rate("token_by_account", "9/min")

    def guess(name):
        body = json.dumps({"username": name, "password": "wrong"})
        return APIClient().post("/api/token", body, content_type="application/json").status_code

    assert {guess(name) for name in ("\ud800", None, True, [], {})} == {400}


@pytest.mark.parametrize("path", ["token", "token/refresh", "register", "verify"])
def test_who_has_an_ipv6_network_is_throttled_once(path, rate):
    for scope in ("token_by_address", "refresh", "register", "verify"):
        rate(scope, "1/min")

    tries = [
        APIClient(REMOTE_ADDR=address).post(f"/api/{path}", {})
        for address in ("2001:db8:1:1::1", "2001:db8:1:1:ffff::2", "2001:db8:1:2::1")
    ]

    assert [throttled(one) for one in tries] == [False, True, False]


@pytest.mark.parametrize(
    ("scope", "path"),
    [("refresh", "/api/token/refresh"), ("register", "/api/register"), ("verify", "/api/verify")],
)
def test_each_open_address_is_throttled(scope, path, rate):
    rate(scope, "1/min")

    assert [throttled(APIClient().post(path, {})) for _ in range(2)] == [False, True]


POSTS = {
    "/api/chat": {"message": "Hello"},
    "/api/chat/conversations": {"title": "Plans"},
    "/api/chat/conversations/{}/messages": {"content": "Hello"},
}


@pytest.mark.parametrize("scope", ["chat", "chat_daily"])
def test_posts_are_limited_by_account_whatever_the_address(scope, rate):
    rate(scope, "2/min")
    conversation = make.conversation()
    paths = {path.format(conversation.pk): body for path, body in POSTS.items()}

    tries = [with_token(conversation.user).post(path, body) for path, body in paths.items()]

    assert [throttled(one) for one in tries] == [False, False, True]
    assert [with_token(conversation.user).get(path).status_code for path in list(paths)[1:]] == [200, 200]
    assert with_token(make.user()).post("/api/chat", {"message": "Hello"}).status_code == 201


def test_an_account_that_posts_600_messages_is_stopped_by_the_site_s_own_rates(rate):
    rate("chat", RATES["chat"])
    chat = with_token(make.user())

    tries = [throttled(chat.post("/api/chat", {"message": "x" * 32_000})) for _ in range(40)]

    assert tries == [False] * 30 + [True] * 10
    assert ChatMessage.objects.count() == 30
    assert RATES["chat_daily"] == "500/day"


def test_what_is_refused_as_too_much_at_once_does_not_use_up_the_day(rate):
    rate("chat", "1/min")
    rate("chat_daily", "2/day")
    chat = with_token(make.user())

    tries = [throttled(chat.post("/api/chat", {"message": "Hello"})) for _ in range(4)]

    assert tries == [False, True, True, True]
    rate("chat", "9/min")
    assert [chat.post("/api/chat", {"message": "Hello"}).status_code for _ in range(2)] == [201, 429]


def test_an_address_that_is_refused_does_not_use_up_the_tries_of_an_account(rate):
    rate("token_by_address", "1/min")
    rate("token_by_account", "2/min")

    tries = [throttled(sign_in("ada")) for _ in range(4)]
    elsewhere = APIClient(REMOTE_ADDR="203.0.113.7").post("/api/token", {"username": "ada", "password": "x"})

    assert tries == [False, True, True, True]
    assert not throttled(elsewhere)
