"""Runs are cancelled and retried, one by one or several at once."""

import uuid

import pytest
from huey.contrib.djhuey import HUEY

from chat.models import ChatMessage
from housekeeping.models import Act, Run
from housekeeping.runs.work import execution
from tests import make
from tests.api.addresses import RUN, RUNS, TRIGGER
from tests.conftest import with_token
from tests.visitors import account

pytestmark = pytest.mark.django_db


def test_a_waiting_run_is_cancelled_at_once(api, administrator):
    run = make.run("stats")

    answer = api.post(f"{RUNS}/{run.pk}/cancel")

    assert answer.status_code == 200
    assert (answer.json()["run"]["status"], list(answer.json()["run"])) == ("cancelled", RUN)
    act = Act.objects.get()
    assert (act.who, act.what, act.target) == (administrator.username, "cancel", str(run.pk))


def test_a_cancelled_run_is_not_carried_out_by_the_message_that_still_comes(api, transactional_db):
    make.message()
    run = api.post(TRIGGER, {"task": "messages", "wait": 0}).json()["run"]
    api.post(f"{RUNS}/{run['id']}/cancel")

    HUEY.execute(HUEY.dequeue())

    assert ChatMessage.objects.count() == 1
    assert api.get(run["url"]).json()["status"] == "cancelled"


def test_a_running_run_is_told_to_stop(api):
    run = make.run("messages")
    make.message()
    claimed = execution.claim(run.pk, 0)

    answer = api.post(f"{RUNS}/{run.pk}/cancel")

    assert (answer.status_code, answer.json()["run"]["status"]) == (200, "running")
    assert execution.execute(claimed).status == "cancelled"
    assert ChatMessage.objects.count() == 1


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled", "missed"])
def test_a_run_that_has_ended_is_not_cancelled(status, api):
    run = make.run(status=status)

    answer = api.post(f"{RUNS}/{run.pk}/cancel")

    assert answer.status_code == 409
    assert status in answer.json()["message"]


@pytest.mark.parametrize("status", ["failed", "cancelled", "missed"])
def test_a_run_that_ended_badly_is_retried_as_a_new_one(status, api, transactional_db):
    run = make.run("users", status=status, schedule="daily_housekeeping", dry_run=True)

    answer = api.post(f"{RUNS}/{run.pk}/retry")

    retried = answer.json()["run"]
    assert answer.status_code == 202
    assert (retried["cause"], retried["task"], retried["dry_run"]) == ("retry", "users", True)
    assert retried["id"] != str(run.pk)
    assert answer["Location"] == retried["url"]
    assert [task.id for task in HUEY.pending()] == [retried["id"]]
    assert Act.objects.get().what == "retry"


@pytest.mark.parametrize("status", ["queued", "running", "succeeded"])
def test_what_did_not_fail_is_not_retried(status, api):
    run = make.run(status=status)

    assert api.post(f"{RUNS}/{run.pk}/retry").status_code == 409
    assert Run.objects.count() == 1


def test_a_task_that_runs_again_already_is_not_retried(api):
    failed = make.run(status="failed", requested_at=make.ago(hours=1))
    active = make.run(status="running")

    answer = api.post(f"{RUNS}/{failed.pk}/retry")

    assert (answer.status_code, answer.json()["run"]["id"]) == (409, str(active.pk))


def test_a_retry_without_a_queue_leaves_no_run_behind(api, transactional_db, unreachable_queue):
    failed = make.run(status="failed")

    answer = api.post(f"{RUNS}/{failed.pk}/retry")

    assert answer.status_code == 503
    assert list(Run.objects.all()) == [failed]


def test_several_runs_are_cancelled_and_each_has_its_answer(api):
    waiting, ended = make.run("stats"), make.run("users", status="succeeded")
    missing = uuid.uuid4()

    answer = api.post(f"{RUNS}/cancel", {"ids": [str(pk) for pk in (waiting.pk, ended.pk, missing)]})

    outcomes = answer.json()["results"]
    assert [(one["id"], one["status"]) for one in outcomes] == [
        (str(waiting.pk), 200), (str(ended.pk), 409), (str(missing), 404),
    ]  # fmt: skip
    assert outcomes[0]["run"]["status"] == "cancelled"
    assert [one.get("code") for one in outcomes] == [None, "not_possible", "not_found"]


def test_several_runs_are_retried_and_one_of_them_only_once(api, transactional_db):
    failed = [make.run(task, status="failed") for task in ("stats", "users")]
    ids = [str(run.pk) for run in failed]

    outcomes = api.post(f"{RUNS}/retry", {"ids": [*ids, ids[0]]}).json()["results"]

    assert [(one["status"], one["run"]["cause"]) for one in outcomes] == [(202, "retry"), (202, "retry")]
    assert Run.objects.count() == 4


@pytest.mark.parametrize(("rights", "status"), [((), 403), (("configure",), 202)])
def test_putting_rows_back_again_needs_the_right_to_put_them_back(rights, status, transactional_db):
    purged = make.run(status="succeeded")
    make.archive(purged)
    undo = make.run(status="failed", undo_of=purged)
    client = with_token(account("view_run", "operate", *rights))

    alone = client.post(f"{RUNS}/{undo.pk}/retry")
    Run.objects.filter(status="queued").delete()
    together = client.post(f"{RUNS}/retry", {"ids": [str(undo.pk)]})

    assert alone.status_code == status
    assert [one["status"] for one in together.json()["results"]] == [status]
    assert Run.objects.filter(status="queued").count() == (status == 202)
    assert (alone.json().get("code") == "not_allowed") == (status == 403)


def test_a_retry_names_the_run_that_it_does_again(api, transactional_db):
    failed = make.run("stats", status="failed")

    body = api.post(f"{RUNS}/{failed.pk}/retry").json()

    assert body["run"]["retry_of"] == str(failed.pk)


@pytest.mark.parametrize("ids", [[], None, "all", [1], ["x"], [str(uuid.uuid4())] * 101])
def test_what_is_no_list_of_up_to_a_hundred_ids_is_refused(ids, api):
    answer = api.post(f"{RUNS}/cancel", {"ids": ids})

    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["ids"])
