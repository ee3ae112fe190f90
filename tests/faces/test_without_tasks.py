"""A project that declares nothing yet, and whose upkeep can't be imported: there are no tasks at all."""

import pytest
from django.core.management import call_command

from housekeeping.api.description import examples
from housekeeping.api.description.document import OWN
from housekeeping.declared import registry
from housekeeping.declared.registry import SCHEDULES, STATISTICS, TASKS, Unreadable
from housekeeping.models import Act
from site_config.description import WHOLE
from tests import make
from tests.browser import world

pytestmark = pytest.mark.django_db

API = "/api/admin/scheduler"


@pytest.fixture(autouse=True)
def _nothing_declared(monkeypatch):
    for table in (TASKS, SCHEDULES, STATISTICS):
        monkeypatch.setattr(table, "known", {})
    registry.UNREADABLE.append(Unreadable("housekeeping.tasks", "Out of ink", is_ours=True))
    _forget()
    yield
    registry.UNREADABLE.pop()
    _forget()


def _forget():
    """What a process makes of the declarations once."""
    examples.problem_examples.cache_clear()
    for described in (OWN, WHOLE):
        described.made.clear()
        described.written.clear()


@pytest.fixture(params=[True, False], ids=["with history", "without history"])
def run(request):
    if not request.param:
        return None
    for what in ("trigger", "change retention", "change trigger"):
        Act.objects.create(who="ada", what=what, target="dishes", done_at=make.ago(days=1))
    return make.run("dishes", status="succeeded", schedule="nightly_dishes")


def test_all_pages_answer(run, dashboard):
    pages = list(world.LISTS)
    pages += [f"/runs/{run.pk}", f"/runs/{run.pk}/log"] if run else []

    answers = {page: dashboard.get(f"/scheduler-admin{page}").status_code for page in pages}

    assert answers == dict.fromkeys(pages, 200)


PARTS = ["status", "statistics", "overview", "snapshots", "tallies", "acts", "consumers", "schedules"]
PARTS += ["schedules/fire-times?trigger=0+2+*+*+*", "policies", "tables", "runs", "holds", "schema", "docs"]


def test_the_api_answers(run, api):
    parts = PARTS + ([f"runs/{run.pk}", f"results/{run.pk}"] if run else [])

    answers = {part: api.get(f"{API}/{part}").status_code for part in parts}

    assert answers == dict.fromkeys(parts, 200)


def test_the_api_refuses_tasks_schedules_and_policies_that_are_not_there(api):
    asked = api.post(f"{API}/trigger", {"task": "dishes"}, format="json")

    assert asked.status_code == 400
    assert api.get(f"{API}/schedules/nightly_dishes").status_code == 404
    assert api.get(f"{API}/policies/dishes").status_code == 404


def test_the_metrics_answer(run, client):
    assert client.get("/metrics").status_code == 200


def test_the_overview_says_why(dashboard):
    assert "housekeeping.tasks can&#x27;t be imported" in dashboard.get("/scheduler-admin").text


@pytest.mark.parametrize("command", ["scheduler_info", "policies", "schedules", "runs", "holds"])
def test_the_commands_that_list_something_answer(run, command):
    call_command(command if command == "scheduler_info" else f"housekeeping_{command}")
