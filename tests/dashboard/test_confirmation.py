"""Before a harmful act, the project may ask something: this site, for the password if the sign-in is old."""

import re
import time

import pytest
from django.http import HttpResponse
from rest_framework.test import APIClient

from chat.sign_in.receivers import SIGNED_IN_AT
from chat.tokens import RotatingToken
from housekeeping import conf
from housekeeping.models import Act, PolicyState, Run
from tests import make
from tests.make import days
from tests.visitors import HTMX, confirm, text

pytestmark = pytest.mark.django_db(transaction=True)

HOME = "/scheduler-admin"
API = "/api/admin/scheduler"
PASSWORD = "correct horse 9"
ASKED = "Confirm that it is you"
SITE = "chat.sign_in.confirmation.ask"


def held():
    make.conversation(age=days(31))
    plan = make.purge(dry_run=True)
    return make.run(status="held", plan=plan.plan)


def purged():
    make.conversation(age=days(31))
    return make.purge()


@pytest.fixture
def acts():
    """The addresses of the acts, by name, and what is sent to them."""
    return {
        "undo": (f"{HOME}/runs/{purged().pk}/undo?intact_only", {"show": "task"}),
        "retention": (f"{HOME}/policies/conversations/retention", {"retention_days": "75"}),
        "reset": (f"{HOME}/policies/conversations/reset", {}),
    }


ACTS = ["undo", "retention", "reset"]


@pytest.fixture
def old(dashboard, administrator):
    """A session whose sign-in is 16 minutes old."""
    administrator.set_password(PASSWORD)
    administrator.save()
    dashboard.force_login(administrator)
    session = dashboard.session
    session[SIGNED_IN_AT] = time.time() - 16 * 60
    session.save()
    return dashboard


@pytest.fixture
def undo():
    """An undo that has failed."""
    return make.run("conversations", status="failed", undo_of=purged())


def is_retried(undo):
    return Run.objects.filter(undo_of=undo.undo_of).exclude(pk=undo.pk).exists()


def did():
    return Act.objects.exists() or Run.objects.exclude(undo_of=None).exists()


def sent_with(page):
    """What the form of the question sends, and where to."""
    form = re.search(r'<form method="post" action="([^"]*)" class="stack".*?</form>', page.text, re.DOTALL)
    fields = dict(re.findall(r'type="hidden" name="([\w-]+)" value="([^"]*)"', form[0]))
    return form[1], fields | {"confirm-password": PASSWORD}


@pytest.mark.parametrize("act", ACTS)
def test_an_old_sign_in_is_asked_first_and_then_the_act_goes_on_with_what_was_typed(act, acts, old):
    PolicyState.objects.update_or_create(name="conversations", defaults={"retention_days": 60})
    address, fields = acts[act]

    asked = old.post(address, fields)

    assert (asked.status_code, ASKED in text(asked)) == (200, True)
    assert not did()
    where, answer = sent_with(asked)
    assert (where, {name: answer[name] for name in fields}) == (address, fields)
    refused = old.post(where, answer | {"confirm-password": "wrong"})
    assert (refused.status_code, did()) == (422, False)
    assert {name: sent_with(refused)[1][name] for name in fields} == fields
    old.post(where, answer)
    assert did()


def test_an_approval_asks_both_questions(old):
    run = held()
    asked = confirm(old, f"{HOME}/runs/{run.pk}/approve")
    assert ASKED in text(asked)
    assert Run.objects.get(pk=run.pk).status == "held"

    old.post(*sent_with(asked))

    assert Run.objects.get(pk=run.pk).status == "queued"


@pytest.mark.parametrize("way", ["its page", "the list"])
def test_the_retry_of_an_undo_asks_as_the_undo_does(way, undo, old):
    other = make.run("stats", status="failed")
    one = f"{HOME}/runs/{undo.pk}/retry", {}
    several = f"{HOME}/runs/act", {"act": "retry", "query": "", "run": [str(other.pk), str(undo.pk)]}

    asked = old.post(*(one if way == "its page" else several))

    assert (ASKED in text(asked), is_retried(undo)) == (True, False)
    assert Run.objects.filter(task="stats").count() == 1
    fields = sent_with(asked)[1]
    old.post(sent_with(asked)[0], fields | ({"run": several[1]["run"]} if way == "the list" else {}))
    assert is_retried(undo)


def test_no_other_retry_asks(old):
    run = make.run("stats", status="failed")

    old.post(f"{HOME}/runs/{run.pk}/retry")

    assert Run.objects.filter(task="stats").count() == 2


def test_an_erasure_asks_before_it_shows_what_a_person_has(old):
    make.user(username="grace")
    asked = old.post(f"{HOME}/erasures/begin", {"account": "grace"})
    assert (ASKED in text(asked), "for good" in text(asked)) == (True, False)

    shown = old.post(*sent_with(asked))

    assert "Erase “grace” for good?" in text(shown)
    assert not did()


@pytest.mark.parametrize("act", ACTS)
def test_a_recent_sign_in_is_not_asked(act, acts, dashboard):
    PolicyState.objects.update_or_create(name="conversations", defaults={"retention_days": 60})

    answer = dashboard.post(*acts[act])

    assert answer.status_code == 302
    assert did()


def test_one_answer_is_enough_for_fifteen_minutes(acts, old):
    old.post(*sent_with(old.post(*acts["retention"])))

    assert old.post(*acts["reset"]).status_code == 302


@pytest.mark.parametrize("act", ACTS)
def test_a_project_without_the_setting_asks_nothing(act, acts, old, settings):
    settings.HOUSEKEEPING_CONFIRM_SIGN_IN = ""

    assert ASKED not in text(old.post(*acts[act]))


def test_only_the_right_is_asked_for_first(acts, viewer, client):
    client.force_login(viewer)
    session = client.session
    session[SIGNED_IN_AT] = 0
    session.save()

    assert [client.post(*act).status_code for act in acts.values()] == [403] * 3


def test_htmx_shows_the_question_in_the_dialog_for_the_place_of_the_answer(acts, old):
    asked = old.post(*acts["retention"], headers=HTMX | {"HX-Target": "section#overview"})
    forged = old.post(*acts["retention"], headers=HTMX | {"HX-Target": 'x" hx-on'})

    assert (asked["HX-Retarget"], asked["HX-Reswap"]) == ("#asked", "innerHTML")
    assert 'hx-target="section#overview"' in asked.text
    assert "hx-target" not in forged.text


# --- Tokens -----------------------------------------------------------------------------------


def program(administrator, *, minutes):
    token = RotatingToken.by_sign_in(administrator, has_code=False).access_token
    token["auth_time"] -= minutes * 60
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client


def _grace():
    return make.user(username="grace").username


@pytest.fixture
def requests():
    return {
        "undo": ("post", f"{API}/runs/{purged().pk}/undo", {"wait": 0}),
        "approve": ("post", f"{API}/runs/{held().pk}/approve", {}),
        "retention": ("patch", f"{API}/policies/conversations", {"retention_days": 45}),
        "erasure": ("post", f"{API}/erasures", {"account": _grace(), "typed": "grace"}),
    }


@pytest.mark.parametrize("request_for", ["undo", "approve", "retention", "erasure"])
def test_a_token_of_an_old_sign_in_does_not_do_it(request_for, requests, administrator):
    method, address, body = requests[request_for]

    old = getattr(program(administrator, minutes=16), method)(address, body)
    recent = getattr(program(administrator, minutes=14), method)(address, body)

    assert (old.status_code, old.json()["code"]) == (401, "sign_in_too_old")
    assert old["WWW-Authenticate"] == 'Bearer error="insufficient_user_authentication"'
    assert recent.status_code in (200, 202)


@pytest.mark.parametrize("path", ["runs/{pk}/retry", "runs/retry"])
def test_nor_does_it_retry_an_undo(path, undo, administrator):
    other = make.run("stats", status="failed")
    address = f"{API}/{path.format(pk=undo.pk)}"
    body = {"ids": [str(other.pk), str(undo.pk)]} if path == "runs/retry" else {}

    old = program(administrator, minutes=16).post(address, body)

    assert (old.status_code, old.json()["code"], is_retried(undo)) == (401, "sign_in_too_old", False)
    assert Run.objects.filter(task="stats").count() == 1
    assert program(administrator, minutes=14).post(address, body).status_code in (200, 202)
    assert is_retried(undo)


def test_an_old_token_may_ask_what_a_retention_would_do(administrator):
    client = program(administrator, minutes=16)

    answer = client.patch(f"{API}/policies/conversations", {"retention_days": 45, "dry_run": True})

    assert answer.status_code == 200


def test_a_refresh_does_not_make_the_sign_in_newer(requests, administrator):
    token = RotatingToken.by_sign_in(administrator, has_code=False)
    token["auth_time"] -= 16 * 60
    renewed = APIClient().post("/api/token/refresh", {"refresh": str(token)}).json()["access"]
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {renewed}")

    assert client.post(*requests["undo"][1:]).json()["code"] == "sign_in_too_old"


# --- The setting ------------------------------------------------------------------------------


def redirects(request):
    return HttpResponse("Elsewhere", status=303)


def test_a_project_may_give_any_answer(acts, dashboard, settings):
    settings.HOUSEKEEPING_CONFIRM_SIGN_IN = f"{__name__}.redirects"

    assert dashboard.post(*acts["undo"]).text == "Elsewhere"


@pytest.mark.parametrize(
    ("path", "is_named"), [("no.such.function", True), ("time.timezone", True), (SITE, False), ("", False)]
)
def test_a_function_that_can_t_be_called_is_named(path, is_named, settings):
    settings.HOUSEKEEPING_CONFIRM_SIGN_IN = path

    assert ("CONFIRM_SIGN_IN" in conf.unusable()) == is_named  # by check, as E010
