"""A task is run, and its result awaited."""

import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import pytest
from django.db import connections
from huey.contrib.djhuey import HUEY

from chat.models import ChatMessage, Conversation, User
from housekeeping.models import Act, Run, Snapshot
from housekeeping.runs.work import execution
from tests import make
from tests.api.addresses import RUN, TRIGGER, result_of
from tests.conftest import with_token

pytestmark = pytest.mark.django_db

NUMBERS = {
    "total_users",
    "total_conversations",
    "total_messages",
    "recent_conversations_24h",
    "recent_messages_24h",
}


def carry_out(run):
    return execution.execute(execution.claim(run.pk, run.attempts))


@pytest.mark.parametrize(
    ("task", "result"),
    [
        ("conversations", {"deleted_conversations": 1}),
        ("messages", {"cleaned_messages": 1}),
        ("users", {"deleted_users": 1}),
    ],
)
def test_a_task_is_triggered_and_its_result_awaited(task, result, api, worker):
    make.litter()

    answer = api.post(TRIGGER, {"task": task})

    body = answer.json()
    assert answer.status_code == 200
    assert list(body) == ["message", "result", "run"]
    assert body["result"] == body["run"]["result"] == result
    assert (body["run"]["task"], body["run"]["status"], body["run"]["cause"]) == (task, "succeeded", "manual")
    assert (Conversation.objects.count(), ChatMessage.objects.count(), User.objects.count()) == {
        "conversations": (1, 2, 5),
        "messages": (2, 3, 5),
        "users": (2, 4, 4),
    }[task]


def test_all_tasks_are_triggered_and_answer_as_one(api, worker):
    make.litter()

    body = api.post(TRIGGER, {"task": "all"}).json()

    assert body["message"] == "All housekeeping tasks completed"
    assert body["result"] == {
        "deleted_conversations": 1,
        "cleaned_messages": 1,
        "deleted_users": 1,
        "stats": {
            "total_users": 3,
            "total_conversations": 1,
            "total_messages": 1,
            "recent_conversations_24h": 1,
            "recent_messages_24h": 1,
        },
    }
    assert list(body["run"]) == RUN


def test_statistics_are_triggered_and_a_snapshot_is_kept(api, worker):
    make.conversation(messages=3)

    stats = api.post(TRIGGER, {"task": "stats"}).json()["result"]["stats"]

    assert set(stats) == NUMBERS
    assert stats["total_messages"] == 3
    assert Snapshot.objects.get().numbers == stats


def test_the_result_is_huey_s_own_too(api, worker):
    make.litter()

    run = api.post(TRIGGER, {"task": "messages"}).json()["run"]

    kept = HUEY.result(run["id"], preserve=True)
    assert kept == run["result"] == {"cleaned_messages": 1}


@pytest.mark.parametrize(
    ("task", "result"),
    [
        ("conversations", {"deleted_conversations": 1}),
        ("messages", {"cleaned_messages": 1}),
        ("users", {"deleted_users": 1}),
    ],
)
def test_a_dry_run_says_what_would_go_and_deletes_nothing(task, result, api, worker):
    make.litter()
    before = (Conversation.objects.count(), ChatMessage.objects.count(), User.objects.count())

    body = api.post(TRIGGER, {"task": task, "dry_run": True}).json()

    assert (body["result"], body["run"]["dry_run"]) == (result, True)
    assert "nothing was deleted" in body["message"]
    assert (Conversation.objects.count(), ChatMessage.objects.count(), User.objects.count()) == before


def test_a_dry_run_of_all_tasks_keeps_no_snapshot(api, worker):
    make.litter()

    result = api.post(TRIGGER, {"task": "all", "dry_run": True}).json()["result"]

    assert (result["deleted_conversations"], result["stats"]["total_conversations"]) == (1, 2)
    assert not Snapshot.objects.exists()


def test_what_is_not_done_yet_is_answered_with_the_address_of_its_run(api, transactional_db):
    answer = api.post(TRIGGER, {"task": "stats", "wait": 0})

    run = Run.objects.get()
    body = answer.json()
    assert answer.status_code == 202
    assert list(body) == ["message", "run"]
    assert (body["run"]["id"], body["run"]["status"]) == (str(run.pk), "queued")
    assert answer["Location"] == body["run"]["url"]
    assert api.get(answer["Location"]).json() == body["run"]
    assert [task.id for task in HUEY.pending()] == [str(run.pk)]


def test_the_wait_ends_after_the_seconds_asked_for(api, transactional_db):
    start = time.monotonic()

    answer = api.post(TRIGGER, {"task": "stats", "wait": 0.3})

    assert answer.status_code == 202
    assert 0.3 <= time.monotonic() - start < 3


def test_a_triggered_run_is_carried_out_later_from_the_queue(api, transactional_db):
    make.message()
    url = api.post(TRIGGER, {"task": "messages", "wait": 0})["Location"]

    HUEY.execute(HUEY.dequeue())

    run = api.get(url).json()
    assert (run["status"], run["result"]) == ("succeeded", {"cleaned_messages": 1})


def test_a_protected_row_fails_the_run_and_the_answer(api, protected_conversation, worker):
    answer = api.post(TRIGGER, {"task": "conversations"})

    body = answer.json()
    assert answer.status_code == 500
    assert set(body) >= {"message", "error", "run"}
    assert body["message"] == "Delete old conversations: failed"
    assert "IntegrityError" in body["error"]
    assert (body["run"]["status"], body["run"]["error"]) == ("failed", body["error"])
    assert Conversation.objects.filter(pk=protected_conversation.pk).exists()


def test_one_failure_among_all_tasks_fails_the_run_and_the_others_still_run(
    api, protected_conversation, worker
):
    make.message()

    answer = api.post(TRIGGER, {"task": "all"})

    body = answer.json()
    assert answer.status_code == 500
    assert list(body["run"]["result"]["errors"]) == ["conversations"]
    assert body["run"]["result"]["cleaned_messages"] == 1
    assert body["run"]["result"]["deleted_users"] == 0
    assert body["run"]["result"]["stats"]["total_conversations"] == 1


def test_a_task_of_the_site_s_own_is_offered_and_its_failure_told(api, failing_task, worker):
    answer = api.post(TRIGGER, {"task": failing_task})

    assert answer.status_code == 500
    assert answer.json()["error"] == "ZeroDivisionError: division by zero"
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    "body", [{"task": "nonsense"}, {"task": ""}, {"task": None}, {"task": ["all"]}, {"task": True}, {}]
)
def test_a_body_without_a_task_of_ours_is_told_the_field_and_the_choices(body, api):
    answer = api.post(TRIGGER, body)

    assert answer.status_code == 400
    [reason] = answer.json()["task"]
    assert all(name in reason for name in ("all", "conversations", "messages", "users", "stats"))
    assert not Run.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("dry_run", "perhaps"),
        ("dry_run", None),
        ("dry_run", {}),
        ("wait", -1),
        ("wait", 31),
        ("wait", "soon"),
        ("wait", "nan"),
        ("wait", None),
        ("dryrun", True),
    ],
)
def test_a_field_that_can_t_be_used_is_named(field, value, api):
    answer = api.post(TRIGGER, {"task": "all", field: value})

    assert answer.status_code == 400
    assert [field] == list(answer.json()["fields"])
    assert not Run.objects.exists()


def test_an_unknown_field_is_told_the_known_ones(api):
    [reason] = api.post(TRIGGER, {"task": "all", "dryrun": True}).json()["dryrun"]

    assert all(name in reason for name in ("task", "dry_run", "wait"))


@pytest.mark.parametrize("body", ["", "[]", '["all"]', '"all"', "1", "null", "{", '{"task": "all"', "\xff"])
def test_what_is_no_json_object_is_refused(body, api):
    answer = api.generic("POST", TRIGGER, body.encode("latin-1"), content_type="application/json")

    assert answer.status_code == 400
    assert not Run.objects.exists()


def test_a_form_is_refused(api):
    answer = api.generic(
        "POST", TRIGGER, urlencode({"task": "all"}), content_type="application/x-www-form-urlencoded"
    )

    assert answer.status_code == 415
    assert not Run.objects.exists()


@pytest.mark.parametrize("status", ["queued", "running", "held"])
def test_a_task_that_runs_already_answers_with_that_run(status, api):
    active = make.run("stats", status=status)

    answer = api.post(TRIGGER, {"task": "stats"})

    assert answer.status_code == 409
    assert answer.json()["run"] == api.get(result_of(active)).json()
    assert str(active.pk) in answer.json()["message"]
    assert Run.objects.count() == 1


def test_of_many_requests_at_once_one_opens_a_run(administrator, transactional_db):
    def trigger(_):
        try:
            return with_token(administrator).post(TRIGGER, {"task": "all", "wait": 0}).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as requests:
        codes = sorted(requests.map(trigger, range(6)))

    assert codes == [202] + [409] * 5
    assert len(HUEY.pending()) == Run.objects.count() == 1


def test_a_queue_out_of_reach_leaves_no_run_behind(api, transactional_db, unreachable_queue):
    answer = api.post(TRIGGER, {"task": "all"})

    assert answer.status_code == 503
    assert "queue" in answer.json()["message"]
    assert not Run.objects.exists()


def test_who_triggered_is_on_record(api, administrator, transactional_db):
    run = api.post(TRIGGER, {"task": "stats", "wait": 0}).json()["run"]

    act = Act.objects.get()
    assert run["requested_by"] == act.who == administrator.username
    assert (act.what, act.target, act.origin) == ("trigger", run["id"], "API from 127.0.0.1")
    assert act.done_at > make.ago(minutes=1)


@pytest.mark.parametrize(
    "body",
    [
        {"dry_run": "true"}, {"dry_run": 1}, {"wait": "1"}, {"wait": True}, {"plan": 5}, {"plan": "0" * 32},
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_refused(body, api):
    answer = api.post(TRIGGER, {"task": "stats"} | body)

    assert (answer.status_code, list(answer.json()["fields"])) == (400, list(body))
    assert not Run.objects.exists()
