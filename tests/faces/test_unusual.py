"""Runs that are unusual for their task, on every face."""

import pytest
from django.utils import translation

from housekeeping.dashboard.terms import TERMS
from housekeeping.runs import usual
from tests import make
from tests.management.commands import output
from tests.visitors import text

pytestmark = pytest.mark.django_db

API = "/api/admin/scheduler"
HOME = "/scheduler-admin"


def unusual():
    return make.ended(seconds=60, rows=5000, usual_seconds=2.0, usual_rows=0)


def test_an_unusual_run_is_marked_wherever_it_is(api, admin_client, client):
    run = unusual()

    assert api.get(f"{API}/runs/{run.pk}").json()["unusual"] == {"usual_seconds": 2.0, "usual_rows": 0}
    page = text(admin_client.get(f"{HOME}/runs/{run.pk}"))
    assert "unusual It took 1 min 0 s, usually 2.0 s. It deleted 5,000 rows, usually 0." in page
    assert "  users (unusual)\n" in output("housekeeping_runs", "list")
    assert '<span class="badge">unusual</span>' in admin_client.get(f"{HOME}/runs").text
    assert "users: It took 1 min 0 s, usually 2.0 s." in text(admin_client.get(HOME))
    metrics = client.get("/metrics").text
    assert 'housekeeping_task_unusual{task="users"} 1.0' in metrics
    assert 'housekeeping_task_unusual{task="stats"} 0.0' in metrics


def test_an_unusual_run_is_a_hint_and_no_finding(api):
    make.consumer()
    run = unusual()

    verdict = api.get(f"{API}/overview").json()["verdict"]

    assert (verdict["level"], verdict["findings"]) == ("good", [])
    assert [(hint["run"], hint["text"].partition(":")[0]) for hint in verdict["hints"]] == [
        (str(run.pk), "users")
    ]

    make.ended()
    assert api.get(f"{API}/overview").json()["verdict"]["hints"] == []


def test_a_usual_run_is_not_marked(api, admin_client):
    run = make.ended()

    assert api.get(f"{API}/runs/{run.pk}").json()["unusual"] is None
    assert "unusual" not in text(admin_client.get(f"{HOME}/runs"))


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_rule_is_told_with_the_numbers_of_the_code(language):
    with translation.override(language):
        told = str(TERMS["unusual"])

    numbers = (usual.FACTOR, usual.DAYS, usual.LEAST_DURATION.seconds, usual.LEAST_ROWS)
    assert [number for number in numbers if f" {number} " not in f"{told} ".replace("-", " ")] == []
