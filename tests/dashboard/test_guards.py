"""Who may see the pages, and who may act on them."""

import re

import pytest
from django.test import Client

from housekeeping.declared.registry import TASKS
from housekeeping.models import Act, Hold, Run
from tests import make
from tests.visitors import HTMX, account, as_user, text

pytestmark = pytest.mark.django_db

HOME = "/scheduler-admin"
OVERVIEW = f"{HOME}/"
RUNS = f"{HOME}/runs"


def button(task):
    return f"{HOME}/tasks/{task}/trigger"


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
        ("tasks/stats/trigger", f"{HOME}/tasks/stats"),
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

    offered = re.findall(r'<form method="\w+" action="([^"]*/trigger)"', answer.text)
    assert sorted(offered) == sorted(map(button, TASKS))


@pytest.mark.parametrize(
    ("rights", "labels"),
    [
        ((), set()),
        (("operate",), {"Run now", "Pause"}),
        (("configure",), {"Save"}),
        (("operate", "configure"), {"Run now", "Pause", "Save"}),
    ],
    ids=["viewer", "operator", "configurer", "both"],
)
def test_a_schedule_offers_what_its_reader_may_do(rights, labels):
    client, page = as_user(account("view_run", *rights)), f"{HOME}/schedules/weekly_cleanup"

    answer = client.get(page)

    assert set(re.findall(r">(Run now|Pause|Save)<", answer.text)) == labels
    assert ("Save" in labels) == (f'action="{page}/change"' in answer.text)


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


def page_of(run):
    return f"{RUNS}/{run.pk}"
