"""Every address, by each of 20 roles and 7 methods.

Who may use which method is the table of test_matrix.py, which has eight roles. The others are taken for one
of those: ROLES says for which. Where that is not all, the tables below say what is different.
"""

import time
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from huey.contrib.djhuey import HUEY
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from chat.sign_in.receivers import SIGNED_IN_AT
from chat.tokens import RotatingToken
from tests import make
from tests.chat.sign_in import apps
from tests.faces.test_matrix import ANYONE, API, PAGES, SIGNED_IN, ask, client_of, is_let_in, may_ask
from tests.visitors import account

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    """No consumer is there that a page could wait for."""
    monkeypatch.setattr("housekeeping.dashboard.acting.GLANCE", 0)
    HUEY.flush()


METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
PASSWORD = "correct horse 9"
CODE, ACCOUNT = "/sign-in/code", "/account"

# --- The roles --------------------------------------------------------------------------------


def both(user, token=None):
    """A browser and a program at once: signed in by a session, and with a token."""
    client = Client(headers={"Authorization": f"Bearer {token or AccessToken.for_user(user)}"})
    client.force_login(user)
    return client, user


def token_alone(token, user):
    return Client(headers={"Authorization": f"Bearer {token}"}), user


def by_session():
    user, client = make.administrator(), Client()
    client.force_login(user)
    return client, user


def by_token():
    user = make.administrator()
    return token_alone(AccessToken.for_user(user), user)


def by_refresh_token():
    user = make.administrator()
    return token_alone(RefreshToken.for_user(user), user)


def by_expired_token():
    user = make.administrator()
    token = AccessToken.for_user(user)
    token.set_exp(lifetime=-timedelta(seconds=1))
    return token_alone(token, user)


def with_a_new_password():
    client, user = both(make.administrator())
    user.set_password("another horse 7")
    user.save()
    return client, user


def inactive():
    client, user = both(make.administrator())
    user.is_active = False
    user.save()
    return client, user


def before_the_code():
    user, client = make.administrator(password=PASSWORD), Client()
    apps.given(user)
    assert client.post("/sign-in", {"username": user.username, "password": PASSWORD})["Location"] == CODE
    return client, user


def without_the_rights_it_had():
    client, user = both(account("view_run", "operate", "configure"))
    user.user_permissions.clear()
    return client, user


def with_every_other_permission():
    user = make.user(is_staff=True)
    ours = ("view_run", "operate", "configure")
    user.user_permissions.set(Permission.objects.exclude(codename__in=ours))
    return both(user)


def of_long_ago():
    user = make.administrator()
    token = RotatingToken.by_sign_in(user, has_code=False).access_token
    token["auth_time"] -= 16 * 60
    client, user = both(user, token)
    session = client.session
    session[SIGNED_IN_AT] = time.time() - 16 * 60
    session.save()
    return client, user


OF_THE_TABLE = ["nobody", "user", "viewer", "operator", "configurer", "superuser"]
OF_THE_TABLE += ["operator, unseeing", "configurer, unseeing"]  # one permission alone, as the viewer has
# Who asks, and as which role of the table pages and the API take them.
ROLES = {role: (lambda role=role: client_of(role), role, role) for role in OF_THE_TABLE} | {
    "staff without a right": (lambda: both(make.user(is_staff=True)), "user", "user"),
    "who has every other permission": (with_every_other_permission, "user", "user"),
    "who lost the rights": (without_the_rights_it_had, "user", "user"),
    "superuser, by a session alone": (by_session, "superuser", "nobody"),
    "superuser, by a token alone": (by_token, "nobody", "superuser"),
    "superuser, by a refresh token": (by_refresh_token, "nobody", "nobody"),
    "superuser, by an expired token": (by_expired_token, "nobody", "nobody"),
    "superuser with a new password": (with_a_new_password, "nobody", "nobody"),
    "superuser who is inactive now": (inactive, "nobody", "nobody"),
    "superuser before the code": (before_the_code, "nobody", "nobody"),
}  # and those of the last two tests

# --- What else the tables have ----------------------------------------------------------------

# Pages that answer OPTIONS, which Django's own views do. In the API, who may use the first method may ask it.
OPEN_PAGES = ["home", "favicon", "login", "account_login", "logout", "mfa_authenticate", "mfa_login_webauthn"]
OPEN_PAGES += ["password-forgotten", "password-forgotten-sent", "password-new"]
OWN_PAGES = ["password", "mfa_index", "mfa_list_webauthn", "mfa_activate_totp", "mfa_add_webauthn"]
OWN_PAGES += ["mfa_remove_webauthn", "usersessions_list", "mfa_view_recovery_codes"]
OWN_PAGES += ["mfa_generate_recovery_codes"]
OPTIONS = dict.fromkeys(OPEN_PAGES, ANYONE) | dict.fromkeys(OWN_PAGES, SIGNED_IN)
WITHOUT_OPTIONS = ["docs", "housekeeping_api:docs"]
# Who has given the password: the page for the code leads everybody else away, whatever the method is.
BEFORE_THE_CODE = {"mfa_authenticate": ["GET", "HEAD", "OPTIONS", "POST"], "mfa_login_webauthn": METHODS}
# What asks for the password first if the sign-in is old: before a secret is shown, and before harm is done.
ACCOUNT_PAGES = ["mfa_activate_totp", "mfa_deactivate_totp", "mfa_add_webauthn", "mfa_remove_webauthn"]
ACCOUNT_PAGES += ["usersessions_list", "mfa_view_recovery_codes", "mfa_generate_recovery_codes"]
ASKED = dict.fromkeys(ACCOUNT_PAGES, METHODS) | {
    "housekeeping:run-approve": ["POST"],
    "housekeeping:run-undo": ["POST"],
    "housekeeping:policy-change": ["POST"],
    "housekeeping:policy-reset": ["POST"],
    "housekeeping:erasure-begin": ["POST"],
    "housekeeping_api:run-approve": ["POST"],
    "housekeeping_api:run-undo": ["POST"],
}  # the requests of the table for a policy and for an erasure are previews, which need no recent sign-in
# What is open to an account that lacks the second factor that the site demands.
OPEN = ["login", "account_login", "logout", "password", "mfa_index", "mfa_list_webauthn", "mfa_activate_totp"]
OPEN += ["mfa_add_webauthn", "mfa_authenticate", "mfa_login_webauthn", "mfa_view_recovery_codes"]


def row_of(name):
    return PAGES.get(name) or API[name]


def who_may(name, method):
    """The roles of the table that are let in."""
    rights = row_of(name).methods
    if method == "OPTIONS" and name in PAGES:
        return OPTIONS.get(name, set())
    if method == "OPTIONS":
        return set() if name in WITHOUT_OPTIONS else may_ask(next(iter(rights.values())))
    found = rights.get("GET" if method == "HEAD" else method, set())
    return found if name in PAGES else may_ask(found)


def may(role, name, method):
    if role == "superuser before the code" and name in BEFORE_THE_CODE:
        return method in BEFORE_THE_CODE[name]
    _, on_pages, in_api = ROLES[role]
    return (on_pages if name in PAGES else in_api) in who_may(name, method)


def answers(name, client, user):
    cache.clear()  # forget the limits of the address that all roles have
    for method in METHODS:
        yield method, ask(name, row_of(name), method, client, user)


def was_let_in(name, answer):
    # To be let in and then told that the token is wrong is a 401, too.
    return is_let_in(answer) or (name == "token-refresh" and answer.status_code == 401)


@pytest.mark.parametrize("name", [*PAGES, *API])
def test_each_role_may_do_what_the_table_tells(name):
    wrong = [
        (role, method, answer.status_code)
        for role, (somebody, *_) in ROLES.items()
        for method, answer in answers(name, *somebody())
        if was_let_in(name, answer) != may(role, name, method) or answer.status_code >= 500
    ]

    assert len(ROLES) == 18
    assert wrong == []


@pytest.mark.parametrize("name", [*PAGES, *API])
def test_a_superuser_of_long_ago_is_asked_for_the_password_where_the_table_tells(name):
    wrong = []
    for method, answer in answers(name, *of_long_ago()):
        is_page = method != "HEAD" and "Confirm that it is you" in answer.text
        is_asked = is_page or (answer.status_code == 401 and "sign_in_too_old" in answer.text)
        should_be = method in ASKED.get(name, ())
        is_right = should_be or was_let_in(name, answer) == ("superuser" in who_may(name, method))
        if is_asked != (should_be and method != "HEAD") or not is_right:
            wrong.append((method, answer.status_code))

    assert wrong == []


@pytest.mark.parametrize("name", [*PAGES, *API])
def test_a_superuser_without_the_factor_that_is_demanded_sees_its_account_alone(name, settings):
    settings.SECOND_FACTOR_REQUIRED = True
    wrong = []
    for method, answer in answers(name, *both(make.administrator())):
        is_led_away = answer.status_code == 302 and answer["Location"] == ACCOUNT
        # Tokens are not issued or refreshed; one that there is works until it runs out.
        should_be = name in PAGES and name not in OPEN
        is_right = should_be or was_let_in(name, answer) == ("superuser" in who_may(name, method))
        if is_led_away != should_be or not is_right:
            wrong.append((method, answer.status_code))

    assert wrong == []


@pytest.mark.parametrize("role", ["nobody", "superuser"])
def test_no_address_answers_trace_with_what_was_sent(role):
    client, user = client_of(role)

    for name in [*PAGES, *API]:
        address = reverse(name, kwargs=row_of(name).fill(user))
        answer = client.generic("TRACE", address, headers={"X-Secret": "correct-horse"})
        assert "correct-horse" not in answer.text, name
        assert answer.status_code in (302, 401, 403, 404, 405) or name in (
            "password-new",
            "mfa_login_webauthn",
        )
