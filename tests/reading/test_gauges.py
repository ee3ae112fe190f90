import json
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from chat.models import Conversation
from chat.tasks import old_conversations
from housekeeping.dashboard.pages.overview import fingerprint
from housekeeping.declared import registry
from housekeeping.declared.policies import Policy
from housekeeping.exceptions import PolicyFailed
from housekeeping.models import Gauge, Run
from housekeeping.reading import gauges
from housekeeping.runs import control
from housekeeping.runs.work import execution
from housekeeping.steering import holds, retentions
from tests import make
from tests.make import days

pytestmark = pytest.mark.django_db


NUMBERS = dict.fromkeys(registry.STATISTICS, 42)


def kept(name="statistics", *, age=timedelta(), took_ms=500, **fields):
    fields = {"value": NUMBERS} | fields
    return Gauge.objects.create(name=name, measured_at=timezone.now() - age, took_ms=took_ms, **fields)


def test_what_is_cheap_is_kept_for_a_while_and_not_beyond_the_end_of_a_run():
    kept(took_ms=3, age=timedelta(seconds=25))
    make.user()
    assert gauges.read_all(["statistics"])["statistics"].value["total_users"] == 42

    make.run(status="succeeded", finished_at=timezone.now())

    assert gauges.read_all(["statistics"])["statistics"].value["total_users"] == 1


def test_a_figure_that_is_old_is_measured_by_who_looks_unless_it_is_dear():
    kept(took_ms=3, age=timedelta(seconds=31))
    kept("archive", value=7, age=timedelta(seconds=31))

    found = gauges.read_all(["statistics", "archive"])

    assert (found["statistics"].value["total_users"], found["archive"].value) == (0, 7)


def test_a_figure_from_a_clock_that_was_ahead_is_not_shown_though_it_is_dear():
    kept(age=days(-900))

    assert gauges.read_all(["statistics"])["statistics"].value["total_users"] == 0


def test_who_needs_it_now_has_it_now_and_where_it_is_dear_at_most_30_seconds_old():
    gauge = kept(took_ms=3)
    assert gauges.read_now("statistics").value["total_users"] == 0

    Gauge.objects.update(took_ms=500, value=NUMBERS, measured_at=make.ago(seconds=29))
    assert gauges.read_now("statistics").value["total_users"] == 42

    Gauge.objects.update(measured_at=make.ago(seconds=31))
    assert gauges.read_now(gauge.name).value["total_users"] == 0


def test_a_consumer_measures_what_is_not_fresh_any_more():
    kept(age=timedelta(seconds=21))

    gauges.refresh(timezone.now())

    assert Gauge.objects.get(name="statistics").value["total_users"] == 0
    assert set(Gauge.objects.values_list("name", flat=True)) == set(gauges.measures())


def test_of_two_consumers_one_measures():
    now = timezone.now()
    gauges.refresh(now)
    Gauge.objects.update(measured_at=now - timedelta(seconds=21), claimed_at=now)
    before = Gauge.objects.get(name="statistics").measured_at

    gauges.refresh(now)

    assert Gauge.objects.get(name="statistics").measured_at == before


def test_what_takes_long_is_measured_less_often():
    gauge = kept(age=timedelta(seconds=60), took_ms=10_000)

    gauges.refresh(timezone.now())

    assert Gauge.objects.get(name="statistics").measured_at == gauge.measured_at


def test_a_measurer_that_died_is_taken_over_from():
    kept(age=timedelta(seconds=60), claimed_at=timezone.now() - timedelta(seconds=30))

    gauges.refresh(timezone.now())

    assert Gauge.objects.get(name="statistics").value["total_users"] == 0


def test_a_policy_that_fails_costs_no_other_figure():
    def rows(cutoff):
        if cutoff < timezone.now():
            raise ValueError("a mistake in the policy")
        return Conversation.objects.all()

    policies = [Policy("broken", rows, days(30)), replace(old_conversations, name="sound")]
    for policy in policies:
        registry.task(policy.name, policy=policy)(lambda purge: {})
    try:
        with pytest.raises(PolicyFailed, match="a mistake in the policy"):
            gauges.refresh(timezone.now())
    finally:
        for policy in policies:
            del registry.TASKS[policy.name]

    measured = Gauge.objects.in_bulk()
    assert measured["backlog:sound"].value["rows"] == 0
    assert measured["backlog:broken"].errors == {"error": "ValueError: a mistake in the policy"}


# --- Retentions and holds ---------------------------------------------------------------------

BACKLOG = "backlog:conversations"
TASK = registry.TASKS["conversations"]


def shown(name=BACKLOG):
    """Rows that the pages say are due: an expensive figure, which is not measured by who looks."""
    Gauge.objects.filter(name=name).update(took_ms=500)
    return gauges.read_all([name])[name].value["rows"]


def held():
    return holds.add("chat.Conversation", make.conversation(age=days(31)).pk, reason="A dispute")


def undone():
    run = make.run()
    execution.execute(execution.claim(run.pk, 0))
    undo = control.undo(Run.objects.get(), send=lambda run: None)
    assert shown() == 0
    execution.execute(execution.claim(undo.pk, 0))
    return undo


CHANGES = {
    "retention changed": (lambda: None, lambda _: retentions.change("conversations", 20), 1, 2),
    "retention reset": (
        lambda: retentions.change("conversations", 20),
        lambda _: retentions.reset("conversations"),
        2,
        1,
    ),
    "hold made": (lambda: None, lambda _: holds.add(*key_of_oldest(), reason="A dispute"), 1, 0),
    "hold changed": (held, lambda hold: holds.change(hold, until=make.ago(days=-1)), 1, 1),
    "hold ended": (held, holds.end, 1, 2),
    "an undo's holds ended": (undone, holds.end_all, 0, 1),
}


def key_of_oldest():
    return "chat.Conversation", Conversation.objects.earliest("created_at").pk


@pytest.mark.parametrize(("arrange", "change", "before", "after"), CHANGES.values(), ids=CHANGES)
def test_a_change_of_retention_or_of_holds_is_seen_at_once(arrange, change, before, after):
    make.conversation(age=days(31))
    make.conversation(age=days(25))
    made = arrange()
    assert shown() == before
    seen = fingerprint(timezone.now())

    change(made)

    assert fingerprint(timezone.now()) != seen
    assert shown() == after


def test_a_retention_that_is_declared_anew_is_seen_at_once(monkeypatch):
    make.conversation(age=days(25))
    gauges.measure(BACKLOG)
    assert shown() == 0

    shorter = replace(old_conversations, retention=days(20))
    monkeypatch.setattr(registry, "TASKS", {"conversations": replace(TASK, policies=(shorter,))})

    assert shown() == 1


def test_a_figure_whose_measurement_began_before_a_change_is_never_shown():
    made = make.conversation(age=days(31))
    to_come = ["it is counted", "it is held"]

    def held_once_counted(execute, sql, params, many, context):
        if to_come == ["it is held"]:  # at the next statement: SQLite reads rows as they are fetched
            to_come.clear()
            holds.add("chat.Conversation", made.pk, reason="A dispute")
        if to_come and sql.startswith('SELECT "chat_conversation"."id"'):
            to_come.pop(0)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(held_once_counted):
        measured = gauges.measure(BACKLOG)

    assert (measured.value["rows"], to_come, shown()) == (1, [], 0)


def test_a_consumer_measures_anew_at_once_what_a_change_has_outdated():
    make.conversation(age=days(25))
    gauges.refresh(timezone.now())

    retentions.change("conversations", 20)
    gauges.refresh(timezone.now())

    assert Gauge.objects.get(name=BACKLOG).value["rows"] == 1


@pytest.mark.parametrize("name", ["statistics", "backlog:conversations"])
def test_a_kept_figure_reads_letter_for_letter_like_the_one_that_was_measured(name):
    make.conversation(age=days(40), messages=2)

    measured = gauges.measure(name).value

    assert json.dumps(Gauge.objects.get(name=name).value) == json.dumps(measured)
