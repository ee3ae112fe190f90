"""Pausing a task, from the API, the dashboard and the command line, and where it is shown."""

import json

import pytest
from django.core.management import CommandError

from housekeeping.runs import pauses, schedules
from tests import make
from tests.management.commands import output
from tests.visitors import HTMX

pytestmark = pytest.mark.django_db

API = "/api/admin/scheduler"
PAGE = "/scheduler-admin/tasks/stats"


def test_the_api_pauses_and_resumes_a_task(api):
    paused = api.patch(f"{API}/tasks/stats", {"paused": True, "reason": "Moving house"}).json()

    assert (paused["paused"], paused["paused_by"], paused["pause_reason"]) == (True, "ada", "Moving house")
    assert paused["paused_at"]
    schedule = api.get(f"{API}/schedules/statistics_generation").json()
    assert (schedule["task_paused"], schedule["paused"]) == (True, False)
    assert (schedule["next_run_time"], schedule["next_fire_times"]) == (None, [])

    resumed = api.patch(f"{API}/tasks/stats", {"paused": False}).json()
    assert (resumed["paused"], resumed["paused_by"], resumed["pause_reason"]) == (False, None, None)


def test_the_api_lists_every_task(api):
    schedules.pause_task("stats")

    found = {one["name"]: one for one in api.get(f"{API}/tasks").json()["results"]}

    assert found["stats"]["paused"] is True
    assert found["conversations"] | {"latest": None} == {
        "name": "conversations",
        "title": "Delete old conversations",
        "description": found["conversations"]["description"],
        "has_dry_run": True,
        "retries": 0,
        "retry_delay_seconds": 60,
        "schedules": ["weekly_cleanup"],
        "policies": ["conversations"],
        "paused": False,
        "paused_by": None,
        "paused_at": None,
        "pause_reason": None,
        "acknowledged": False,
        "acknowledged_by": None,
        "acknowledged_until": None,
        "acknowledged_reason": None,
        "latest": None,
    }


@pytest.mark.parametrize(
    ("body", "field"),
    [({}, "paused"), ({"paused": "yes"}, "paused"), ({"paused": True, "reason": "x" * 301}, "reason")],
)
def test_the_api_names_what_is_wrong_with_a_pause(api, body, field):
    answer = api.patch(f"{API}/tasks/stats", body)

    assert (answer.status_code, list(answer.json()["fields"])) == (400, [field])
    assert not pauses.paused()


def test_a_task_that_is_not_declared_is_not_found(api):
    assert api.get(f"{API}/tasks/laundry").status_code == 404
    assert api.patch(f"{API}/tasks/laundry", {"paused": True}).status_code == 404


def test_the_verdict_tells_who_paused_a_task_and_why(api):
    make.consumer()
    api.patch(f"{API}/tasks/stats", {"paused": True, "reason": "Moving house"})

    verdict = api.get(f"{API}/overview").json()["verdict"]

    assert verdict["level"] == "warning"
    [finding] = [one for one in verdict["findings"] if "paused" in one["text"]]
    assert finding["text"] == "“Generate statistics” is paused by ada: Moving house"


def test_the_metrics_have_a_series_for_each_task(client):
    schedules.pause_task("stats")

    lines = client.get("/metrics").text.splitlines()

    assert 'housekeeping_task_paused{task="stats"} 1.0' in lines
    assert 'housekeeping_task_paused{task="conversations"} 0.0' in lines


def test_the_command_pauses_lists_and_resumes():
    assert output("housekeeping_tasks", "pause", "stats", "--reason", "Moving house") == "stats is paused.\n"

    [line] = [line for line in output("housekeeping_tasks").splitlines() if line.startswith("stats ")]
    assert line.split(" paused by ")[1].endswith(": Moving house")
    found = {one["name"]: one for one in json.loads(output("housekeeping_tasks", "list", "--json"))}
    assert found["stats"]["pause_reason"] == "Moving house"

    assert output("housekeeping_tasks", "resume", "stats") == "stats is resumed.\n"
    assert not pauses.paused()


def test_the_command_names_the_tasks_that_there_are():
    with pytest.raises(CommandError, match="There is no task 'laundry'; choose one of all, "):
        output("housekeeping_tasks", "pause", "laundry")


def test_the_page_pauses_and_resumes(dashboard):
    answer = dashboard.post(f"{PAGE}/pause", {"reason": "Moving house"}, follow=True)
    assert answer.redirect_chain == [(PAGE, 302)]
    assert pauses.paused()["stats"].reason == "Moving house"

    dashboard.post(f"{PAGE}/resume", headers=HTMX)
    assert not pauses.paused()
