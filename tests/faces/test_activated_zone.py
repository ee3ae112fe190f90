"""A project's middleware may activate the zone of a visitor. What is read and counted stays in TIME_ZONE."""

from datetime import UTC, datetime

import pytest
from django.utils import timezone

from housekeeping.journal import tallies
from housekeeping.models import Hold, Tally
from tests import make

pytestmark = pytest.mark.django_db

PAGES, API = "/scheduler-admin", "/api/admin/scheduler"
EVENING = datetime(2127, 1, 31, 23, 59, 59, tzinfo=UTC)  # in Tokyo, it is the day after


@pytest.fixture(autouse=True)
def _visitor_from_tokyo():
    with timezone.override("Asia/Tokyo"):
        yield


def test_a_hold_that_is_saved_as_its_form_shows_it_ends_when_it_did(dashboard):
    key = make.conversation().pk
    hold = Hold.objects.create(model="chat.Conversation", key=key, until=EVENING, reason="A dispute")

    page = dashboard.get(f"{PAGES}/holds")
    dashboard.post(f"{PAGES}/holds/{hold.pk}/change", {"until": "2127-01-31"})

    hold.refresh_from_db()
    assert 'name="until" value="2127-01-31"' in page.text
    assert hold.until == EVENING


@pytest.mark.parametrize(("after", "found"), [("2026-11-25T02:00", ["stats"]), ("2026-11-25T03:01", [])])
def test_a_moment_without_an_offset_is_in_the_zone_of_the_site(api, after, found):
    make.run("stats", requested_at=datetime(2026, 11, 25, 3, tzinfo=UTC))

    runs = api.get(f"{API}/runs", {"after": after}).json()["results"]

    assert [run["task"] for run in runs] == found


def test_a_run_counts_on_the_day_that_it_is_in_the_zone_of_the_site(api):
    now = timezone.now()
    tallies.add(make.run(status="succeeded", finished_at=datetime(2026, 11, 24, 20, tzinfo=UTC)))
    Tally.objects.create(day=now.date(), task="stats", status="failed")

    assert str(Tally.objects.earliest("day").day) == "2026-11-24"
    assert [tally["day"] for tally in api.get(f"{API}/tallies?days=1").json()["results"]] == [str(now.date())]


def test_the_page_of_a_schedule_names_the_zone_that_triggers_are_read_in(dashboard):
    page = dashboard.get(f"{PAGES}/schedules/weekly_cleanup")

    assert "Read in UTC." in page.text
