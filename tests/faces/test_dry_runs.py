"""Every face refuses the dry run of a task that has none, and says why."""

import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command

from chat.tasks import old_conversations
from housekeeping.models import Run
from tests import make

pytestmark = pytest.mark.django_db(transaction=True)

WHY = "its function takes none of purge, mail and measure"


def wipe(checkpoint=None):
    return {}


@pytest.fixture
def blunt(add_task):
    """A task that a dry run could only carry out."""
    return add_task("blunt", wipe)


def test_the_api_answers_400_and_names_the_parameter(api, blunt):
    answer = api.post("/api/admin/scheduler/trigger", {"task": "blunt", "dry_run": True}, format="json")

    assert answer.status_code == 400
    assert WHY in answer.json()["fields"]["dry_run"][0]
    assert not Run.objects.exists()


def test_the_command_ends_with_2_and_the_reason(blunt):
    with pytest.raises(CommandError, match=WHY) as error:
        call_command("run_housekeeping", "--task", "blunt", "--dry-run")

    assert error.value.returncode == 2
    assert not Run.objects.exists()


def test_the_dashboard_offers_no_button_and_refuses_the_request(dashboard, blunt):
    page = dashboard.get("/scheduler-admin").content.decode()
    answer = dashboard.post("/scheduler-admin/tasks/blunt/trigger", {"dry_run": "true"}, follow=True)

    assert "Run now: Wipe" in page
    assert "Dry run: Wipe" not in page
    assert WHY in answer.content.decode()


def test_the_page_of_an_old_dry_run_offers_no_other(dashboard, blunt):
    run = make.run("blunt", dry_run=True, status="failed")

    page = dashboard.get(f"/scheduler-admin/runs/{run.pk}").content.decode()

    assert "/retry" not in page
    assert "Dry run again" not in page


def test_check_warns_the_author_until_the_task_says_so(add_task, blunt):
    add_task("silent", wipe, has_dry_run=False)

    warnings = [message for message in run_checks() if message.id == "housekeeping.W001"]

    assert [warning.msg for warning in warnings] == [
        "The task 'blunt' has no dry run: it takes none of mail, measure, purge."
    ]


def test_check_refuses_a_policy_whose_task_does_not_take_purge(add_task):
    add_task("blunt", wipe, policy=old_conversations)

    assert [message.msg for message in run_checks() if message.id == "housekeeping.E004"] == [
        "The task 'blunt' has the policy 'conversations', but does not take purge."
    ]
