"""Codes and passkeys that are refused: each is a failed sign-in on record, and a line in the log."""

import base64
import json

import pytest
from allauth.account.utils import user_pk_to_url_str
from axes.models import AccessAttempt, AccessFailureLog
from django.test import Client

from chat.models import User
from chat.sign_in.receivers import SIGNED_IN_AT
from tests import make
from tests.chat.sign_in import apps

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse 9"
ADDRESS = "198.51.100.7"


@pytest.fixture
def ada():
    user = make.administrator(username="ada", password=PASSWORD)
    apps.given(user)
    return user


@pytest.fixture
def browser():
    return Client(REMOTE_ADDR=ADDRESS)


def passkey_of(user):
    """What a browser sends for a key that the site has never seen."""
    text = {"type": "webauthn.get", "challenge": "eA", "origin": "http://testserver"}
    parts = {
        "clientDataJSON": json.dumps(text).encode(),
        "authenticatorData": bytes(37),
        "signature": b"x",
        "userHandle": user_pk_to_url_str(user).encode(),
    }
    encoded = {name: base64.urlsafe_b64encode(part).decode().rstrip("=") for name, part in parts.items()}
    return json.dumps(
        {"id": "eA", "rawId": "eA", "type": "public-key", "clientExtensionResults": {}, "response": encoded}
    )


def after_password(browser, **fields):
    browser.post("/sign-in", {"username": "ada", "password": PASSWORD})
    return "/sign-in/code", browser.post("/sign-in/code", fields)


def for_token(browser, **fields):
    body = {"username": "ada", "password": PASSWORD, "otp": fields["code"]}
    return "/api/token", browser.post("/api/token", body, "application/json")


def at_the_question(browser, **fields):
    browser.force_login(User.objects.get())
    session = browser.session
    session[SIGNED_IN_AT] = 0
    session.save()
    return "/account/app", browser.post(
        "/account/app", {f"confirm-{name}": text for name, text in fields.items()}
    )


def without_password(browser, **fields):
    return "/sign-in/passkey", browser.post("/sign-in/passkey", fields)


def records():
    return list(AccessFailureLog.objects.values_list("username", "ip_address", "path_info", "locked_out"))


@pytest.mark.parametrize("door", [after_password, for_token, at_the_question])
def test_a_wrong_code_is_on_record(door, ada, browser, caplog):
    path, _ = door(browser, code="000000")

    assert records() == [("ada", ADDRESS, path, False)]
    assert f"A code of account {ada.pk} was refused, from {ADDRESS}." in caplog.messages
    assert not AccessAttempt.objects.exists()  # codes have a count of their own


@pytest.mark.parametrize("door", [after_password, at_the_question, without_password])
def test_a_passkey_that_does_not_fit_is_on_record(door, ada, browser, caplog):
    path, _ = door(browser, credential=passkey_of(ada))

    assert records() == [("ada", ADDRESS, path, False)]
    assert f"A passkey of account {ada.pk} was refused, from {ADDRESS}." in caplog.messages


@pytest.mark.parametrize(
    "credential", ['["x"]', '{"x": 1}', '{"response": "x"}', '{"response": {"userHandle": "!"}}']
)
def test_what_is_no_passkey_names_nobody(credential, browser, caplog):
    browser.post("/sign-in/passkey", {"credential": credential})

    assert records() == [(None, ADDRESS, "/sign-in/passkey", False)]
    assert f"A passkey of account unknown was refused, from {ADDRESS}." in caplog.messages


def test_once_no_code_is_looked_at_any_more_each_is_a_line_alone(ada, browser, caplog):
    for _ in range(6):
        for_token(browser, code="000000")

    assert len(records()) == 5
    refused = f"A code of account {ada.pk} was not looked at after too many wrong ones, from {ADDRESS}."
    assert caplog.messages.count(refused) == 1


def test_a_code_that_fits_leaves_no_record(browser):
    secret, _ = apps.given(make.administrator(username="ada", password=PASSWORD))

    after_password(browser, code=apps.code(secret))

    assert records() == []
