"""``run_housekeeping``: a task here and now."""

import getpass
import json
import os
import signal
import subprocess
import sys
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from huey.contrib.djhuey import HUEY

from chat.models import ChatMessage
from chat.tasks import orphaned_messages
from housekeeping.models import Act, Run, Snapshot
from tests import make
from tests.management.commands import failure, manage, output, rows
from tests.processes import ROOT

pytestmark = pytest.mark.django_db

TASKS = [
    ("conversations", {"deleted_conversations": 1}, (1, 2, 4)),
    ("messages", {"cleaned_messages": 1}, (2, 3, 4)),
    ("users", {"deleted_users": 1}, (2, 4, 3)),
]


@pytest.mark.parametrize(("task", "result", "left"), TASKS)
def test_a_task_is_run_here_and_now(task, result, left):
    make.litter()

    printed = output("run_housekeeping", "--task", task)

    run = Run.objects.get()
    assert (run.status, run.result, rows()) == ("succeeded", result, left)
    [(name, number)] = result.items()
    assert f"  {name.replace('_', ' ')}: {number}" in printed
    assert f"Run {run.pk} succeeded" in printed


def test_without_a_task_all_of_them_are_run():
    make.litter()

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
    make.litter()
    before = rows()

    printed = output("run_housekeeping", "--task", task, "--dry-run")

    run = Run.objects.get()
    assert "a dry run, nothing was deleted" in printed
    assert (run.dry_run, run.result, rows()) == (True, result, before)


def test_a_dry_run_of_all_tasks_changes_nothing():
    make.litter()
    before = rows()

    output("run_housekeeping", "--dry-run")

    assert rows() == before
    assert not Snapshot.objects.exists()


def test_as_json_it_prints_message_result_and_run():
    make.litter()

    answer = json.loads(output("run_housekeeping", "--task", "messages", "--json"))

    run = Run.objects.get()
    assert list(answer) == ["message", "result", "run"]
    assert (answer["message"], answer["result"]) == ("Orphaned messages deleted", {"cleaned_messages": 1})
    assert (answer["run"]["id"], answer["run"]["status"]) == (str(run.pk), "succeeded")
    assert answer["run"]["url"] == f"/api/admin/scheduler/results/{run.pk}"


def test_approval_beforehand_is_accepted():
    assert "All housekeeping tasks completed" in output("run_housekeeping", "--yes")


def test_the_result_is_huey_s_own_too():
    make.litter()

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

    with pytest.raises(CommandError, match="Cancelled after 1 rows; deleted rows stay deleted"):
        output("run_housekeeping", "--task", "purge_and_be_interrupted")

    assert (Run.objects.get().status, ChatMessage.objects.count()) == ("cancelled", 0)
    assert [act.what for act in Act.objects.all()] == ["cancel", "trigger"]


def test_without_its_queue_a_command_still_cleans_up_and_says_so(transactional_db, unreachable_queue, caplog):
    make.message()

    call_command("run_housekeeping", "--task", "messages", stdout=StringIO())

    assert Run.objects.get().result == {"cleaned_messages": 1}
    assert "Could not store a result in the queue" in caplog.text


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
