"""The list of one's sessions, and the end of the others."""

import re

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.test import Client

from housekeeping.declared.registry import TASKS
from tests import make
from tests.chat.sign_in.test_account import grow_old
from tests.visitors import text

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse 9"
SESSIONS = "/account/sessions"
HOME = "/scheduler-admin"


@pytest.fixture
def ada():
    return make.administrator(username="ada", password=PASSWORD)


def signed_in(name="ada", **headers):
    browser = Client(headers=headers, REMOTE_ADDR="198.51.100.7")
    browser.post("/sign-in", {"username": name, "password": PASSWORD})
    return browser


def listed(browser):
    return re.findall(r'class="agent" hx-ignore>([^<]*)<', browser.get(SESSIONS).text)


def test_each_session_is_listed_with_address_time_and_browser(ada):
    phone = signed_in(**{"user-agent": "A phone"})
    make.user(username="eve", password=PASSWORD)
    signed_in("eve", **{"user-agent": "Somebody else's"})
    desk = signed_in(**{"user-agent": "A <desk>"})

    page = desk.get(SESSIONS)

    assert listed(desk) == ["A &lt;desk&gt;", "A phone"]
    assert "198.51.100.7" in text(page)
    assert text(page).count("this one") == 1
    assert phone.session.session_key not in page.text


def test_the_others_are_ended(ada):
    make.user(username="eve", password=PASSWORD)
    eve, phone, desk = signed_in("eve"), signed_in(), signed_in()

    desk.post(SESSIONS)

    assert [one.get(HOME).status_code for one in (phone, desk, eve)] == [302, 200, 403]
    assert len(listed(desk)) == 1


def test_one_that_was_signed_out_is_not_listed(ada):
    phone, desk = signed_in(), signed_in()

    phone.post("/sign-out")

    assert len(listed(desk)) == 1


def test_a_changed_password_leaves_this_one(ada):
    signed_in()
    desk = signed_in()
    fields = {"old_password": PASSWORD, "new_password1": "a new one 97", "new_password2": "a new one 97"}

    desk.post("/password", fields)

    assert len(listed(desk)) == 1


def test_who_signed_in_long_ago_is_asked_before_the_list_is_shown(ada):
    desk = signed_in()
    grow_old(desk)

    asked = desk.get(SESSIONS)
    desk.post(SESSIONS, {"confirm-page": "yes", "confirm-password": PASSWORD})

    assert "Confirm that it is you" in text(asked)
    assert len(listed(desk)) == 1  # also with the new key of the session


def test_what_an_ended_session_leaves_behind_is_upkeep(ada):
    signed_in()
    gone = signed_in()
    Session.objects.filter(session_key=gone.session.session_key).delete()
    UserSession.objects.update(created_at=make.ago(days=2))
    policy = next(one for one in TASKS["history"].policies if one.name == "user-sessions")

    found = policy.rows(make.ago(days=1))

    assert [row.session_key for row in found] == [gone.session.session_key]
