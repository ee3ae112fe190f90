"""What the API says when it can't, how often it may be asked, and what a repeated question costs."""

import ast
import json
import re
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import jsonschema
import pytest
from django.core.cache import cache
from django.db import connections
from rest_framework.exceptions import APIException
from rest_framework.test import APIClient
from rest_framework.throttling import SimpleRateThrottle
from rest_framework_simplejwt import authentication
from rest_framework_simplejwt.serializers import TokenObtainPairSerializer

from housekeeping.api import errors
from housekeeping.api.description import document
from housekeeping.exceptions import KeyReused, QueueUnreachable
from housekeeping.journal.acts import Actor
from housekeeping.models import Act, LogLine, Run, Snapshot, Tally
from housekeeping.runs import control
from tests import make
from tests.conftest import with_token
from tests.processes import ROOT
from tests.visitors import account

pytestmark = pytest.mark.django_db

SCHEDULER = "/api/admin/scheduler"
TRIGGER = f"{SCHEDULER}/trigger"
RUNS = f"{SCHEDULER}/runs"

# --- One shape --------------------------------------------------------------------------------


def send(api, body, kind="application/json", path=TRIGGER):
    return api.generic("POST", path, body, content_type=kind)


@pytest.mark.parametrize(
    ("ask", "status", "code"),
    [
        (lambda api: api.post(TRIGGER, {"task": "none"}), 400, "invalid"),
        (lambda api: send(api, b"{"), 400, "parse_error"),
        (lambda api: send(api, b"[" * 100_000), 400, "parse_error"),
        (lambda api: send(api, b'{"a":' * 100_000), 400, "parse_error"),
        (lambda api: send(api, b'{"task": ' + b"9" * 5_000 + b"}"), 400, "parse_error"),
        (lambda api: send(api, b'{"task": "all", "wait": 1e999}'), 400, "invalid"),
        (lambda api: send(api, b'{"task": "all", "wait": NaN}'), 400, "parse_error"),
        (lambda api: send(api, b'{"task": "\\u0000"}'), 400, "invalid"),
        (lambda api: send(api, b'{"task": "\\ud800"}'), 400, "invalid"),
        (lambda api: send(api, b'{"task": "all", "\\ud800": 1}'), 400, "invalid"),
        (lambda api: send(api, b"\xff\xfe"), 400, "parse_error"),
        (lambda api: send(api, b"{}", "application/json; charset=bz2"), 400, "parse_error"),
        (lambda api: api.get(RUNS, {"cursor": "nonsense"}), 400, "invalid"),
        (lambda api: api.get(RUNS, {"cursor": "cD1ub3RhZGF0ZQ=="}), 400, "invalid"),
        (lambda api: api.get(f"{RUNS}/%00"), 404, "not_found"),
        (lambda api: APIClient().get(RUNS), 401, "not_authenticated"),
        (lambda api: with_token(account()).get(RUNS), 403, "permission_denied"),
        (lambda api: api.get(f"{RUNS}/{uuid.uuid4()}"), 404, "not_found"),
        (lambda api: api.get(f"{SCHEDULER}/schedules/none"), 404, "unknown_schedule"),
        (lambda api: api.get(f"{SCHEDULER}/policies/none"), 404, "unknown_policy"),
        (lambda api: api.delete(RUNS), 405, "method_not_allowed"),
        (lambda api: api.get(RUNS, headers={"Accept": "text/html"}), 406, "not_acceptable"),
        (lambda api: send(api, b"task=all", "text/plain"), 415, "unsupported_media_type"),
        (lambda api: send(api, b" " * 1_000_001), 413, "too_large"),
        (lambda api: api.get(RUNS, headers={"Host": "evil.example"}), 400, "bad_request"),
    ],
)  # fmt: skip
def test_every_problem_is_json_of_one_shape(ask, status, code, api):
    answer = ask(api)

    body = answer.json()
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/json")
    assert body["code"] == code
    jsonschema.validate(body, document() | {"$ref": "#/components/schemas/Problem"})
    assert not Run.objects.exists()


def test_over_plain_http_a_problem_is_the_only_answer(api, settings):
    settings.SECURE_SSL_REDIRECT = True

    body = api.get(RUNS).json()

    assert list(body) == ["message", "code", "detail"]
    assert (body["code"], body["detail"]) == ("https_required", body["message"])


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options"])
def test_the_api_s_page_refuses_other_methods_as_the_api_does(method, api):
    answer, other = getattr(api, method)("/api/docs"), api.delete(RUNS)

    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD")
    assert answer["Content-Type"] == other["Content-Type"]
    assert sorted(answer.json()) == sorted(other.json()) == ["code", "detail", "message"]
    assert answer.json()["detail"] == f'Method "{method.upper()}" not allowed.'


def test_the_docs_name_every_code_and_no_other():
    text = (ROOT / "docs/api.md").read_text()
    table = text.partition("A `code` is one of")[2].partition("\n\nThrottled")[0]
    told = {code for row in table.splitlines()[4:] for code in re.findall(r"`(\w+)`", row.split("|")[2])}

    assert told == {
        *map(errors.word_for, errors.CODES),
        *(kind.default_code for kind in subclasses(APIException)),
        *TokenObtainPairSerializer.default_error_messages,
        *(code for room in ("housekeeping", "chat", "site_config") for file in (ROOT / room).rglob("*.py")
          for code in codes_in(file)),
        *codes_in(Path(authentication.__file__)),
    }  # fmt: skip


def subclasses(kind):
    for one in kind.__subclasses__():
        yield from (one, *subclasses(one))


def codes_in(file):
    """The codes that stand in a source: of a problem's body, of an error, of a body written there."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            found = [one.value for one in node.keywords if one.arg == "code"]
            found += node.args[1:2] if name in ("body", "answer") else []
        elif isinstance(node, ast.Dict):
            found = [value for key, value in zip(node.keys, node.values, strict=True) if is_code(key)]
        else:
            continue
        written = [one for one in found if isinstance(one, ast.Constant | ast.IfExp)]
        yield from (one.value for each in written for one in ast.walk(each) if isinstance(one, ast.Constant))


def is_code(key):
    return isinstance(key, ast.Constant) and key.value == "code"


def test_a_body_of_a_megabyte_is_read(api):
    assert send(api, b'{"task": "none"}'.ljust(1_000_000)).status_code == 400


def test_a_refused_field_stands_at_the_top_and_among_the_fields(api):
    body = api.post(TRIGGER, {"task": "none", "waits": 1}).json()

    assert list(body["fields"]) == ["waits"]
    assert body["waits"] == body["fields"]["waits"]
    assert body["message"] == f"waits: {body['waits'][0]}"


def test_a_field_called_message_does_not_take_the_message_s_place():
    body = with_token(make.user()).post("/api/chat", {"message": " "}).json()

    assert body["message"].startswith("message: ")
    assert list(body["fields"]) == ["message"]


def test_a_field_that_is_half_a_character_is_named_all_the_same(api):
    assert list(send(api, b'{"task": "all", "\\udfff": 1}').json()["fields"]) == ["\\udfff"]


def test_a_problem_of_a_table_is_json(api):
    answer = APIClient().get(f"{RUNS}/{uuid.uuid4()}/receipt.csv")

    assert (answer.status_code, answer["Content-Type"]) == (401, "application/json")


def test_who_stands_in_the_way_is_told(api):
    active = make.run("stats", status="running")

    body = api.post(TRIGGER, {"task": "stats"}).json()

    assert (body["code"], body["run"]["id"]) == ("run_in_progress", str(active.pk))


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


# --- Throttles --------------------------------------------------------------------------------


@pytest.fixture
def rate(monkeypatch, db):
    cache.clear()

    def set_rate(scope, value):
        monkeypatch.setitem(SimpleRateThrottle.THROTTLE_RATES, scope, value)

    yield set_rate
    cache.clear()


def throttled(answer):
    """Is it refused for now, with the seconds to wait?"""
    if answer.status_code != 429:
        return False
    assert answer.json()["code"] == "throttled"
    assert 0 < int(answer["Retry-After"]) <= 60
    return True


def sign_in(name, **headers):
    return APIClient().post("/api/token", {"username": name, "password": "wrong"}, headers=headers)


def test_tokens_are_throttled_by_address_whatever_the_account(rate):
    rate("token_by_address", "2/min")

    assert [throttled(sign_in(name)) for name in ("a", "b", "c")] == [False, False, True]


def test_an_address_is_not_changed_by_a_header(rate):
    rate("token_by_address", "1/min")

    tries = [sign_in("a", **{"X-Forwarded-For": address}) for address in ("1.1.1.1", "2.2.2.2")]

    assert [throttled(one) for one in tries] == [False, True]


def test_tokens_are_throttled_by_account_whatever_the_address_and_whether_it_exists(rate):
    rate("token_by_account", "1/min")
    make.user(username="ada")

    for name in ("ada", "nobody"):
        first, second = sign_in(name), sign_in(name.upper())
        assert [throttled(first), throttled(second)] == [False, True]


@pytest.mark.parametrize("other", [" 1815", "1815 ", "\t1815", "1815\u2003", 1815])
def test_no_other_way_to_write_a_name_gets_a_guess_more(other, rate):
    rate("token_by_account", "1/min")

    assert [throttled(sign_in(name)) for name in ("1815", other)] == [False, True]


def test_a_name_that_is_no_text_at_all_makes_no_throttle_fail(rate):
    rate("token_by_account", "9/min")

    def guess(name):
        body = json.dumps({"username": name, "password": "wrong"})
        return APIClient().post("/api/token", body, content_type="application/json").status_code

    assert {guess(name) for name in ("\ud800", None, True, [], {})} == {400}


@pytest.mark.parametrize("path", ["token", "token/refresh", "register", "verify"])
def test_who_has_an_ipv6_network_is_throttled_once(path, rate):
    for scope in ("token_by_address", "refresh", "register", "verify"):
        rate(scope, "1/min")

    tries = [
        APIClient(REMOTE_ADDR=address).post(f"/api/{path}", {})
        for address in ("2001:db8:1:1::1", "2001:db8:1:1:ffff::2", "2001:db8:1:2::1")
    ]

    assert [throttled(one) for one in tries] == [False, True, False]


@pytest.mark.parametrize(
    ("scope", "path"),
    [("refresh", "/api/token/refresh"), ("register", "/api/register"), ("verify", "/api/verify")],
)
def test_each_open_address_is_throttled(scope, path, rate):
    rate(scope, "1/min")

    assert [throttled(APIClient().post(path, {})) for _ in range(2)] == [False, True]


OPEN = ["token", "token/refresh", "token/blacklist", "register", "verify"]
NO_RUN = uuid.UUID(int=0)  # the same in each of the workers that share the tests
STEERING = ["trigger", "runs/retry", "schedules/weekly_cleanup/run", f"runs/{NO_RUN}/retry"]


@pytest.mark.parametrize("path", [*OPEN, *(f"admin/scheduler/{path}" for path in STEERING)])
def test_what_is_no_try_locks_nobody_out(path, rate, api):
    for scope in SimpleRateThrottle.THROTTLE_RATES:
        rate(scope, "1/min")

    looks = [
        getattr(api, method)(f"/api/{path}").status_code
        for method in ("get", "put", "delete", "head", "options")
    ]
    tries = [throttled(api.post(f"/api/{path}", {})) for _ in range(2)]

    assert set(looks) <= {200, 405}
    assert tries == [False, True]


@pytest.mark.parametrize("path", ["trigger", "runs/retry"])
def test_triggers_are_throttled_by_user(path, rate, api, operator):
    rate("trigger", "1/min")

    assert [throttled(api.post(f"{SCHEDULER}/{path}", {})) for _ in range(2)] == [False, True]
    assert not throttled(with_token(operator).post(f"{SCHEDULER}/{path}", {}))


def test_looking_is_not_throttled(rate, api):
    rate("trigger", "1/min")

    assert {api.get(RUNS).status_code for _ in range(5)} == {200}


def test_what_throttles_count_is_seen_by_every_process_of_the_site(settings):
    assert settings.CACHES["default"]["BACKEND"].endswith("DatabaseCache")
    cache.set("throttle", [1])

    assert cache.get("throttle") == [1]


# --- Asked twice ------------------------------------------------------------------------------


def trigger(api, key, **body):
    return api.post(TRIGGER, {"task": "stats", "wait": 0} | body, headers={"Idempotency-Key": key})


def test_a_repeated_request_is_answered_with_the_run_that_it_opened(api, transactional_db):
    first, second = trigger(api, "nightly"), trigger(api, "nightly")

    assert (first.status_code, second.status_code) == (202, 202)
    assert second.json()["run"]["id"] == first.json()["run"]["id"]
    assert (first.has_header("Idempotency-Replayed"), second["Idempotency-Replayed"]) == (False, "true")
    assert Run.objects.count() == Act.objects.count() == 1


def test_a_repeated_request_is_answered_after_the_run_has_ended_too(api, worker):
    first, second = trigger(api, "nightly", wait=10), trigger(api, "nightly")

    assert (first.status_code, second.status_code) == (200, 200)
    assert second.json() == first.json()
    assert Run.objects.count() == 1


def test_of_equal_requests_at_the_same_moment_one_opens_the_run(administrator, transactional_db):
    def ask(_):
        try:
            answer = trigger(with_token(administrator), "nightly")
            return answer.status_code, answer.json()["run"]["id"]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as requests:
        answers = set(requests.map(ask, range(6)))

    assert answers == {(202, str(Run.objects.get().pk))}


@pytest.mark.parametrize("body", [{"task": "messages"}, {"dry_run": True}])
def test_a_key_that_stands_for_something_else_is_refused(body, api, transactional_db):
    first = trigger(api, "nightly").json()["run"]["id"]

    answer = trigger(api, "nightly", **body)

    assert (answer.status_code, answer.json()["code"]) == (422, "key_reused")
    assert first in answer.json()["message"]
    assert Run.objects.count() == 1


def test_another_plan_is_another_request(transactional_db):
    run = make.run("stats", requested_by="ada", idempotency_key="nightly", status="succeeded")
    plan = make.run("stats", dry_run=True, status="succeeded")
    ada = Actor("ada", "a test")

    with pytest.raises(KeyReused, match=str(run.pk)):
        control.request("stats", send=lambda run: None, plan=plan, by=ada, idempotency_key="nightly")


def test_a_key_is_its_owner_s_own(api, operator, transactional_db):
    trigger(api, "nightly")

    answer = trigger(with_token(operator), "nightly", task="messages")

    assert (answer.status_code, Run.objects.count()) == (202, 2)


def test_without_a_key_nothing_is_repeated(api, worker):
    for _ in range(2):
        assert api.post(TRIGGER, {"task": "stats"}).status_code == 200

    assert Run.objects.count() == 2


def test_a_request_that_the_queue_did_not_take_is_tried_anew(api, transactional_db, unreachable_queue):
    codes = [trigger(api, "nightly").status_code for _ in range(2)]

    assert codes == [503, 503]
    assert not Run.objects.exists()


def test_a_repeated_request_whose_run_is_withdrawn_meanwhile_has_no_queue(
    api, administrator, transactional_db
):
    is_sending = Event()

    def fail_slowly(run):
        is_sending.set()
        time.sleep(1)
        raise QueueUnreachable("connection refused")

    def ask_first():
        by = Actor(administrator.username, "a test")
        try:
            control.request("stats", send=fail_slowly, by=by, idempotency_key="nightly")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as requests:
        first = requests.submit(ask_first)
        is_sending.wait()
        answer = trigger(api, "nightly", wait=10)

    assert isinstance(first.exception(), QueueUnreachable)
    assert (answer.status_code, answer.json()["code"]) == (503, "queue_unreachable")
    assert not Run.objects.exists()


@pytest.mark.parametrize("key", ["", "x" * 101, "ü", "a\tb"])
def test_a_key_that_can_t_be_used_is_named(key, api):
    answer = trigger(api, key)

    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["Idempotency-Key"])
    assert not Run.objects.exists()


# --- Asked again and again --------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "status", "statistics", "runs/{run}", "results/{run}", "runs", "schedules",
        "schedules/weekly_cleanup", "policies", "consumers", "acts", "tallies", "overview", "runs/{run}/log",
    ],
)  # fmt: skip
def test_what_has_not_changed_is_not_sent_again(path, api):
    make.consumer()
    url = f"{SCHEDULER}/{path.format(run=make.run(status='succeeded').pk)}"
    first = api.get(url)

    again = api.get(url, headers={"If-None-Match": first["ETag"]})

    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")


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
    seen, signed_in = api.get(RUNS), sign_in("ada")

    assert seen["Cache-Control"] == "private, no-cache"
    assert "Authorization" in seen["Vary"]
    assert signed_in["Cache-Control"] == "no-store"


# --- What the dashboard shows -----------------------------------------------------------------


def test_the_record_of_acts_is_read_page_by_page(api):
    for number in range(3):
        Act.objects.create(done_at=make.ago(hours=number), who="ada", what="pause", target=str(number))

    first = api.get(f"{SCHEDULER}/acts", {"page_size": 2}).json()
    second = api.get(first["next"]).json()

    assert [act["target"] for act in first["results"] + second["results"]] == ["0", "1", "2"]
    assert second["next"] is None


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"who": "ada"}, ["1"]),
        ({"what": "cancel"}, ["2"]),
        ({"target": "1"}, ["1"]),
        ({"after": "2025-06-01T00:00:00Z"}, ["2"]),
        ({"before": "2025-06-01T00:00:00Z"}, ["1"]),
    ],
)
def test_acts_are_filtered(query, found, api):
    Act.objects.create(done_at="2025-01-01T00:00:00Z", who="ada", what="pause", target="1")
    Act.objects.create(done_at="2025-07-01T00:00:00Z", who="eve", what="cancel", target="2")

    assert [act["target"] for act in api.get(f"{SCHEDULER}/acts", query).json()["results"]] == found


def test_a_run_s_log_is_read_on_from_the_last_line(api):
    run, moment = make.run(), make.ago()
    for text in ("one", "two", "three"):
        LogLine.objects.create(run=run, logged_at=moment, level="INFO", text=text)
    LogLine.objects.create(run=make.run("stats"), logged_at=moment, level="INFO", text="another's")

    lines = api.get(f"{RUNS}/{run.pk}/log").json()["results"]
    rest = api.get(f"{RUNS}/{run.pk}/log", {"after": lines[1]["id"]}).json()["results"]

    assert [line["text"] for line in lines] == ["one", "two", "three"]
    assert rest == lines[2:]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"who": "ada"}, ["stats"]),
        ({"dry_run": "true"}, ["users"]),
        ({"dry_run": "false", "text": "INK"}, ["stats"]),
        ({"text": "user"}, ["users"]),
        ({"text": "ada"}, ["stats"]),
        ({"who": "eve"}, []),
    ],
)
def test_runs_are_found_by_who_asked_and_what_they_say(query, found, api):
    make.run("stats", requested_by="ada", status="failed", error="Out of ink")
    make.run("users", dry_run=True)

    assert [run["task"] for run in api.get(RUNS, query).json()["results"]] == found


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


def test_a_schedule_is_run_now_as_a_run_of_its_own(api, worker):
    body = api.post(f"{SCHEDULER}/schedules/statistics_generation/run").json()

    assert (body["run"]["schedule"], body["run"]["task"]) == ("statistics_generation", "stats")
    assert (body["run"]["cause"], body["run"]["status"]) == ("manual", "succeeded")


def test_the_first_page_s_figures_say_how_old_they_are(api):
    make.consumer()
    active = make.run("stats", status="running")

    body = api.get(f"{SCHEDULER}/overview").json()

    assert (body["status"], body["busy"], body["consumers_alive"]) == ("running", True, 1)
    assert [run["id"] for run in body["active"]] == [str(active.pk)]
    assert body["statistics"]["measured_at"].endswith("+00:00")
    assert body["next_run"]["at"]


def test_the_first_page_s_verdict_and_timeline_are_there_too(api):
    make.consumer()
    done = make.run("messages", status="succeeded", requested_at=make.ago(hours=2), finished_at=make.ago())
    failed = make.run("stats", status="failed", error="Out of ink", requested_at=make.ago(hours=1))
    make.run("users")

    body = api.get(f"{SCHEDULER}/overview").json()

    verdict, timeline = body["verdict"], body["timeline"]
    assert verdict["level"] == "bad"
    assert verdict["findings"] == [
        {
            "level": "bad",
            "text": "stats failed: Out of ink",
            "advice": "Open the run, fix the cause, then retry.",
            "command": None,
            "run": str(failed.pk),
        }
    ]
    assert verdict["last_run"]["id"] == str(done.pk)
    assert verdict["next"] == body["next_run"]
    assert body["waiting"] == 1
    assert [mark["task"] for mark in timeline[:2]] == [done.task, failed.task]
    assert {mark["status"] for mark in timeline[3:]} == {"next"}


def test_the_first_page_s_figures_cost_no_more_for_more_runs(api, django_assert_max_num_queries):
    for age in range(40):
        consumer = make.consumer(age=make.days(1), pid=age)
        make.run("stats", status="failed", requested_at=make.ago(minutes=age), consumer=consumer)
    api.get(f"{SCHEDULER}/overview")

    with django_assert_max_num_queries(12):
        api.get(f"{SCHEDULER}/overview")


def test_a_schedule_that_no_consumer_looked_at_in_time_is_late(api):
    make.schedule_state("weekly_cleanup", due=make.ago(hours=1))

    late = {one["id"]: one["late"] for one in api.get(f"{SCHEDULER}/schedules").json()["results"]}

    assert late["weekly_cleanup"] is api.get(f"{SCHEDULER}/schedules/weekly_cleanup").json()["late"] is True
    assert late["daily_housekeeping"] is False


def test_what_charts_are_drawn_from_is_there_for_so_many_days(api):
    numbers = {"total_users": 1}
    for age in (1, 40):
        Snapshot.objects.create(taken_at=make.ago(days=age), numbers=numbers, database_bytes=age)
        day = (make.ago(days=age)).date()
        Tally.objects.create(day=day, task="stats", status="failed", rows=age)

    snapshots = api.get(f"{SCHEDULER}/snapshots", {"days": 7}).json()["results"]
    tallies = api.get(f"{SCHEDULER}/tallies", {"days": 60}).json()["results"]

    assert [one["database_bytes"] for one in snapshots] == [1]
    assert [one["rows"] for one in tallies] == [40, 1]
