"""Policies, plans and receipts, from the API, the dashboard and the command line."""

import csv
import io
import json

import pytest
from django.core.management import CommandError, call_command

from chat.models import Conversation
from housekeeping.declared.policies import Policy
from housekeeping.declared.registry import find_policy
from housekeeping.models import Act, Hold, Run
from tests import make
from tests.conftest import with_token
from tests.make import days
from tests.visitors import account, confirm

pytestmark = pytest.mark.django_db(transaction=True)

API = "/api/admin/scheduler"
PAGE = "/scheduler-admin/policies/conversations"


def kept_for():
    return find_policy("conversations").retention_in_force().days


def printed(*words, **options):
    out = io.StringIO()
    call_command(*words, stdout=out, stderr=out, **options)
    return out.getvalue()


@pytest.fixture
def old_and_young():
    make.conversation(age=days(40), messages=2, title="<b>old</b>")
    make.conversation(age=days(20), messages=1)
    make.conversation(age=days(1))


# --- API --------------------------------------------------------------------------------------


def test_the_api_lists_the_policies_with_what_is_past_due(api, old_and_young):
    conversations, messages, *_ = api.get(f"{API}/policies").json()["results"]

    assert (conversations["name"], conversations["model"]) == ("conversations", "chat.Conversation")
    assert (conversations["retention_days"], conversations["changed"]) == (30, False)
    assert (conversations["backlog"]["rows"], conversations["task"]) == (1, "conversations")
    assert (messages["retention_days"], messages["backlog"]["rows"]) == (None, 0)


def test_the_api_previews_what_would_go(api, old_and_young):
    seen = api.get(f"{API}/policies/conversations/preview").json()

    assert seen["tables"] == {"chat.Conversation": 1, "chat.ChatMessage": 2}
    assert {one["retention_days"]: one["rows"] for one in seen["what_if"]}[7] == 2


def test_the_api_previews_another_retention(api, old_and_young):
    seen = api.get(f"{API}/policies/conversations/preview", {"retention_days": 10}).json()

    assert (seen["rows"], seen["retention_days"]) == (2, 10)


def test_the_api_says_what_a_retention_hits_and_saves_it_only_then(api, old_and_young):
    asked = api.patch(f"{API}/policies/conversations", {"retention_days": 10, "dry_run": True}).json()
    assert asked["effect"] == {"retention_days": 10, "rows": 2, "rows_before": 1, "saved": False}
    assert kept_for() == 30

    saved = api.patch(f"{API}/policies/conversations", {"retention_days": 10}).json()
    assert (saved["retention_days"], saved["declared_retention_days"], saved["changed_by"]) == (10, 30, "ada")
    assert kept_for() == 10

    reset = api.patch(f"{API}/policies/conversations", {"reset": True}).json()
    assert (reset["retention_days"], reset["changed"]) == (30, False)


@pytest.mark.parametrize("dry_run", [True, False])
def test_the_api_resets_to_a_declared_retention_that_nobody_may_type(dry_run, api, add_task):
    hours = Policy("hours", lambda cutoff: Conversation.objects.filter(created_at__lt=cutoff), days(0.5))
    add_task("hours", lambda purge: {}, policy=hours)
    api.patch(f"{API}/policies/hours", {"retention_days": 3})

    reset = api.patch(f"{API}/policies/hours", {"reset": True, "dry_run": dry_run})

    assert (reset.status_code, reset.json()["effect"]["retention_days"]) == (200, 0.5)
    assert find_policy("hours").retention_in_force() == days(3 if dry_run else 0.5)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"retention_days": 0}, "retention_days"),
        ({"retention_days": "soon"}, "retention_days"),
        ({"retention_days": [1]}, "retention_days"),
        ({"retention_days": 5, "reset": True}, "retention_days"),
        ({}, "retention_days"),
        ({"days": 5}, "days"),
    ],
)
def test_a_bad_body_is_refused_by_the_name_of_its_field(body, field, api):
    answer = api.patch(f"{API}/policies/conversations", body)

    assert (answer.status_code, list(answer.json()["fields"])) == (400, [field])
    assert kept_for() == 30


def test_a_policy_without_an_age_can_not_be_given_a_retention(api):
    answer = api.patch(f"{API}/policies/messages", {"retention_days": 5})

    assert answer.status_code == 400
    assert "regardless of age" in answer.json()["retention_days"][0]


@pytest.mark.parametrize("path", ["policies/cats", "policies/cats/preview"])
def test_an_unknown_policy_is_404_and_the_known_ones_are_named(path, api):
    answer = api.get(f"{API}/{path}")

    assert (answer.status_code, "conversations" in answer.json()["message"]) == (404, True)


@pytest.mark.parametrize("rights", [("view_run",), ("view_run", "operate")])
def test_who_may_not_configure_may_not_change_a_retention(rights):
    answer = with_token(account(*rights)).patch(f"{API}/policies/conversations", {"retention_days": 5})

    assert (answer.status_code, kept_for()) == (403, 30)


def test_the_api_carries_out_a_plan(api, worker, old_and_young):
    plan = api.post(f"{API}/trigger", {"task": "conversations", "dry_run": True}).json()["run"]
    later = make.conversation(age=days(50))

    answer = api.post(f"{API}/trigger", {"task": "conversations", "plan": plan["id"]}).json()

    assert (answer["result"], answer["run"]["plan_of"]) == ({"deleted_conversations": 1}, plan["id"])
    assert Conversation.objects.filter(pk=later.pk).exists()


@pytest.mark.parametrize(
    "body",
    [
        {"plan": "no id"},
        {"plan": "00000000-0000-0000-0000-000000000000"},
        {"plan": "00000000-0000-0000-0000-000000000000", "dry_run": True},
    ],
)
def test_a_plan_that_there_is_not_is_refused(body, api):
    answer = api.post(f"{API}/trigger", {"task": "conversations"} | body)

    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["plan"])
    assert not Run.objects.exists()


def test_the_api_refuses_to_carry_out_a_plan_as_a_dry_run(api, worker, old_and_young):
    plan = api.post(f"{API}/trigger", {"task": "conversations", "dry_run": True}).json()["run"]

    answer = api.post(f"{API}/trigger", {"task": "conversations", "dry_run": True, "plan": plan["id"]})

    refused = "A dry run makes a plan; it can't carry one out."
    assert (answer.status_code, answer.json()["fields"]) == (400, {"plan": [refused]})
    assert Run.objects.count() == 1


def test_the_receipt_names_who_what_when_and_how_much(api, worker, old_and_young):
    run = api.post(f"{API}/trigger", {"task": "conversations"}).json()["run"]

    receipt = api.get(f"{API}/runs/{run['id']}/receipt").json()

    [policy] = receipt["policies"]
    assert (receipt["requested_by"], receipt["cause"], receipt["acts"][0]["who"]) == ("ada", "manual", "ada")
    assert policy["rows"] == {"chat.Conversation": 1, "chat.ChatMessage": 2}
    assert (policy["retention_days"], len(policy["digest"])) == (30, 64)


def test_the_receipt_as_csv_has_a_line_per_table_and_no_formula(api, worker, old_and_young):
    run = api.post(f"{API}/trigger", {"task": "conversations"}).json()["run"]
    Run.objects.filter(pk=run["id"]).update(requested_by="=cmd()")

    answer = api.get(f"{API}/runs/{run['id']}/receipt.csv")

    lines = list(csv.DictReader(io.StringIO(answer.text)))
    assert {line["table"]: line["rows_deleted"] for line in lines} == {
        "chat.Conversation": "1",
        "chat.ChatMessage": "2",
    }
    assert lines[0]["requested_by"] == "'=cmd()"
    assert "attachment" in answer["Content-Disposition"]


# --- Dashboard --------------------------------------------------------------------------------


def test_the_page_shows_what_is_past_due_and_fetches_the_preview_afterwards(dashboard, old_and_young):
    page = dashboard.get(PAGE)

    assert "1 row" in page.text
    assert f'hx-get="{PAGE}/preview"' in page.text


def test_the_preview_shows_each_table_and_escapes_what_users_wrote(dashboard, old_and_young):
    Hold.objects.create(model="chat.User", key="0", reason="x")

    page = dashboard.get(f"{PAGE}/preview").text

    assert "chat.ChatMessage" in page
    assert "&lt;b&gt;old&lt;/b&gt;" in page


def test_a_shorter_retention_is_saved_only_once_its_effect_was_shown(dashboard, old_and_young):
    first = dashboard.post(f"{PAGE}/retention", {"retention_days": "10"})
    assert (first.status_code, kept_for()) == (422, 30)
    assert "deletes <strong>2 rows</strong>" in first.text

    dashboard.post(f"{PAGE}/retention", {"retention_days": "10", "seen": "10"})
    assert kept_for() == 10

    dashboard.post(f"{PAGE}/reset")
    assert kept_for() == 30


def test_a_longer_retention_is_saved_at_once(dashboard):
    dashboard.post(f"{PAGE}/retention", {"retention_days": "60"})

    assert kept_for() == 60


def test_what_is_no_retention_is_said_on_the_page(dashboard):
    answer = dashboard.post(f"{PAGE}/retention", {"retention_days": "soon"})

    assert (answer.status_code, kept_for()) == (422, 30)
    assert "Enter whole days, from 1 to 36,500." in answer.text


def test_a_viewer_is_shown_no_button_that_would_be_refused(client, old_and_young):
    client.force_login(account("view_run"))

    page = client.get(PAGE).text

    assert "<button" not in page.partition("<main")[2].partition("</main>")[0]
    assert client.post(f"{PAGE}/retention", {"retention_days": "60"}).status_code == 403


def test_a_plan_is_carried_out_from_its_page(dashboard, worker, old_and_young):
    dashboard.post("/scheduler-admin/tasks/conversations/trigger", {"dry_run": "true"})
    plan = Run.objects.get()
    page = f"/scheduler-admin/runs/{plan.pk}"
    assert "Delete 1 conversation and 2 chat messages?" in dashboard.get(f"{page}/carry-out").text

    confirm(dashboard, f"{page}/carry-out")

    run = Run.objects.get(plan_of=plan)
    assert (run.status, run.result) == ("succeeded", {"deleted_conversations": 1})
    assert "Run this plan" not in dashboard.get(page).text


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_the_receipt_is_a_file_on_the_page(kind, dashboard, worker, old_and_young):
    confirm(dashboard, "/scheduler-admin/tasks/conversations/trigger")
    page = f"/scheduler-admin/runs/{Run.objects.get().pk}"

    answer = dashboard.get(f"{page}/receipt.{kind}")

    assert f"receipt.{kind}" in dashboard.get(page).text
    assert "chat.ChatMessage" in answer.text
    assert "attachment" in answer["Content-Disposition"]


# --- Commands ---------------------------------------------------------------------------------


def test_the_command_lists_and_previews(old_and_young):
    head, first, *_ = printed("housekeeping_policies").splitlines()
    assert head.split() == ["policy", "retention", "past", "due", "remarks"]
    assert first.split() == ["conversations", "30", "days", "1"]
    assert json.loads(printed("housekeeping_policies", "list", "--json"))[0]["retention_days"] == 30

    seen = printed("housekeeping_policies", "preview", "conversations", "--retention-days", "10")
    assert "chat.ChatMessage: 3 rows would be deleted" in seen
    assert "kept for 365 days: 0 rows past due" in seen


def test_the_command_saves_a_shorter_retention_only_with_yes(old_and_young):
    with pytest.raises(CommandError, match="Add --yes"):
        printed("housekeeping_policies", "change", "conversations", "10")
    assert kept_for() == 30

    said = printed("housekeeping_policies", "change", "conversations", "10", "--yes")
    assert ("deletes 2 rows" in said, kept_for()) == (True, 10)
    assert Act.objects.get().what == "change retention"

    printed("housekeeping_policies", "reset", "conversations")
    assert kept_for() == 30


@pytest.mark.parametrize("words", [("change", "cats", "5"), ("preview", "cats"), ("change", "users", "x")])
def test_what_can_not_be_is_one_clear_line(words):
    with pytest.raises(CommandError, match=r"There is no policy|Enter whole days"):
        printed("housekeeping_policies", *words)


def test_the_command_carries_out_a_plan(old_and_young):
    plan = json.loads(printed("run_housekeeping", "--task", "conversations", "--dry-run", "--json"))["run"]
    make.conversation(age=days(50))

    said = printed("run_housekeeping", "--task", "conversations", "--plan", plan["id"])

    assert "conversations: 2 rows of chat.ChatMessage" in said
    assert Conversation.objects.count() == 3
