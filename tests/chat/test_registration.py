"""Registering and verifying an account through the API."""

import re

import pytest
from django.core import mail

from chat import accounts
from chat.models import User
from tests import make, services

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse 9"
REGISTRATION = {"username": "ada", "email": "ada@example.com", "password": PASSWORD}


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
