"""What sign-ins leave behind: sessions that name a person without being theirs, and tokens."""

import pytest
from allauth.account.internal.stagekit import LOGIN_SESSION_KEY
from allauth.usersessions.models import UserSession
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.test import Client
from rest_framework_simplejwt.tokens import RefreshToken

from chat.models import User
from housekeeping.erasure import people, requests, work
from tests import make
from tests.chat.sign_in import apps
from tests.erasure import traces
from tests.erasure.people import MAIL, NAME, TRACES, grace

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "correct horse 9"


def erase(name=NAME):
    return work.carry_out(requests.store(people.find(name), by=make.ADA))


def sign_in(name):
    client = Client()
    client.post("/sign-in", {"username": name, "password": PASSWORD})
    return client.session


def session(**facts):
    store = SessionStore()
    store.update(facts)
    store.save()
    return store.session_key


def left():
    return set(Session.objects.values_list("session_key", flat=True))


def test_a_sign_in_that_waits_for_the_code_goes():
    user = grace(password=PASSWORD)
    make.user(username="bob", password=PASSWORD)
    apps.given(user)
    apps.given(User.objects.get(username="bob"))
    waiting, bob = sign_in(NAME), sign_in("bob")
    assert "_auth_user_id" not in waiting
    assert waiting["account_authentication_methods"][0]["username"] == NAME

    erasure = erase()

    assert traces.of(*TRACES) == []
    assert left() == {bob.session_key}
    assert erasure.rows["sessions.Session"] == 1


def test_sessions_that_tell_of_the_person_go_and_those_of_others_stay():
    grace(pk=40)
    User.objects.create(pk=14, username="bob", email=f"x{MAIL}")
    for facts in (
        {LOGIN_SESSION_KEY: {"user_pk": "14"}},  # 40, in base 36
        {"account_authentication_methods_user": "40"},
        {"account_verified_email": MAIL.upper()},
        {"housekeeping.unsent": {"fields": "reason=a+dispute+with+Gr%C3%A2ce+Hopper"}},
        {"seen": [{"by": NAME}]},
    ):
        session(**facts)
    kept = {
        session(_auth_user_id="14"),
        session(**{LOGIN_SESSION_KEY: {"user_pk": "40"}}),
        session(account_verified_email=f"x{MAIL}"),
        session(seen=f"{NAME}2"),
    }

    erase()

    assert left() == kept


def test_tokens_and_the_list_of_sessions_go():
    user = grace(password=PASSWORD)
    token = RefreshToken.for_user(user)
    token["mail"] = MAIL
    token.outstand()
    sign_in(NAME)
    assert UserSession.objects.exists()

    erase()

    assert traces.of(*TRACES) == []
    assert not UserSession.objects.exists()
