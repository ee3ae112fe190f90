"""Policies that keep a number of rows, on pages, in the API and in commands."""

import pytest
from django.core.management import call_command
from django.urls import reverse

from housekeeping.declared.policies import Policy
from housekeeping.reading import gauges
from housekeeping.reading.previews import impact
from tests.make import days
from tests.zoo.models import Entry

pytestmark = pytest.mark.django_db(transaction=True)

BUDGET = Policy("entries", lambda cutoff: Entry.objects.all(), age="written_at", at_most=2)
NEWEST = Policy(
    "newest",
    lambda cutoff: Entry.objects.filter(written_at__lt=cutoff),
    days(30),
    "written_at",
    keep_newest=100,
    of_each=("owner", "kind"),
)


@pytest.fixture(autouse=True)
def _declared(add_task):
    for policy in (BUDGET, NEWEST):
        add_task(policy.name, lambda purge: {}, policy=policy)
    Entry.objects.bulk_create(Entry() for _ in range(5))


def page_of(dashboard, name, *parts):
    return dashboard.get(reverse(f"housekeeping:{name}", args=parts)).content.decode()


def test_pages_and_commands_say_what_stays(dashboard, capsys):
    assert "<dd>the newest 2 rows stay</dd>" in page_of(dashboard, "policy", "entries")
    newest = page_of(dashboard, "policy", "newest")
    assert "<dd>30 days</dd>" in newest
    assert "<dd>the newest 100 rows of each owner, kind stay</dd>" in newest
    assert "the newest 2 rows stay" in page_of(dashboard, "task", "entries")
    assert "3 rows: the newest 2 rows stay" in page_of(dashboard, "trigger", "entries")
    assert "by number" in page_of(dashboard, "settings")

    call_command("housekeeping_policies")
    assert "the newest 2 rows stay" in capsys.readouterr().out


def test_the_api_has_the_numbers(api):
    found = {one["name"]: one for one in api.get("/api/admin/scheduler/policies").json()["results"]}

    assert (found["entries"]["at_most"], found["entries"]["backlog"]["rows"]) == (2, 3)
    assert (found["newest"]["keep_newest"], found["newest"]["of_each"]) == (100, ["owner", "kind"])
    assert (found["users"]["at_most"], found["users"]["of_each"]) == (None, [])


def test_no_page_waits_until_a_large_table_is_counted(dashboard, monkeypatch):
    seen = gauges.measure(gauges.backlog_of("entries"))
    Entry.objects.all().delete()
    monkeypatch.setattr(gauges, "PAGE_SECONDS", 0)
    monkeypatch.setattr(impact, "SECONDS", 0)

    [shown] = gauges.read_all([seen.name]).values()
    assert shown.value["rows"] == 3
    assert "takes too long to wait for" in page_of(dashboard, "policy-preview", "entries")
    seen.delete()
    assert "counting takes too long for a page" in page_of(dashboard, "policy", "entries")
