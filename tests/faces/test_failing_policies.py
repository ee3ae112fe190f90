"""A policy of the site whose rows can't be counted takes nothing else with it."""

import html
import re
from dataclasses import replace

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError
from django.utils import timezone

from chat.models import Conversation
from housekeeping.declared import registry
from housekeeping.declared.policies import Policy
from housekeeping.models import Gauge, Hold, PolicyState
from housekeeping.reading import gauges
from tests import make
from tests.make import days

pytestmark = pytest.mark.django_db

PAGE = "/scheduler-admin/policies/broken"
API = "/api/admin/scheduler/policies"
SECRET = "O'Hara, born in 1961"


def fails_at_once(cutoff):
    return Conversation.objects.filter(no_such_field__lt=cutoff)


def fails_for_its_retention(cutoff):
    if cutoff < timezone.now():
        raise ValueError("a mistake\nin the policy")
    return Conversation.objects.all()


def fails_in_the_database(cutoff):
    return Conversation.objects.extra(where=["no_such_column = %s"], params=[SECRET])


FAILURES = {
    fails_at_once: "FieldError: Cannot resolve keyword 'no_such_field' into field",
    fails_for_its_retention: "ValueError: a mistake",
    fails_in_the_database: "Error: ",
}


@pytest.fixture(params=FAILURES, ids=lambda rows: rows.__name__)
def failure(request, add_task):
    """What is told of the one policy that fails. All others work."""
    make.consumer()
    make.conversation(age=days(31))
    policy = Policy("broken", request.param, days(30), "created_at")
    add_task("broken", lambda purge: {}, policy=policy)
    return FAILURES[request.param]


def test_its_figures_are_missing_on_the_overview_and_the_verdict_names_it(failure, dashboard):
    answer = dashboard.get("/scheduler-admin")

    verdict, table = answer.text.partition('id="tasks"')[::2]
    assert answer.status_code == 200
    assert 'class="verdict" data-level="bad"' in verdict
    assert "The rows of the policy broken can&#x27;t be counted: " in verdict
    assert failure.replace("'", "&#x27;") in verdict
    assert "can't be counted" in table.partition('id="task-broken"')[2].partition("</tr>")[0]
    assert "<strong>1</strong>" in table.partition('id="task-conversations"')[2].partition("</tr>")[0]
    assert SECRET not in answer.text


def test_its_page_says_why_and_does_not_ask_for_a_preview(failure, dashboard):
    pages = [dashboard.get(address) for address in (PAGE, f"{PAGE}/preview")]

    assert [page.status_code for page in pages] == [200, 200]
    assert all(failure.replace("'", "&#x27;") in page.text for page in pages)
    assert not any('id="preview"' in page.text for page in pages)


def test_the_api_lists_it_without_figures(failure, api):
    found = {one["name"]: one for one in api.get(API).json()["results"]}

    backlog = found["broken"]["backlog"]
    assert failure in backlog["error"]
    assert "\n" not in backlog["error"]
    assert (backlog["rows"], backlog["tables"], backlog["due_since"]) == (None, {}, None)
    others = found["conversations"]["backlog"]
    assert (others["rows"], others["error"]) == (1, None)
    assert api.get(f"{API}/broken").json()["backlog"]["error"] == backlog["error"]


def test_metrics_leave_its_figures_out(failure, client):
    answer = client.get("/metrics")

    assert answer.status_code == 200
    assert 'housekeeping_policy_due_rows{policy="conversations"} 1.0' in answer.text
    assert 'housekeeping_policy_due_rows{policy="broken"}' not in answer.text
    assert "housekeeping_healthy 0.0" in answer.text


def test_the_command_lists_it_with_the_error(failure, capsys):
    call_command("housekeeping_policies", "list")

    assert failure in next(line for line in capsys.readouterr().out.splitlines() if line.startswith("broken"))


def test_rows_can_be_held_beside_it(failure, dashboard, api, capsys):
    row = make.conversation()
    fields = {"model": "chat.Conversation", "key": str(row.pk), "reason": "A dispute", "until": ""}

    page = dashboard.post("/scheduler-admin/holds/add", fields, follow=True)
    made = api.post("/api/admin/scheduler/holds", fields | {"until": None})
    form = dashboard.get("/admin/housekeeping/hold/add/")
    call_command("housekeeping_holds", "add", "chat.Conversation", str(row.pk), "--reason", "A dispute")

    assert [answer.status_code for answer in (page, made, form)] == [200, 201, 200]
    assert Hold.objects.filter(key=str(row.pk)).count() == 3


def test_a_plan_of_it_is_shown(failure, dashboard, api, capsys):
    plan = {"rows": 1, "tables": {"chat.Conversation": 1}, "sample": [{"key": "1", "age_from": None}]}
    run = make.run("broken", status="succeeded", dry_run=True, plan={"broken": plan})

    page = dashboard.get(f"/scheduler-admin/runs/{run.pk}")
    answers = [
        api.get(f"/api/admin/scheduler/{path}") for path in ("runs", f"runs/{run.pk}", f"results/{run.pk}")
    ]
    call_command("housekeeping_runs", "show", str(run.pk))

    assert [answer.status_code for answer in (page, *answers)] == [200] * 4


# --- What somebody asks of it -----------------------------------------------------------------


def says_why(text, failure):
    sentence = rf"The rows of the policy broken can't be counted: \w*{re.escape(failure)}"
    return bool(re.search(sentence, html.unescape(text))) and SECRET not in text


@pytest.mark.parametrize("days", [10, 50])
def test_its_page_says_why_no_retention_can_be_tried(failure, dashboard, days):
    for options in ({}, {"headers": {"HX-Request": "true"}}):
        answer = dashboard.get(PAGE, {"retention_days": days}, **options)

        assert answer.status_code == 200
        assert says_why(answer.text.partition('id="effect"')[2], failure)


def test_its_page_saves_no_retention_and_says_why(failure, dashboard):
    answer = dashboard.post(f"{PAGE}/retention", {"retention_days": 50, "seen": 50})

    assert answer.status_code == 422
    assert says_why(answer.text.partition('id="effect"')[2], failure)
    assert not PolicyState.objects.exists()


def test_the_page_of_one_that_fails_by_another_retention_says_why_instead_of_a_preview(add_task, dashboard):
    def fails_for_a_week(cutoff):
        return fails_for_its_retention(cutoff if cutoff > make.ago(days=20) else timezone.now())

    add_task("broken", lambda purge: {}, policy=Policy("broken", fails_for_a_week, days(30), "created_at"))

    page, fragment = (dashboard.get(f"{PAGE}/preview", headers=one) for one in ({}, {"HX-Request": "true"}))

    assert [answer.status_code for answer in (page, fragment)] == [200, 200]
    assert all(says_why(answer.text, "ValueError: a mistake") for answer in (page, fragment))


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}], ids=["page", "dialog"])
@pytest.mark.parametrize("address", ["tasks/broken/trigger", "runs/{}/retry", "runs/act"])
def test_before_a_run_of_it_the_question_says_why_there_are_no_numbers(failure, dashboard, address, headers):
    run = make.run("broken", status="failed")
    form = {"act": "retry", "run": [str(run.pk)]}

    asked = dashboard.post(f"/scheduler-admin/{address.format(run.pk)}", form, headers=headers)

    assert asked.status_code == 200
    assert "Delete everything that is eligible?" in asked.text
    assert says_why(asked.text.partition('role="alert"')[2], failure)
    assert "because that takes too long" not in asked.text


def test_a_question_about_several_policies_counts_those_that_can_be_counted(failure, dashboard, add_task):
    both = (registry.find_policy("conversations"), registry.find_policy("broken"))
    add_task("both", lambda purge: {}, policies=both)

    asked = dashboard.get("/scheduler-admin/tasks/both/trigger")

    assert says_why(asked.text, failure)
    assert "<dt>conversations</dt><dd>1 row, older than 30 days</dd>" in asked.text
    assert "<dt>broken</dt><dd>not counted, older than 30 days</dd>" in asked.text


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("get", "preview", None),
        ("get", "preview?retention_days=50", None),
        ("patch", "", {"retention_days": 50}),
        ("patch", "", {"retention_days": 50, "dry_run": True}),
        ("patch", "", {"reset": True}),
    ],
    ids=str,
)
def test_the_api_says_in_a_problem_why_it_can_t_count_it(failure, api, method, path, body):
    answer = getattr(api, method)(f"{API}/broken/{path}", body)

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (409, "policy_failed")
    assert says_why(problem["message"], failure)
    assert "\n" not in problem["message"]
    assert not PolicyState.objects.exists()


@pytest.mark.parametrize("words", [["preview", "broken"], ["change", "broken", "50", "--yes"]], ids=str)
def test_the_command_says_in_one_line_why_it_can_t_count_it(failure, words):
    with pytest.raises(CommandError) as caught:
        call_command("housekeeping_policies", *words)

    assert says_why(str(caught.value), failure)
    assert "\n" not in str(caught.value)
    assert not PolicyState.objects.exists()


def test_what_is_no_mistake_of_a_policy_is_raised(monkeypatch):
    def fail():
        raise DatabaseError("no such table")

    monkeypatch.setattr(gauges, "measures", lambda: {"statistics": fail})

    with pytest.raises(DatabaseError):
        gauges.read_all(["statistics"])


def test_who_looks_tries_again_unless_that_takes_long(failure, dashboard):
    dashboard.get("/scheduler-admin")
    sound = Policy("broken", lambda cutoff: Conversation.objects.filter(created_at__lt=cutoff), days(30))
    registry.TASKS.known["broken"] = replace(registry.TASKS["broken"], policies=(sound,))
    Gauge.objects.update(took_ms=500)
    assert failure in gauges.read_all(["backlog:broken"])["backlog:broken"].errors["error"]

    Gauge.objects.update(took_ms=5)
    assert gauges.read_all(["backlog:broken"])["backlog:broken"].value["rows"] == 1
