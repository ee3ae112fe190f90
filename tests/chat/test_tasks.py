"""Tasks as plain functions: called in a shell, they do the work and return its result."""

import os
import subprocess
import sys

import pytest

from chat import tasks
from housekeeping.declared.registry import TASKS
from housekeeping.models import Snapshot
from tests import make
from tests.make import days

pytestmark = pytest.mark.django_db


def test_the_tasks_of_the_contract_are_there():
    functions = {name: task.function.__name__ for name, task in TASKS.items()}

    assert functions.items() >= {
        ("all", "run_all_housekeeping_tasks"),
        ("conversations", "delete_old_conversations"),
        ("messages", "cleanup_orphaned_messages"),
        ("users", "cleanup_inactive_users"),
        ("stats", "generate_statistics"),
        ("history", "tidy_history"),
    }


def test_each_task_called_as_a_function_does_the_work():
    make.conversation(age=days(31))
    make.message()
    make.visitor(age=days(8))

    assert tasks.delete_old_conversations() == {"deleted_conversations": 1}
    assert tasks.cleanup_orphaned_messages() == {"cleaned_messages": 1}
    assert tasks.cleanup_inactive_users() == {"deleted_users": 1}


def test_statistics_count_and_keep_a_snapshot():
    owner = make.user()
    make.visitor()
    make.conversation(user=owner, age=days(2), messages=2)
    make.conversation(user=owner, messages=1)

    result = tasks.generate_statistics()

    numbers = {
        "total_users": 1,
        "total_conversations": 2,
        "total_messages": 3,
        "recent_conversations_24h": 1,
        "recent_messages_24h": 1,
    }
    assert result == {"stats": numbers}
    assert Snapshot.objects.get().numbers == numbers


def test_statistics_in_the_log_name_nobody(caplog):
    make.conversation(user=make.user(username="grace"), messages=1)

    tasks.generate_statistics()

    assert "grace" not in caplog.text
    assert "Hello" not in caplog.text


def test_all_as_a_function_returns_one_object():
    make.conversation(age=days(31))

    result = tasks.run_all_housekeeping_tasks()

    assert list(result) == ["deleted_conversations", "cleaned_messages", "deleted_users", "stats"]
    assert result["deleted_conversations"] == 1


def test_all_names_a_failed_step_under_errors_and_runs_the_others():
    make.message()

    def refuse(policy):
        if policy.name == "conversations":
            raise ValueError("no")
        return tasks.purge(policy)

    result = tasks.run_all_housekeeping_tasks(purge=refuse)

    assert result["errors"] == {"conversations": "ValueError: no"}
    assert result["cleaned_messages"] == 1
    assert "stats" in result


@pytest.mark.parametrize(
    ("variable", "value", "expression", "expected"),
    [
        ("HOUSEKEEPING_CONVERSATION_RETENTION_DAYS", "60", "old_conversations.retention.days", "60"),
        ("HOUSEKEEPING_UNVERIFIED_USER_RETENTION_DAYS", "14", "never_verified_users.retention.days", "14"),
        ("HOUSEKEEPING_TEST_SCHEDULE", "true", "'test_housekeeping' in SCHEDULES", "True"),
        ("HOUSEKEEPING_TEST_SCHEDULE", "false", "'test_housekeeping' in SCHEDULES", "False"),
        (
            "HOUSEKEEPING_UNVERIFIED_USER_WARNING_DAYS",
            "3",
            "SCHEDULES['deletion_warnings'].task.name, SCHEDULES['deletion_warnings'].trigger.describe()",
            "warnings at 9:00 AM",
        ),
        (
            "HOUSEKEEPING_UNVERIFIED_USER_WARNING_DAYS",
            "0",
            "'deletion_warnings' in SCHEDULES or 'warnings' in TASKS",
            "False",
        ),
    ],
)
def test_a_setting_reaches_its_declaration(variable, value, expression, expected):
    names = "from chat.tasks import *; from housekeeping.declared.registry import SCHEDULES, TASKS"

    answer = subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "-c", f"{names}; print({expression})"],
        env=os.environ | {variable: value},
        capture_output=True,
        text=True,
        check=True,
    )

    assert answer.stdout.strip() == expected
