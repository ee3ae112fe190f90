"""The page to sign in, when it is older than the session."""

import re

import pytest
from django.test import Client

from chat.models import User
from tests import make
from tests.chat.sign_in import apps

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse 9"
RUNS = "/scheduler-admin/runs"


@pytest.fixture
def tabs():
    """A browser, and a function that opens a page to sign in and returns its form."""
    make.administrator(username="ada", password=PASSWORD)
    browser = Client(enforce_csrf_checks=True)

    def open_one(**fields):
        page = browser.get("/sign-in").text
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[1]
        return {"csrfmiddlewaretoken": token, "username": "ada", "password": PASSWORD, **fields}

    return browser, open_one


@pytest.mark.parametrize(
    ("asked", "shown"),
    [(RUNS, RUNS), ("https://elsewhere.example/", "/scheduler-admin"), ("", "/scheduler-admin")],
)
def test_signing_in_in_a_second_tab_leads_to_the_page_asked_for(asked, shown, tabs):
    browser, open_one = tabs
    first, second = open_one(), open_one(next=asked)
    browser.post("/sign-in", first)

    answer = browser.post("/sign-in", second)

    assert (answer.status_code, answer["Location"]) == (302, shown)


@pytest.mark.parametrize(
    ("path", "fields", "shown"),
    [
        ("/sign-in/code", {"code": "123456"}, "/scheduler-admin"),
        ("/sign-in/passkey", {"credential": "{}", "next": RUNS}, RUNS),
    ],
)
def test_so_does_a_second_tab_with_a_second_factor(path, fields, shown, tabs):
    browser, open_one = tabs
    secret, _ = apps.given(User.objects.get())
    browser.post("/sign-in", open_one())
    first, second = open_one(code=apps.code(secret)), open_one(**fields)
    browser.post("/sign-in/code", first)

    answer = browser.post(path, second)

    assert (answer.status_code, answer["Location"]) == (302, shown)


def test_a_page_to_sign_in_without_a_token_signs_nobody_in(tabs):
    browser, open_one = tabs
    form = open_one()
    del form["csrfmiddlewaretoken"]

    answer = browser.post("/sign-in", form)

    assert answer.status_code == 403
    assert browser.get("/scheduler-admin").status_code == 302
