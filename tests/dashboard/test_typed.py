"""What can't be undone is done only once its name, or its number, has been typed."""

import re
from html import unescape

import pytest

from chat.models import Conversation
from housekeeping.models import Hold, Run
from housekeeping.runs.work import execution
from tests import make
from tests.faces.test_holds import undo_with_holds
from tests.make import days
from tests.visitors import HTMX, answer_of, confirm, text

pytestmark = pytest.mark.django_db

HOME = "/scheduler-admin"
RUNS = f"{HOME}/runs"
TASK = f"{HOME}/tasks/conversations/trigger"


def to_type(asked):
    found = re.search(r"<label><span>[^<]*<code>(.*?)</code>", asked.text)
    return unescape(found[1]) if found else ""


@pytest.fixture
def for_good(settings):
    """A site that archives nothing."""
    settings.HOUSEKEEPING_UNDO_DAYS = 0


@pytest.fixture
def starts():
    """What starts a purge: for each an address, what is sent beside an answer, and what has to be typed."""
    make.conversation(age=days(31))
    plan = make.run(dry_run=True)
    plan = execution.execute(execution.claim(plan.pk, 0))
    held = make.run(status="held", plan=plan.plan)
    again, other = (
        make.run(task, status="failed", requested_at=make.ago(hours=1)) for task in ("conversations", "users")
    )
    chosen = [str(again.pk), str(other.pk)]
    return {
        "task": (TASK, {}, "conversations"),
        "schedule": (f"{HOME}/schedules/weekly_cleanup/run", {}, "conversations"),
        "retry": (f"{RUNS}/{again.pk}/retry", {}, "conversations"),
        "carry out": (f"{RUNS}/{plan.pk}/carry-out", {}, "conversations"),
        "approve": (f"{RUNS}/{held.pk}/approve", {}, "conversations"),
        "retry of several": (f"{RUNS}/act", {"act": "retry", "run": chosen, "query": ""}, "2"),
    }


STARTS = ("task", "schedule", "retry", "carry out", "approve", "retry of several")


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "dialog"])
@pytest.mark.parametrize("start", STARTS)
def test_where_nothing_is_archived_a_press_alone_deletes_nothing(start, headers, starts, for_good, dashboard):
    address, fields, phrase = starts[start]
    asked = dashboard.post(address, fields, headers=headers)
    answer = dict(answer_of(asked)) | fields
    before = list(Run.objects.values("pk", "status"))

    pressed = dashboard.post(address, answer | {"typed": ""}, headers=headers)
    mistyped = dashboard.post(address, answer | {"typed": "<b>nope"}, headers=headers)

    assert "It can't be undone." in text(asked)
    assert to_type(asked) == phrase
    assert [one.status_code for one in (pressed, mistyped)] == [422, 422]
    assert f"Nothing was done: what was typed is not “{phrase}”." in text(mistyped)
    assert 'value="&lt;b&gt;nope" aria-invalid="true" aria-describedby="typed-problem"' in mistyped.text
    assert list(Run.objects.values("pk", "status")) == before


@pytest.mark.parametrize("start", STARTS)
def test_what_was_typed_starts_it(start, starts, for_good, dashboard, transactional_db):
    address, fields, _ = starts[start]
    if start != "approve":
        Run.objects.filter(status="held").delete()

    answer = confirm(dashboard, address, fields)

    assert answer.status_code == 302
    assert Run.objects.filter(status="queued").exists()


@pytest.mark.parametrize("start", STARTS)
def test_what_can_be_undone_asks_to_type_nothing(start, starts, dashboard):
    address, fields, _ = starts[start]

    asked = dashboard.post(address, fields)

    assert "It can be undone for 7 days." in text(asked)
    assert to_type(asked) == ""


def test_capitals_and_spaces_around_it_do_not_matter(dashboard, for_good, transactional_db):
    make.conversation(age=days(31))
    answer = dict(answer_of(dashboard.get(TASK)))

    dashboard.post(TASK, answer | {"typed": " Conversations "})  # as a phone writes it

    assert Run.objects.get().status == "queued"


def test_an_answer_from_when_it_could_be_undone_is_asked_anew(dashboard, settings):
    make.conversation(age=days(31))
    answer = dict(answer_of(dashboard.get(TASK)))
    settings.HOUSEKEEPING_UNDO_DAYS = 0

    asked = dashboard.post(TASK, answer)

    assert (asked.status_code, to_type(asked)) == (409, "conversations")
    assert not Run.objects.exists()


def test_where_nothing_is_eligible_nothing_has_to_be_typed(dashboard, for_good):
    assert to_type(dashboard.get(TASK)) == ""


def test_our_own_upkeep_is_never_archived_so_its_name_is_typed(dashboard):
    make.consumer(age=days(91))

    assert to_type(dashboard.get(f"{HOME}/tasks/history/trigger")) == "history"


def test_of_several_the_question_names_what_can_t_be_undone(dashboard):
    make.conversation(age=days(31))
    make.consumer(age=days(91))
    again = [make.run(task, status="failed") for task in ("conversations", "history")]

    asked = dashboard.post(f"{RUNS}/act", {"act": "retry", "run": [str(run.pk) for run in again]})

    assert "It can be undone for 7 days. This can't be undone: archives, " in text(asked)
    assert to_type(asked) == "2"
    assert Conversation.objects.exists()


# --- The holds of an undo ---------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "dialog"])
def test_the_holds_of_an_undo_end_once_their_number_is_typed(dashboard, headers):
    undo = undo_with_holds(2)
    address = f"{RUNS}/{undo.pk}/holds/end"

    asked = dashboard.get(address, headers=headers)
    pressed = dashboard.post(address, headers=headers)
    mistyped = dashboard.post(address, dict(answer_of(asked)) | {"typed": "3"}, headers=headers)

    assert "End the holds on 2 rows?" in text(asked)
    assert to_type(asked) == "2"
    assert [one.status_code for one in (pressed, mistyped)] == [200, 422]
    assert Hold.objects.count() == 2
    ended = confirm(dashboard, address, headers=headers, follow=True)
    assert "Ended 2 holds." in text(ended)
    assert not Hold.objects.exists()


def test_its_question_asks_anew_when_a_hold_has_changed(dashboard):
    undo = undo_with_holds(2)
    address = f"{RUNS}/{undo.pk}/holds/end"
    answer = dict(answer_of(dashboard.get(address)))
    dashboard.post(f"{HOME}/holds/{undo.holds.first().pk}/end")

    asked = dashboard.post(address, answer)

    assert (asked.status_code, to_type(asked)) == (409, "1")
    assert Hold.objects.count() == 1


def test_its_question_leads_back_to_the_part_of_the_list_that_it_was_asked_on(dashboard):
    undo = undo_with_holds(1)
    address = f"{RUNS}/{undo.pk}/holds/end?older=x"

    asked = dashboard.get(address)

    assert f'<form method="post" action="{address}"' in asked.text
    assert f'href="{HOME}/holds?older=x"' in asked.text
