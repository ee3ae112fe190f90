"""What answers say about themselves: who may keep them, and whether they have changed."""

import pytest
from rest_framework.test import APIClient

from housekeeping.runs import control
from tests import make
from tests.api.addresses import RUNS, SCHEDULER, TRIGGER
from tests.conftest import with_token
from tests.visitors import account

pytestmark = pytest.mark.django_db


every_path = pytest.mark.parametrize(
    "path",
    [
        "status", "statistics", "runs/{run}", "results/{run}", "runs", "schedules",
        "schedules/weekly_cleanup", "policies", "consumers", "acts", "tallies", "overview", "runs/{run}/log",
    ],
)  # fmt: skip


@every_path
def test_what_has_not_changed_is_not_sent_again(path, api):
    make.consumer()
    url = f"{SCHEDULER}/{path.format(run=make.run(status='succeeded').pk)}"
    first = api.get(url)

    again = api.get(url, headers={"If-None-Match": first["ETag"]})

    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")


def _without_request_id(answer):
    return {name: value for name, value in answer.headers.items() if name != "X-Request-ID"}


@every_path
@pytest.mark.parametrize("known", ["", "*"])
def test_head_answers_as_get_without_the_body(path, known, api):
    make.consumer()
    url = f"{SCHEDULER}/{path.format(run=make.run(status='succeeded').pk)}"
    asked = {"headers": {"If-None-Match": known}} if known else {}

    got, head = api.get(url, **asked), api.head(url, **asked)

    assert (head.status_code, head.content) == (got.status_code, b"")
    assert _without_request_id(head) == _without_request_id(got)


def test_head_reads_a_query_needs_the_right_of_get_and_is_refused_where_there_is_no_get(api):
    make.run("stats", status="failed")

    assert api.head(RUNS, {"status": "failed"}).status_code == 200
    assert api.head(RUNS, {"status": "lost"}).status_code == 400
    assert APIClient().head(RUNS).status_code == 401
    assert with_token(account()).head(RUNS).status_code == 403
    assert api.head(TRIGGER).status_code == 405


def test_what_has_changed_is_sent(api):
    run = make.run("former")
    first = api.get(f"{RUNS}/{run.pk}")

    control.cancel(run)

    again = api.get(f"{RUNS}/{run.pk}", headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.json()["status"]) == (200, "cancelled")


def test_who_may_not_see_it_is_not_told_that_nothing_has_changed(api):
    tag = api.get(RUNS)["ETag"]

    assert APIClient().get(RUNS, headers={"If-None-Match": tag}).status_code == 401
    assert with_token(account()).get(RUNS, headers={"If-None-Match": tag}).status_code == 403


def test_answers_are_kept_by_nobody_but_who_asked(api):
    seen = api.get(RUNS)
    signed_in = APIClient().post("/api/token", {"username": "ada", "password": "wrong"})

    assert seen["Cache-Control"] == "private, no-cache"
    assert "Authorization" in seen["Vary"]
    assert signed_in["Cache-Control"] == "no-store"
