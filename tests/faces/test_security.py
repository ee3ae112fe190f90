"""What the site tells browsers, whom it lets in, and what it does with what people typed."""

import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from housekeeping.models import Act, Run
from tests import make
from tests.conftest import with_token

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse 9"


# --- Headers ----------------------------------------------------------------------------------

PAGES = [
    "/",
    "/scheduler-admin",
    "/scheduler-admin/runs",
    "/sign-in",
    "/verify/made-up",
    "/admin/",
    "/admin/login/",
    "/static/housekeeping/css/base.css",
    "/no/such/page",
    "/api/admin/scheduler/status",
    "/api/no/such/address",
    "/healthz",
    "/metrics",
]


def policy(answer):
    """The Content-Security-Policy as a dictionary."""
    return dict(part.strip().split(" ", 1) for part in answer["Content-Security-Policy"].split(";"))


@pytest.mark.parametrize("path", PAGES)
def test_every_answer_tells_the_browser_what_it_may_do(path, dashboard):
    for browser in (dashboard, Client()):
        answer = browser.get(path)

        assert policy(answer) == {
            "default-src": "'self'",
            "object-src": "'none'",
            "base-uri": "'none'",
            "frame-ancestors": "'none'",
            "form-action": "'self'",
        }
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["X-Frame-Options"] == "DENY"
        assert answer["Referrer-Policy"] == "same-origin"
        assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
        assert answer["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "camera=()" in answer["Permissions-Policy"]
        assert "Access-Control-Allow-Origin" not in answer
        if answer.streaming:  # a file; to close another ends the test's own connection, too
            answer.close()


def test_an_error_carries_the_headers_as_well(client, settings):
    refused = client.get("/sign-in", headers={"host": "elsewhere.example"})
    forged = Client(enforce_csrf_checks=True).post("/sign-in", {"username": "ada"})

    for answer, code in ((refused, 400), (forged, 403)):
        assert answer.status_code == code
        assert "default-src 'self'" in answer["Content-Security-Policy"]
        assert answer["Cross-Origin-Resource-Policy"] == "same-origin"


def test_a_failure_of_the_site_carries_the_headers_and_no_word_of_the_error(dashboard, monkeypatch):
    dashboard.raise_request_exception = False
    monkeypatch.setattr("housekeeping.reading.overview.overview", lambda now: 1 / 0)

    answer = dashboard.get("/scheduler-admin")

    assert answer.status_code == 500
    assert "default-src 'self'" in answer["Content-Security-Policy"]
    assert "division" not in answer.content.decode()


@pytest.mark.parametrize("path", ["/sign-in", "/api/token"])
def test_a_foreign_host_is_refused_in_the_form_that_was_asked_for(path, client):
    answer = client.get(path, headers={"host": "elsewhere.example"})

    assert answer.status_code == 400
    assert ("json" in answer["Content-Type"]) == path.startswith("/api/")
    assert "elsewhere" not in answer.content.decode()


def test_no_page_holds_anything_that_the_policy_would_block(dashboard):
    run = make.run("stats", status="succeeded")
    pages = [
        "/scheduler-admin",
        "/scheduler-admin/runs",
        f"/scheduler-admin/runs/{run.pk}",
        "/scheduler-admin/schedules/weekly_cleanup",
        "/scheduler-admin/policies/conversations",
        "/no/such/page",
        "/verify/made-up",
    ]

    for path in pages:
        text = dashboard.get(path).content.decode()
        assert not re.search(r"<style|\sstyle=|<script(?![^>]*\ssrc=)|\son[a-z]+=|hx-on|javascript:", text), (
            path
        )
        assert not re.search(r"""(?:src|href|action)=["'](?:https?:)?//""", text), path


def test_what_is_behind_the_sign_in_is_kept_by_no_cache(dashboard, api):
    run = make.run("stats", status="succeeded")

    for browser, path in [
        (dashboard, "/scheduler-admin"),
        (dashboard, f"/scheduler-admin/runs/{run.pk}"),
        (dashboard, f"/scheduler-admin/runs/{run.pk}/receipt.csv"),
        (dashboard, f"/scheduler-admin/runs/{run.pk}/receipt.json"),
        (api, f"/api/admin/scheduler/runs/{run.pk}/receipt.csv"),
    ]:
        assert browser.get(path)["Cache-Control"] == "no-store", path


@pytest.mark.parametrize("path", ["/api/admin/scheduler/status", "/api/chat/conversations"])
def test_json_may_be_kept_by_its_client_who_asks_each_time(path, api):
    first = api.get(path)
    again = api.get(path, headers={"If-None-Match": first["ETag"]})

    assert (first["Cache-Control"], again.status_code) == ("private, no-cache", 304)
    assert first["Vary"].lower().count("authorization") == 1


def test_a_token_is_kept_by_no_cache(client):
    make.user(username="ada", password=PASSWORD)

    answer = client.post("/api/token", {"username": "ada", "password": PASSWORD}, "application/json")

    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"


def test_a_program_that_asks_over_plain_http_is_refused_not_led_on(api, client, settings):
    settings.SECURE_SSL_REDIRECT = True

    plain = api.get("/api/admin/scheduler/status")
    safe = api.get("/api/admin/scheduler/status", secure=True)

    assert (plain.status_code, safe.status_code) == (403, 200)
    assert plain["Cache-Control"] == "no-store"
    assert "https" in plain.json()["detail"]
    assert "Content-Security-Policy" in plain
    assert client.get("/sign-in").status_code == 301


@pytest.mark.parametrize("path", ["/sign-out", "/admin/logout/"])
def test_signing_out_clears_what_the_browser_kept(path, dashboard):
    answer = dashboard.post(path)

    assert answer["Clear-Site-Data"] == '"cache", "storage"'
    assert dashboard.get("/scheduler-admin").status_code == 302


# --- Sessions, cookies and addresses ------------------------------------------------------------


def test_a_session_is_a_new_one_after_the_sign_in_and_ends_after_twelve_hours(client, administrator):
    administrator.set_password(PASSWORD)
    administrator.save()
    client.force_login(make.user())
    before = client.session.session_key

    client.logout()

    client.post("/sign-in", {"username": "ada", "password": PASSWORD})

    cookie = client.cookies["sessionid"]
    assert cookie.value != before
    assert cookie["max-age"] == 12 * 60 * 60
    assert client.session.get_expiry_age() == 12 * 60 * 60


def test_a_session_is_worth_nothing_once_it_was_signed_out(dashboard):
    stolen = dashboard.cookies["sessionid"].value

    dashboard.post("/sign-out")

    thief = Client()
    thief.cookies["sessionid"] = stolen
    assert thief.get("/scheduler-admin").status_code == 302


def test_who_has_signed_in_changes_the_password_by_the_old_one_and_ends_all_else(client):
    user = make.user(username="ada", password=PASSWORD)
    elsewhere = Client()
    for browser in (client, elsewhere):
        browser.force_login(user)
    token = with_token(user)
    fields = {
        "old_password": PASSWORD,
        "new_password1": "another horse 7",
        "new_password2": "another horse 7",
    }

    refused = client.post("/password", fields | {"old_password": "wrong"})
    changed = client.post("/password", fields)

    assert (refused.status_code, changed.status_code) == (200, 302)
    assert "Your password has been changed." in client.get("/password").content.decode()
    assert elsewhere.get("/password").status_code == 302
    assert token.get("/api/chat/conversations").status_code == 401
    user.refresh_from_db()
    assert user.check_password("another horse 7")


@pytest.mark.parametrize("password", ["short 1", "password1234", "ada-lovelace"])
def test_a_weak_password_is_refused_with_the_reason(password, client):
    client.force_login(make.user(username="ada-lovelace", password=PASSWORD))

    fields = {"old_password": PASSWORD, "new_password1": password, "new_password2": password}
    answer = client.post("/password", fields)

    assert answer.status_code == 200
    assert 'role="alert"' in answer.content.decode()


def test_a_changed_password_and_a_deactivation_end_the_session(dashboard, administrator):
    administrator.set_password("a new one 9")
    administrator.save()
    assert dashboard.get("/scheduler-admin").status_code == 302

    dashboard.force_login(administrator)
    type(administrator).objects.update(is_active=False)
    assert dashboard.get("/scheduler-admin").status_code == 302


@pytest.mark.parametrize(
    "target",
    ["https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example", "javascript:alert(1)"],
)
def test_signing_in_leads_to_no_other_site(target, client):
    make.administrator(username="ada", password=PASSWORD)

    answer = client.post("/sign-in", {"username": "ada", "password": PASSWORD, "next": target})

    assert answer["Location"] == "/scheduler-admin"


def test_a_form_without_its_token_does_nothing(administrator):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(administrator)

    answer = browser.post("/scheduler-admin/tasks/stats/trigger")

    assert answer.status_code == 403
    assert "Please try again" in answer.content.decode()
    assert not Run.objects.exists()


def test_no_page_takes_a_file(rf):
    """Django would write it to the disk before a view has asked for it."""
    file = SimpleUploadedFile("a.bin", b"x" * 3_000_000)

    request = rf.post("/sign-in", {"username": "ada", "file": file, "next": "/"})

    assert request.POST.dict() == {"username": "ada", "next": "/"}
    assert list(request.FILES) == []


@pytest.mark.parametrize("path", ["..%2f..%2fetc%2fpasswd", "%2e%2e/x", "%00", "x/../../y", "’;DROP TABLE x"])
def test_a_path_that_climbs_finds_nothing(path, dashboard, api):
    for start in (
        "/static/",
        "/scheduler-admin/runs/",
        "/scheduler-admin/policies/",
        "/scheduler-admin/schedules/",
    ):
        assert dashboard.get(start + path).status_code == 404, start
    for start in ("/api/admin/scheduler/results/", "/api/admin/scheduler/policies/"):
        assert api.get(start + path).status_code == 404, start


ORIGIN = {"origin": "https://elsewhere.example", "access-control-request-method": "GET"}


def test_no_other_site_s_script_may_read_the_api(administrator):
    answer = with_token(administrator).get("/api/admin/scheduler/status", headers=ORIGIN)

    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize(
    ("behind_proxy", "forwarded", "address"),
    [
        (False, "203.0.113.9", "127.0.0.1"),
        (True, "203.0.113.9", "203.0.113.9"),
        (True, "198.51.100.1, 203.0.113.9", "203.0.113.9"),  # the first was sent along by the client
        (True, "203.0.113.9:51712", "203.0.113.9"),
        (True, "198.51.100.1, [2001:db8::9]:443", "2001:db8::9"),
        (True, "[2001:db8::9]", "2001:db8::9"),
        (True, "2001:db8::9", "2001:db8::9"),
        (True, "[2001:db8::9", "127.0.0.1"),
        (True, "<script>", "127.0.0.1"),
        (True, "", "127.0.0.1"),
    ],
)
def test_an_act_is_recorded_with_the_address_that_our_own_proxy_saw(
    behind_proxy, forwarded, address, settings, dashboard, transactional_db
):
    settings.BEHIND_PROXY = behind_proxy

    dashboard.post("/scheduler-admin/schedules/pause", headers={"x-forwarded-for": forwarded})

    assert {act.origin for act in Act.objects.all()} == {f"dashboard from {address}"}
