import re
from datetime import UTC, datetime, timedelta

import pytest
from django.core import mail
from django.test import Client
from django.utils.timezone import override as time_zone

from chat import accounts
from chat.mail import send_deletion_warning, send_verification
from tests import make

pytestmark = pytest.mark.django_db


PASSWORD = "correct horse 9"


@pytest.fixture
def visitor():
    return make.visitor(username="ada", password=PASSWORD)


@pytest.fixture
def link(visitor):
    return f"/verify/{accounts.verification_token(visitor)}"


def test_the_mail_carries_the_link_and_how_long_it_is_good(visitor, settings):
    settings.SITE_URL = "https://chat.example.com"
    settings.CHAT_VERIFICATION_MAX_AGE = timedelta(days=5)

    send_verification(visitor, visitor.email, "a-token")

    sent = mail.outbox[0]
    assert sent.to == [visitor.email]
    assert sent.from_email == settings.DEFAULT_FROM_EMAIL
    assert "https://chat.example.com/verify/a-token\n" in sent.body
    assert "valid for 5 days" in sent.body


def test_the_mail_is_text_in_which_nothing_is_escaped():
    send_verification(make.visitor(username="d'Arcy & <Lee>"), "lee@example.com", "a-token")

    assert "Hello d'Arcy & <Lee>," in mail.outbox[0].body


@time_zone("America/New_York")
def test_a_warning_says_when_the_account_goes_and_what_keeps_it(visitor, settings):
    settings.SITE_URL = "https://chat.example.com"
    settings.CHAT_VERIFICATION_MAX_AGE = timedelta(days=4)

    send_deletion_warning(visitor, "a-token", datetime(2026, 11, 5, 1, 30, tzinfo=UTC))

    sent = mail.outbox[0]
    assert (sent.to, sent.subject) == ([visitor.email], "Your account will be removed")
    assert "kept until 4 November 2026, 20:30 EST" in sent.body
    assert "https://chat.example.com/verify/a-token\n" in sent.body
    assert "valid for 4 days" in sent.body


def test_a_warning_is_text_in_which_nothing_is_escaped(settings):
    send_deletion_warning(make.visitor(username="d'Arcy & <Lee>"), "a-token", datetime.now(UTC))

    assert "Hello d'Arcy & <Lee>," in mail.outbox[0].body


def test_the_link_of_the_mail_leads_to_the_page(client, visitor):
    send_verification(visitor, visitor.email, accounts.verification_token(visitor))
    link = re.search(r"http://testserver(\S+)", mail.outbox[0].body).group(1)

    page = client.get(link)

    assert page.status_code == 200


def test_opening_the_link_alone_verifies_nobody(client, visitor, link):
    page = client.get(link)

    visitor.refresh_from_db()
    assert "<button" in page.content.decode()
    assert not visitor.is_verified


def test_the_button_of_the_page_verifies(visitor, link):
    browser = Client(enforce_csrf_checks=True)
    form = browser.get(link).content.decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form).group(1)

    page = browser.post(link, {"csrfmiddlewaretoken": token, "password": PASSWORD})

    visitor.refresh_from_db()
    assert "Thank you, ada" in page.content.decode()
    assert visitor.is_active
    assert visitor.is_verified


@pytest.mark.parametrize("form", [{}, {"password": "a guess"}])
def test_the_button_alone_verifies_nobody(client, visitor, link, form):
    page = client.post(link, form)

    visitor.refresh_from_db()
    assert page.status_code == 400
    assert "not the password of this registration" in page.content.decode()
    assert not visitor.is_verified


def test_another_site_can_not_press_the_button(visitor, link):
    page = Client(enforce_csrf_checks=True).post(link)

    visitor.refresh_from_db()
    assert page.status_code == 403
    assert not visitor.is_verified


def test_a_bad_link_says_what_is_wrong(client, link):
    page = client.post(f"{link}x")

    assert page.status_code == 400
    assert "This link is not valid" in page.content.decode()
