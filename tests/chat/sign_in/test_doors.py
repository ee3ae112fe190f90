"""Every door asks for the second factor: the page, Django's admin, tokens, their refresh, a session."""

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.test import Client

from tests import make
from tests.chat.sign_in import apps
from tests.visitors import account, as_user, text

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse 9"
HOME = "/scheduler-admin"
STATUS = "/api/admin/scheduler/status"


@pytest.fixture
def ada():
    return make.administrator(username="ada", password=PASSWORD)


@pytest.fixture
def app(ada):
    secret, codes = apps.given(ada)
    return secret, codes


def sign_in(client, **fields):
    return client.post("/sign-in", {"username": "ada", "password": PASSWORD} | fields)


def token(**fields):
    body = {"username": "ada", "password": PASSWORD} | fields
    return Client().post("/api/token", body, "application/json")


# --- The pages --------------------------------------------------------------------------------


@pytest.mark.parametrize("page", [f"{HOME}/runs", "/admin/chat/user/"])
def test_after_the_password_the_page_asks_for_the_code_and_then_shows_what_was_asked_for(page, app, client):
    asked = sign_in(client, next=page)
    is_out = client.get(page).status_code == 302

    answer = client.post(asked["Location"], {"code": apps.code(app[0])})

    assert asked["Location"] == "/sign-in/code"
    assert is_out
    assert (answer.status_code, answer["Location"]) == (302, page)
    assert client.get(page).status_code == 200


def test_without_a_factor_the_password_is_enough(ada, client):
    assert sign_in(client)["Location"] == HOME
    assert client.get(HOME).status_code == 200


def test_a_code_opens_one_session_alone(app, client):
    code, thief = apps.code(app[0]), Client()
    for browser in (client, thief):
        sign_in(browser)

    client.post("/sign-in/code", {"code": code})
    refused = thief.post("/sign-in/code", {"code": code})

    assert "Incorrect code." in text(refused)
    assert thief.get(HOME).status_code == 302


@pytest.mark.parametrize("wrong", ["before", "", "x", "000000", "‮", "1" * 500])
def test_what_is_no_code_of_now_opens_nothing(wrong, app, client):
    sign_in(client)

    answer = client.post("/sign-in/code", {"code": apps.code(app[0], ago=2) if wrong == "before" else wrong})

    assert answer.status_code == 200
    assert client.get(HOME).status_code == 302


def test_after_five_wrong_codes_not_even_the_right_one_is_looked_at(app, client):
    sign_in(client)
    for _ in range(5):
        client.post("/sign-in/code", {"code": "000000"})

    refused = client.post("/sign-in/code", {"code": apps.code(app[0])})

    assert "Too many failed login attempts" in text(refused)
    assert token(otp=apps.code(app[0])).json()["code"] == "otp_locked"  # they count together
    assert client.get(HOME).status_code == 302


def test_a_recovery_code_works_once(app, client):
    code, other = app[1][0], Client()
    for browser in (client, other):
        sign_in(browser)

    opened = client.post("/sign-in/code", {"code": code})
    again = other.post("/sign-in/code", {"code": code})

    assert (opened.status_code, again.status_code) == (302, 200)


def test_the_page_for_the_code_alone_leads_to_the_page_to_sign_in(app, client):
    for answer in (client.get("/sign-in/code"), client.post("/sign-in/code", {"code": apps.code(app[0])})):
        assert (answer.status_code, answer["Location"]) == (302, "/sign-in")


def test_the_admin_s_own_page_signs_nobody_in(ada, client):
    answer = client.post("/admin/login/?next=/admin/auth/", {"username": "ada", "password": PASSWORD})

    assert (answer.status_code, answer["Location"]) == (302, "/sign-in?next=%2Fadmin%2Fauth%2F")
    assert client.get("/admin/").status_code == 302


def test_an_account_that_is_not_staff_does_not_run_in_a_circle(client):
    client.force_login(make.user())

    assert client.get("/admin/", follow=True).status_code == 403


def test_the_library_s_other_doors_are_not_there(client):
    for path in ("/accounts/login/", "/accounts/signup/", "/account/login/", "/sign-up", "/signup/"):
        assert client.get(path).status_code == 404, path


def test_a_stranger_does_not_fill_the_table_of_sessions_with_questions_for_a_passkey(settings):
    settings.ACCOUNT_RATE_LIMITS = {"passkey_question": "3/m/ip"}
    asked = {"headers": {"X-Requested-With": "XMLHttpRequest"}}
    cache.clear()

    codes = [
        Client(REMOTE_ADDR="198.51.100.9").get("/sign-in/passkey", **asked).status_code for _ in range(5)
    ]

    assert codes == [200] * 3 + [429] * 2
    assert Session.objects.count() == 3


# --- Where the site demands it ----------------------------------------------------------------


@pytest.fixture
def demanded(settings):
    settings.SECOND_FACTOR_REQUIRED = True


@pytest.mark.parametrize("page", [HOME, f"{HOME}/runs", "/admin/", "/admin/chat/user/"])
def test_without_one_an_account_that_may_act_sees_its_own_page_alone(page, demanded, ada, client):
    sign_in(client)

    answer = client.get(page, follow=True)

    assert answer.redirect_chain == [("/account", 302)]
    assert "Set up a second factor first" in text(answer)
    assert client.get(HOME, headers={"HX-Request": "true"})["HX-Redirect"] == "/account"
    assert client.post(f"{HOME}/schedules/pause")["Location"] == "/account"


def test_the_api_does_not_ask_a_session(demanded, ada, client):
    client.force_login(ada)

    assert client.get("/api/docs").status_code == 200
    assert client.get(STATUS).status_code == 401


def test_it_is_demanded_of_staff_and_whoever_may_act_alone(demanded):
    def is_let_in(user, page):
        return as_user(user).get(page).status_code == 200

    assert is_let_in(account("view_run"), HOME)
    assert not is_let_in(account("view_run", "operate"), HOME)
    assert not is_let_in(account("view_run", "configure"), HOME)
    assert not is_let_in(make.user(is_staff=True), "/admin/")
    user = account("view_run", "operate")
    apps.given(user)
    assert is_let_in(user, HOME)


def test_the_database_does_not_hold_what_makes_codes(app, settings, ada, client, caplog):
    stored = str(list(Authenticator.objects.values_list("data", flat=True)))

    assert app[0] not in stored
    assert not [code for code in app[1] if code in stored]
    settings.SECRET_KEY = "another key, as after a leak, of many letters"
    sign_in(client)
    assert client.post("/sign-in/code", {"code": apps.code(app[0])}).status_code == 200
    assert "SECRET_KEY has changed" in caplog.text
