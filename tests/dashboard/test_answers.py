"""Answers to acts: in their place on the page that comes, or else at its top."""

import re

import pytest

from housekeeping.models import Run
from tests import make
from tests.visitors import HTMX, text

pytestmark = pytest.mark.django_db

HOME = "/scheduler-admin"
PAUSE = f"{HOME}/schedules/weekly_cleanup/pause"


def place_of(page, said):
    """The id of the element that holds the answer; empty: it is at the top of the page."""
    [attributes] = re.findall(rf'<p class="([^>]*)>[^<]*{re.escape(said)}', page.text)
    assert 'role="status"' in attributes
    found = re.search(r'id="answer-([^"]*)"', attributes)
    return found[1] if found else ""


@pytest.mark.parametrize(
    ("path", "show", "place"),
    [
        ("/schedules/weekly_cleanup", "", "schedule-weekly_cleanup"),
        ("/tasks/conversations", "task", "schedule-weekly_cleanup"),
    ],
    ids=["schedule", "task"],
)
def test_an_answer_is_in_its_place_on_the_page_that_the_button_was_on(path, show, place, dashboard):
    page = dashboard.post(PAUSE, {"show": show}, follow=True)

    assert page.redirect_chain[-1][0] == HOME + path
    assert place_of(page, "Weekly Conversation Cleanup is paused.") == place
    assert page.text.count(" autofocus>Weekly Conversation Cleanup is paused.") == 1


def test_for_htmx_it_is_in_the_row_and_takes_no_focus(dashboard):
    fragment = dashboard.post(PAUSE, headers=HTMX)

    assert place_of(fragment, "Weekly Conversation Cleanup is paused.") == "task-conversations"
    assert "autofocus" not in fragment.text


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "fragment"])
def test_an_answer_without_a_place_on_the_page_is_at_its_top(dashboard, headers):
    sent = {"beside": "<b>nowhere</b>"}

    page = dashboard.post(PAUSE, sent, headers=headers, follow=True)

    assert place_of(page, "Weekly Conversation Cleanup is paused.") == ""
    assert page.text.index("is paused.") < page.text.index("<h" + ("2" if headers else "1"))


def test_an_offer_that_is_gone_leaves_its_answer_among_the_others(dashboard):
    run = make.run("stats")

    page = dashboard.post(f"{HOME}/runs/{run.pk}/cancel", {"beside": "cancel"}, follow=True)

    assert place_of(page, "Generate statistics: cancelled") == "rest"


def test_a_poll_in_another_tab_takes_no_answer_away(dashboard):
    dashboard.post(PAUSE)

    dashboard.get(HOME, headers=HTMX)

    assert "Weekly Conversation Cleanup is paused." in text(dashboard.get(HOME))


def test_asking_whether_somebody_answers_takes_no_answer_away(dashboard):
    dashboard.post(PAUSE)

    dashboard.head(HOME)

    assert "Weekly Conversation Cleanup is paused." in text(dashboard.get(HOME))


def test_a_question_carries_the_place_of_its_button_along(dashboard):
    run = make.run("conversations", status="failed", requested_at=make.ago(hours=1))

    asked = dashboard.get(f"{HOME}/runs/{run.pk}/retry", {"beside": "retry", "show": "task"})

    assert '<input type="hidden" name="beside" value="retry">' in asked.text
    assert '<input type="hidden" name="show" value="task">' in asked.text


def test_a_run_that_stops_after_its_batch_is_told_so(dashboard):
    run = make.run("stats", status="running", attempts=1)

    page = dashboard.post(f"{HOME}/runs/{run.pk}/cancel", follow=True)

    assert "Generate statistics: stops after this batch" in text(page)
    assert Run.objects.get().cancel_requested


def test_a_run_that_failed_is_answered_as_an_error(dashboard, failing_task, worker):
    asked = dashboard.get(f"{HOME}/tasks/{failing_task}/trigger")
    answer = re.search(r'name="answer" value="([^"]*)"', asked.text)[1]

    page = dashboard.post(f"{HOME}/tasks/{failing_task}/trigger", {"answer": answer}, follow=True)

    [level] = re.findall(r'data-level="(\w+)"[^>]*>[^<]*: failed', page.text)
    assert level == "error"


@pytest.mark.parametrize(("status", "place"), [("running", "now-{}"), ("queued", "now")])
def test_what_runs_now_is_answered_in_its_line_or_where_that_was(status, place, dashboard):
    run = make.run("stats", status=status, attempts=1)

    fragment = dashboard.post(f"{HOME}/runs/{run.pk}/cancel", {"beside": f"now-{run.pk}"}, headers=HTMX)

    assert place_of(fragment, "Generate statistics: ") == place.format(run.pk)
