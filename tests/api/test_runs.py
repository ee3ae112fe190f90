"""Runs: what one is, and how they are found."""

import uuid
from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from housekeeping.models import LogLine, Run
from tests import make
from tests.api.addresses import RUN, RUNS, SCHEDULER, result_of

pytestmark = pytest.mark.django_db

IN_FULL = ["traceback", "undo_until", "undo_rows", "undo_bytes"]  # beside them, at runs/<id>


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
        "worker": None,
        "claimed_at": None,
        "batches": 0,
        "took_seconds": 1.0,
        "retry_number": None,
        "not_before": None,
        "unusual": None,
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
        "worker",
        "claimed_at",
        "took_seconds",
        "retry_number",
        "not_before",
        "unusual",
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


def test_a_running_run_says_how_fast_it_goes_and_how_long_it_takes_also_at_its_very_end(api):
    pace = {"status": "running", "started_at": make.ago(seconds=10), "deleted": {"messages": 50}}
    going = make.run("messages", total=100, **pace)
    ending = make.run("users", total=50, **pace)

    told = [api.get(result_of(run)).json()["progress"] for run in (going, ending)]

    assert [sorted(one) for one in told] == [["done", "rows_per_second", "seconds_left", "total"]] * 2
    assert 9 <= told[0]["seconds_left"] <= 60
    assert told[1]["seconds_left"] == 0


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
    assert answer["Content-Type"] == "application/problem+json"


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
        ("page_size", "1_0"),
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
