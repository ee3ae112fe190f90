"""An account whose name is an ordinary word: the history of other people stays as it is."""

import pytest
from huey.contrib.djhuey import HUEY

from chat.models import User
from housekeeping.erasure import certificate, people, requests, work
from housekeeping.journal import acts
from housekeeping.journal.acts import Actor
from housekeeping.models import Act, LogLine, Run
from housekeeping.queue import tasks as queue
from tests import make
from tests.erasure.people import purge
from tests.make import days

pytestmark = pytest.mark.django_db(transaction=True)


def history():
    """What purges and people have left behind, but for the acts of erasures."""
    shown, of_others = Run.objects.order_by("requested_at"), Act.objects.exclude(what="erase")
    return [
        list(shown.values_list("task", "status", "result", "deleted", "plan", "error", "requested_by")),
        list(LogLine.objects.order_by("pk").values_list("text", flat=True)),
        list(of_others.order_by("pk").values_list("who", "target", "origin", "details")),
        [HUEY.result(str(run.pk), preserve=True) for run in shown],
    ]


@pytest.mark.parametrize(
    "name",
    [
        "deleted",
        "rows",
        "dashboard",
        "deleted_conversations",
        "Conversations",
        "stats",
        "total_users",
        "sent by hand",
    ],
)
def test_a_name_that_is_a_word_leaves_the_history_of_others_alone(name, settings):
    settings.HOUSEKEEPING_BRAKE_SHARE = 1
    for number in range(5):
        make.conversation(age=days(40 + number), messages=1)
    ada = Actor("ada", "dashboard from 10.0.0.1")
    for task in ("conversations", "stats"):
        run = purge(task, by=ada)
        queue.store_result(run, run.result)
    make.run(
        "messages", status="failed", error="ValueError: rows deleted before 2026, not sent by hand: deleted"
    )
    acts.record(ada, "change retention", "conversations", after={"reason": "deleted", "rows": 5})
    user = User.objects.create(username=name, email="someone@example.com")
    before = history()
    assert before[1], "no line was logged"

    erasure = work.carry_out(
        requests.store(people.find(str(user.pk))), forget_results=queue.forget_results_with
    )

    assert erasure.state == "finished"
    assert history() == before
    assert certificate.COMMON_NAME in erasure.certificate["not_reached"]


def test_where_it_stands_for_the_account_it_is_replaced():
    user = User.objects.create(username="deleted", email="someone@example.com")
    run = make.run("stats", status="succeeded", requested_by="deleted", result={"mailed_by": ["deleted"]})
    acts.record(
        Actor("deleted", "dashboard from 10.0.0.1"), "hold", "chat.User 9", after={"made_by": "deleted"}
    )

    erasure = work.carry_out(requests.store(people.find(str(user.pk))))

    run.refresh_from_db()
    assert (run.requested_by, run.result) == (erasure.pseudonym, {"mailed_by": [erasure.pseudonym]})
    act = Act.objects.get(what="hold")
    assert (act.who, act.origin, act.details["after"]) == (
        erasure.pseudonym, "dashboard", {"made_by": erasure.pseudonym},
    )  # fmt: skip


def test_a_word_in_the_results_of_a_task_is_no_name():
    """Of a task whose code can't be read."""
    user = User.objects.create(username="pruned_leaves", email="someone@example.com")
    for number in range(3):
        make.run("stats", status="succeeded", result={"pruned_leaves": number, f"key {number}": 1})

    work.carry_out(requests.store(people.find(str(user.pk))))

    assert [sorted(run.result)[-1] for run in Run.objects.all()] == ["pruned_leaves"] * 3
