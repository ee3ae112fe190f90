"""Whatever starts a purge from the dashboard asks first, with numbers of that moment."""

import re
from dataclasses import replace
from html import unescape

import pytest

from chat.models import ChatMessage, Conversation
from chat.tasks import old_conversations
from housekeeping.dashboard import questions
from housekeeping.declared import registry
from housekeeping.declared.registry import TASKS
from housekeeping.models import Hold, Run
from housekeeping.runs.work import execution
from housekeeping.steering import holds, retentions
from tests import make
from tests.make import days
from tests.reading.previews.test_impact import slow
from tests.visitors import HTMX, account, answer_of, confirm, text

pytestmark = pytest.mark.django_db

HOME = "/scheduler-admin"
RUNS = f"{HOME}/runs"
TASK = f"{HOME}/tasks/conversations/trigger"
SCHEDULE = f"{HOME}/schedules/weekly_cleanup/run"


def title(answer):
    return unescape(re.search(r'id="asked-title"[^>]*>(.*?)</h', answer.text)[1])


def failed(**fields):
    return make.run(**{"status": "failed", "requested_at": make.ago(hours=1)} | fields)


def plan_of_two():
    """A dry run of two conversations with a message each, as it really ran."""
    make.conversation(age=days(31), messages=1)
    make.conversation(age=days(32), messages=1)
    run = make.run(dry_run=True)
    return execution.execute(execution.claim(run.pk, 0))


@pytest.fixture
def starts():
    """What starts a purge: for each an address, and what is sent beside an answer."""
    plan = plan_of_two()
    held = make.run(status="held", plan=plan.plan)
    again = failed()
    return {
        "task": (TASK, {}),
        "schedule": (SCHEDULE, {}),
        "retry": (f"{RUNS}/{again.pk}/retry", {}),
        "carry out": (f"{RUNS}/{plan.pk}/carry-out", {}),
        "approve": (f"{RUNS}/{held.pk}/approve", {}),
        "retry of several": (f"{RUNS}/act", {"act": "retry", "run": [str(again.pk)], "query": ""}),
    }


STARTS = ("task", "schedule", "retry", "carry out", "approve", "retry of several")


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "dialog"])
@pytest.mark.parametrize("start", STARTS)
def test_a_press_without_an_answer_is_asked_and_starts_nothing(start, headers, starts, dashboard):
    address, fields = starts[start]
    before = list(Run.objects.values("pk", "status"))

    answer = dashboard.post(address, fields, headers=headers)

    assert title(answer) == "Delete 2 conversations and 2 chat messages?"
    assert f'<form method="post" action="{address}"' in answer.text
    assert ("<!doctype html>" in answer.text) == (not headers)
    assert list(Run.objects.values("pk", "status")) == before


@pytest.mark.parametrize("start", STARTS)
def test_the_answer_starts_it(start, starts, dashboard, transactional_db):
    address, fields = starts[start]
    if start != "approve":
        Run.objects.filter(status="held").delete()

    answer = confirm(dashboard, address, fields)

    assert (answer.status_code, Run.objects.filter(status="queued").count()) == (302, 1)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize(
    "change",
    [
        lambda: retentions.change("conversations", 20),
        lambda: holds.end(Hold.objects.get()),
    ],
    ids=["retention", "hold"],
)
def test_an_answer_to_other_numbers_is_asked_anew(change, start, starts, dashboard):
    holds.add("chat.Conversation", make.conversation(age=days(33)).pk, reason="A dispute")
    address, fields = starts[start]
    asked = dashboard.post(address, fields)
    answer = dict(answer_of(asked)) | fields
    before = list(Run.objects.values("pk", "status"))
    change()

    again = dashboard.post(address, answer)

    assert again.status_code == 409
    assert "Check the new numbers and confirm again." in text(again)
    assert list(Run.objects.values("pk", "status")) == before
    if start in ("task", "schedule"):
        assert ("3 conv" in title(again)) == (not Hold.objects.exists())


def test_an_answer_is_good_for_its_question_alone(dashboard):
    make.conversation(age=days(31))
    answer = dict(answer_of(dashboard.get(TASK)))

    other = dashboard.post(SCHEDULE, answer)
    made_up = dashboard.post(TASK, {"answer": "yes"})
    forged = dashboard.post(TASK, {"answer": answer["answer"][:-1] + "-"})

    assert [one.status_code for one in (other, made_up, forged)] == [409] * 3
    assert not Run.objects.exists()


def test_an_answer_is_good_for_whoever_was_asked_alone(dashboard, client):
    answer = dict(answer_of(dashboard.get(TASK)))
    client.force_login(make.administrator())

    assert client.post(TASK, answer).status_code == 409
    assert not Run.objects.exists()


def test_an_answer_ends_with_a_retention_that_is_declared_anew(dashboard, monkeypatch):
    answer = dict(answer_of(dashboard.get(TASK)))
    policies = (replace(old_conversations, retention=days(20)),)
    monkeypatch.setitem(TASKS, "conversations", replace(TASKS["conversations"], policies=policies))

    assert dashboard.post(TASK, answer).status_code == 409
    assert not Run.objects.exists()


def test_an_answer_that_was_left_for_long_is_asked_anew(dashboard, monkeypatch):
    answer = dict(answer_of(dashboard.get(TASK)))
    monkeypatch.setattr(questions, "ANSWERED_WITHIN", days(-1))

    assert dashboard.post(TASK, answer).status_code == 409
    assert not Run.objects.exists()


def test_an_answer_starts_one_run_however_often_it_is_sent(dashboard):
    make.conversation(age=days(31))
    ahead = make.run(status="succeeded", requested_at=make.ago(minutes=-10))
    answer = dict(answer_of(dashboard.get(TASK)))
    dashboard.post(TASK, answer)
    [run] = Run.objects.exclude(pk=ahead.pk)
    execution.execute(execution.claim(run.pk, 0))
    kept = make.conversation(age=days(31))

    again = dashboard.post(TASK, answer)

    assert again.status_code == 409
    assert title(again) == "Delete 1 conversation?"
    assert Run.objects.exclude(pk=ahead.pk).get() == run
    assert Conversation.objects.get() == kept


def test_of_several_only_those_that_were_seen_are_retried(dashboard):
    first, second = failed(), failed(task="messages")
    address, fields = f"{RUNS}/act", {"act": "retry", "run": [str(first.pk)]}
    answer = dict(answer_of(dashboard.post(address, fields)))

    again = dashboard.post(address, answer | {"run": [str(first.pk), str(second.pk)]})

    assert again.status_code == 409
    assert not Run.objects.filter(status="queued").exists()


def test_a_shortened_retention_is_asked_about_with_its_own_numbers(dashboard):
    for age in (25, 26, 31):
        make.conversation(age=days(age), messages=1)
    dashboard.get(HOME)  # keeps the figures of 30 days
    retentions.change("conversations", 20)

    asked = dashboard.get(TASK)

    assert title(asked) == "Delete 3 conversations and 3 chat messages?"
    assert "conversations 3 rows, older than 20 days" in text(asked)
    assert "It can be undone for 7 days." in text(asked)


def test_where_nothing_is_eligible_it_asks_all_the_same(dashboard):
    asked = dashboard.get(TASK)

    assert title(asked) == "Run “Delete old conversations” now?"
    assert "Nothing is eligible for deletion at the moment." in text(asked)


@pytest.fixture
def slow_task():
    registry.task("slow", policy=slow)(lambda purge: {"deleted": purge(slow)})
    yield "slow"
    del registry.TASKS["slow"]


def test_where_counting_takes_too_long_it_asks_about_all_that_is_eligible(dashboard, slow_task):
    make.conversation(age=days(31))

    asked = dashboard.get(f"{HOME}/tasks/{slow_task}/trigger")

    assert title(asked) == "Delete everything that is eligible?"
    assert "not counted, older than 30 days" in text(asked)


def test_our_own_upkeep_asks_too_and_can_t_be_undone(dashboard):
    make.consumer(age=days(91))

    asked = dashboard.get(f"{HOME}/tasks/history/trigger")

    assert title(asked) == "Delete 1 row?"
    assert "consumers 1 row, older than 90 days" in text(asked)
    assert "It can't be undone." in text(asked)


def test_retries_of_several_are_asked_about_once_with_all_their_rows(dashboard, transactional_db):
    make.conversation(age=days(31), messages=2)
    make.message()
    chosen = [failed(), failed(task="messages"), failed(task="stats"), failed(task="all")]
    fields = {"act": "retry", "run": [str(run.pk) for run in chosen]}

    asked = dashboard.post(f"{RUNS}/act", fields)
    confirm(dashboard, f"{RUNS}/act", fields)

    assert title(asked) == "Delete 1 conversation and 3 chat messages?"
    assert "Retries 4 runs." in text(asked)
    assert {run.retry_of for run in Run.objects.filter(cause="retry")} == set(chosen)


@pytest.mark.parametrize(
    ("address", "fields"),
    [
        (f"{HOME}/tasks/stats/trigger", {}),
        (f"{HOME}/schedules/statistics_generation/run", {}),
        (TASK, {"dry_run": "true"}),
    ],
    ids=["statistics", "its schedule", "dry run"],
)
def test_what_deletes_nothing_starts_at_once(address, fields, dashboard, transactional_db):
    dashboard.post(address, fields)

    assert Run.objects.get().status == "queued"


@pytest.mark.parametrize("fields", [{"task": "stats"}, {"dry_run": True}], ids=str)
def test_a_retry_that_deletes_nothing_starts_at_once(fields, dashboard, transactional_db):
    run = failed(**fields)

    dashboard.post(f"{RUNS}/{run.pk}/retry")
    Run.objects.filter(cause="retry").update(status="failed")
    dashboard.post(f"{RUNS}/act", {"act": "retry", "run": [str(run.pk)]})

    assert Run.objects.filter(cause="retry").count() == 2


def test_a_task_that_says_nothing_about_itself_is_asked_about(dashboard, declare):
    @declare
    def delete_spam():
        """Delete spam."""
        return {"deleted": ChatMessage.objects.all().delete()[0]}

    asked = dashboard.post(f"{HOME}/tasks/{delete_spam}/trigger")

    assert "its effect can't be shown beforehand" in text(asked)
    assert not Run.objects.exists()


@pytest.mark.parametrize("start", STARTS[:-1])
def test_its_button_leads_to_the_question_and_posts_nothing(start, starts, dashboard):
    address, _ = starts[start]
    if start != "approve":
        Run.objects.filter(status="held").delete()
    page = HOME if start == "task" else address.rpartition("/")[0]

    shown = dashboard.get(page).text

    assert f'<form method="get" action="{address}" hx-get="{address}"' in shown
    posts = re.findall(rf'<form method="post" action="{address}".*?</form>', shown, re.DOTALL)
    assert all('name="dry_run"' in form for form in posts)


def test_who_may_only_look_is_not_asked(client):
    client.force_login(account("view_run"))

    assert client.get(TASK).status_code == 403


def test_a_question_leads_back_to_where_it_was_asked(dashboard):
    backs = {
        address: re.search(r'<a class="button" href="([^"]*)"', dashboard.get(address).text)[1]
        for address in (TASK, SCHEDULE)
    }

    assert backs == {TASK: f"{HOME}/tasks/conversations", SCHEDULE: f"{HOME}/schedules/weekly_cleanup"}


def test_every_task_of_ours_may_delete_but_the_statistics():
    assert {name for name, task in TASKS.items() if not task.may_delete} == {"stats"}
