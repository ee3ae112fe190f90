"""What the log tells of a refusal: one line, with the account, the address and what was refused."""

import logging
import re
from io import StringIO

import pytest
from django.contrib.auth.tokens import default_token_generator
from django.test import Client
from django.utils.http import urlsafe_base64_encode
from rest_framework.test import APIClient

from chat import accounts
from site_config import logs, refusals
from tests import make
from tests.chat.sign_in import apps
from tests.chat.test_sign_ins import page, token
from tests.conftest import with_token
from tests.visitors import account, as_user

pytestmark = pytest.mark.django_db

ADDRESS = "198.51.100.7"


@pytest.fixture
def lines():
    """A function that returns the lines of the log so far, by the site's formatter and filters."""
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.OneLine(logs.TEXT["line"], style="{"))
    handler.addFilter(refusals.Filter())
    loggers = [logging.getLogger(name) for name in ("django", "axes")]
    for logger in loggers:
        logger.addHandler(handler)
    yield lambda: stream.getvalue().splitlines()
    for logger in loggers:
        logger.removeHandler(handler)


def test_a_missing_token_is_a_line_with_the_address(lines):
    APIClient(REMOTE_ADDR=ADDRESS).get("/api/admin/scheduler/runs")

    assert lines() == [
        f"[WARNING] Unauthorized: GET /api/admin/scheduler/runs, account unknown, from {ADDRESS}"
    ]


def test_a_lacking_right_is_a_line_with_the_account_on_the_api(lines):
    user = account("view_run")

    with_token(user).post("/api/admin/scheduler/trigger", {"task": "all"}, REMOTE_ADDR=ADDRESS)

    assert lines() == [
        f"[WARNING] Forbidden: POST /api/admin/scheduler/trigger, account {user.pk}, from {ADDRESS}"
    ]


def test_and_on_a_page_without_a_traceback(lines):
    user = account("view_run")

    as_user(user).post("/scheduler-admin/policies/users/reset", REMOTE_ADDR=ADDRESS)

    assert lines() == [
        "[WARNING] Forbidden (Permission denied): POST /scheduler-admin/policies/users/reset,"
        f" account {user.pk}, from {ADDRESS}"
    ]


def test_a_form_without_its_token_is_a_line_with_the_reason(lines):
    user = make.administrator()
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(user)

    browser.post("/scheduler-admin/policies/users/reset", REMOTE_ADDR=ADDRESS)

    assert lines() == [
        "[WARNING] Forbidden (CSRF cookie not set.): POST /scheduler-admin/policies/users/reset,"
        f" account {user.pk}, from {ADDRESS}"
    ]


def test_a_throttle_is_a_line_with_the_account(lines, rate):
    rate("chat", "1/min")
    user = make.user()

    for _ in range(2):
        with_token(user).post("/api/chat", {"message": "My secret"}, REMOTE_ADDR=ADDRESS)

    assert lines() == [f"[WARNING] Too Many Requests: POST /api/chat, account {user.pk}, from {ADDRESS}"]


@pytest.mark.parametrize(("by", "path"), [(page, "/sign-in"), (token, "/api/token")])
def test_a_lock_out_is_a_line_with_the_account_that_was_tried(by, path, lines):
    ada = make.user(username="ada", password="correct horse 9")
    for _ in range(4):
        by("ada", address=ADDRESS)
    before = len(lines())

    by("ada", address=ADDRESS)
    by("ada", address=ADDRESS)

    told = f"[WARNING] Too Many Requests: POST {path}, account {ada.pk}, from {ADDRESS}"
    assert lines()[before:] == [told] * 2


def test_a_wrong_password_for_a_token_names_the_account_by_its_id_alone(lines):
    ada = make.user(username="ada", password="correct horse 9")

    token("ada", address=ADDRESS)
    token("hunter2", address=ADDRESS)

    assert lines() == [
        f"[WARNING] Unauthorized: POST /api/token, account {one}, from {ADDRESS}"
        for one in (ada.pk, "unknown")
    ]


@pytest.mark.parametrize(
    ("otp", "reason"), [({}, "Unauthorized"), ({"otp": "000000"}, "Unauthorized"), ("demanded", "Forbidden")]
)
def test_what_is_refused_after_the_right_password_names_the_account(otp, reason, lines, settings):
    ada = make.administrator(username="ada", password="correct horse 9")
    if otp == "demanded":
        settings.SECOND_FACTOR_REQUIRED = True
    else:
        apps.given(ada)
    body = {"username": "ada", "password": "correct horse 9"} | (otp if isinstance(otp, dict) else {})

    Client(REMOTE_ADDR=ADDRESS).post("/api/token", body, "application/json")

    assert lines() == [f"[WARNING] {reason}: POST /api/token, account {ada.pk}, from {ADDRESS}"]


def _verify(user):
    return f"/verify/{accounts.verification_token(user)}"


def _new_password(user):
    key = urlsafe_base64_encode(str(user.pk).encode())
    return f"/password/new/{key}/{default_token_generator.make_token(user)}"


@pytest.mark.parametrize(
    ("status", "link", "request_with"),
    [
        (400, _verify, lambda client, path: client.post(path, {"password": "wrong"})),
        (403, _verify, lambda client, path: Client(enforce_csrf_checks=True).post(path)),
        (403, _new_password, lambda client, path: Client(enforce_csrf_checks=True).post(path)),
        (404, _verify, lambda client, path: client.get(f"{path}/")),
        (404, _new_password, lambda client, path: client.get(f"{path}/")),
        (405, _verify, lambda client, path: client.delete(path)),
        (500, _verify, lambda client, path: client.get(path)),
        (500, _new_password, lambda client, path: client.get(path)),
    ],
)
def test_the_token_of_a_link_is_not_logged(status, link, request_with, lines, settings):
    path = link(make.visitor(password="correct horse 9"))
    if status == 500:
        settings.CHAT_VERIFICATION_MAX_AGE = settings.PASSWORD_RESET_TIMEOUT = "not a time"

    answer = request_with(Client(raise_request_exception=False), path)

    assert answer.status_code == status
    told = "\n".join(lines())
    assert re.search("/(verify|password/new)/…", told)
    assert path.rpartition("/")[2] not in told


def test_what_is_no_refusal_is_logged_as_before(lines):
    Client().get("/nowhere%0a[ERROR]")

    assert lines() == [r"[WARNING] Not Found: /nowhere\n[ERROR]"]


def test_two_handlers_log_the_same_line(lines):
    handler = logging.StreamHandler(StringIO())
    handler.addFilter(refusals.Filter())
    logging.getLogger("django").addHandler(handler)
    try:
        APIClient().get("/api/chat/conversations")
    finally:
        logging.getLogger("django").removeHandler(handler)

    assert handler.stream.getvalue().splitlines() == [lines()[0].removeprefix("[WARNING] ")]


def test_every_handler_of_the_site_has_the_filter():
    handlers = logs.config(file=None, as_json=False)["handlers"].values()

    assert all("refusals" in handler["filters"] for handler in handlers)
