"""A retention that each owner sets, on pages, in the API and in commands."""

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from housekeeping import ByOwner
from housekeeping.declared.policies import Policy
from housekeeping.reading import gauges
from housekeeping.reading.policies import PolicyCard
from tests.make import days
from tests.zoo.models import Entry, Owner

pytestmark = pytest.mark.django_db


@pytest.fixture
def policy(add_task):
    made = Policy(
        "entries",
        rows=lambda cutoff: Entry.objects.filter(written_at__lt=cutoff),
        age="written_at",
        retention_by=ByOwner("owner", "kept_days", otherwise=days(365)),
    )
    add_task("entries", lambda purge: {"deleted": purge(made)}, policy=made)
    for number in (30, None):
        Owner.objects.create(kept_days=number)
    return made


def test_the_pages_show_the_range_and_offer_no_other_retention(dashboard, policy):
    page = dashboard.get(reverse("housekeeping:policy", args=["entries"]))
    task = dashboard.get(reverse("housekeeping:task", args=["entries"]))
    settings = dashboard.get(reverse("housekeeping:settings"))

    assert "<dd>30 to 365 days, by owner <span" in page.content.decode()
    assert "Each owner sets it: change it there." in page.content.decode()
    assert "How long rows are kept" not in page.content.decode()
    assert "30 to 365 days, by owner" in task.content.decode()
    assert "As long as each owner wants." in settings.content.decode()


def test_a_question_says_whose_retention_it_is(dashboard, policy):
    asked = dashboard.get(reverse("housekeeping:trigger", args=["entries"]))

    assert "0 rows, older than their owner keeps them" in asked.content.decode()


def test_the_api_has_the_range_and_refuses_another_retention(api, policy):
    address = reverse("housekeeping_api:policy", args=["entries"])

    found = api.get(address).json()
    refused = api.patch(address, {"retention_days": 60}, format="json")

    assert (found["retention_days"], found["declared_retention_days"]) == (None, None)
    assert found["retention_range"] == {"shortest_days": 30, "longest_days": 365}
    assert "retention_range" not in found["backlog"]
    assert refused.status_code == 400
    assert "has a retention of its own" in str(refused.json())


def test_the_command_has_the_range_and_refuses_another_retention(capsys, policy):
    call_command("housekeeping_policies")
    with pytest.raises(CommandError, match="has a retention of its own"):
        call_command("housekeeping_policies", "change", "entries", "60")

    [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("entries")]
    assert "30 to 365 days, by owner" in line


def test_a_run_shows_the_range_that_it_counted_by(dashboard, policy, capsys):
    call_command("run_housekeeping", "--task", "entries")

    run = capsys.readouterr().out.split("Run ")[1].split()[0]
    call_command("housekeeping_runs", "show", run)
    assert "(kept for 30 to 365 days, by owner)" in capsys.readouterr().out
    page = dashboard.get(reverse("housekeeping:run", args=[run])).content.decode()
    assert page.count("30 to 365 days, by owner") == 2


def test_a_figure_of_another_version_has_no_range(policy):
    gauge = gauges.measure(gauges.backlog_of("entries"))
    gauge.value = {**gauge.value, "retention_range": "forever"}

    card = PolicyCard(policy, None, None, gauge, None)
    assert card.retention_range == {"shortest_days": None, "longest_days": None}
