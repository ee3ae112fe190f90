"""A database that answers and takes no writes: a standby after a failover, a disk mounted read-only."""

from dataclasses import replace

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.backends.signals import connection_created
from django.test import Client

from housekeeping.models import Gauge
from housekeeping.queue.tasks import execute_run
from tests import make
from tests.faces.test_matrix import API, PAGES, ask, client_of

pytestmark = pytest.mark.django_db(transaction=True)

READ_ONLY = {"postgresql": "SET default_transaction_read_only = {}", "sqlite": "PRAGMA query_only = {}"}
ROWS = PAGES | API


@pytest.fixture
def stop_writes():
    """Called, it has the server refuse each write from then on, in new connections, too.

    What it returns is called to have new connections lead to a server that takes writes.
    """

    def stop(**signal):
        execute(READ_ONLY[connection.vendor].format("on"))

    def heal():
        connection_created.disconnect(stop)

    def begin():
        stop()
        connection_created.connect(stop)
        return heal

    yield begin
    heal()
    execute(READ_ONLY[connection.vendor].format("off"))


def execute(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)


@pytest.fixture
def somebody():
    client, user = client_of("superuser")
    client.raise_request_exception = False
    return client, user


def filled(names, user):
    """These addresses' rows, with what they name made beforehand."""
    rows = {}
    for name in names:
        facts = ROWS[name].fill(user)
        rows[name] = replace(ROWS[name], fill=lambda user, facts=facts: facts)
    return rows


def test_whatever_only_reads_goes_on(somebody, stop_writes):
    rows = filled([name for name, row in ROWS.items() if "GET" in row.methods], somebody[1])
    before = {name: ask(name, row, "GET", *somebody).status_code for name, row in rows.items()}
    # What a page measures can't be kept, and is shown. Tables are measured by a consumer alone.
    Gauge.objects.exclude(name="tables").delete()
    stop_writes()

    after = {name: ask(name, row, "GET", *somebody).status_code for name, row in rows.items()}

    # Those of a new factor keep its secret in the session.
    writing = ("housekeeping_monitoring:readyz", "mfa_add_webauthn", "mfa_activate_totp")
    uncounted = {"mfa_login_webauthn": 429}  # a limit that can't count lets nobody in
    assert after == before | dict.fromkeys(writing, 503) | uncounted


def test_no_address_fails_for_want_of_a_write(somebody, stop_writes, caplog):
    rows = filled(ROWS, somebody[1])
    stop_writes()

    for name, row in rows.items():
        for method in {*row.methods} - {"GET"}:
            assert ask(name, row, method, *somebody).status_code != 500, (name, method)

    assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/token", {"username": "ada", "password": "wrong"}),
        ("POST", "/api/register", {"username": "eve", "email": "e@example.com", "password": "long enough 7"}),
        ("POST", "/api/chat", {"message": "Hello"}),
        ("POST", "/api/admin/scheduler/trigger", {"task": "conversations", "dry_run": True}),
        ("PATCH", "/api/admin/scheduler/schedules/weekly_cleanup", {"paused": True}),
        ("PATCH", "/api/admin/scheduler/policies/conversations", {"retention_days": 60}),
    ],
)
def test_an_api_request_that_has_to_write_is_told_why_it_can_not(method, path, body, somebody, stop_writes):
    stop_writes()

    answer = somebody[0].generic(method, path, make.json(body), "application/json")

    told = answer.json()
    assert (answer.status_code, told["code"]) == (503, "database_unreachable")
    assert told["message"] == "The database can't be written to at the moment. Please try again later."


@pytest.mark.parametrize("path", ["tasks/stats/trigger", "schedules/pause", "policies/conversations/reset"])
def test_a_page_that_has_to_write_says_so(path, somebody, stop_writes):
    stop_writes()

    answer = somebody[0].post(f"/scheduler-admin/{path}")

    assert answer.status_code == 503
    assert "can&#x27;t be written to at the moment" in answer.text


def test_an_error_page_for_a_session_that_has_to_end_is_503(somebody, stop_writes):
    client, user = somebody
    user.set_password("another one 9")
    user.save()
    stop_writes()

    assert client.get("/nowhere").status_code == 503


@pytest.mark.parametrize("password", ["right", "wrong"])
def test_a_sign_in_is_refused_whether_or_not_the_password_is_right(password, stop_writes):
    make.user(username="ada", password="right")
    stop_writes()

    answer = Client(raise_request_exception=False).post("/sign-in", {"username": "ada", "password": password})

    assert answer.status_code == 503


@pytest.mark.parametrize(
    "words", [["run_housekeeping"], ["housekeeping_schedules", "pause", "all"], ["run_huey"]], ids=str
)
def test_a_command_that_has_to_write_ends_with_one_line(words, stop_writes):
    stop_writes()

    with pytest.raises(CommandError, match=r"^The database can't be used: .*read-?only"):
        call_command(*words)


def test_a_process_works_for_no_consumer_that_could_not_start(stop_writes):
    fail_over = stop_writes()
    with pytest.raises(CommandError):
        call_command("run_huey")
    fail_over()
    connection.close()

    assert "total_users" in execute_run.call_local(str(make.run("stats").pk), 0)["stats"]


def test_writes_are_taken_as_soon_as_the_database_takes_them(somebody, stop_writes):
    fail_over = stop_writes()
    refused = somebody[0].post("/scheduler-admin/schedules/pause")
    fail_over()

    answer = somebody[0].post("/scheduler-admin/schedules/pause")

    assert (refused.status_code, answer.status_code) == (503, 302)
