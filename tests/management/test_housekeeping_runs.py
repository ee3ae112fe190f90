"""``housekeeping_runs``, and what every command answers to a mistake."""

import getpass
import json
import os
import re
import subprocess
import sys
import uuid

import pytest
from django.core.management import CommandError, call_command
from huey.contrib.djhuey import HUEY

from housekeeping.database import stored
from housekeeping.management.base import plain
from housekeeping.models import Act, Run
from tests import make
from tests.management.commands import failure, output
from tests.processes import ROOT

pytestmark = pytest.mark.django_db


def ids(printed):
    """Of the lines below the heading."""
    return [line.partition(" ")[0] for line in printed.splitlines()[1:]]


def test_the_history_is_listed_newest_first():
    older = make.run("stats", status="failed", error="Out of ink\nand paper", requested_at=make.ago(hours=2))
    newer = make.run("users", status="succeeded", dry_run=True, result={"deleted_users": 3})

    printed = output("housekeeping_runs")

    assert ids(printed) == [str(newer.pk), str(older.pk)]
    head, first, second = printed.splitlines()
    assert re.split("  +", head) == ["run", "requested", "status", "cause", "task", "result or error"]
    assert f"  {plain(newer.requested_at)}  " in first
    assert plain(newer.requested_at).endswith("+00:00")
    assert re.search(r"succeeded +manual +users \(dry run\)  deleted_users 3$", first)
    assert re.search(r"failed +manual +stats +Out of ink$", second)


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

    *_, last, more = output("housekeeping_runs").splitlines()
    assert more == "20 of 21 shown; --limit 21 shows all."
    assert "task 1 " in f"{last} "
    assert len(ids(output("housekeeping_runs", "list", "--limit", "21"))) == 21
    assert len(ids(output("housekeeping_runs", "list", "--task", "task 3"))) == 1


def test_an_undo_is_called_an_undo():
    purge = make.run("users", status="succeeded")
    make.run("users", status="succeeded", undo_of=purge, requested_at=make.ago(hours=1))

    _, first, second = output("housekeeping_runs").splitlines()

    assert (first.split()[5], second.split()[5:]) == ("users", ["undo", "of", "users"])


def test_a_task_s_latest_run_is_called_an_undo_or_a_dry_run():
    purge = make.run("users", status="succeeded", requested_at=make.ago(hours=1))
    make.run("users", status="succeeded", undo_of=purge)
    make.run("stats", status="failed", dry_run=True)

    printed = output("housekeeping_tasks")

    assert re.search(r"^users +succeeded \(undo\)  ", printed, re.MULTILINE)
    assert re.search(r"^stats +failed \(dry run\)  ", printed, re.MULTILINE)


def test_an_empty_history_says_so():
    assert output("housekeeping_runs") == "No runs.\n"


@pytest.mark.parametrize(
    "words", [["--limit", "0"], ["--limit", "-1"], ["--limit", "1_0"], ["--status", "happy"]]
)
def test_a_filter_that_can_t_be_used_is_refused(words):
    with pytest.raises(CommandError, match=words[0]):
        output("housekeeping_runs", "list", *words)


def test_one_run_is_shown_with_its_result():
    run = make.run("users", status="succeeded", attempts=1, result={"deleted_users": 3})

    printed = output("housekeeping_runs", "show", str(run.pk))

    assert f"id:               {run.pk}\n" in printed
    assert "status:           succeeded\n" in printed
    assert 'result:           {"deleted_users": 3}\n' in printed
    assert "error:" not in printed


def test_a_plan_is_shown_as_a_table():
    make.conversation(age=make.days(31), messages=2, title="A trip")
    output("run_housekeeping", "--task", "conversations", "--dry-run")
    run = Run.objects.get()

    printed = output("housekeeping_runs", "show", str(run.pk))

    plan = printed.partition("\n\n")[2].splitlines()
    assert plan[0].split() == ["plan", "of", "conversations", "rows"]
    assert {tuple(line.split()) for line in plan[1:3]} == {
        ("chat.ChatMessage", "2"),
        ("chat.Conversation", "1"),
    }
    cutoff = stored.moment(run.plan["conversations"]["cutoff"])
    assert plan[3] == f"older than {plain(cutoff)} (kept for 30 days)"
    assert "oldest rows  since                      text\n" in printed
    assert printed.splitlines()[-1].endswith("  A trip")


def test_a_receipt_is_shown_as_a_table():
    run = make.purge()

    printed = output("housekeeping_runs", "show", str(run.pk))

    receipt = printed.partition("\n\n")[2].splitlines()
    assert receipt[0].split() == ["receipt", "of", "conversations", "rows"]
    assert sorted(line.split() for line in receipt[1:3]) == [
        ["chat.ChatMessage", "5"],
        ["chat.Conversation", "2"],
    ]
    assert receipt[-1] == f"SHA-256 of the deleted rows: {run.receipt['conversations']['digest']}"


def test_a_failed_run_is_shown_with_its_error_and_traceback(failing_task):
    failure("run_housekeeping", "--task", failing_task)

    printed = output("housekeeping_runs", "show", str(Run.objects.get().pk))

    assert "error:            ZeroDivisionError: division by zero\n" in printed
    assert "Traceback (most recent call last)" in printed


def test_a_run_is_shown_as_the_api_s_object(api):
    run = make.run(status="failed", error="Out of ink", traceback="Traceback …")

    shown = json.loads(output("housekeeping_runs", "show", str(run.pk), "--json"))

    assert shown["traceback"] == "Traceback …"
    assert shown == api.get(f"/api/admin/scheduler/runs/{run.pk}").json()


def test_a_waiting_run_is_cancelled():
    run = make.run()

    printed = output("housekeeping_runs", "cancel", str(run.pk))

    assert "status:           cancelled\n" in printed
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

    with pytest.raises(CommandError, match=r"This run (has already ended: succeeded|is succeeded\. Only)"):
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
