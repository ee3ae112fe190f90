"""The pages to sign in and those of one's account, each with the session that sees it."""

import re
import time

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.test import Client
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from chat.sign_in.receivers import SIGNED_IN_AT
from tests import make
from tests.chat.sign_in import apps

PASSWORD = "correct horse 9"
OUTSIDE = ["/sign-in", "/password/forgotten", "/password/forgotten/sent", "/password/new/MQ/made-up"]
ACCOUNT = ["/account", "/account/app", "/account/passkeys/add", "/account/sessions", "/account/codes/new"]


def pages():
    """By name: the client and the address. A page that is shown once is there for one visit."""
    new, ready = make.administrator(), make.administrator(username="grace", password=PASSWORD)
    apps.given(ready)
    link = f"/password/new/{urlsafe_base64_encode(force_bytes(ready.pk))}"
    return {
        **{path: (Client(), path) for path in OUTSIDE},
        **{path: (signed_in(new), path) for path in ACCOUNT},
        "new password": (Client(), f"{link}/{default_token_generator.make_token(ready)}"),
        "code": (before_the_code(), "/sign-in/code"),
        "account with an app": (signed_in(ready), "/account"),
        "app to remove": (signed_in(ready), "/account/app/remove"),
        "codes": (with_new_codes(ready), "/account/codes"),
        "codes that were shown": (signed_in(ready), "/account/codes"),
        "question": (of_long_ago(ready), "/account/sessions"),
    }


def refused():
    """Answers to what can't be taken, by name."""
    user = make.administrator(username="edsger", password=PASSWORD)
    apps.given(user)
    old, code, link = of_long_ago(user), before_the_code("edsger"), Client()
    token = default_token_generator.make_token(user)
    form = link.get(f"/password/new/{urlsafe_base64_encode(force_bytes(user.pk))}/{token}")["Location"]
    setting_up = signed_in(make.administrator())
    setting_up.get("/account/app")
    return {
        "sign-in refused": Client().post("/sign-in", {"username": "edsger", "password": "wrong"}),
        "code refused": code.post("/sign-in/code", {"code": "000000"}),
        "app refused": setting_up.post("/account/app", {"code": "000000"}),
        "new password refused": link.post(form, {"new_password1": "a", "new_password2": "b"}),
        "question answered wrong": old.post("/account/sessions", {"confirm-password": "wrong"}),
        "question before an act": old.post("/scheduler-admin/policies/users/reset"),
    }


def signed_in(user):
    client = Client()
    client.force_login(user)
    return client


def of_long_ago(user):
    client = signed_in(user)
    session = client.session
    session[SIGNED_IN_AT] = time.time() - 16 * 60
    session.save()
    return client


def before_the_code(name="grace"):
    client = Client()
    asked = client.post("/sign-in", {"username": name, "password": PASSWORD})
    assert asked["Location"] == "/sign-in/code"
    return client


def with_new_codes(user):
    """Its next page is the one that shows them, once."""
    client = signed_in(user)
    assert client.post("/account/codes/new")["Location"] == "/account/codes"
    return client


def visit(page, url, client, path):
    """Open the page with this client's session instead of any other."""
    page.context.clear_cookies()
    name = settings.SESSION_COOKIE_NAME
    if name in client.cookies:
        page.context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": url}])
    return page.goto(url + path)


def codes_on(page):
    return re.findall(r"\b\d{10}\b", page.locator(".codes").inner_text())
