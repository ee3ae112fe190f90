"""A new password by mail for who has forgotten it."""

import re

import pytest
from django.core import mail
from django.test import Client

from housekeeping.models import Act, Delivery
from tests import make
from tests.chat.sign_in import apps
from tests.visitors import text

pytestmark = pytest.mark.django_db

PASSWORD, NEW = "correct horse 9", "battery staple 7"
FORGOTTEN = "/password/forgotten"
HOME = "/scheduler-admin"


@pytest.fixture(autouse=True)
def _mail_at_once(settings, rate):
    settings.EMAIL_OUTBOX = None


@pytest.fixture
def ada():
    return make.administrator(username="ada", email="ada@example.com", password=PASSWORD)


def ask(address="ada@example.com"):
    return Client().post(FORGOTTEN, {"email": address}, follow=True)


def link():
    return re.search(r"http\S+(/password/new/\S+)", mail.outbox[-1].body)[1]


def choose(path, password=NEW):
    browser = Client()
    form = browser.get(path, follow=True)
    where = form.redirect_chain[-1][0] if form.redirect_chain else path
    return browser.post(where, {"new_password1": password, "new_password2": password}, follow=True)


def sign_in(password):
    browser = Client()
    answer = browser.post("/sign-in", {"username": "ada", "password": password})
    return answer, browser


def test_a_link_comes_by_mail_and_the_new_password_ends_all_that_the_old_one_opened(ada, settings):
    settings.SITE_URL = "https://chat.example.com"
    _, browser = sign_in(PASSWORD)

    page = ask("ADA@example.com")
    changed = choose(link())

    message, told = mail.outbox
    assert "a mail with a link is on its way" in text(page)
    assert message.to == told.to == ["ada@example.com"]
    assert "https://chat.example.com/password/new/" in message.body
    assert "Your password has been changed. Sign in with it." in text(changed)
    assert browser.get(HOME).status_code == 302
    assert (sign_in(PASSWORD)[0].status_code, sign_in(NEW)[0].status_code) == (200, 302)


def test_the_new_password_is_an_act_and_a_mail_to_the_owner(ada):
    ask()
    choose(link())

    act = Act.objects.get()
    assert (act.who, act.what, act.target) == ("ada", "change password", f"chat.User {ada.pk}")
    assert act.origin == "site from 127.0.0.1"
    assert mail.outbox[-1].subject == "Your password was changed"
    assert mail.outbox[-1].to == ["ada@example.com"]


def test_the_mail_goes_by_the_outbox(ada, settings):
    settings.EMAIL_OUTBOX = "housekeeping.journal.outbox.Backend"

    ask()

    assert mail.outbox == []
    assert Delivery.objects.exists()


@pytest.mark.parametrize("address", ["nobody@example.com", "eve@example.com", "waits@nowhere.invalid"])
def test_the_answer_does_not_tell_who_has_an_account(address, ada):
    make.visitor(username="eve", email="eve@example.com")  # never verified

    def shown(address):
        page = ask(address)
        return page.status_code, page.redirect_chain, re.sub(r"\b\w{64}\b", "", page.text)

    assert shown(address) == shown("ada@example.com")
    assert [message.to for message in mail.outbox] == [["ada@example.com"]]


def test_a_link_works_once(ada):
    ask()
    path = link()
    choose(path)

    again = choose(path, "another horse 8")

    assert "This link is too old, or has been used." in text(again)
    assert sign_in(NEW)[0].status_code == 302


def test_a_link_that_is_too_old_or_made_up_sets_nothing(ada, settings):
    ask()
    settings.PASSWORD_RESET_TIMEOUT = -1

    for path in (link(), "/password/new/MQ/made-up", "/password/new/x/x-y"):
        assert "This link is too old" in text(choose(path))
    assert sign_in(PASSWORD)[0].status_code == 302


def test_a_weak_password_is_refused(ada):
    ask()

    assert "too common" in text(choose(link(), "password1"))


def test_the_second_factor_is_still_asked_for(ada):
    apps.given(ada)
    ask()
    choose(link())

    answer, browser = sign_in(NEW)

    assert answer["Location"] == "/sign-in/code"
    assert browser.get(HOME).status_code == 302


def test_nobody_is_flooded_with_mails(ada):
    answers = [ask(address) for address in ("ada@example.com",) * 4 + ("nobody@example.com",) * 4]

    assert [one.status_code for one in answers] == [200, 200, 200, 429] * 2
    assert len(mail.outbox) == 3
