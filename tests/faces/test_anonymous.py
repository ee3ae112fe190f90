"""Pages, JSON and commands tell of rows that are made anonymous, and never say that these are deleted."""

import csv
import io
import re
from datetime import timedelta

import pytest
from django.core import mail
from django.core.management import call_command
from django.db.models import F, Q, Value
from django.db.models.functions import Concat, Upper

from chat.models import Conversation
from housekeeping import Policy, anonymise
from housekeeping.dashboard.terms import TERMS
from housekeeping.journal import outbox
from housekeeping.models import Run
from housekeeping.reading import ends, receipts
from housekeeping.runs import control
from tests import make
from tests.make import days
from tests.visitors import text
from tests.zoo.tasks import carry_out, undo

pytestmark = pytest.mark.django_db(transaction=True)

HOME = "/scheduler-admin"
TITLES = Policy(
    "titles",
    lambda cutoff: Conversation.objects.filter(created_at__lt=cutoff),
    timedelta(days=30),
    "created_at",
    then=anonymise({"title": Concat(Value("gone "), "pk")}, done=Q(title__startswith="gone ")),
)
THEN = [
    {
        "end": "anonymise",
        "columns": {"title": "Concat('gone ', pk)"},
        "done": "title__startswith='gone '",
        "storage": None,
        "format": None,
    }
]


@pytest.fixture(autouse=True)
def _task(settings, add_task):
    settings.HOUSEKEEPING_BRAKE_SHARE = 1

    def hide_titles(purge):
        """Hide the titles of old conversations."""
        return {"hidden_titles": purge(TITLES)}

    add_task("titles", hide_titles, policy=TITLES)
    make.conversation(age=days(40))
    make.conversation(age=days(1))


def run_of(**options):
    return carry_out(control.request("titles", send=lambda run: None, **options))


def page(visitor, address):
    told = text(visitor.get(f"{HOME}/{address}"))
    for term in TERMS.values():  # what words mean, on every page
        told = told.replace(str(term), "")
    assert re.findall(r".{0,60}delet.{0,60}", told, re.I) == []
    return told


def test_a_dry_run_and_a_run_and_its_undo_tell_what_they_did(dashboard):
    plan = run_of(dry_run=True)
    told = page(dashboard, f"runs/{plan.pk}")
    assert "A dry run: 1 conversation would be made anonymous. Nothing was changed." in told
    assert "Rows that would be made anonymous" in told

    asked = text(dashboard.post(f"{HOME}/runs/{plan.pk}/carry-out"))
    assert "Make 1 conversation anonymous?" in asked
    assert "Makes exactly the rows listed in this preview anonymous. It can be undone for 7 days." in asked

    run = run_of(plan=plan)
    told = page(dashboard, f"runs/{run.pk}")
    assert "1 conversation made anonymous in " in told
    assert "chat.Conversation 1 made anonymous" in told
    assert "SHA-256 of the old and the new values" in told
    assert "Restores 1 conversation and puts them on hold for 30 days." in told

    undone = undo(run)
    assert "1 conversation restored in " in page(dashboard, f"runs/{undone.pk}")


def test_the_question_before_a_run_names_what_becomes_of_the_rows(dashboard):
    asked = text(dashboard.get(f"{HOME}/tasks/titles/trigger"))
    assert "Make 1 conversation anonymous?" in asked
    assert "Make them anonymous" in asked
    assert "The run makes anonymous what is eligible when it starts." in asked


def test_the_page_of_a_policy_names_the_columns_and_what_they_become(dashboard):
    told = page(dashboard, "policies/titles?retention_days=20")
    assert "Expired rows stay, and are made anonymous title becomes Concat('gone ', pk)" in told
    assert "Done rows with title__startswith='gone '" in told
    assert "To be made anonymous 1 row" in told
    assert "At 20 days the next run makes 1 row anonymous, 0 more than at 30." in told
    assert "What would be made anonymous now" in page(dashboard, "policies/titles/preview")
    assert "To be made anonymous" in page(dashboard, "tasks/titles")


def test_json_has_the_ends_of_a_policy_and_tells_of_each_purge(api):
    policy = api.get("/api/admin/scheduler/policies/titles").json()
    assert policy["then"] == THEN
    assert api.get("/api/admin/scheduler/policies/conversations").json()["then"] == []
    assert api.get("/api/admin/scheduler/policies/titles/preview").json()["then"] == "anonymise"
    assert api.get("/api/admin/scheduler/policies/conversations/preview").json()["then"] is None

    run = run_of()
    receipt = api.get(f"/api/admin/scheduler/runs/{run.pk}/receipt").json()
    assert [(one["then"], one["rows"]) for one in receipt["policies"]] == [
        ("anonymise", {"chat.Conversation": 1})
    ]
    [line] = csv.DictReader(io.StringIO(receipts.as_csv(run)))
    assert (line["table"], line["rows_deleted"], line["then"]) == ("chat.Conversation", "1", "anonymise")


def test_the_list_of_runs_as_a_file_counts_them_apart(dashboard):
    run_of()
    carry_out(control.request("conversations", send=lambda run: None))
    lines = csv.DictReader(io.StringIO(dashboard.get(f"{HOME}/runs.csv").text))

    found = {line["task"]: (line["rows_deleted"], line["rows_made_anonymous"]) for line in lines}

    assert found == {"titles": ("1", "1"), "conversations": ("1", "0")}


def test_commands_tell_it(capsys):
    call_command("housekeeping_policies", "list")
    assert "title is made anonymous" in capsys.readouterr().out

    call_command("housekeeping_policies", "preview", "titles")
    assert "chat.Conversation: 1 rows would be made anonymous" in capsys.readouterr().out
    call_command("run_housekeeping", task="titles")
    call_command("housekeeping_runs", "show", str(Run.objects.newest_first().first().pk))
    told = capsys.readouterr().out
    assert "made anonymous, not deleted" in told
    assert "SHA-256 of the old and the new values" in told


def test_the_message_about_a_held_run_speaks_of_no_deletion(settings):
    settings.HOUSEKEEPING_BRAKE_SHARE, settings.HOUSEKEEPING_BRAKE_ROWS = 0.4, 1
    settings.ADMINS = [("Ada", "ada@example.com")]
    assert run_of().status == "held"

    outbox.settle()
    [told] = mail.outbox
    assert "Nothing is changed before that. Approve or cancel it here:" in told.body
    assert "delet" not in (told.subject + told.body).lower()


def test_the_list_of_runs_asks_without_speaking_of_deletion(dashboard):
    run_of(dry_run=True)

    found = dashboard.get(f"{HOME}/runs").content.decode()
    asked = re.findall(r'data-confirm(?:-many)?="([^"]+)"', found)

    assert "Cancel the selected runs? What they have changed so far stays." in asked
    assert not any("delet" in one.lower() for one in asked)


def test_of_a_run_that_does_both_both_are_told():
    receipt = {"titles": {"rows": {"a": 1}, "then": "anonymise"}, "conversations": {"rows": {"a": 1}}}
    assert ends.told(Run(receipt=receipt), "Delete them") == "Delete, or make anonymous"
    receipt["conversations"]["rows"] = {}
    assert ends.told(Run(receipt=receipt), "Delete them") == "Make them anonymous"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", "''"),
        (None, "None"),
        (F("order") + 1, "F(order) + Value(1)"),
        (Concat(Value("gone-"), "pk", Value("@x")), "Concat('gone-', pk, '@x')"),
        (Upper("city"), "Upper(city)"),
        (Q(a=1) | ~Q(b=2), "a=1 or (not (b=2))"),
    ],
)
def test_a_value_is_told_as_a_person_would_write_it(value, words):
    assert ends.in_words(value) == words
