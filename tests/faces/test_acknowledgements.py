"""Failures that somebody has acknowledged, and where that is shown."""

from datetime import timedelta

import pytest
from django.core.management import CommandError
from django.utils import timezone

from housekeeping.exceptions import NotPossible, UnknownTask
from housekeeping.models import Act, TaskState
from housekeeping.runs import acknowledgements, endings, schedules
from housekeeping.runs.work import execution
from tests import make
from tests.make import ADA
from tests.management.commands import output

pytestmark = pytest.mark.django_db

API = "/api/admin/scheduler"
ADDRESS = f"{API}/tasks/stats/acknowledgement"


@pytest.fixture
def failed():
    make.consumer()
    return make.run("stats", status="failed", error="Out of ink", requested_at=make.ago(hours=1))


def verdict(api):
    return api.get(f"{API}/overview").json()["verdict"]


def succeed(task="stats", **fields):
    run = make.run(task, status="running", attempts=1, **fields)
    endings.end(run, "succeeded", rows=type(run).objects.all())


def test_an_acknowledged_failure_is_no_finding_and_not_forgotten(api, failed):
    assert verdict(api)["level"] == "bad"

    answer = api.put(ADDRESS, {"reason": "The ink is ordered"}).json()

    assert (answer["acknowledged"], answer["acknowledged_by"]) == (True, "ada")
    seen = verdict(api)
    assert (seen["level"], seen["findings"]) == ("good", [])
    [known] = seen["acknowledged"]
    assert {name: known[name] for name in ("task", "run", "error", "by", "until", "reason")} == {
        "task": "stats",
        "run": str(failed.pk),
        "error": "Out of ink",
        "by": "ada",
        "until": None,
        "reason": "The ink is ordered",
    }


def test_it_covers_further_failures_until_the_task_succeeds(api, failed):
    acknowledgements.acknowledge("stats")
    make.run("stats", status="failed", error="Out of paper")
    assert verdict(api)["level"] == "good"

    succeed()
    make.run("stats", status="failed", error="Out of ink again")

    assert verdict(api)["level"] == "bad"


@pytest.mark.parametrize("fields", [{"dry_run": True}, {"undo_of": True}])
def test_neither_a_dry_run_nor_an_undo_ends_it(failed, fields):
    acknowledgements.acknowledge("stats")

    succeed(**({"undo_of": failed} if "undo_of" in fields else fields))

    assert TaskState.objects.get().acknowledged_at


def test_the_success_of_another_task_does_not_end_it(failed):
    acknowledgements.acknowledge("stats")

    succeed("users")

    assert TaskState.objects.get().acknowledged_at


def test_a_snoozed_failure_counts_again_after_its_moment(api, failed):
    acknowledgements.acknowledge("stats", until=timezone.now() + timedelta(hours=1))
    assert verdict(api)["level"] == "good"

    TaskState.objects.update(acknowledged_until=make.ago(seconds=1))

    assert verdict(api)["level"] == "bad"
    assert api.get(f"{API}/tasks/stats").json()["acknowledged"] is False


def test_a_person_ends_it(api, failed):
    api.put(ADDRESS, {})

    assert api.delete(ADDRESS).json()["acknowledged"] is False

    assert verdict(api)["level"] == "bad"
    assert [act.what for act in Act.objects.order_by("pk")] == ["acknowledge", "end acknowledgement"]


def test_a_task_that_has_not_failed_can_not_be_acknowledged(api):
    make.run("stats", status="failed", requested_at=make.ago(hours=1))
    make.run("stats", status="succeeded")

    answer = api.put(ADDRESS, {})

    assert (answer.status_code, answer.json()["message"]) == (409, "The newest run of stats has not failed.")
    assert not TaskState.objects.exists()


def test_it_ends_in_the_future(failed):
    with pytest.raises(NotPossible, match="Give a moment in the future, or none"):
        acknowledgements.acknowledge("stats", until=timezone.now())


def test_the_api_names_what_is_wrong(api, failed):
    assert list(api.put(ADDRESS, {"until": "tomorrow"}).json()["fields"]) == ["until"]
    assert list(api.put(ADDRESS, {"reason": 7}).json()["fields"]) == ["reason"]
    assert api.put(f"{API}/tasks/laundry/acknowledgement", {}).status_code == 404


def test_pausing_keeps_it_and_it_keeps_the_pause(failed):
    schedules.pause_task("stats", reason="Moving house", by=ADA)
    acknowledgements.acknowledge("stats", reason="Known", by=ADA)
    schedules.resume_task("stats", by=ADA)

    state = TaskState.objects.get()
    assert (state.is_paused, state.acknowledged_reason) == (False, "Known")


def test_the_metrics_tell_of_it(client, failed):
    acknowledgements.acknowledge("stats")

    lines = client.get("/metrics").text.splitlines()

    assert 'housekeeping_task_acknowledged{task="stats"} 1.0' in lines
    assert "housekeeping_healthy 1.0" in lines


def test_the_command_acknowledges_lists_and_ends(failed):
    said = output("housekeeping_tasks", "acknowledge", "stats", "--reason", "The ink is ordered")
    assert said == "stats is acknowledged until it succeeds.\n"
    [line] = [line for line in output("housekeeping_tasks").splitlines() if line.startswith("stats ")]
    assert line.endswith(" until it succeeds: The ink is ordered")

    assert output("housekeeping_tasks", "unacknowledge", "stats") == "stats counts again.\n"
    assert output("housekeeping_tasks", "unacknowledge", "stats") == "stats was not acknowledged.\n"


def test_the_command_says_what_can_not_be():
    with pytest.raises(CommandError, match="The newest run of stats has not failed"):
        output("housekeeping_tasks", "acknowledge", "stats")
    with pytest.raises(CommandError, match="is not a date: write "):
        output("housekeeping_tasks", "acknowledge", "stats", "--until", "tomorrow")
    with pytest.raises(CommandError, match="There is no task 'laundry'"):
        output("housekeeping_tasks", "unacknowledge", "laundry")
    with pytest.raises(UnknownTask):
        acknowledgements.acknowledge("laundry")


def test_a_real_run_that_succeeds_ends_it(failed, transactional_db):
    acknowledgements.acknowledge("stats")

    execution.execute(execution.claim(make.run("stats").pk, 0))

    assert TaskState.objects.get().acknowledged_at is None
