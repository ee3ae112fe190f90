"""What a button is answered with."""

import re
from html import unescape

import pytest
from huey.contrib.djhuey import HUEY

from chat.models import ChatMessage, Conversation
from housekeeping.models import Act, Run
from tests import make
from tests.visitors import HTMX, confirm, root, text

pytestmark = pytest.mark.django_db

HOME = "/scheduler-admin"
OVERVIEW = f"{HOME}/"
RUNS = f"{HOME}/runs"


def button(task):
    return f"{HOME}/tasks/{task}/trigger"


def page_of(run):
    return f"{RUNS}/{run.pk}"


def press(client, label, page=HOME):
    """Press a button as a browser without JavaScript does, and answer if it asks."""
    forms = re.findall(r'<form method="(\w+)" action="([^"]*)"(.*?)</form>', client.get(page).text, re.DOTALL)
    [(method, action, form)] = [
        found for found in forms if f'"{label}"' in found[2] or f">{label}<" in found[2]
    ]
    if method == "get":
        return confirm(client, action, follow=True)
    return client.post(action, dict(re.findall(r'name="(\w+)" value="(\w+)"', form)), follow=True)


def test_a_button_without_javascript_queues_a_run_and_leads_back(dashboard, administrator, transactional_db):
    answer = dashboard.post(button("stats"), follow=True)

    run = Run.objects.get()
    assert answer.redirect_chain == [(OVERVIEW, 302)]
    assert (run.task, run.status, run.requested_by) == ("stats", "queued", administrator.username)
    assert [task.id for task in HUEY.pending()] == [str(run.pk)]
    assert "Generate statistics: waiting for a consumer" in text(answer)


def test_a_button_shows_the_result_of_what_ends_at_once(dashboard, worker):
    make.conversation(age=make.days(31))

    answer = press(dashboard, "Run now: Run all housekeeping tasks")

    assert "All housekeeping tasks completed" in text(answer)
    assert "1 deleted conversations" in text(answer)
    assert not Conversation.objects.exists()


def test_a_dry_run_shows_what_would_go_and_deletes_nothing(dashboard, worker):
    make.message()

    answer = press(dashboard, "Dry run", page=f"{HOME}/tasks/messages")

    assert "a dry run, nothing was deleted" in text(answer)
    assert ChatMessage.objects.count() == 1
    assert Run.objects.get().result == {"cleaned_messages": 1}


def test_a_button_pressed_with_htmx_answers_with_the_overview(dashboard, worker):
    make.message()

    answer = confirm(dashboard, button("messages"), headers=HTMX)

    _, attributes = root(answer)
    assert (answer.status_code, attributes["id"]) == (200, "overview")
    assert "1 cleaned messages" in text(answer)


def test_a_task_that_fails_shows_its_error(dashboard, protected_conversation, worker):
    answer = confirm(dashboard, button("conversations"), follow=True)

    assert "Delete old conversations: failed" in text(answer)
    assert "IntegrityError" in text(answer)


def test_a_second_press_says_that_it_runs_already(dashboard):
    run = make.run("stats", status="running")

    answer = dashboard.post(button("stats"), follow=True)

    assert f"The task 'stats' is running already, as run {run.pk}." in text(answer)
    assert 'data-level="error"' in answer.text
    assert Run.objects.count() == 1


def test_a_second_press_with_htmx_says_so_in_the_fragment(dashboard):
    make.run("stats")

    answer = dashboard.post(button("stats"), headers=HTMX)

    root(answer)
    assert answer.status_code == 409
    assert "The task 'stats' is queued already" in text(answer)


def test_a_queue_out_of_reach_is_said_and_no_run_is_left(dashboard, transactional_db, unreachable_queue):
    answers = [
        dashboard.post(button("stats"), follow=True),
        dashboard.post(button("stats"), headers=HTMX),
    ]

    assert all("The queue can't be reached" in text(answer) for answer in answers)
    assert [answer.status_code for answer in answers] == [200, 503]
    assert not Run.objects.exists()


def test_a_task_that_does_not_exist_is_not_found(dashboard):
    assert dashboard.post(button("nonsense")).status_code == 404


def test_a_task_of_the_site_s_own_has_its_card_and_its_button(dashboard, failing_task, worker):
    assert "Reckon what can't be reckoned." in text(dashboard.get(HOME))

    answer = confirm(dashboard, button(failing_task), follow=True)

    assert "ZeroDivisionError: division by zero" in text(answer)


def test_who_pressed_is_on_record(dashboard, administrator):
    run = make.run()

    dashboard.post(f"{page_of(run)}/cancel")

    act = Act.objects.get()
    assert (act.who, act.what, act.target) == (administrator.username, "cancel", str(run.pk))
    assert act.origin == "dashboard from 127.0.0.1"


def test_a_schedule_is_run_now_from_its_page_after_a_question_in_numbers(dashboard, transactional_db):
    make.conversation(age=make.days(31), messages=3)
    action = f"{HOME}/schedules/weekly_cleanup/run"
    assert f'<form method="get" action="{action}"' in dashboard.get(f"{HOME}/schedules/weekly_cleanup").text

    asked = dashboard.get(action, headers=HTMX)
    answer = confirm(dashboard, action, headers=HTMX)

    assert "Delete 1 conversation and 3 chat messages?" in text(asked)
    assert (answer.status_code, Run.objects.get().schedule) == (200, "weekly_cleanup")


@pytest.mark.parametrize(
    ("fields", "asked"),
    [
        ({}, "Cancel this run? Rows deleted so far stay deleted."),
        ({"undo_of": True}, "Cancel this run?"),
        ({"dry_run": True}, None),
    ],
    ids=str,
)
def test_a_run_is_cancelled_on_the_overview_after_a_question(fields, asked, dashboard):
    if "undo_of" in fields:
        fields = {"undo_of": make.run("stats", status="succeeded", requested_at=make.ago(hours=1))}
    run = make.run("stats", status="running", **fields)

    page = dashboard.get(HOME).text

    forms = re.findall(rf'<form method="post" action="{page_of(run)}/cancel"[^>]*>', page)
    assert len(forms) == 2
    assert {unescape("".join(re.findall(r'data-confirm="([^"]*)"', form))) for form in forms} == {asked or ""}
