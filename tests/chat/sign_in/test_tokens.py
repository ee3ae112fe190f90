"""Tokens for an account with a second factor: a request for them sends its code, too."""

import pytest
from axes.models import AccessAttempt
from django.test import Client

from chat.models import User
from chat.tokens import RotatingToken
from tests import make
from tests.chat.sign_in import apps

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse 9"
STATUS = "/api/admin/scheduler/status"


@pytest.fixture
def ada():
    return make.administrator(username="ada", password=PASSWORD)


@pytest.fixture
def app(ada):
    return apps.given(ada)


def token(**fields):
    body = {"username": "ada", "password": PASSWORD} | fields
    return Client().post("/api/token", body, "application/json")


def test_a_token_takes_the_code_too(app):
    without, wrong = token(), token(otp="000000")
    code = apps.code(app[0])

    given, again = token(otp=code), token(otp=code)

    assert [(one.status_code, one.json()["code"]) for one in (without, wrong, again)] == [
        (401, "otp_required"),
        (401, "otp_refused"),
        (401, "otp_refused"),
    ]
    assert given.status_code == 200
    bearer = {"Authorization": f"Bearer {given.json()['access']}"}
    assert Client().get(STATUS, headers=bearer).status_code == 200
    assert User.objects.get().last_login


def test_nobody_learns_of_a_factor_without_the_password(app):
    assert token(password="wrong", otp="000000").json()["code"] == "no_active_account"


def test_after_five_wrong_codes_not_even_the_right_one_gets_a_token(app):
    for _ in range(5):
        token(otp="000000")

    refused = token(otp=apps.code(app[0]))

    assert (refused.status_code, refused.json()["code"]) == (429, "otp_locked")
    assert refused["Retry-After"] == "900"


def test_a_refused_code_issues_nothing_and_forgets_no_failure(app, django_user_model):
    token(password="wrong")

    token(otp="000000")

    user = django_user_model.objects.get()
    assert not user.outstandingtoken_set.exists()
    assert user.last_login is None
    assert AccessAttempt.objects.get().failures_since_start == 1


def test_a_recovery_code_gets_a_token_once(app):
    assert token(otp=app[1][0]).status_code == 200
    assert token(otp=app[1][0]).status_code == 401


def test_a_token_from_before_the_factor_is_not_refreshed(ada):
    refresh = token().json()["refresh"]
    secret, _ = apps.given(ada)

    answer = Client().post("/api/token/refresh", {"refresh": refresh}, "application/json")

    assert (answer.status_code, answer.json()["code"]) == (401, "token_not_valid")
    new = token(otp=apps.code(secret)).json()["refresh"]
    for _ in range(2):  # what follows from it is refreshed, too
        answer = Client().post("/api/token/refresh", {"refresh": new}, "application/json")
        assert answer.status_code == 200
        new = answer.json()["refresh"]


def test_without_one_no_token_is_issued_nor_refreshed(ada, settings):
    settings.SECOND_FACTOR_REQUIRED = False
    refresh = token().json()["refresh"]
    settings.SECOND_FACTOR_REQUIRED = True

    refused = token()
    renewed = Client().post("/api/token/refresh", {"refresh": refresh}, "application/json")

    assert (refused.status_code, refused.json()["code"]) == (403, "otp_missing")
    assert renewed.status_code == 401


def test_a_token_tells_how_and_when_the_account_signed_in(app):
    claims = RotatingToken(token(otp=apps.code(app[0])).json()["refresh"])

    assert claims["amr"] == ["pwd", "otp"]
    assert claims["auth_time"] == claims["iat"]
    assert claims.access_token["auth_time"] == claims["auth_time"]
