"""Each field for a password hides it, and lets password managers and the clipboard fill it in."""

import re

import pytest
from django.contrib.auth.tokens import default_token_generator
from django.test import Client
from django.utils.http import urlsafe_base64_encode

from chat import accounts
from chat.sign_in.receivers import SIGNED_IN_AT
from tests import make
from tests.processes import ROOT

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse 9"


def _new_password(user):
    key = urlsafe_base64_encode(str(user.pk).encode())
    return f"/password/new/{key}/{default_token_generator.make_token(user)}"


# The pages by what they ask for: the path, whether somebody has signed in, and the fields.
PAGES = {
    "sign in": (lambda user: "/sign-in", False, ["current"]),
    "verify an address": (
        lambda user: f"/verify/{accounts.verification_token(make.visitor(password=PASSWORD))}",
        False,
        ["current"],
    ),
    "choose a new one": (_new_password, False, ["new", "new"]),
    "change it": (lambda user: "/password", True, ["current", "new", "new"]),
    "confirm an act": (lambda user: "/account/app", True, ["current"]),
    "add an account": (lambda user: "/admin/chat/user/add/", True, ["new", "new"]),
    "set somebody's": (lambda user: f"/admin/chat/user/{user.pk}/password/", True, ["new", "new"]),
}


@pytest.mark.parametrize("page", PAGES)
def test_each_field_for_a_password_hides_it_and_names_itself_to_password_managers(page):
    user = make.administrator(username="ada", password=PASSWORD)
    path, is_signed_in, kinds = PAGES[page]
    browser = Client()
    if is_signed_in:
        browser.force_login(user)
        session = browser.session
        session[SIGNED_IN_AT] = 0
        session.save()

    answer = browser.get(path(user), follow=True)

    fields = [
        field
        for field in re.findall(r"<input[^>]*>", answer.text)
        if re.search(r'name="[\w-]*password', field) and not re.search('type="(hidden|radio|submit)"', field)
    ]
    assert [re.findall(r'autocomplete="(\w+)-password"', field) for field in fields] == [
        [one] for one in kinds
    ]
    assert all('type="password"' in field for field in fields)


def test_no_script_of_ours_looks_at_what_is_pasted():
    scripts = [
        path
        for folder in ("housekeeping", "static", "chat", "templates")
        for path in (ROOT / folder).rglob("*.js")
    ]

    assert len(scripts) > 5
    assert [path.name for path in scripts if "paste" in path.read_text()] == []
