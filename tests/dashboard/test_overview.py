"""The first page."""

import re
from datetime import timedelta

import pytest

from housekeeping.declared.registry import SCHEDULES, TASKS
from housekeeping.models import ScheduleState
from tests import make
from tests.visitors import HTMX, root, text

pytestmark = pytest.mark.django_db

HOME = "/scheduler-admin"
OVERVIEW = f"{HOME}/"
RUNS = f"{HOME}/runs"


@pytest.mark.parametrize("url", [HOME, f"{HOME}/"])
def test_the_dashboard_answers_with_and_without_a_trailing_slash(url, dashboard):
    answer = dashboard.get(url)

    assert answer.status_code == 200
    assert "<!doctype html>" in answer.text


def test_the_site_s_root_leads_to_the_dashboard(dashboard):
    assert dashboard.get("/")["Location"] == HOME


def test_the_overview_shows_the_five_numbers(dashboard):
    make.conversation(age=make.days(2), messages=4)
    make.conversation(messages=1)

    tiles = re.findall(r'<div class="tile"><dt>(.*?)</dt><dd>(.*?)</dd>', dashboard.get(HOME).text)

    assert tiles == [
        ("Active users", "3"),
        ("Conversations", "2"),
        ("Messages", "5"),
        ("Conversations, 24 h", "1"),
        ("Messages, 24 h", "1"),
    ]


def test_the_overview_shows_each_task_with_what_it_does_and_its_newest_run(dashboard):
    make.run("users", status="failed", error="Out of ink", requested_at=make.ago(hours=2))
    make.run("users", status="succeeded", result={"deleted_users": 1234})

    answer = dashboard.get(HOME)

    assert re.findall(r'id="task-(\w+)"', answer.text) == list(TASKS)
    card = text(answer).partition("Cleanup inactive users")[2].partition("Generate statistics")[0]
    assert "Delete accounts that never verified their mail address." in card
    assert "deleted users 1,234" in card
    assert "Out of ink" not in card


def test_the_overview_shows_each_schedule_with_its_trigger_and_next_run(dashboard):
    answer = dashboard.get(HOME)

    rows = re.findall(r'id="schedule-(\w+)".*?</tr>', answer.text, re.DOTALL)
    shown = [
        " ".join(re.sub("<[^>]*>", " ", row).split())
        for row in re.findall(r'<tr id="schedule-.*?</tr>', answer.text, re.DOTALL)
    ]
    assert rows == list(SCHEDULES)
    assert re.search(r"Daily Housekeeping Tasks .* at 2:00 AM .*, 02:00", shown[0])
    assert re.search(r"Weekly Conversation Cleanup .* on Sunday at 3:00 AM Sun \d+ \w+, 03:00", shown[1])
    assert re.search(r"Generate System Statistics .* every 6 hours", shown[2])


def test_a_paused_schedule_is_shown_as_paused(dashboard):
    ScheduleState.objects.create(
        id="daily_housekeeping", is_paused=True, next_fire_at=make.ago(), computed_from=""
    )

    answer = dashboard.get(HOME)

    daily = text(answer).partition("Daily Housekeeping Tasks Run all")[2].partition("Weekly")[0]
    assert "at 2:00 AM paused none yet" in daily


def test_a_schedule_shows_the_run_that_it_opened_last(dashboard):
    run = make.run(
        schedule="weekly_cleanup", cause="schedule", status="missed", scheduled_for=make.ago(days=3)
    )

    table = dashboard.get(HOME).text.partition('id="schedules"')[2].partition('id="recent-runs"')[0]

    assert f'href="{page_of(run)}"><span class="badge" data-status="missed">' in table


def test_the_overview_lists_the_ten_newest_runs(dashboard):
    made = [make.run(f"task {age}", requested_at=make.ago(hours=age), status="failed") for age in range(12)]

    recent = dashboard.get(HOME).text.partition('id="recent-runs"')[2]

    assert re.findall(r'id="run-row-([^"]*)"', recent) == [str(run.pk) for run in made[:10]]


def test_the_table_of_the_timeline_leads_to_its_runs(dashboard):
    run = make.run("stats", status="succeeded", requested_at=make.ago(hours=3))
    make.run("stats", status="succeeded", requested_at=make.ago(hours=25))

    table = dashboard.get(HOME).text.partition('id="timeline-table"')[2].partition("</table>")[0]

    assert re.findall(r'href="([^"]*)">stats</a>', table) == [page_of(run)]


def test_without_a_consumer_a_banner_says_that_nothing_will_be_cleaned_up(dashboard):
    answer = dashboard.get(HOME)

    assert 'class="verdict" data-level="bad"' in answer.text
    assert "No consumer is running: nothing will be cleaned up" in text(answer)


def test_the_banner_goes_with_a_heartbeat_and_comes_back_when_it_stops(dashboard):
    consumer = make.consumer()
    assert "No consumer is running" not in dashboard.get(HOME).text

    consumer.last_heartbeat_at = make.ago(seconds=45)
    consumer.save()

    assert "No consumer is running" in dashboard.get(HOME).text


def test_where_all_is_well_the_page_says_what_is_next(dashboard):
    make.consumer()

    assert "All well. Next: " in text(dashboard.get(HOME))


def test_a_consumer_that_does_not_schedule_is_told_apart(dashboard):
    make.consumer(schedules=False)

    answer = dashboard.get(HOME)

    assert "No consumer is running" not in answer.text
    assert "No consumer watches the schedules" in text(answer)


def page_of(run):
    return f"{RUNS}/{run.pk}"


def test_the_overview_asks_the_database_no_more_for_more_runs(dashboard, django_assert_max_num_queries):
    for age in range(40):
        make.run("stats", status="succeeded", requested_at=make.ago(minutes=age))
    make.consumer(age=timedelta(seconds=1))
    dashboard.get(HOME)

    with django_assert_max_num_queries(32):
        dashboard.get(HOME)


# --- The fragment ----------------------------------------------------------------------------


def test_htmx_is_given_the_overview_alone(dashboard):
    answer = dashboard.get(HOME, headers=HTMX)

    element, attributes = root(answer)
    assert (element.name, attributes["id"], attributes["hx-get"]) == ("div", "overview", OVERVIEW)
    assert "<html" not in answer.text
    assert "HX-Request" in answer["Vary"]


def test_a_quiet_overview_refreshes_every_30_seconds(dashboard):
    make.run(status="succeeded")

    _, attributes = root(dashboard.get(HOME, headers=HTMX))

    assert attributes["hx-trigger"].startswith("every 30s,")


@pytest.mark.parametrize("status", ["queued", "running"])
def test_an_overview_with_an_active_run_refreshes_every_2_seconds(status, dashboard):
    make.run(status=status)

    _, attributes = root(dashboard.get(HOME, headers=HTMX))

    assert attributes["hx-trigger"].startswith("every 2s,")


def test_an_active_run_behind_many_newer_ones_still_refreshes_every_2_seconds(dashboard):
    make.run("conversations", status="running", requested_at=make.ago(hours=3))
    for age in range(10):
        make.run("stats", status="succeeded", requested_at=make.ago(minutes=age))

    _, attributes = root(dashboard.get(HOME, headers=HTMX))

    assert attributes["hx-trigger"].startswith("every 2s,")


def test_the_page_holds_the_same_fragment(dashboard):
    page = dashboard.get(HOME).text

    assert page.count('id="overview"') == 1
    assert 'hx-trigger="every 30s,' in page
