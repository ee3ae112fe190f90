"""A statistic of the site that can't be counted takes nothing else with it."""

import pytest
from django.core.management import call_command
from django.utils import timezone

from chat.models import Conversation
from housekeeping.declared import registry, statistics
from housekeeping.exceptions import StatisticFailed
from housekeeping.models import Gauge, Run, Snapshot
from housekeeping.reading import gauges
from tests import make
from tests.make import days

pytestmark = pytest.mark.django_db

API = "/api/admin/scheduler"


def fails_at_once():
    raise ValueError("a mistake\nin the statistic")


def fails_in_the_database():
    return Conversation.objects.extra(where=["no_such_column = %s"], params=["O'Hara"]).count()


def returns_no_number():
    return 0.5


FAILURES = {
    fails_at_once: "ValueError: a mistake",
    fails_in_the_database: "Error: ",
    returns_no_number: "it returned float, not a whole number of 0 or more",
}


@pytest.fixture(params=FAILURES, ids=lambda function: function.__name__)
def failure(request):
    """What is told of the one statistic that fails. All others work."""
    make.consumer()
    make.conversation(age=days(1))
    registry.statistic("broken")(request.param)
    yield FAILURES[request.param]
    del registry.STATISTICS["broken"]


def test_its_tile_is_missing_on_the_overview_and_the_verdict_names_it(failure, dashboard):
    answer = dashboard.get("/scheduler-admin")

    verdict, tiles = answer.text.partition('aria-label="Statistics"')[::2]
    assert answer.status_code == 200
    assert 'class="verdict" data-level="bad"' in verdict
    assert "The statistic broken can&#x27;t be counted: " in verdict
    assert failure.replace("'", "&#x27;") in verdict
    assert "O'Hara" not in answer.text
    assert tiles.partition("</dl>")[0].count('class="tile"') == 5


def test_charts_leave_it_out(failure, dashboard):
    Snapshot.objects.create(taken_at=timezone.now(), numbers={"broken": 5})

    assert dashboard.get("/scheduler-admin/trends").status_code == 200


def test_the_api_tells_the_other_numbers(failure, api):
    numbers = api.get(f"{API}/statistics").json()
    overview = api.get(f"{API}/overview").json()

    assert numbers.keys() == registry.STATISTICS.keys() - {"broken"}
    assert numbers["total_conversations"] == 1
    assert overview["statistics"].keys() == {*numbers, "measured_at"}
    assert failure in overview["verdict"]["findings"][0]["text"]


def test_metrics_leave_it_out(failure, client):
    answer = client.get("/metrics")

    assert 'housekeeping_site{figure="total_conversations"} 1.0' in answer.text
    assert 'figure="broken"' not in answer.text
    assert "housekeeping_healthy 0.0" in answer.text


def test_a_run_that_counts_stores_the_others_and_fails_with_the_reason(failure):
    with pytest.raises(SystemExit):
        call_command("run_housekeeping", "--task", "stats")

    run, snapshot = Run.objects.get(), Snapshot.objects.get()
    assert run.status == Run.Status.FAILED
    assert "The statistic broken can't be counted: " in run.error
    assert failure in run.error
    assert snapshot.numbers.keys() == registry.STATISTICS.keys() - {"broken"}


def test_a_consumer_is_told_for_as_long_as_it_fails(failure):
    for _ in range(2):
        with pytest.raises(StatisticFailed, match="broken"):
            gauges.refresh(timezone.now())

    assert set(Gauge.objects.values_list("name", flat=True)) == set(gauges.measures())


def test_who_looks_tries_again_unless_that_takes_long(failure):
    gauges.read_all(["statistics"])
    registry.STATISTICS.known["broken"] = registry.Statistic("broken", lambda: 7, "Broken", False)
    Gauge.objects.update(took_ms=500)
    assert "broken" not in gauges.read_all(["statistics"])["statistics"].numbers

    Gauge.objects.update(took_ms=5)
    assert gauges.read_all(["statistics"])["statistics"].numbers["broken"] == 7


def test_a_dry_run_fails_as_the_run_would(failure):
    with pytest.raises(StatisticFailed, match="broken"):
        statistics.measure()
