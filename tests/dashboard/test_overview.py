"""The first page."""

import html
import re
from datetime import timedelta

import pytest
from django.utils import timezone

from housekeeping.declared.registry import TASKS
from housekeeping.models import Hold, ScheduleState
from housekeeping.runs import acknowledgements
from tests import make
from tests.visitors import HTMX, root, text

pytestmark = pytest.mark.django_db

HOME = "/scheduler-admin"
OVERVIEW = f"{HOME}/"
UPKEEP = ["history", "verification", "files", "erasures", "imports"]
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

    tiles = re.findall(r'<div class="tile"><dt>(.*?)</dt><dd><span>(.*?)</span>', dashboard.get(HOME).text)

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

    assert re.findall(r'<tr id="task-(\w+)"', answer.text) == [
        *(name for name in TASKS if name not in UPKEEP),
        *UPKEEP,
    ]
    line = row(answer, "users")
    assert "Delete accounts that never verified their mail address." in line
    assert "1,234 deleted users" in line
    assert "Out of ink" not in line


def test_what_was_deleted_comes_before_the_groups_of_a_result(dashboard):
    counted = {"total_users": 2, "total_messages": 3, "total_conversations": 4}
    make.run("all", status="succeeded", result={"stats": counted, "deleted_conversations": 5})

    assert "5 deleted conversations, 2 total users" in row(dashboard.get(HOME), "all")


def test_a_dry_run_never_looks_like_a_deletion(dashboard):
    make.run("users", status="succeeded", dry_run=True, result={"deleted_users": 1234})
    words = "would be: 1,234 deleted users"

    pages = [dashboard.get(path) for path in (HOME, f"{HOME}/runs", f"{HOME}/tasks/users")]

    assert f"dry run, {words}" in row(pages[0], "users")
    for page in pages:
        assert text(page).count("1,234 deleted users") == text(page).count(words) > 0


def test_the_tasks_of_each_app_stand_together(dashboard):
    groups = re.findall(r'scope="rowgroup" colspan="6">(.*?)<', dashboard.get(HOME).text)

    assert groups == ["Chat", "Upkeep of housekeeping itself"]


def test_a_task_shows_when_it_runs_next_and_by_which_trigger(dashboard):
    answer = dashboard.get(HOME)

    assert re.search(r", 02:00 at 2:00 AM ", row(answer, "all"))
    assert re.search(r" Sun \d+ \w+, 03:00 on Sunday at 3:00 AM ", row(answer, "conversations"))
    assert " every 6 hours " in row(answer, "stats")


def test_a_paused_schedule_is_shown_as_paused(dashboard):
    ScheduleState.objects.create(
        id="daily_housekeeping", is_paused=True, next_fire_at=make.ago(), computed_from=""
    )

    assert " never paused at 2:00 AM " in row(dashboard.get(HOME), "all")


def test_a_task_shows_how_many_rows_it_would_delete_and_since_when(dashboard):
    make.conversation(age=make.days(33))
    make.conversation(age=make.days(31))

    line = row(dashboard.get(HOME), "conversations")

    assert re.search(r" 2 due \d+ \w+ \d+ ", line)


def test_a_strip_counts_every_run_of_a_busy_day(dashboard):
    for minutes in range(0, 1_380, 3):
        make.run("stats", status="succeeded", requested_at=make.ago(minutes=minutes))

    strip = dashboard.get(HOME).text.partition('id="task-stats"')[2].partition("</svg>")[0]

    # A bar of one run says its outcome alone.
    assert sum(int(number or 1) for number in re.findall(r'data-tip="(?:(\d+) runs)?', strip)) == 460


def test_a_strip_leads_to_a_run_or_to_the_runs_of_a_half_hour(dashboard, settings):
    now = timezone.now()
    begin = now.replace(minute=30 * (now.minute // 30), second=0, microsecond=0) - timedelta(hours=3)
    run = make.run("stats", status="succeeded", requested_at=begin - timedelta(minutes=5))
    for status in ("succeeded", "failed"):
        make.run("stats", status=status, requested_at=begin + timedelta(minutes=5))
    make.run("stats", status="succeeded", requested_at=make.ago(hours=25))

    answer = dashboard.get(HOME)

    strip = answer.text.partition('id="task-stats"')[2].partition("</svg>")[0]
    [one, several] = re.findall(r'<a href="(.*?)" .*?data-tip="(.*?)"', strip)
    assert one == (page_of(run), "succeeded")
    assert several[1] == "2 runs: 1 failed, 1 succeeded"
    runs = dashboard.get(html.unescape(several[0]))
    assert len(re.findall('id="run-row-', runs.text)) == 2


def row(answer, task):
    """The text of a task's row."""
    return " ".join(
        re.sub("<[^>]*>", " ", answer.text.partition(f'id="task-{task}"')[2].partition("</tr>")[0]).split()
    )


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

    assert "All systems healthy. Next: " in text(dashboard.get(HOME))


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


def test_the_product_s_words_are_explained_behind_a_question_mark(dashboard):
    held = make.run(status="held", error="60 of 100 rows", cause="catch-up")
    pages = {
        HOME: ["archive", "eligible"],
        f"{RUNS}/{held.pk}": ["brake", "catch-up"],
        f"{HOME}/holds": ["hold"],
    }

    for page, words in pages.items():
        answer = dashboard.get(page).text
        assert re.findall(r'id="term-([\w-]+)" popover', answer) == words
        assert re.findall(r'popovertarget="term-([\w-]+)"', answer) == words


def test_pages_call_a_task_by_its_title(dashboard):
    purged = make.run("users", status="succeeded")
    undo = make.run("users", status="succeeded", undo_of=purged)
    Hold.objects.create(model="chat.User", key="8", reason="Put back", undo=undo)
    make.run("users", status="running", started_at=make.ago())
    held = make.run("stats", status="held", error="60 of 100")

    overview, holds, run = (dashboard.get(f"{HOME}{path}") for path in ("", "/holds", f"/runs/{undo.pk}"))

    assert "Now Cleanup inactive users running" in text(overview)
    assert "1 row Cleanup inactive users" in text(holds)
    assert "<title>Run: Undo: Cleanup inactive users" in run.text
    assert "Generate statistics waits for approval: 60 of 100" in text(overview)
    # The verdict has the button for it, and its task's row the other acts.
    assert f'id="now-{held.pk}"' not in overview.text
    assert text(overview).count("Review and approve") == 1


def test_an_acknowledged_failure_is_named_in_the_verdict_and_in_its_row(dashboard):
    make.consumer()
    make.run("users", status="failed", error="Out of ink")
    acknowledgements.acknowledge("users", by=make.ADA)

    page = dashboard.get(HOME)

    assert "All systems healthy" not in text(page)
    assert "Healthy, apart from what is acknowledged." in text(page)
    assert "acknowledged Delete accounts" in " ".join(row(page, "users").split())


def test_the_budget_of_archives_is_in_the_unit_that_it_is_set_in(dashboard):
    make.archive(make.run(status="succeeded"), size=2_340_000)

    assert "Archives for undo: 2.3 MB of 1,024 MB" in text(dashboard.get(HOME))
