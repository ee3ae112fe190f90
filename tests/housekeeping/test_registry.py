import os
import subprocess
import sys

import pytest
from django.core.checks import run_checks

from housekeeping import registry
from housekeeping.exceptions import UnknownTask
from housekeeping.policies import Policy
from housekeeping.registry import SCHEDULES, TASKS
from housekeeping.triggers import Cron


@pytest.fixture(autouse=True)
def undo_declarations():
    tasks, schedules = dict(TASKS), dict(SCHEDULES)
    yield
    for table, before in ((TASKS, tasks), (SCHEDULES, schedules)):
        table.clear()
        table.update(before)


def test_a_task_is_one_block_and_stays_a_plain_function():
    policy = Policy("dust", rows=lambda cutoff: None)

    @registry.scheduled("nightly_dusting", "Nightly Dusting", Cron(hour=4))
    @registry.task(policy=policy, done="Dusted")
    def wipe_dust(purge=lambda policy: 7):
        """Wipe the dust off.

        More of it.
        """
        return {"dust": purge(policy)}

    assert wipe_dust() == {"dust": 7}
    task = TASKS["dust"]
    assert (task.title, task.description, task.done) == ("Wipe dust", "Wipe the dust off.", "Dusted")
    assert SCHEDULES["nightly_dusting"].task is task


def test_two_tasks_of_one_name_are_refused():
    with pytest.raises(ValueError, match="'stats'"):
        registry.task("stats")(dict)


def test_two_schedules_of_one_id_are_refused():
    with pytest.raises(ValueError, match="'weekly_cleanup'"):
        registry.scheduled("weekly_cleanup", "Again", Cron(hour=1))(TASKS["stats"].function)


def test_a_schedule_above_no_task_is_refused():
    with pytest.raises(ValueError, match="no @task"):
        registry.scheduled("lost", "Lost", Cron(hour=1))(dict)


def test_an_unknown_task_is_named_with_the_known_ones():
    with pytest.raises(
        UnknownTask, match="'dishes'; there are all, conversations, messages, users, stats, history"
    ):
        registry.find_task("dishes")


def test_a_parameter_that_nobody_hands_over_is_found_by_check():
    def greedy(purge=None, vacuum=None):
        return {}

    registry.task("greedy")(greedy)

    errors = [error for error in run_checks() if error.id == "housekeeping.E001"]
    assert "'vacuum'" in errors[0].msg


def test_an_immediate_queue_is_found_by_check(settings):
    settings.HUEY = settings.HUEY | {"immediate": True}

    assert "housekeeping.E002" in [error.id for error in run_checks()]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become a user without a name")
def test_a_user_without_a_name_is_recorded_by_number():
    code = (
        "import django; django.setup();"
        "import os; os.setuid(54321);"
        "from housekeeping import acts; print(acts.operator().name)"
    )
    names = ("USER", "LOGNAME", "LNAME", "USERNAME")
    environment = {name: value for name, value in os.environ.items() if name not in names}

    answer = subprocess.run(
        [sys.executable, "-c", code],
        env=environment | {"DJANGO_SETTINGS_MODULE": "site_config.settings"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert answer.stdout.strip() == "uid 54321"
