import re
import uuid
from datetime import timedelta
from html import unescape

import pytest
from django.test import Client
from django.test.html import parse_html
from huey.contrib.djhuey import HUEY

from chat.models import ChatMessage, Conversation
from housekeeping.declared.registry import SCHEDULES, TASKS
from housekeeping.models import Act, Hold, Run, ScheduleState
from housekeeping.runs import execution
from tests import make
from tests.visitors import account, confirm

pytestmark = pytest.mark.django_db

HOME = "/scheduler-admin"
OVERVIEW = f"{HOME}/"
RUNS = f"{HOME}/runs"
HTMX = {"HX-Request": "true"}


def button(task):
    return f"{HOME}/tasks/{task}/trigger"


def page_of(run):
    return f"{RUNS}/{run.pk}"


def text(response):
    """What a person reads: the page without its tags."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", response.text)).split())


def press(client, label):
    """Press a button of the overview as a browser without JavaScript does, and answer if it asks."""
    forms = re.findall(r'<form method="(\w+)" action="([^"]*)"(.*?)</form>', client.get(HOME).text, re.DOTALL)
    [(method, action, form)] = [found for found in forms if f'"{label}"' in found[2]]
    if method == "get":
        return confirm(client, action, follow=True)
    return client.post(action, dict(re.findall(r'name="(\w+)" value="(\w+)"', form)), follow=True)


def as_user(user):
    client = Client()
    client.force_login(user)
    return client


# --- Who may come in --------------------------------------------------------------------------

PAGES = [HOME, RUNS, f"{RUNS}/{{run}}"]
ACTS = [button("stats"), f"{RUNS}/{{run}}/cancel", f"{RUNS}/{{run}}/retry"]


@pytest.mark.parametrize("path", PAGES)
def test_a_stranger_is_led_to_the_sign_in_page(path, client):
    url = path.format(run=make.run().pk)

    answer = client.get(url)

    assert (answer.status_code, answer["Location"]) == (302, f"/sign-in?next={url}")


@pytest.mark.parametrize(
    ("act", "page"),
    [
        ("runs/{run}/cancel", f"{RUNS}/{{run}}"),
        ("runs/act", RUNS),
        ("tasks/stats/trigger", OVERVIEW),
        ("schedules/pause", OVERVIEW),
        ("schedules/weekly_cleanup/pause", f"{HOME}/schedules/weekly_cleanup"),
        ("policies/messages/retention", f"{HOME}/policies/messages"),
        ("holds/add", f"{HOME}/holds"),
    ],
)
def test_who_acts_after_the_session_ended_signs_in_and_is_back_on_a_page(act, page, client):
    run = make.run()
    make.administrator(username="ada", password="correct horse 9")

    refused = client.post(f"{HOME}/{act.format(run=run.pk)}", follow=True)
    fields = {"username": "ada", "password": "correct horse 9", "next": refused.context["next"]}
    answer = client.post("/sign-in", fields, follow=True)

    assert "You were signed out; nothing was done." in refused.text
    assert answer.status_code == 200
    assert answer.redirect_chain == [(page.format(run=run.pk), 302)]
    assert Run.objects.get().status == "queued"


@pytest.mark.parametrize("path", [HOME, *ACTS])
def test_a_page_whose_session_has_ended_is_loaded_anew_and_not_filled_with_the_sign_in_page(path, client):
    url = path.format(run=make.run().pk)

    answer = client.get(url, headers=HTMX) if path == HOME else client.post(url, headers=HTMX)

    assert (answer.text, answer["HX-Refresh"]) == ("", "true")
    assert Run.objects.get().status == "queued"


@pytest.mark.parametrize("fields", [{}, {"is_staff": True}], ids=["user", "staff"])
@pytest.mark.parametrize("path", PAGES + ACTS)
def test_an_account_without_the_right_is_told_so(path, fields):
    url = path.format(run=make.run().pk)
    client = as_user(make.user(**fields))

    answer = client.get(url) if path in PAGES else client.post(url)

    assert answer.status_code == 403
    assert "You may not do this" in text(answer)


@pytest.mark.parametrize("path", PAGES)
def test_a_viewer_sees_every_page_and_no_button(path, viewer):
    url = path.format(run=make.run("stats").pk)

    answer = as_user(viewer).get(url)

    forms = re.findall(r'<form[^>]*method="post"[^>]*action="([^"]*)"', answer.text)
    assert answer.status_code == 200
    assert forms == ["/sign-out"]


@pytest.mark.parametrize("path", ACTS)
def test_a_viewer_changes_nothing(path, viewer):
    failed = make.run(status="failed" if "retry" in path else "queued")

    answer = as_user(viewer).post(path.format(run=failed.pk))

    assert answer.status_code == 403
    assert Run.objects.get().status == failed.status


@pytest.mark.parametrize(
    ("right", "path", "fields"),
    [
        ("operate", f"{HOME}/schedules/pause", {}),
        ("operate", f"{RUNS}/act", {"act": "cancel"}),
        ("configure", f"{HOME}/holds/1/change", {"until": ""}),
    ],
)
def test_who_may_act_and_not_see_is_shown_nothing_by_an_act(right, path, fields):
    Hold.objects.create(pk=1, model="chat.User", key="1", reason="A secret")
    make.run("stats", status="succeeded")

    answer = as_user(account(right)).post(path, fields, headers=HTMX)

    assert answer.status_code == 403
    assert not {"A secret", "stats"} & set(re.findall(r"A secret|stats", answer.text))
    assert not Act.objects.exists()


def test_an_operator_sees_a_button_for_each_task(operator):
    answer = as_user(operator).get(HOME)

    assert re.findall(r'<form method="\w+" action="([^"]*/trigger)"', answer.text) == [
        button(name) for name, task in TASKS.items() for _ in ("run", "dry run")[: 1 + task.can_be_previewed]
    ]


@pytest.mark.parametrize(
    ("rights", "labels"),
    [
        ((), set()),
        (("operate",), {"Run now", "Pause"}),
        (("configure",), {"Edit"}),
        (("operate", "configure"), {"Run now", "Pause", "Edit"}),
    ],
    ids=["viewer", "operator", "configurer", "both"],
)
def test_a_schedule_offers_what_its_reader_may_do(rights, labels):
    client, page = as_user(account("view_run", *rights)), f"{HOME}/schedules/weekly_cleanup"

    line = re.search(r'<tr id="schedule-weekly_cleanup">.*?</tr>', client.get(HOME).text, re.DOTALL)[0]

    assert set(re.findall(r">(Run now|Pause|Edit)<", line)) == labels
    assert ("Edit" in labels) == (f'action="{page}/change"' in client.get(page).text)


def test_a_deactivated_account_is_out_at_once(dashboard, administrator):
    administrator.is_active = False
    administrator.save()

    assert dashboard.get(HOME).status_code == 302


def test_signing_in_leads_back_to_the_page_asked_for(client):
    make.administrator(username="ada", password="correct horse")
    url = client.get(RUNS)["Location"]

    answer = client.post(url, {"username": "ada", "password": "correct horse", "next": RUNS})

    assert (answer.status_code, answer["Location"]) == (302, RUNS)


def test_signing_out_closes_the_door(dashboard):
    dashboard.post("/sign-out")

    assert dashboard.get(HOME).status_code == 302


# --- The overview -----------------------------------------------------------------------------


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


# --- Fragments --------------------------------------------------------------------------------


def root(answer):
    """The one element that the answer consists of. Anything beside it, or left open, is an error."""
    element = parse_html(answer.text)
    assert element.name, "there is more than one element, or bare text"
    return element, dict(element.attributes)


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


def test_an_active_run_s_fragment_refreshes_itself(dashboard):
    run = make.run(status="running", attempts=1, total=1200, deleted={"conversations": 300})

    answer = dashboard.get(page_of(run), headers=HTMX)

    _, attributes = root(answer)
    assert (attributes["id"], attributes["hx-get"]) == (f"run-{run.pk}", page_of(run))
    assert attributes["hx-trigger"].startswith("every 2s")
    assert "300 of 1,200 rows" in text(answer)
    assert '<progress max="1200" value="300"' in answer.text


def test_a_run_that_has_ended_is_not_asked_for_again(dashboard):
    _, attributes = root(dashboard.get(page_of(make.run(status="failed")), headers=HTMX))

    assert "hx-trigger" not in attributes


# --- Buttons ----------------------------------------------------------------------------------


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
    assert "deleted conversations 1" in text(answer)
    assert not Conversation.objects.exists()


def test_a_dry_run_shows_what_would_go_and_deletes_nothing(dashboard, worker):
    make.message()

    answer = press(dashboard, "Dry run: Cleanup orphaned messages")

    assert "a dry run, nothing was deleted" in text(answer)
    assert ChatMessage.objects.count() == 1
    assert Run.objects.get().result == {"cleaned_messages": 1}


def test_a_button_pressed_with_htmx_answers_with_the_overview(dashboard, worker):
    make.message()

    answer = confirm(dashboard, button("messages"), headers=HTMX)

    _, attributes = root(answer)
    assert (answer.status_code, attributes["id"]) == (200, "overview")
    assert "cleaned messages 1" in text(answer)


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


@pytest.mark.parametrize("path", ACTS)
def test_looking_at_the_address_of_an_act_changes_nothing(path, dashboard):
    run = make.run("users", status="failed" if "retry" in path else "queued")

    answer = dashboard.get(path.format(run=run.pk))

    assert answer.status_code == (405 if path.endswith("cancel") else 200)  # the others ask first
    assert Run.objects.get().status == run.status


@pytest.mark.parametrize("path", [*ACTS, "/sign-out"])
def test_an_act_needs_the_token_of_the_page(path, administrator):
    run = make.run(status="failed" if "retry" in path else "queued")
    client = Client(enforce_csrf_checks=True)
    client.force_login(administrator)

    answer = client.post(path.format(run=run.pk))

    assert answer.status_code == 403
    assert Run.objects.get().status == run.status
    assert client.get(HOME).status_code == 200


@pytest.mark.parametrize("given", ["field", "header"])
def test_the_page_gives_the_token_that_its_buttons_need(given, administrator):
    run = make.run()
    client = Client(enforce_csrf_checks=True)
    client.force_login(administrator)
    page = client.get(HOME).text
    field = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[1]
    header = re.search(r'"X-CSRFToken": "(\w+)"', page)[1]

    token = {"data": {"csrfmiddlewaretoken": field}} if given == "field" else {"HTTP_X_CSRFTOKEN": header}
    client.post(f"{page_of(run)}/cancel", **token)

    assert Run.objects.get().status == "cancelled"


def test_who_pressed_is_on_record(dashboard, administrator):
    run = make.run()

    dashboard.post(f"{page_of(run)}/cancel")

    act = Act.objects.get()
    assert (act.who, act.what, act.target) == (administrator.username, "cancel", str(run.pk))
    assert act.origin == "dashboard from 127.0.0.1"


# --- What is asked before ---------------------------------------------------------------------


def test_a_schedule_is_run_now_from_the_overview_after_a_question_in_numbers(dashboard, transactional_db):
    make.conversation(age=make.days(31), messages=3)
    action = f"{HOME}/schedules/weekly_cleanup/run"
    assert f'<form method="get" action="{action}"' in dashboard.get(HOME).text

    asked = dashboard.get(action, headers=HTMX)
    answer = confirm(dashboard, action, headers=HTMX)

    assert "Delete 1 conversation and 3 chat messages?" in text(asked)
    assert (answer.status_code, Run.objects.get().schedule) == (200, "weekly_cleanup")
    assert f'action="{action}"' not in answer.text  # while it is active, it would be refused


@pytest.mark.parametrize(
    ("fields", "asked"),
    [
        ({}, "Cancel this run? What it has deleted stays deleted."),
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


# --- A run ------------------------------------------------------------------------------------


def test_a_failed_run_shows_its_error_and_traceback(dashboard, failing_task):
    make.run(failing_task)
    execution.execute(execution.claim(Run.objects.get().pk, 0))

    answer = dashboard.get(page_of(Run.objects.get()))

    assert "ZeroDivisionError: division by zero" in text(answer)
    traceback = answer.text.partition('id="traceback"')[2]
    assert "Traceback (most recent call last)" in traceback
    assert "1 / 0" in traceback


def test_a_run_shows_its_result_and_its_facts(dashboard):
    run = make.run(
        status="succeeded",
        requested_by="grace",
        attempts=2,
        started_at=make.ago(seconds=65),
        finished_at=make.ago(),
        result={"deleted_conversations": 1234},
        consumer=make.consumer(host="night", pid=42),
    )

    seen = text(dashboard.get(page_of(run)))

    assert "deleted conversations 1,234" in seen
    assert "Cause manual Requested by grace" in seen
    assert "Took 1 min 5 s Attempts 2 Consumer night:42" in seen
    assert str(run.pk) in seen


def test_a_scheduled_run_shows_its_schedule_and_fire_time(dashboard):
    fire_time = make.ago(days=1).replace(hour=3, minute=0, second=0)
    run = make.run(schedule="weekly_cleanup", cause="catch-up", scheduled_for=fire_time)

    seen = text(dashboard.get(page_of(run)))

    assert "Cause catch-up, weekly_cleanup" in seen
    assert f"Fire time {fire_time:%a} {fire_time.day} {fire_time:%b %Y}, 03:00:00 UTC" in seen


@pytest.mark.parametrize("field", ["error", "traceback", "requested_by", "task"])
@pytest.mark.parametrize("url", [HOME, RUNS, "run"])
def test_foreign_text_is_escaped(field, url, dashboard):
    run = make.run(**{"status": "failed", field: "<script>alert(1)</script>"})

    page = dashboard.get(page_of(run) if url == "run" else url).text

    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page or (field, url) in {
        ("traceback", HOME),
        ("traceback", RUNS),
        ("error", HOME),
    }


def test_a_run_of_a_task_that_is_no_longer_declared_is_still_shown(dashboard):
    run = make.run("forgotten", status="failed", schedule="gone")

    assert "forgotten" in text(dashboard.get(page_of(run)))


def test_a_run_that_does_not_exist_is_not_found(dashboard):
    answer = dashboard.get(f"{RUNS}/{uuid.uuid4()}")

    assert answer.status_code == 404
    assert "There is nothing here" in text(answer)


def test_a_run_is_cancelled_from_its_page(dashboard):
    run = make.run("stats")
    assert f'action="{page_of(run)}/cancel"' in dashboard.get(page_of(run)).text

    answer = dashboard.post(f"{page_of(run)}/cancel", follow=True)

    assert answer.redirect_chain == [(page_of(run), 302)]
    assert "Generate statistics: cancelled" in text(answer)
    assert Run.objects.get().status == "cancelled"


def test_a_run_that_has_ended_is_not_cancelled(dashboard):
    run = make.run(status="succeeded")
    assert "/cancel" not in dashboard.get(page_of(run)).text

    answer = dashboard.post(f"{page_of(run)}/cancel", follow=True)

    assert "This run is succeeded already." in text(answer)
    assert Run.objects.get().status == "succeeded"


def test_a_failed_run_is_retried_from_its_page(dashboard, worker):
    make.message()
    failed = make.run("messages", status="failed", requested_at=make.ago(hours=1))
    assert f'action="{page_of(failed)}/retry"' in dashboard.get(page_of(failed)).text

    answer = confirm(dashboard, f"{page_of(failed)}/retry", follow=True)

    retried = Run.objects.newest_first()[0]
    assert answer.redirect_chain == [(page_of(retried), 302)]
    assert (retried.cause, retried.result) == ("retry", {"cleaned_messages": 1})


def test_the_overview_asks_the_database_no_more_for_more_runs(dashboard, django_assert_max_num_queries):
    for age in range(40):
        make.run("stats", status="succeeded", requested_at=make.ago(minutes=age))
    make.consumer(age=timedelta(seconds=1))
    dashboard.get(HOME)

    with django_assert_max_num_queries(32):
        dashboard.get(HOME)
