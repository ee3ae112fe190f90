import os
import re
import subprocess
import sys

import pytest
from django.core.checks import run_checks

from chat.models import Conversation
from housekeeping.declared import registry
from housekeeping.declared.policies import Policy
from housekeeping.declared.registry import SCHEDULES, TASKS
from housekeeping.declared.triggers import Cron
from housekeeping.exceptions import UnknownTask
from housekeeping.models import PolicyState
from housekeeping.runs.work import execution
from tests import make
from tests.make import days


@pytest.fixture(autouse=True)
def undo_declarations():
    tables = [TASKS, SCHEDULES, registry.STATISTICS]
    declared = [dict(table) for table in tables]
    yield
    for table, before in zip(tables, declared, strict=True):
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


@pytest.mark.parametrize("first_is_on", [True, False])
def test_of_two_declarations_of_one_name_one_may_be_switched_off(first_is_on):
    for when in (first_is_on, not first_is_on):

        @registry.scheduled("dusting", f"On: {when}", Cron(hour=4), when=when)
        @registry.task("dust", done=f"On: {when}", when=when)
        def wipe_dust(): ...

    assert (TASKS["dust"].done, SCHEDULES["dusting"].name) == ("On: True", "On: True")


def test_a_schedule_above_no_task_is_refused():
    with pytest.raises(ValueError, match="without @task"):
        registry.scheduled("lost", "Lost", Cron(hour=1))(dict)


@pytest.mark.parametrize(
    ("declare", "advice"),
    [
        (lambda: registry.task(len), "@task() or @task(policy=policy)"),
        (lambda: registry.task(Policy("dust", rows=lambda cutoff: None)), "@task() or @task(policy=policy)"),
        (lambda: registry.statistic(len), "@statistic()"),
        (lambda: registry.scheduled("x", "X", "0 2 * * *"), '@scheduled("nightly", "Every night", Cron(hour'),
        (lambda: registry.scheduled(len, "X", Cron()), '@scheduled("nightly", "Every night", Cron(hour=2))'),
    ],
    ids=["bare task", "policy as name", "bare statistic", "text as trigger", "function as id"],
)
def test_a_decorator_that_is_misused_says_what_to_write(declare, advice):
    with pytest.raises(TypeError, match=re.escape(advice)):
        declare()


def test_an_unknown_task_is_named_with_the_known_ones():
    known = ", ".join(TASKS)

    assert {"all", "conversations", "history"} <= set(TASKS)
    with pytest.raises(UnknownTask, match=f"'dishes'; choose one of {known}"):
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
        "from housekeeping.journal import acts; print(acts.operator().name)"
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


@pytest.mark.django_db(transaction=True)
def test_two_policies_of_one_name_are_refused_by_check_and_as_a_run_begins():
    namesake = Policy("tokens", rows=lambda cutoff: Conversation.objects.all())
    registry.task("more_tokens", policy=namesake)(lambda purge: {"rows": purge(namesake)})
    make.conversation()

    run = execution.execute(execution.claim(make.run("more_tokens").pk, 0))

    assert run.error == "AmbiguousPolicy: Two policies are called 'tokens': give one of them another name."
    assert Conversation.objects.count() == 1
    assert [error.id for error in run_checks() if "'tokens'" in error.msg] == ["housekeeping.E005"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("dry_run", [False, True])
def test_a_policy_that_no_task_declares_does_not_go_by_the_retention_of_a_namesake(add_task, dry_run):
    rows = Conversation.objects.filter
    namesake = Policy("conversations", rows=lambda cutoff: rows(created_at__lt=cutoff), retention=days(3650))
    add_task("undeclared", lambda purge: {"rows": purge(namesake)})
    PolicyState.objects.create(name="conversations", retention_days=20)
    make.conversation(age=days(100))

    run = execution.execute(execution.claim(make.run("undeclared", dry_run=dry_run).pk, 0))

    assert run.error.startswith("AmbiguousPolicy: Two policies are called 'conversations'")
    assert Conversation.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("dry_run", [False, True])
def test_of_two_policies_of_one_name_that_no_task_declares_the_second_is_refused(add_task, dry_run):
    rows = Conversation.objects.filter
    short = Policy("x", rows=lambda cutoff: rows(created_at__lt=cutoff, title="short"), retention=days(30))
    long = Policy("x", rows=lambda cutoff: rows(created_at__lt=cutoff, title="long"), retention=days(365))
    add_task("both", lambda purge: {"short": [purge(short), purge(short)], "long": purge(long)})
    make.conversation(age=days(40), title="long")

    run = execution.execute(execution.claim(make.run("both", dry_run=dry_run).pk, 0))

    assert run.error.startswith("AmbiguousPolicy: Two policies are called 'x'")
    assert Conversation.objects.count() == 1


def test_a_policy_that_two_tasks_share_is_one():
    registry.task("again", policy=TASKS["conversations"].policies[0])(lambda purge: {})

    assert "housekeeping.E005" not in [error.id for error in run_checks()]


def test_a_name_that_fits_into_no_address_is_found_by_check():
    registry.task("old rows/all")(lambda purge: {})

    errors = [error for error in run_checks() if error.id == "housekeeping.E007"]
    assert "'old rows/all'" in errors[0].msg


@pytest.mark.parametrize("name", ["measured_at", "taken_at", "database_bytes", "new users", "a" * 101])
def test_a_statistic_s_name_that_can_be_no_field_of_the_api_is_found_by_check(name):
    registry.statistic(name)(lambda: 7)

    errors = [error.msg for error in run_checks() if error.id == "housekeeping.E007"]
    assert errors == [f"{name!r} can't be the name of a statistic."]


@pytest.mark.django_db
def test_check_takes_a_policy_with_as_long_a_name_as_its_gauge_can_have(dashboard):
    too_long, longest = "p" * 93, "p" * 92
    for name in (too_long, longest):
        registry.task(policy=Policy(name, rows=lambda cutoff: Conversation.objects.all()))(lambda purge: {})

    errors = [error for error in run_checks() if error.id == "housekeeping.E007"]
    assert [error.msg for error in errors] == [f"{too_long!r} can't be the name of a policy."]
    assert errors[0].hint.startswith("Write up to 92 letters")

    del TASKS[too_long]
    assert dashboard.get("/scheduler-admin").status_code == 200
