"""A form that is sent after the session has ended: after the sign-in, what was typed is in it again."""

import re
import secrets
from html import unescape

import pytest
from django.contrib.sessions.models import Session
from django.core import signing

from housekeeping.dashboard import unsent
from housekeeping.models import Hold, PolicyState, Run
from tests import make
from tests.processes import ROOT
from tests.visitors import HTMX, text

pytestmark = pytest.mark.django_db

HOME = "/scheduler-admin"
PASSWORD = "correct horse 9"
TOLD = "You were signed out before this was sent. Check it, and send it again."
HOLD = {"model": "chat.User", "key": "7", "until": "2127-01-31", "reason": "A <dispute>"}


@pytest.fixture
def sent_late(client):
    """Send a form without a session, and sign in where that leads to."""
    make.administrator(username="ada", password=PASSWORD)

    def send(path, fields, **options):
        answer = client.post(f"{HOME}/{path}", fields, **options)
        sign_in = answer["HX-Redirect"] if "HX-Redirect" in answer else answer["Location"]
        next_page = client.get(sign_in).context["next"]
        fields = {"username": "ada", "password": PASSWORD, "next": next_page}
        return client.post("/sign-in", fields, follow=True)

    return send


def values(page, name):
    return [unescape(value) for value in re.findall(rf'name="{name}" value="([^"]*)"', page.text)]


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "htmx"])
def test_a_hold_is_in_its_form_again_and_not_made(headers, sent_late, client):
    page = sent_late("holds/add", HOLD, headers=headers)

    assert TOLD in text(page)
    assert [values(page, name) for name in ("key", "until", "reason")] == [
        ["7"],
        ["2127-01-31"],
        ["A <dispute>"],
    ]
    assert "<option selected>chat.User</option>" in page.text
    assert not Hold.objects.exists()
    assert TOLD not in text(client.get(f"{HOME}/holds"))  # once


@pytest.mark.parametrize(
    ("path", "fields", "name"),
    [
        ("policies/conversations/retention", {"retention_days": "45"}, "retention_days"),
        ("schedules/weekly_cleanup/change", {"trigger": "5 4 * * *"}, "trigger"),
        ("alerts/add", {"name": "ops", "kind": "mail", "address": "ops@example.com"}, "address"),
        ("channels/operators/change", {"kinds": "failed"}, ""),
        ("tasks/users/pause", {"reason": "An audit", "beside": "pause"}, "reason"),
        ("tasks/users/acknowledge", {"reason": "Known", "until": "2127-01-31"}, "reason"),
        ("erasures/begin", {"account": "grace@example.com", "typed": "grace"}, "account"),
    ],
)
def test_each_form_has_what_was_typed(path, fields, name, sent_late):
    make.run("users", status="failed")

    page = sent_late(path, fields)

    assert page.status_code == 200
    assert TOLD in text(page)
    assert not name or fields[name] in values(page, name)
    assert not PolicyState.objects.filter(retention_days=45).exists()


def test_the_end_of_a_hold_is_in_its_own_form(sent_late):
    hold, other = (Hold.objects.create(model="chat.User", key=key, reason="A dispute") for key in "12")

    page = sent_late(f"holds/{hold.pk}/change", {"until": "2127-01-31"})

    assert sorted(values(page, "until"))[-1] == "2127-01-31"
    assert page.text.count("<details id=") == 2
    assert re.search(rf'<details id="change-{hold.pk}-[^"]*" open>', page.text)
    assert not re.search(rf'<details id="change-{other.pk}-[^"]*" open>', page.text)


def test_no_form_with_something_to_type_is_left_out():
    form = re.compile(r"<form method=\"post\" action=\"{% url 'housekeeping:([\w-]+)'(.*?)</form>", re.DOTALL)
    to_type = re.compile(r"<(?:input|select|textarea) (?!type=\"(?:hidden|checkbox)\")[^>]*name=")
    templates = (ROOT / "housekeeping/templates").rglob("*.html")

    found = {
        name
        for page in templates
        for name, inside in form.findall(page.read_text())
        if to_type.search(inside)
    }

    assert found >= {"hold-add", "erasure-begin"}
    assert found <= set(unsent.FORMS)


@pytest.mark.parametrize("case", ["too long", "too old", "another form"])
def test_nothing_else_is_filled_in(case, sent_late, client, monkeypatch):
    fields, path = dict(HOLD), "holds/add"
    if case == "too long":
        fields["reason"] = secrets.token_urlsafe(unsent.LONGEST)
    if case == "too old":
        monkeypatch.setattr(unsent, "KEPT", -1)
    if case == "another form":
        path = "policies/messages/retention"

    sent_late(path, fields)

    page = client.get(f"{HOME}/holds")
    assert (TOLD in text(page), values(page, "key")) == (False, [""])


def test_a_button_leaves_nothing_in_the_browser(client):
    run = make.run()

    client.post(f"{HOME}/runs/{run.pk}/cancel", {"show": "task"})

    assert unsent.COOKIE not in client.cookies
    assert Run.objects.get().status == "queued"


def test_the_site_stores_nothing_for_a_stranger(client):
    for path, fields in (("holds/add", HOLD), ("policies/users/retention", {"retention_days": "9"})):
        client.post(f"{HOME}/{path}", fields)

    assert not Session.objects.exists()


@pytest.mark.parametrize("secure", [True, False])
def test_the_browser_keeps_it_for_an_hour_out_of_reach_of_scripts(secure, client):
    client.post(f"{HOME}/holds/add", HOLD, secure=secure)

    kept = client.cookies[("__Host-" if secure else "") + unsent.COOKIE]
    assert [kept[name] for name in ("max-age", "path", "samesite")] == [3600, "/", "Strict"]
    assert (bool(kept["secure"]), kept["httponly"]) == (secure, True)


def test_a_password_that_the_project_asks_for_is_not_kept(client):
    fields = {"retention_days": "45", "confirm-password": "hunter2", "csrfmiddlewaretoken": "x"}

    client.post(f"{HOME}/policies/users/retention", fields)

    _, of, text = signing.loads(client.cookies[unsent.COOKIE].value, salt=unsent.SALT)
    assert (of, text) == ({"pk": "users"}, "retention_days=45")


def test_what_nobody_has_signed_is_filled_in_nowhere(client, dashboard):
    kept = signing.dumps(["hold-add", {}, "key=7"], salt="another")
    for forged in (kept, "x", ""):
        dashboard.cookies[unsent.COOKIE] = forged

        assert values(dashboard.get(f"{HOME}/holds"), "key") == [""]


def test_who_may_not_use_the_form_is_shown_nothing(client, viewer):
    viewer.set_password(PASSWORD)
    viewer.save()
    client.post(f"{HOME}/holds/add", HOLD)

    fields = {"username": viewer.username, "password": PASSWORD, "next": f"{HOME}/holds"}
    page = client.post("/sign-in", fields, follow=True)

    assert (page.status_code, values(page, "key")) == (200, [])
