import time
import uuid
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from django.urls import resolve
from huey.contrib.djhuey import HUEY
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import RefreshToken

from chat.models import ChatMessage, Conversation, User
from housekeeping.api.urls import urlpatterns
from housekeeping.declared.registry import SCHEDULES
from housekeeping.models import Act, Hold, Run, ScheduleState, Snapshot
from housekeeping.runs import execution
from tests import make
from tests.conftest import with_token
from tests.visitors import account

pytestmark = pytest.mark.django_db

SCHEDULER = "/api/admin/scheduler"
STATUS = f"{SCHEDULER}/status"
TRIGGER = f"{SCHEDULER}/trigger"
STATISTICS = f"{SCHEDULER}/statistics"
RUNS = f"{SCHEDULER}/runs"
CONSUMERS = f"{SCHEDULER}/consumers"

NUMBERS = {
    "total_users",
    "total_conversations",
    "total_messages",
    "recent_conversations_24h",
    "recent_messages_24h",
}
RUN = [
    "id",
    "task",
    "schedule",
    "cause",
    "status",
    "dry_run",
    "scheduled_for",
    "requested_by",
    "requested_at",
    "started_at",
    "finished_at",
    "attempts",
    "progress",
    "result",
    "error",
    "url",
    "approved_by",
    "undo_of",
    "plan_of",
    "retry_of",
    "plan",
    "receipt",
    "cancel_requested",
    "losses",
    "retried",
    "consumer",
    "took_seconds",
]
IN_FULL = ["traceback", "undo_until", "undo_rows", "undo_bytes"]  # beside them, at runs/<id>
JOBS = [
    ("daily_housekeeping", "Daily Housekeeping Tasks", "cron[hour='2', minute='0']"),
    ("weekly_cleanup", "Weekly Conversation Cleanup", "cron[day_of_week='sun', hour='3', minute='0']"),
    ("statistics_generation", "Generate System Statistics", "interval[0:06:00:00]"),
]


def result_of(run):
    return f"{SCHEDULER}/results/{run.pk}"


def litter():
    """One row for each policy to purge (an old conversation has two messages), and one to keep."""
    make.conversation(age=make.days(31), messages=2)
    make.message()
    make.visitor(age=make.days(8))
    make.conversation(messages=1)
    make.visitor(age=make.days(6))


def carry_out(run):
    return execution.execute(execution.claim(run.pk, run.attempts))


# --- Tokens -----------------------------------------------------------------------------------


def sign_in(name, password):
    return APIClient().post("/api/token", {"username": name, "password": password})


def refresh(token):
    return APIClient().post("/api/token/refresh", {"refresh": str(token)})


def bearer(access):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {access}")
    return client


def test_a_name_and_a_password_give_a_token_that_opens_the_api():
    make.administrator(username="ada", password="correct horse")

    tokens = sign_in("ada", "correct horse")

    assert tokens.status_code == 200
    assert set(tokens.json()) == {"access", "refresh"}
    assert bearer(tokens.json()["access"]).get(STATUS).status_code == 200


def test_who_signs_in_through_the_api_alone_has_logged_in():
    make.user(username="ada", password="correct horse")

    sign_in("ada", "correct horse")

    assert User.objects.get().last_login > make.ago(minutes=1)


def test_a_wrong_password_gives_no_token():
    make.administrator(username="ada", password="correct horse")

    answer = sign_in("ada", "battery staple")

    assert answer.status_code == 401
    assert "access" not in answer.json()


def test_an_account_that_is_not_active_gets_no_token():
    make.visitor(username="eve", password="correct horse")

    assert sign_in("eve", "correct horse").status_code == 401


@pytest.mark.parametrize("path", ["/api/token", "/api/token/refresh", "/api/token/blacklist"])
def test_a_token_address_names_the_fields_that_it_misses(path):
    answer = APIClient().post(path, {})

    assert answer.status_code == 400
    assert set(answer.json()["fields"]) <= {"username", "password", "refresh"}


def test_a_refresh_token_gives_a_new_pair(administrator):
    pair = refresh(RefreshToken.for_user(administrator))

    assert pair.status_code == 200
    assert bearer(pair.json()["access"]).get(STATUS).status_code == 200
    assert refresh(pair.json()["refresh"]).status_code == 200


def test_a_refresh_token_is_good_for_one_use(administrator):
    token = RefreshToken.for_user(administrator)

    assert [refresh(token).status_code for _ in range(2)] == [200, 401]


def test_a_blacklisted_token_is_refused(administrator):
    token = RefreshToken.for_user(administrator)

    answer = APIClient().post("/api/token/blacklist", {"refresh": str(token)})

    assert answer.status_code == 200
    assert refresh(token).status_code == 401


def test_a_deactivated_account_is_out_at_once(administrator):
    token = RefreshToken.for_user(administrator)

    User.objects.filter(pk=administrator.pk).update(is_active=False)

    assert bearer(token.access_token).get(STATUS).status_code == 401
    assert refresh(token).status_code == 401


def test_a_changed_password_ends_the_tokens_made_with_the_old_one(administrator):
    token = RefreshToken.for_user(administrator)

    administrator.set_password("a new one")
    administrator.save()

    assert bearer(token.access_token).get(STATUS).status_code == 401
    renewed = refresh(token).json().get("access")
    assert bearer(renewed).get(STATUS).status_code == 401


def test_a_deleted_account_is_out_at_once(administrator):
    token = RefreshToken.for_user(administrator)

    administrator.delete()

    assert bearer(token.access_token).get(STATUS).status_code == 401
    assert refresh(token).status_code == 401


def test_a_token_that_has_run_out_is_refused(administrator):
    token = RefreshToken.for_user(administrator).access_token
    token.set_exp(from_time=datetime.now(UTC) - timedelta(hours=1))

    assert bearer(token).get(STATUS).status_code == 401


@pytest.mark.parametrize("header", ["Bearer", "Bearer x", "Bearer a.b.c", "Bearer a b", "Basic YTpi", "x"])
def test_what_is_no_token_of_ours_is_refused(header):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=header)

    answer = client.get(STATUS)

    assert answer.status_code == 401
    assert "Bearer" in answer["WWW-Authenticate"]


def test_a_refresh_token_opens_nothing(administrator):
    assert bearer(RefreshToken.for_user(administrator)).get(STATUS).status_code == 401


def test_the_session_of_a_browser_opens_nothing(dashboard):
    assert dashboard.get(STATUS).status_code == 401


# --- Rights -----------------------------------------------------------------------------------

VIEW, OPERATE, CONFIGURE = "GET", "POST", "POST by who may configure"
CHANGE, END = "PATCH by who may configure", "DELETE by who may configure"
# Every address below /api/admin/scheduler, and the (first) method that it answers.
ADDRESSES = {
    "status": VIEW,
    "trigger": OPERATE,
    "statistics": VIEW,
    "overview": VIEW,
    "snapshots": VIEW,
    "tallies": VIEW,
    "acts": VIEW,
    "consumers": VIEW,
    "runs": VIEW,
    "results/{run}": VIEW,
    "runs/{run}": VIEW,
    "runs/{run}/log": VIEW,
    "runs/{run}/receipt": VIEW,
    "runs/{run}/receipt.csv": VIEW,
    "policies": VIEW,
    "policies/conversations": VIEW,
    "policies/conversations/preview": VIEW,
    "runs/cancel": OPERATE,
    "runs/retry": OPERATE,
    "runs/{run}/cancel": OPERATE,
    "runs/{run}/retry": OPERATE,
    "runs/{run}/approve": OPERATE,
    "runs/{run}/undo": CONFIGURE,
    "schedules": VIEW,
    "schedules/fire-times": VIEW,
    "schedules/weekly_cleanup": VIEW,
    "holds": VIEW,
    "holds/{hold}": VIEW,
    "runs/{run}/holds": CHANGE,
    "schedules/weekly_cleanup/run": OPERATE,
}
# Beside them: an address may answer more than one method.
MORE = [
    ("holds", CONFIGURE),
    ("holds/{hold}", CHANGE),
    ("holds/{hold}", END),
    ("runs/{run}/holds", END),
]
ANSWERED = {path: {"options", method.partition(" ")[0].lower()} for path, method in ADDRESSES.items()}
for _path, _method in [*MORE, *((path, "HEAD") for path, method in ADDRESSES.items() if method == VIEW)]:
    ANSWERED[_path].add(_method.partition(" ")[0].lower())
for _path in ("schedules", "schedules/weekly_cleanup", "policies/conversations"):
    ANSWERED[_path].add("patch")
# Who is asking, and what they are told: to a look, to an act, and to an act of configuring.
ROLES = {
    "nobody": (lambda: APIClient(), 401, 401, 401),
    "user": (lambda: with_token(account()), 403, 403, 403),
    "staff": (lambda: with_token(make.user(is_staff=True)), 403, 403, 403),
    "viewer": (lambda: with_token(account("view_run")), 200, 403, 403),
    "operator": (lambda: with_token(account("view_run", "operate")), 200, 200, 403),
    "configurer": (lambda: with_token(account("view_run", "configure")), 200, 403, 200),
    "superuser": (lambda: with_token(make.administrator()), 200, 200, 200),
}


def address(path):
    status = {"retry": "failed", "approve": "held", "undo": "succeeded"}.get(
        path.rpartition("/")[2], "queued"
    )
    run = make.run("stats", status=status)
    if path.endswith("undo"):
        make.archive(run)
    row = make.conversation()
    hold = Hold.objects.create(model="chat.Conversation", key=str(row.pk), reason="x", undo=run)
    return f"{SCHEDULER}/{path.format(run=run.pk, hold=hold.pk)}"


def ask(client, url, method):
    if method == VIEW:
        return client.get(url, {"trigger": "0 2 * * *"} if "fire-times" in url else {})
    if method == CHANGE:
        return client.patch(url, {"until": "2127-01-31"})
    if method == END:
        return client.delete(url)
    if method == CONFIGURE and url.rstrip("/").endswith("holds"):
        row = Conversation.objects.first()
        return client.post(url, {"model": "chat.Conversation", "key": row.pk, "reason": "x"})
    return client.post(url, body_for(url))


def body_for(url):
    last = url.rstrip("/").rpartition("/")[2]
    if last == "trigger":
        return {"task": "messages", "wait": 0}
    if url.rstrip("/").endswith(("runs/cancel", "runs/retry")):
        return {"ids": [str(uuid.uuid4())]}
    return {"wait": 0} if last in ("undo", "run") else {}


def test_every_address_stands_in_the_matrix():
    paths = [f"{SCHEDULER}/{path.format(run=uuid.uuid4(), hold=1)}" for path in ADDRESSES]

    tried = {resolve(path).url_name for path in paths}

    assert tried == {pattern.name for pattern in urlpatterns}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("path", "method"), [*ADDRESSES.items(), *MORE])
def test_each_address_asks_for_its_right(path, method, role):
    url = address(path)
    client, look, act, configure = ROLES[role]

    answer = ask(client(), url, method)

    code = 200 if answer.status_code in (201, 202, 204) else answer.status_code
    assert code == {VIEW: look, OPERATE: act}.get(method, configure)


@pytest.mark.parametrize("path", ADDRESSES)
def test_a_viewer_changes_nothing(path, viewer):
    url = address(path)
    before = list(Run.objects.values()), list(Hold.objects.values())
    verbs = ("post", "put", "patch", "delete")

    codes = {getattr(with_token(viewer), verb)(url, {}).status_code for verb in verbs}

    assert codes <= {403, 405}
    assert (list(Run.objects.values()), list(Hold.objects.values())) == before


@pytest.mark.parametrize("path", ADDRESSES)
def test_the_other_methods_are_not_allowed(path, api):
    url = address(path)
    others = {"get", "head", "post", "put", "patch", "delete"} - ANSWERED[path]

    codes = {getattr(api, verb)(url).status_code for verb in others}

    assert codes == {405}


@pytest.mark.parametrize(("path", "method"), [*ADDRESSES.items(), *MORE])
def test_a_trailing_slash_is_accepted(path, method, api):
    answer = ask(api, f"{address(path)}/", method)

    assert answer.status_code in (200, 201, 202, 204)


@pytest.mark.parametrize("path", ["/api/token/", "/api/token/refresh/", "/api/token/blacklist/"])
def test_a_token_address_accepts_a_trailing_slash(path):
    assert APIClient().post(path, {}).status_code == 400


# --- Status -----------------------------------------------------------------------------------


def test_the_status_has_the_schedules_of_the_contract_in_their_order(api):
    make.consumer()

    body = api.get(STATUS).json()

    assert (body["status"], body["total_jobs"]) == ("running", 3)
    assert [(job["id"], job["name"], job["trigger"]) for job in body["jobs"]] == JOBS
    assert all(set(job) >= {"id", "name", "next_run_time", "trigger"} for job in body["jobs"])


def test_each_job_says_when_it_runs_next_with_its_offset(api):
    now = datetime.now(UTC)

    times = [job["next_run_time"] for job in api.get(STATUS).json()["jobs"]]

    assert all(time.endswith("+00:00") for time in times)
    daily, weekly, statistics = map(datetime.fromisoformat, times)
    assert (daily.hour, daily.minute, daily.second) == (2, 0, 0)
    assert (weekly.isoweekday(), weekly.hour) == (7, 3)
    assert statistics.hour % 6 == 0
    assert now < daily <= now + timedelta(days=1)
    assert now < weekly <= now + timedelta(days=7)
    assert now < statistics <= now + timedelta(hours=6)


def test_a_time_is_written_in_the_zone_of_the_site(api, settings):
    settings.TIME_ZONE = "Asia/Tokyo"

    daily = api.get(STATUS).json()["jobs"][0]["next_run_time"]

    assert daily.endswith("T02:00:00+09:00")


@pytest.mark.parametrize(
    ("age", "fields", "status"),
    [
        (timedelta(seconds=5), {}, "running"),
        (timedelta(seconds=45), {}, "stopped"),
        (timedelta(), {"schedules": False}, "stopped"),
        (timedelta(), {"stopped_at": datetime.now(UTC)}, "stopped"),
    ],
    ids=["fresh heartbeat", "stale heartbeat", "runs tasks only", "said goodbye"],
)
def test_a_heartbeat_makes_the_difference_between_running_and_stopped(api, age, fields, status):
    make.consumer(age=age, **fields)

    assert api.get(STATUS).json()["status"] == status


def test_without_a_consumer_the_scheduler_is_stopped(api):
    assert api.get(STATUS).json()["status"] == "stopped"


def pause(*ids):
    for name in ids:
        ScheduleState.objects.create(id=name, is_paused=True, next_fire_at=make.ago(), computed_from="")


def test_with_every_schedule_paused_the_scheduler_is_paused(api):
    make.consumer()
    pause(*SCHEDULES)

    body = api.get(STATUS).json()

    assert body["status"] == "paused"
    assert [job["next_run_time"] for job in body["jobs"]] == [None, None, None]


def test_one_paused_schedule_has_no_next_run_and_the_others_go_on(api):
    make.consumer()
    pause("weekly_cleanup")

    body = api.get(STATUS).json()

    assert body["status"] == "running"
    assert [job["next_run_time"] is None for job in body["jobs"]] == [False, True, False]


# --- Trigger ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "result"),
    [
        ("conversations", {"deleted_conversations": 1}),
        ("messages", {"cleaned_messages": 1}),
        ("users", {"deleted_users": 1}),
    ],
)
def test_a_task_is_triggered_and_its_result_awaited(task, result, api, worker):
    litter()

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
    litter()

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
    litter()

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
    litter()
    before = (Conversation.objects.count(), ChatMessage.objects.count(), User.objects.count())

    body = api.post(TRIGGER, {"task": task, "dry_run": True}).json()

    assert (body["result"], body["run"]["dry_run"]) == (result, True)
    assert "nothing was deleted" in body["message"]
    assert (Conversation.objects.count(), ChatMessage.objects.count(), User.objects.count()) == before


def test_a_dry_run_of_all_tasks_keeps_no_snapshot(api, worker):
    litter()

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


# --- Statistics -------------------------------------------------------------------------------


def test_the_statistics_are_five_flat_numbers(api):
    make.conversation(age=make.days(2), messages=3)
    make.conversation(messages=2)
    make.message()
    make.visitor()

    assert api.get(STATISTICS).json() == {
        "total_users": 3,
        "total_conversations": 2,
        "total_messages": 6,
        "recent_conversations_24h": 1,
        "recent_messages_24h": 3,
    }


def test_asking_for_the_statistics_keeps_no_snapshot(api):
    api.get(STATISTICS)

    assert not Snapshot.objects.exists()


# --- Runs -------------------------------------------------------------------------------------


def test_a_run_is_written_as_the_contract_says(api):
    moment = datetime(2025, 12, 21, 3, tzinfo=UTC)
    run = make.run(
        schedule="weekly_cleanup",
        scheduled_for=moment,
        cause="schedule",
        status="succeeded",
        requested_at=moment,
        started_at=moment + timedelta(seconds=1),
        finished_at=moment + timedelta(seconds=2, microseconds=5),
        attempts=1,
        total=5,
        deleted={"conversations": 5},
        result={"deleted_conversations": 5},
    )

    body = api.get(result_of(run)).json()

    assert body == {
        "id": str(run.pk),
        "task": "conversations",
        "schedule": "weekly_cleanup",
        "cause": "schedule",
        "status": "succeeded",
        "dry_run": False,
        "scheduled_for": "2025-12-21T03:00:00+00:00",
        "requested_by": None,
        "requested_at": "2025-12-21T03:00:00+00:00",
        "started_at": "2025-12-21T03:00:01+00:00",
        "finished_at": "2025-12-21T03:00:02.000005+00:00",
        "attempts": 1,
        "progress": {"done": 5, "total": 5},
        "result": {"deleted_conversations": 5},
        "error": None,
        "url": result_of(run),
        "approved_by": None,
        "undo_of": None,
        "plan_of": None,
        "retry_of": None,
        "plan": {},
        "receipt": {},
        "cancel_requested": False,
        "losses": 0,
        "retried": 0,
        "consumer": None,
        "took_seconds": 1.0,
    }


def test_a_run_that_waits_has_nulls_where_nothing_happened_yet(api):
    body = api.get(result_of(make.run("stats"))).json()

    assert list(body) == RUN
    empty = [name for name, value in body.items() if value is None]
    assert empty == [
        "schedule",
        "scheduled_for",
        "requested_by",
        "started_at",
        "finished_at",
        "result",
        "error",
        "approved_by",
        "undo_of",
        "plan_of",
        "retry_of",
        "consumer",
        "took_seconds",
    ]


def test_a_run_is_everywhere_the_same_object(api):
    run = make.run("stats", status="failed", error="Out of ink")

    [listed] = api.get(RUNS).json()["results"]

    assert listed == api.get(result_of(run)).json()
    assert api.get(f"{RUNS}/{run.pk}").json() == listed | dict.fromkeys(IN_FULL)
    assert listed["error"] == "Out of ink"


def test_a_run_in_full_says_all_that_its_page_does(api):
    facts = {"status": "failed", "attempts": 2, "losses": 1, "cancel_requested": True}
    run = make.run("messages", consumer=make.consumer(host="night", pid=42), traceback="Traceback …", **facts)
    until = make.ago(days=-3)
    make.archive(run, rows=3, size=20, expires_at=until)
    make.archive(run, rows=4, size=10, emptied="conversation_id", expires_at=make.ago(days=-4))

    body = api.get(f"{RUNS}/{run.pk}").json()

    assert (body["consumer"], body["losses"], body["cancel_requested"]) == ("night:42", 1, True)
    assert body["traceback"] == "Traceback …"
    assert (body["undo_rows"], body["undo_bytes"], body["undo_until"]) == (3, 30, until.isoformat())


def test_a_list_of_more_runs_asks_the_database_no_more(api, django_assert_num_queries):
    for number in range(20):
        make.run("stats", status="failed", consumer=make.consumer(pid=number))
    with CaptureQueriesContext(connection) as few:
        api.get(RUNS, {"page_size": 2})

    with django_assert_num_queries(len(few)):
        assert len(api.get(RUNS, {"page_size": 20}).json()["results"]) == 20


@pytest.mark.parametrize("path", ["results/{}", "runs/{}", "runs/{}/cancel", "runs/{}/retry"])
def test_a_run_that_does_not_exist_is_not_found(path, api):
    url = f"{SCHEDULER}/{path.format(uuid.uuid4())}"

    answer = api.post(url) if path.endswith(("cancel", "retry")) else api.get(url)

    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/json"


def test_runs_come_newest_first(api):
    for number in (2, 3, 1):
        make.run(f"task {number}", requested_at=make.ago(hours=number))

    body = api.get(RUNS).json()

    assert list(body) == ["next", "previous", "results"]
    assert [run["task"] for run in body["results"]] == ["task 1", "task 2", "task 3"]
    assert (body["next"], body["previous"]) == (None, None)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"task": "stats"}, ["stats"]),
        ({"schedule": "weekly_cleanup"}, ["conversations"]),
        ({"status": "failed"}, ["users"]),
        ({"cause": "catch-up"}, ["conversations"]),
        ({"after": "2025-06-01T00:00:00Z"}, ["stats", "users"]),
        ({"before": "2025-06-01T00:00:00+00:00"}, ["conversations"]),
        ({"after": "2025-05-01T00:00:00Z", "before": "2025-07-01T00:00:00Z"}, ["users"]),
        ({"cause": "manual", "status": "succeeded"}, ["stats"]),
        ({"task": "stats", "status": "failed"}, []),
    ],
)
def test_runs_are_filtered(query, found, api):
    make.run("stats", status="succeeded", requested_at=datetime(2025, 7, 1, tzinfo=UTC))
    make.run("users", status="failed", requested_at=datetime(2025, 6, 1, tzinfo=UTC))
    weekly = {"schedule": "weekly_cleanup", "cause": "catch-up", "status": "missed"}
    make.run("conversations", requested_at=datetime(2025, 1, 1, tzinfo=UTC), **weekly)

    body = api.get(RUNS, query).json()

    assert [run["task"] for run in body["results"]] == found


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("status", "happy"),
        ("cause", "whim"),
        ("after", "yesterday"),
        ("before", "2025-13-01T00:00:00Z"),
        ("before", "9999-12-31T23:59:59-23:59"),
        ("after", "1969-12-31T23:59:59Z"),
        ("before", "9001-01-01T00:00:00Z"),
        ("page_size", "0"),
        ("page_size", "many"),
        ("task", "\0"),
        ("colour", "red"),
    ],
)
def test_a_filter_that_can_t_be_used_is_named(field, value, api):
    answer = api.get(RUNS, {field: value})

    assert answer.status_code == 400
    assert [field] == list(answer.json()["fields"])


def test_a_cursor_that_is_none_of_ours_is_not_followed(api):
    assert api.get(RUNS, {"cursor": "nonsense"}).status_code in (400, 404)


def pages(api, **query):
    """The ids of each page, following ``next`` to the end, and the last page's body."""
    body = api.get(RUNS, query).json()
    seen = [[run["id"] for run in body["results"]]]
    while body["next"]:
        body = api.get(body["next"]).json()
        seen.append([run["id"] for run in body["results"]])
    return seen, body


def test_runs_come_in_pages_that_lead_on_and_back(api):
    newest = [str(make.run(f"task {age}", requested_at=make.ago(hours=age)).pk) for age in range(5)]

    seen, last = pages(api, page_size=2)

    assert seen == [newest[:2], newest[2:4], newest[4:]]
    back = api.get(last["previous"]).json()
    assert [run["id"] for run in back["results"]] == newest[2:4]


def test_pages_lose_no_run_of_one_moment(api):
    moment = make.ago(hours=1)
    made = {str(make.run(f"task {number}", requested_at=moment).pk) for number in range(7)}

    seen, _ = pages(api, page_size=2)

    listed = [run for page in seen for run in page]
    assert len(listed) == 7
    assert set(listed) == made


def test_pages_stay_where_they_are_while_new_runs_arrive(api):
    made = [make.run(f"task {age}", requested_at=make.ago(hours=age + 1)) for age in range(4)]
    first = api.get(RUNS, {"page_size": 2}).json()

    make.run("newcomer")

    second = api.get(first["next"]).json()
    assert [run["id"] for run in second["results"]] == [str(run.pk) for run in made[2:]]


def test_a_page_holds_fifty_runs_and_keeps_its_filters(api):
    Run.objects.bulk_create(
        Run(task="stats", cause="manual", status=status, requested_at=make.ago(minutes=number))
        for number in range(60)
        for status in ("succeeded", "failed")
    )

    seen, _ = pages(api, status="failed")

    assert [len(page) for page in seen] == [50, 10]


# --- Cancel and retry -------------------------------------------------------------------------


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


# --- Consumers --------------------------------------------------------------------------------


def test_consumers_are_listed_under_results(api):
    consumer = make.consumer(host="night", pid=42, version="1.0, Huey 3")

    body = api.get(CONSUMERS).json()

    [row] = body["results"]
    assert set(row) >= {"host", "pid", "started_at", "last_heartbeat_at", "alive", "schedules"}
    assert (row["host"], row["pid"], row["alive"], row["schedules"]) == ("night", 42, True, True)
    assert (row["started_at"], row["version"]) == (consumer.started_at.isoformat(), consumer.version)
    assert row["last_heartbeat_at"].endswith("+00:00")


@pytest.mark.parametrize(
    ("age", "fields", "alive", "schedules"),
    [
        (timedelta(seconds=25), {}, True, True),
        (timedelta(minutes=1), {}, False, True),
        (timedelta(), {"stopped_at": datetime.now(UTC)}, False, True),
        (timedelta(), {"schedules": False}, True, False),
    ],
    ids=["fresh heartbeat", "stale heartbeat", "said goodbye", "started with -n"],
)
def test_a_consumer_says_whether_it_lives_and_schedules(age, fields, alive, schedules, api):
    make.consumer(age=age, **fields)

    [row] = api.get(CONSUMERS).json()["results"]

    assert (row["alive"], row["schedules"]) == (alive, schedules)


def test_nobody_running_is_an_empty_list(api):
    assert api.get(CONSUMERS).json() == {"results": []}


@pytest.mark.parametrize("path", ["runs", "acts", "holds"])
@pytest.mark.parametrize("cursor", make.CURSORS)
def test_a_made_up_cursor_is_the_client_s_mistake(cursor, path, api):
    answer = api.get(f"{SCHEDULER}/{path}", {"cursor": b64encode(cursor)})

    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["cursor"])


@pytest.mark.parametrize(
    ("zone", "moment"),
    [
        ("Europe/Berlin", "0001-01-01T00:00:00"),
        ("America/New_York", "9999-12-31T23:59:59"),
        ("Europe/Berlin", "9999-12-31T23:59:59Z"),
    ],
)
@pytest.mark.parametrize("path", ["runs", "acts"])
def test_a_moment_that_a_zone_can_t_take_is_refused_with_the_years_that_it_can(
    path, zone, moment, api, settings
):
    settings.TIME_ZONE = zone

    answer = api.get(f"{SCHEDULER}/{path}", {"after": moment})

    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["after"])


def test_a_hold_until_a_moment_that_a_zone_can_t_take_is_refused(api, settings):
    settings.TIME_ZONE = "America/New_York"
    hold = {"model": "chat.Conversation", "key": make.conversation().pk, "reason": "x"}

    answers = [
        api.post(f"{SCHEDULER}/holds", hold | {"until": until})
        for until in ("9999-12-31", "9999-12-31T23:59:59-14:00")
    ]

    assert [(one.status_code, list(one.json()["fields"])) for one in answers] == [(400, ["until"])] * 2


def test_a_long_trigger_is_refused_on_every_database(api):
    minutes = ",".join(str(minute) for minute in range(60))
    hours = ",".join(str(hour) for hour in range(24))

    answer = api.patch(f"{SCHEDULER}/schedules/weekly_cleanup", {"trigger": f"{minutes} {hours} * * *"})

    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["trigger"])
