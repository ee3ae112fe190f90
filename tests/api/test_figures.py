"""The status, the figures, the acts and the consumers."""

from datetime import UTC, datetime, timedelta

import pytest

from housekeeping.declared.registry import SCHEDULES
from housekeeping.models import Act, ScheduleState, Snapshot, Tally
from tests import make
from tests.api.addresses import CONSUMERS, SCHEDULER, STATISTICS, STATUS

pytestmark = pytest.mark.django_db

JOBS = [
    ("daily_housekeeping", "Daily Housekeeping Tasks", "cron[hour='2', minute='0']"),
    ("weekly_cleanup", "Weekly Conversation Cleanup", "cron[day_of_week='sun', hour='3', minute='0']"),
    ("statistics_generation", "Generate System Statistics", "interval[0:06:00:00]"),
]


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
    assert api.get(CONSUMERS).json()["results"] == []


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
            "text": "Generate statistics failed: Out of ink",
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
