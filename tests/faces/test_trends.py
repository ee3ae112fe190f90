"""Trends of a task, on every face."""

import json
from datetime import timedelta

import pytest
from django.core.management import CommandError
from django.utils import timezone

from housekeeping.reading.runs import trends
from tests import make
from tests.management.commands import output
from tests.visitors import text

pytestmark = pytest.mark.django_db

API = "/api/admin/scheduler"
HOME = "/scheduler-admin"


def test_the_last_week_is_compared_with_the_four_before(api):
    for day in range(1, 36):
        make.ended(age=timedelta(days=day), seconds=2 if day > 7 else 20, rows=10 if day > 7 else 1000)
    make.ended(age=timedelta(days=1), status="failed", seconds=4, rows=0)

    found = api.get(f"{API}/tasks/users/trends?days=3").json()

    recent, before = found["recent"], found["before"]
    assert (recent["days"], recent["runs"], recent["failures"], recent["rows"]) == (7, 7, 1, 6000)
    assert (before["days"], before["runs"], before["failures"], before["rows"]) == (28, 28, 0, 1270)
    assert (recent["p50_seconds"], before["p50_seconds"], before["p95_seconds"]) == (20, 2, 2)
    assert [day["runs"] for day in found["days"]] == [1, 2, 0]
    assert [day["p50_seconds"] for day in found["days"]] == [20, 12, None]
    assert found["usual"] == {"runs": 27, "seconds": 2, "rows": 10}


def test_a_task_that_never_ran_has_no_trend(api, admin_client):
    found = api.get(f"{API}/tasks/users/trends").json()

    assert (found["usual"], found["recent"]["runs"], len(found["days"])) == (None, 0, 30)
    assert "The last seven days" not in text(admin_client.get(f"{HOME}/tasks/users"))
    assert api.get(f"{API}/tasks/nope/trends").status_code == 404
    assert api.get(f"{API}/tasks/users/trends?days=0").status_code == 400


def test_the_command_tells_the_same(api):
    for day in range(6):
        make.ended(age=timedelta(days=day, hours=1), rows=1234)

    printed = output("housekeeping_tasks", "trends", "users")

    assert "last 7 days" in printed
    assert "A usual run takes 2.0 s and deletes 1,234 rows." in printed
    from_api = api.get(f"{API}/tasks/users/trends").json()
    assert json.loads(output("housekeeping_tasks", "trends", "users", "--json")) == from_api
    with pytest.raises(CommandError, match="nope"):
        output("housekeeping_tasks", "trends", "nope")


def test_the_page_of_a_task_compares_them(admin_client):
    for day in range(1, 15):
        make.ended(age=timedelta(days=day), seconds=61, rows=1234)

    page = text(admin_client.get(f"{HOME}/tasks/users"))

    assert "The last seven days" in page
    assert "Usual: 1 min 1 s, 1,234 rows" in page


def test_the_page_of_a_busy_task_reads_its_runs_once(django_assert_max_num_queries):
    for day in range(10):
        make.ended(age=timedelta(days=day))

    now = timezone.now()
    with django_assert_max_num_queries(2):
        trends.of_task("users", now, days=1, took=[])
