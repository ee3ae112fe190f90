"""The time zone of a page is the reader's: its cookie tells."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from django.http import QueryDict
from django.utils import timezone

from housekeeping.dashboard.filters import RunFilters
from housekeeping.dashboard.parts.strips import strips
from housekeeping.dashboard.zones import COOKIE
from housekeeping.reading.runs.half_hours import WIDTH, HalfHour
from tests import make
from tests.visitors import HTMX, poll, text

pytestmark = pytest.mark.django_db

HOME = "/scheduler-admin"
SAFE_COOKIE = f"__Host-{COOKIE}"
AT = datetime(2026, 1, 15, 23, 30, 7, 123456, tzinfo=UTC)


@pytest.fixture
def in_tokyo(dashboard):
    dashboard.cookies[COOKIE] = "Asia/Tokyo"
    return dashboard


def test_a_page_is_in_the_zone_of_who_looks_and_names_it(in_tokyo):
    run = make.run("stats", status="succeeded", requested_at=AT)

    page = in_tokyo.get(f"{HOME}/runs/{run.pk}")

    assert "Requested Fri 16 Jan 2026, 08:30:07 JST" in text(page)
    assert "All times are in Asia/Tokyo." in text(page)
    assert 'data-zone="Asia/Tokyo"' in page.text
    assert timezone.get_current_timezone_name() == "UTC"


@pytest.mark.parametrize(
    ("secure", "cookies", "zone"),
    [
        (True, {SAFE_COOKIE: "Asia/Tokyo"}, "Asia/Tokyo"),
        (True, {SAFE_COOKIE: "Asia/Tokyo", COOKIE: "Africa/Cairo"}, "Asia/Tokyo"),
        (True, {COOKIE: "Africa/Cairo"}, "UTC"),  # a sibling domain may have set it
        (False, {COOKIE: "Africa/Cairo"}, "Africa/Cairo"),
        (False, {SAFE_COOKIE: "Asia/Tokyo"}, "Asia/Tokyo"),  # the proxy's HTTPS was not noticed
    ],
)
def test_over_https_only_a_cookie_that_is_bound_to_the_host_counts(secure, cookies, zone, dashboard):
    for name, value in cookies.items():
        dashboard.cookies[name] = value

    page = dashboard.get(f"{HOME}/runs", secure=secure)

    assert f"All times are in {zone}." in text(page)


@pytest.mark.parametrize(
    "name", ["", "Mars/Olympus", "../../etc/passwd", "/etc/passwd", "Europe", "x" * 999, "\x00"]
)
def test_a_zone_that_is_none_is_time_zone(name, dashboard):
    dashboard.cookies[COOKIE] = name
    make.run("stats", status="succeeded", requested_at=AT)

    page = dashboard.get(f"{HOME}/runs")

    assert "2026-01-15 23:30:07" in text(page)
    assert "All times are in UTC." in text(page)


def test_schedules_are_read_in_time_zone_all_the_same(in_tokyo):
    page = text(in_tokyo.get(f"{HOME}/schedules/daily_housekeeping"))

    assert re.search(r"Next run \w+ \d+ \w+ \d+, 02:00:00 UTC", page)
    assert "Read in UTC." in page


def test_filters_are_read_in_the_zone_that_the_list_shows(in_tokyo):
    make.run("stats", status="succeeded", requested_at=AT)

    found = in_tokyo.get(f"{HOME}/runs?after=2026-01-16T08:30&before=2026-01-16T08:31", follow=True)

    assert "2026-01-16 08:30:07" in text(found)
    assert 'value="2026-01-16T08:30"' in found.text
    assert 'id="run-row-' not in in_tokyo.get(f"{HOME}/runs?before=2026-01-16T08:30", follow=True).text


def test_a_shared_address_shows_the_same_runs_in_another_zone(in_tokyo):
    run = make.run("stats", status="succeeded", requested_at=AT)
    tidy = in_tokyo.get(f"{HOME}/runs?after=2026-01-16T08:30&before=2026-01-16T08:31")
    assert tidy.url == f"{HOME}/runs?after=2026-01-16T08%3A30%2B09%3A00&before=2026-01-16T08%3A31%2B09%3A00"

    in_tokyo.cookies[COOKIE] = "America/New_York"
    found = in_tokyo.get(tidy.url)

    assert f'id="run-row-{run.pk}"' in found.text
    assert 'value="2026-01-15T18:30"' in found.text


@pytest.mark.parametrize("minutes", [0, 30, 60, 90])
def test_the_strip_leads_to_its_half_hour_also_when_the_clock_goes_back(minutes):
    begins = datetime(2026, 10, 25, tzinfo=UTC) + timedelta(minutes=minutes)
    with timezone.override(ZoneInfo("Europe/Berlin")):
        [bars] = strips([HalfHour("users", begins, "failed", 2, uuid4(), None)], begins + WIDTH).values()
        [query] = re.findall(r'href="[^"?]*\?([^"]*)"', bars)
        filters = RunFilters(QueryDict(unescape(query)))

        assert filters.is_valid(), filters.problems
        assert (filters.cleaned_data["after"], filters.cleaned_data["before"]) == (begins, begins + WIDTH)


def test_an_unchanged_poll_is_304_in_one_zone_and_not_in_another(in_tokyo):
    make.consumer()
    in_tokyo.get(HOME)
    answer = in_tokyo.get(HOME, headers=HTMX)

    assert poll(in_tokyo, answer, HOME).status_code == 304
    in_tokyo.cookies[COOKIE] = "Europe/Paris"
    assert poll(in_tokyo, answer, HOME).status_code == 200


def test_a_zone_that_the_project_has_activated_stays(in_tokyo):
    with timezone.override("America/New_York"):
        page = in_tokyo.get(HOME)

    assert 'data-zone="America/New_York" data-zone-is-fixed' in page.text


def test_moments_in_attributes_are_as_html_takes_them(dashboard):
    run = make.run("stats", status="succeeded", requested_at=AT, started_at=AT, finished_at=AT)
    make.consumer()
    pages = ("", "/runs", f"/runs/{run.pk}", "/history", "/tasks/stats", "/schedules/daily_housekeeping")

    moments = [
        moment
        for page in pages
        for moment in re.findall(r'datetime="([^"]*)"', dashboard.get(HOME + page).text)
    ]

    assert len(moments) > 20
    valid = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d")
    assert [moment for moment in moments if not valid.fullmatch(moment)] == []
