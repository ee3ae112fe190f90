"""The page of one's account: a second factor is set up, used and removed."""

import re

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.test import Client

from chat.sign_in import confirmation
from chat.sign_in.receivers import SIGNED_IN_AT
from housekeeping.models import Act
from tests import make
from tests.chat.sign_in import apps
from tests.visitors import text

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "correct horse 9"
ACCOUNT = "/account"


@pytest.fixture(autouse=True)
def _mail_at_once(settings):
    settings.EMAIL_OUTBOX = None


@pytest.fixture
def ada():
    return make.administrator(username="ada", email="ada@example.com", password=PASSWORD)


@pytest.fixture
def browser(ada):
    """A session of ada that is recent."""
    client = Client()
    client.post("/sign-in", {"username": "ada", "password": PASSWORD})
    return client


def grow_old(browser):
    session = browser.session
    session[SIGNED_IN_AT] -= 16 * 60
    session.save()


def set_up(browser):
    page = browser.get(f"{ACCOUNT}/app").text
    secret = re.search(r'<code class="secret">(\w+)</code>', page)[1]
    return secret, browser.post(f"{ACCOUNT}/app", {"code": apps.code(secret)}, follow=True)


def codes_on(page):
    return re.findall(r"<li><code>(\d+)</code></li>", page.text)


def test_an_app_is_set_up_and_its_owner_reads_of_it(browser, ada):
    secret, page = set_up(browser)

    assert page.redirect_chain == [(f"{ACCOUNT}/codes", 302)]
    assert len(set(codes_on(page))) == 10
    assert apps.has(ada)
    [message] = mail.outbox
    assert (message.to, message.subject) == (["ada@example.com"], "Authenticator App Activated")
    assert "If you do not recognize this change" in message.body
    assert secret not in message.body


def test_the_codes_are_shown_once(browser):
    set_up(browser)

    again = browser.get(f"{ACCOUNT}/codes")

    assert codes_on(again) == []
    assert "They were shown once" in text(again)


def test_new_codes_end_the_old_ones(browser):
    _, page = set_up(browser)
    old = codes_on(page)[0]

    new = codes_on(browser.post(f"{ACCOUNT}/codes/new", follow=True))

    other = Client()
    other.post("/sign-in", {"username": "ada", "password": PASSWORD})
    assert len(new) == 10
    assert other.post("/sign-in/code", {"code": old}).status_code == 200
    assert other.post("/sign-in/code", {"code": new[0]}).status_code == 302


def test_a_wrong_code_sets_nothing_up(browser, ada):
    browser.get(f"{ACCOUNT}/app")

    page = browser.post(f"{ACCOUNT}/app", {"code": "000000"})

    assert "Incorrect code." in text(page)
    assert not apps.has(ada)


def test_setting_one_up_ends_the_sessions_that_a_password_alone_has_opened(browser):
    thief = Client()
    thief.post("/sign-in", {"username": "ada", "password": PASSWORD})

    set_up(browser)

    assert thief.get("/scheduler-admin").status_code == 302
    assert browser.get("/scheduler-admin").status_code == 200


def test_the_last_factor_takes_the_codes_with_it(browser, ada):
    set_up(browser)

    page = browser.post(f"{ACCOUNT}/app/remove", follow=True)

    assert not Authenticator.objects.exists()
    assert "your password alone opens this account" in text(page)
    assert mail.outbox[-1].subject == "Authenticator App Deactivated"


# --- The question for the password ------------------------------------------------------------


@pytest.mark.parametrize("path", ["app", "app/remove", "passkeys/add", "codes", "codes/new"])
def test_who_signed_in_long_ago_is_asked_first(path, browser):
    if path != "app":
        set_up(browser)
    grow_old(browser)

    asked = browser.get(f"{ACCOUNT}/{path}")
    wrong = browser.post(f"{ACCOUNT}/{path}", {"confirm-page": "yes", "confirm-password": "wrong"})
    empty = browser.post(f"{ACCOUNT}/{path}", {"confirm-page": "yes", "confirm-password": ""})

    assert (asked.status_code, wrong.status_code, empty.status_code) == (200, 422, 422)
    assert "Confirm that it is you" in text(asked)
    assert "The password is wrong." in text(wrong)
    right = browser.post(f"{ACCOUNT}/{path}", {"confirm-page": "yes", "confirm-password": PASSWORD})
    assert (right.status_code, right["Location"]) == (302, f"{ACCOUNT}/{path}")
    assert "Confirm that it is you" not in text(browser.get(f"{ACCOUNT}/{path}"))


def test_an_act_goes_on_once_the_password_is_given(browser, ada):
    set_up(browser)
    grow_old(browser)

    browser.post(f"{ACCOUNT}/app/remove")
    assert apps.has(ada)
    browser.post(f"{ACCOUNT}/app/remove", {"confirm-password": PASSWORD})

    assert not apps.has(ada)


def test_a_code_answers_the_question_too(browser, ada):
    _, page = set_up(browser)
    grow_old(browser)

    browser.post(f"{ACCOUNT}/app/remove", {"confirm-password": "", "confirm-code": codes_on(page)[3]})

    assert not apps.has(ada)


def test_a_guess_at_the_password_counts_as_a_failed_sign_in(browser):
    grow_old(browser)
    for _ in range(5):
        answer = browser.post(f"{ACCOUNT}/app", {"confirm-password": "wrong"})

    assert answer.status_code == 429
    assert browser.post(f"{ACCOUNT}/app", {"confirm-password": PASSWORD}).status_code == 429


def test_an_answer_renews_the_key_of_the_session(browser):
    grow_old(browser)
    old = browser.session.session_key

    browser.post(f"{ACCOUNT}/app", {"confirm-password": PASSWORD, "confirm-page": "yes"})

    assert browser.session.session_key != old
    assert browser.get(ACCOUNT).status_code == 200


def test_the_question_leads_back_to_the_page_before_on_this_site_alone(browser):
    grow_old(browser)

    ours = browser.get(f"{ACCOUNT}/app", headers={"referer": f"http://testserver{ACCOUNT}"})
    theirs = browser.get(f"{ACCOUNT}/app", headers={"referer": "https://elsewhere.example/"})

    assert f'href="http://testserver{ACCOUNT}">Go back' in ours.text
    assert "elsewhere" not in theirs.text


def test_a_session_from_before_the_upgrade_is_asked(browser):
    session = browser.session
    del session[SIGNED_IN_AT]
    session.save()

    assert "Confirm that it is you" in text(browser.get(f"{ACCOUNT}/app"))


def test_an_account_without_a_password_that_can_be_used_answers_by_a_code(browser, ada):
    set_up(browser)
    question = confirmation.Question

    assert {"password", "code", "credential"} == set(question.base_fields)


# --- A factor that is lost --------------------------------------------------------------------


def test_a_superuser_removes_the_factor_of_somebody_who_lost_it(browser):
    other = make.user(username="grace")
    apps.given(other)
    factor = Authenticator.objects.get(user=other, type="totp")

    page = browser.get(f"/admin/mfa/authenticator/{factor.pk}/change/")
    browser.post(f"/admin/mfa/authenticator/{factor.pk}/delete/", {"post": "yes"})

    assert page.status_code == 200
    assert "secret" not in page.text
    assert not apps.has(other)
    act = Act.objects.get(what="delete")
    assert (act.who, act.details["account"]) == ("ada", other.pk)


def test_staff_without_all_rights_removes_none():
    staff = make.user(is_staff=True)
    from django.contrib.auth.models import Permission

    staff.user_permissions.set(Permission.objects.filter(content_type__app_label="mfa"))
    other = make.user(username="grace")
    apps.given(other)
    factor = Authenticator.objects.get(user=other, type="totp")
    client = Client()
    client.force_login(staff)

    assert client.get(f"/admin/mfa/authenticator/{factor.pk}/change/").status_code == 200
    assert client.post(f"/admin/mfa/authenticator/{factor.pk}/delete/", {"post": "yes"}).status_code == 403
    assert client.get("/admin/mfa/authenticator/add/").status_code == 403
    assert apps.has(other)
