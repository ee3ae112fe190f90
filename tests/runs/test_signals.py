"""Signals for integrators: after the commit, once, and without harm to the run."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from chat.models import Conversation
from housekeeping import signals
from housekeeping.models import Run
from housekeeping.runs import control, schedules, ticks
from housekeeping.runs.work import execution
from tests import make
from tests.make import days

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def told():
    """What the signals have told, each with whether a transaction was open then."""
    seen = []
    receivers = []
    for name in ("run_ended", "run_held", "fire_time_missed"):

        def receive(sender, run, name=name, **more):
            status = Run.objects.get(pk=run.pk).status
            seen.append((name, sender, run.pk, run.status, status, connection.in_atomic_block))

        getattr(signals, name).connect(receive)
        receivers.append((getattr(signals, name), receive))
    yield seen
    for signal, receive in receivers:
        signal.disconnect(receive)


def carry_out(run):
    return execution.execute(execution.claim(run.pk, 0))


def test_an_end_is_told_once_and_after_it_is_committed(told):
    run = carry_out(make.run("stats"))

    assert told == [("run_ended", Run, run.pk, "succeeded", "succeeded", False)]


def test_a_failure_and_a_cancelled_run_are_ends_too(told, failing_task):
    failed, waiting = make.run(failing_task), make.run("users")

    carry_out(failed)
    control.cancel(waiting)

    assert [(pk, status) for _, _, pk, status, *_ in told] == [
        (failed.pk, "failed"),
        (waiting.pk, "cancelled"),
    ]


def test_a_run_that_the_brake_holds_is_told(told, settings):
    settings.HOUSEKEEPING_BRAKE_ROWS = 1
    make.conversation(age=days(31))

    run = carry_out(make.run("conversations"))

    assert told == [("run_held", Run, run.pk, "held", "held", False)]


def test_a_missed_fire_time_is_told(told):
    due = timezone.now() - timedelta(minutes=1)
    make.run("stats")  # does this fire time's work, too
    make.schedule_state("statistics_generation", due=due)

    ticks.tick(timezone.now(), send=lambda run: None)

    missed = Run.objects.get(status="missed")
    assert [(name, pk) for name, _, pk, *_ in told] == [
        ("run_ended", missed.pk),
        ("fire_time_missed", missed.pk),
    ]
    assert missed.schedule == schedules.find("statistics_generation").schedule.id


def test_a_receiver_that_fails_harms_no_run(told, caplog):
    def broken(**facts):
        raise RuntimeError("the receiver is broken")

    signals.run_ended.connect(broken)
    make.conversation(age=days(31))
    try:
        run = carry_out(make.run("conversations"))
    finally:
        signals.run_ended.disconnect(broken)

    assert (run.status, Conversation.objects.count()) == ("succeeded", 0)
    assert "the receiver is broken" in caplog.text
