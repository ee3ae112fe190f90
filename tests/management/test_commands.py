import getpass
import json
import os
import re
import signal
import subprocess
import sys
import uuid
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from huey.contrib.djhuey import HUEY

from chat.models import ChatMessage, Conversation, User
from chat.tasks import orphaned_messages
from housekeeping.declared.registry import SCHEDULES
from housekeeping.models import Act, Run, ScheduleState, Snapshot
from tests import make
from tests.processes import ROOT

pytestmark = pytest.mark.django_db


def output(*words):
    """What the command prints."""
    out = StringIO()
    call_command(*words, stdout=out, stderr=StringIO())
    return out.getvalue()


def failure(*words):
    """What a command prints, on both streams, that ends with exit code 1."""
    out = StringIO()
    with pytest.raises(SystemExit) as end:
        call_command(*words, stdout=out, stderr=out)
    assert end.value.code == 1
    return out.getvalue()


def manage(*words, **variables):
    """The command as a process of its own, on this test's database."""
    database = connection.settings_dict
    url = f"sqlite:///{database['NAME']}"
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=settings.BASE_DIR,
        env=os.environ | {"DATABASE_URL": url} | variables,
        capture_output=True,
        text=True,
        timeout=60,
    )


def litter():
    """One row for each policy to purge, and one to keep."""
    make.conversation(age=make.days(31), messages=2)
    make.message()
    make.visitor(age=make.days(8))
    make.conversation(messages=1)
    make.visitor(age=make.days(6))


def rows():
    return Conversation.objects.count(), ChatMessage.objects.count(), User.objects.count()


# --- run_housekeeping -------------------------------------------------------------------------

TASKS = [
    ("conversations", {"deleted_conversations": 1}, (1, 2, 4)),
    ("messages", {"cleaned_messages": 1}, (2, 3, 4)),
    ("users", {"deleted_users": 1}, (2, 4, 3)),
]


@pytest.mark.parametrize(("task", "result", "left"), TASKS)
def test_a_task_is_run_here_and_now(task, result, left):
    litter()

    printed = output("run_housekeeping", "--task", task)

    run = Run.objects.get()
    assert (run.status, run.result, rows()) == ("succeeded", result, left)
    [(name, number)] = result.items()
    assert f"  {name.replace('_', ' ')}: {number}" in printed
    assert f"Run {run.pk} succeeded" in printed


def test_without_a_task_all_of_them_are_run():
    litter()

    printed = output("run_housekeeping")

    assert printed.startswith("All housekeeping tasks completed\n")
    assert "  total conversations: 1\n" in printed
    assert rows() == (1, 1, 3)
    result = Run.objects.get().result
    assert set(result) == {"deleted_conversations", "cleaned_messages", "deleted_users", "stats"}


def test_statistics_are_run_and_kept():
    printed = output("run_housekeeping", "--task", "stats")

    assert "  total users: 0\n" in printed
    assert Snapshot.objects.get().numbers == Run.objects.get().result["stats"]


@pytest.mark.parametrize(("task", "result", "left"), TASKS)
def test_a_dry_run_says_what_would_go_and_deletes_nothing(task, result, left):
    litter()
    before = rows()

    printed = output("run_housekeeping", "--task", task, "--dry-run")

    run = Run.objects.get()
    assert "a dry run, nothing was deleted" in printed
    assert (run.dry_run, run.result, rows()) == (True, result, before)


def test_a_dry_run_of_all_tasks_changes_nothing():
    litter()
    before = rows()

    output("run_housekeeping", "--dry-run")

    assert rows() == before
    assert not Snapshot.objects.exists()


def test_as_json_it_prints_message_result_and_run():
    litter()

    answer = json.loads(output("run_housekeeping", "--task", "messages", "--json"))

    run = Run.objects.get()
    assert list(answer) == ["message", "result", "run"]
    assert (answer["message"], answer["result"]) == ("Orphaned messages deleted", {"cleaned_messages": 1})
    assert (answer["run"]["id"], answer["run"]["status"]) == (str(run.pk), "succeeded")
    assert answer["run"]["url"] == f"/api/admin/scheduler/results/{run.pk}"


def test_approval_beforehand_is_accepted():
    assert "All housekeeping tasks completed" in output("run_housekeeping", "--yes")


def test_the_result_is_huey_s_own_too():
    litter()

    output("run_housekeeping", "--task", "users")

    run = Run.objects.get()
    assert HUEY.result(str(run.pk), preserve=True) == run.result == {"deleted_users": 1}


def test_nothing_is_put_into_the_queue():
    output("run_housekeeping", "--task", "stats")

    assert HUEY.pending() == []


def test_a_command_s_run_is_manual_and_its_operator_on_record():
    output("run_housekeeping", "--task", "stats")

    run, act = Run.objects.get(), Act.objects.get()
    assert (run.cause, run.requested_by) == ("manual", getpass.getuser())
    assert (act.who, act.what, act.target) == (getpass.getuser(), "trigger", str(run.pk))
    assert act.origin.startswith("command on ")


def test_a_protected_row_fails_the_run_with_exit_code_1(protected_conversation):
    printed = failure("run_housekeeping", "--task", "conversations")

    run = Run.objects.get()
    assert run.status == "failed"
    assert "Delete old conversations: failed" in printed
    assert f"IntegrityError: {run.error.partition(': ')[2]}" in printed
    assert f"Run {run.pk} failed" in printed


def test_one_failure_among_all_tasks_is_exit_code_1_and_the_others_still_run(protected_conversation):
    make.message()

    printed = failure("run_housekeeping", "--json")

    answer = json.loads(printed)
    assert list(answer["result"]["errors"]) == ["conversations"]
    assert answer["result"]["cleaned_messages"] == 1
    assert (answer["run"]["status"], answer["run"]["error"][:14]) == ("failed", "IntegrityError")


def test_a_task_of_the_site_s_own_is_offered_and_its_failure_told(failing_task):
    printed = failure("run_housekeeping", "--task", failing_task)

    assert "ZeroDivisionError: division by zero" in printed


def test_a_task_that_runs_already_is_refused():
    run = make.run("stats", status="running")

    with pytest.raises(CommandError, match=f"running already, as run {run.pk}"):
        output("run_housekeeping", "--task", "stats")

    assert list(Run.objects.all()) == [run]


def test_a_task_that_does_not_exist_is_answered_with_the_choices():
    with pytest.raises(CommandError, match=r"conversations.*messages.*users.*stats"):
        output("run_housekeeping", "--task", "nonsense")


def test_ctrl_c_cancels_the_run_between_two_batches_and_says_what_is_gone(declare):
    make.message()

    @declare
    def purge_and_be_interrupted(purge):
        purge(orphaned_messages)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(CommandError, match="Cancelled after 1 rows; what is deleted stays deleted"):
        output("run_housekeeping", "--task", "purge_and_be_interrupted")

    assert (Run.objects.get().status, ChatMessage.objects.count()) == ("cancelled", 0)
    assert [act.what for act in Act.objects.all()] == ["cancel", "trigger"]


def test_without_its_queue_a_command_still_cleans_up_and_says_so(transactional_db, unreachable_queue, caplog):
    make.message()

    call_command("run_housekeeping", "--task", "messages", stdout=StringIO())

    assert Run.objects.get().result == {"cleaned_messages": 1}
    assert "Could not keep a result in the queue" in caplog.text


def test_without_its_queue_history_is_still_tidied(transactional_db, unreachable_queue, caplog):
    make.run("stats", status="succeeded", requested_at=make.ago(days=91))

    call_command("run_housekeeping", "--task", "history", stdout=StringIO())

    assert Run.objects.get().result["deleted_runs"] == 1
    assert "stay in the queue's storage" in caplog.text


@pytest.mark.skipif(connection.vendor != "sqlite", reason="a process finds the test's database by its file")
def test_a_process_prints_json_alone_and_ends_with_its_exit_code(transactional_db):
    make.message()

    done = manage("run_housekeeping", "--task", "messages", "--json")
    make.run("messages", status="running")
    refused = manage("run_housekeeping", "--task", "messages", "--json")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["result"] == {"cleaned_messages": 1}
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "running already" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.skipif(connection.vendor != "sqlite", reason="a process finds the test's database by its file")
def test_who_reads_only_the_first_lines_gets_no_traceback(transactional_db):
    for _ in range(200):
        make.run("stats", status="failed", error="x" * 2_000)  # more than a pipe holds

    listing = [sys.executable, "manage.py", "housekeeping_runs", "list", "--limit", "200"]
    url = f"sqlite:///{connection.settings_dict['NAME']}"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(listing, cwd=ROOT, env=os.environ | {"DATABASE_URL": url}, **pipes) as process:
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()

    assert errors == ""
    assert process.returncode == 1


@pytest.mark.skipif(connection.vendor != "sqlite", reason="a process finds the test's database by its file")
@pytest.mark.usefixtures("protected_conversation")
def test_a_mail_that_goes_to_the_console_does_not_stand_in_the_json(administrator):
    done = manage("run_housekeeping", "--task", "conversations", "--json", EMAIL_URL="consolemail://")

    assert json.loads(done.stdout)["run"]["status"] == "failed"
    assert "Subject: Housekeeping: conversations failed" in done.stderr


# --- scheduler_info ---------------------------------------------------------------------------

RULE = "=" * 80
TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00:00"


def test_the_scheduler_is_shown_in_the_blocks_of_the_contract():
    printed = output("scheduler_info").partition("\nJob #4:")[0]  # a task that a site has added

    assert re.fullmatch(
        f"""\
{RULE}
Scheduler Status
{RULE}
Scheduler State: 0 \\(stopped\\)
Current Time: {TIME}

Total Scheduled Jobs: \\d+
{RULE}

Job #1:
  ID: daily_housekeeping
  Name: Daily Housekeeping Tasks
  Next Run: {TIME}
  Trigger: cron\\[hour='2', minute='0'\\]

Job #2:
  ID: weekly_cleanup
  Name: Weekly Conversation Cleanup
  Next Run: {TIME}
  Trigger: cron\\[day_of_week='sun', hour='3', minute='0'\\]

Job #3:
  ID: statistics_generation
  Name: Generate System Statistics
  Next Run: {TIME}
  Trigger: interval\\[0:06:00:00\\]
(?:{RULE}
)?""",
        printed,
    )


def test_the_next_runs_are_the_ones_that_the_schedules_owe():
    due = datetime(2031, 5, 4, 2, tzinfo=UTC)
    ScheduleState.objects.create(
        id="daily_housekeeping", next_fire_at=due, computed_from="0 2 * * * UTC", is_paused=False
    )

    printed = output("scheduler_info")

    assert "  Next Run: 2031-05-04 02:00:00+00:00\n" in printed


def test_a_fresh_heartbeat_is_state_1():
    make.consumer()

    assert "Scheduler State: 1 (running)\n" in output("scheduler_info")


@pytest.mark.parametrize(
    ("age", "fields"), [(timedelta(seconds=45), {}), (timedelta(), {"schedules": False})]
)
def test_a_stale_heartbeat_or_one_that_does_not_schedule_is_state_0(age, fields):
    make.consumer(age=age, **fields)

    assert "Scheduler State: 0 (stopped)\n" in output("scheduler_info")


def test_with_every_schedule_paused_it_is_state_2():
    make.consumer()
    for schedule in SCHEDULES:
        ScheduleState.objects.create(id=schedule, is_paused=True, next_fire_at=make.ago(), computed_from="")

    printed = output("scheduler_info")

    assert "Scheduler State: 2 (paused)\n" in printed
    assert printed.count("  Next Run: paused\n") >= 3
    assert "Next Run: 2" not in printed


def test_as_json_it_is_the_api_s_status(api):
    make.consumer()

    printed = json.loads(output("scheduler_info", "--json"))

    assert printed == api.get("/api/admin/scheduler/status").json()
    assert printed["status"] == "running"


# --- housekeeping_runs ------------------------------------------------------------------------


def ids(printed):
    return [line.partition(" ")[0] for line in printed.splitlines()]


def test_the_history_is_listed_newest_first():
    older = make.run("stats", status="failed", error="Out of ink\nand paper", requested_at=make.ago(hours=2))
    newer = make.run("users", status="succeeded", dry_run=True, result={"deleted_users": 3})

    printed = output("housekeeping_runs")

    assert ids(printed) == [str(newer.pk), str(older.pk)]
    first, second = printed.splitlines()
    assert re.search(r"succeeded +manual +users \(dry run\)  deleted_users 3$", first)
    assert re.search(r"failed +manual +stats  Out of ink$", second)


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (["--task", "users"], ["users"]),
        (["--schedule", "weekly_cleanup"], ["conversations"]),
        (["--status", "failed"], ["users", "stats"]),
        (["--cause", "catch-up"], ["conversations"]),
        (["--task", "stats", "--status", "failed"], ["stats"]),
        (["--limit", "2"], ["users", "stats"]),
    ],
)
def test_the_history_is_filtered(filters, found):
    make.run("users", status="failed")
    make.run("stats", status="failed", requested_at=make.ago(hours=1))
    weekly = {"schedule": "weekly_cleanup", "cause": "catch-up"}
    make.run("conversations", requested_at=make.ago(hours=2), **weekly)

    runs = json.loads(output("housekeeping_runs", "list", "--json", *filters))

    assert [run["task"] for run in runs] == found


def test_the_history_shows_twenty_runs_unless_told_otherwise():
    for number in range(21):
        make.run(f"task {number}")

    assert len(ids(output("housekeeping_runs"))) == 20
    assert len(ids(output("housekeeping_runs", "list", "--limit", "30"))) == 21


def test_an_empty_history_says_so():
    assert output("housekeeping_runs") == "No runs.\n"


@pytest.mark.parametrize("words", [["--limit", "0"], ["--limit", "-1"], ["--status", "happy"]])
def test_a_filter_that_can_t_be_used_is_refused(words):
    with pytest.raises(CommandError, match=words[0]):
        output("housekeeping_runs", "list", *words)


def test_one_run_is_shown_with_its_result():
    run = make.run("users", status="succeeded", attempts=1, result={"deleted_users": 3})

    printed = output("housekeeping_runs", "show", str(run.pk))

    assert f"id:             {run.pk}\n" in printed
    assert "status:         succeeded\n" in printed
    assert 'result:         {"deleted_users": 3}\n' in printed
    assert "error:" not in printed


def test_a_failed_run_is_shown_with_its_error_and_traceback(failing_task):
    failure("run_housekeeping", "--task", failing_task)

    printed = output("housekeeping_runs", "show", str(Run.objects.get().pk))

    assert "error:          ZeroDivisionError: division by zero\n" in printed
    assert "Traceback (most recent call last)" in printed


def test_a_run_is_shown_as_the_api_s_object(api):
    run = make.run(status="failed", error="Out of ink", traceback="Traceback …")

    shown = json.loads(output("housekeeping_runs", "show", str(run.pk), "--json"))

    assert shown["traceback"] == "Traceback …"
    assert shown == api.get(f"/api/admin/scheduler/runs/{run.pk}").json()


def test_a_waiting_run_is_cancelled():
    run = make.run()

    printed = output("housekeeping_runs", "cancel", str(run.pk))

    assert "status:         cancelled\n" in printed
    assert Run.objects.get().status == "cancelled"
    assert (Act.objects.get().what, Act.objects.get().who) == ("cancel", getpass.getuser())


def test_a_failed_run_is_retried_through_the_queue(transactional_db):
    run = make.run("stats", status="failed", requested_at=make.ago(hours=1))

    retried = json.loads(output("housekeeping_runs", "retry", str(run.pk), "--json"))

    assert (retried["cause"], retried["status"]) == ("retry", "queued")
    assert [task.id for task in HUEY.pending()] == [retried["id"]]


def test_a_retry_without_a_queue_is_refused_and_leaves_no_run(transactional_db, unreachable_queue):
    run = make.run("stats", status="failed")

    with pytest.raises(CommandError, match="The queue can't be reached"):
        output("housekeeping_runs", "retry", str(run.pk))

    assert list(Run.objects.all()) == [run]


@pytest.mark.parametrize("action", ["cancel", "retry"])
def test_what_a_run_s_state_does_not_allow_is_refused(action):
    run = make.run(status="succeeded")

    with pytest.raises(CommandError, match="This run is succeeded"):
        output("housekeeping_runs", action, str(run.pk))


@pytest.mark.parametrize("action", ["show", "cancel", "retry"])
def test_a_run_that_does_not_exist_is_said(action):
    unknown = str(uuid.uuid4())

    with pytest.raises(CommandError, match=f"There is no run {unknown}"):
        output("housekeeping_runs", action, unknown)


@pytest.mark.parametrize("action", ["show", "cancel", "retry"])
def test_what_is_no_id_is_refused(action):
    with pytest.raises(CommandError, match="nonsense"):
        output("housekeeping_runs", action, "nonsense")


def test_history_by_hand_takes_huey_s_results_along():
    run = make.run("stats", status="succeeded", requested_at=make.ago(days=91))
    HUEY.put_result(str(run.pk), {"stats": {}})

    call_command("run_housekeeping", "--task", "history")

    assert HUEY.result(str(run.pk), preserve=True) is None


@pytest.mark.parametrize(
    "words",
    [
        ("scheduler_info",),
        ("run_housekeeping",),
        ("housekeeping_runs",),
        ("housekeeping_schedules",),
        ("run_huey",),
    ],
    ids=lambda words: words[0],
)
def test_a_database_without_tables_is_one_clear_line(words, tmp_path):
    process = subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": f"sqlite:///{tmp_path}/empty.sqlite3"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert process.returncode == 1
    assert "migrate" in process.stderr
    assert "Traceback" not in process.stderr


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (("-w", "0"), "-w takes"),
        (("-s", "7"), "factor of 60"),
        (("-k", "greenlet"), "gevent"),
        (("-M", "5", "-C"), "max_tasks requires check_worker_health"),
        (("-l", "/nowhere/huey.log"), "can't be written"),
    ],
    ids=str,
)
def test_an_option_of_run_huey_that_can_not_be_used_is_one_clear_line(options, part):
    with pytest.raises(CommandError, match=part):
        call_command("run_huey", *options)
