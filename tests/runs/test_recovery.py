import pytest
from django.utils import timezone

from housekeeping import conf
from housekeeping.exceptions import QueueUnreachable
from housekeeping.models import Run
from housekeeping.runs import recovery
from housekeeping.runs.work import execution
from tests import make
from tests.make import days

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_run_whose_worker_went_silent_is_taken_back_and_sent_again(sent):
    run = make.run(status="running", attempts=1, lease_until=make.ago(seconds=1))

    recovery.recover(timezone.now(), send=sent.append)

    run.refresh_from_db()
    assert (run.status, run.losses, sent) == ("queued", 1, [run])


def test_after_three_losses_a_run_fails_with_the_reason(sent):
    run = make.run(status="running", attempts=3, losses=2, lease_until=make.ago(seconds=1))

    recovery.recover(timezone.now(), send=sent.append)

    run.refresh_from_db()
    assert (run.status, sent) == ("failed", [])
    assert "went silent in attempt 3" in run.error


def test_a_run_with_a_fresh_lease_is_left_alone(sent):
    run = make.run(status="running", attempts=1, lease_until=make.ago(seconds=-20))

    recovery.recover(timezone.now(), send=sent.append)

    run.refresh_from_db()
    assert (run.status, sent) == ("running", [])


def test_a_run_that_nobody_took_for_a_minute_is_sent_again(sent):
    lost = make.run(sent_at=make.ago(seconds=61))
    make.run("users", sent_at=make.ago(seconds=30))

    recovery.recover(timezone.now(), send=sent.append)
    recovery.recover(timezone.now(), send=sent.append)

    assert sent == [lost]


def test_the_end_of_a_run_sends_for_the_one_that_waited(sent):
    running = execution.claim(make.run().pk, 0)
    waiting = make.run(sent_at=timezone.now())

    execution.execute(running)
    recovery.recover(timezone.now(), send=sent.append)

    assert sent == [waiting]


def test_a_run_that_could_not_be_sent_is_sent_for_with_the_next_look(sent):
    run = make.run(sent_at=None)

    def refuse(run):
        raise QueueUnreachable("connection refused")

    with pytest.raises(QueueUnreachable):
        recovery.recover(timezone.now(), send=refuse)
    recovery.recover(timezone.now(), send=sent.append)

    assert sent == [run]


def test_with_a_run_that_is_taken_back_all_that_wait_are_sent_for(sent):
    """Its consumer may have read their messages, too, and died before it claimed them."""
    taken_back = make.run(status="running", attempts=1, lease_until=make.ago(seconds=1))
    waiting = make.run("users", sent_at=timezone.now())

    recovery.recover(timezone.now(), send=sent.append)

    assert set(sent) == {taken_back, waiting}


def test_a_run_from_the_future_is_the_newest_no_longer():
    now, ahead = timezone.now(), timezone.now() + days(1_000)
    early = make.run(status="succeeded", requested_at=ahead, started_at=ahead, finished_at=ahead)

    recovery.recover(now, send=lambda run: None)
    later = make.run(requested_at=make.ago(seconds=-1))

    early.refresh_from_db()
    assert early.requested_at == early.started_at == early.finished_at == now
    assert Run.objects.newest_first().first() == later


def test_a_lease_from_the_future_is_cut_to_the_usual_length():
    lost = make.run(status="running", attempts=1, lease_until=timezone.now() + days(1000))

    recovery.recover(timezone.now(), send=lambda run: None)

    lost.refresh_from_db()
    assert (lost.status, lost.lease_until < timezone.now() + 2 * conf.life()) == ("running", True)


def test_a_message_that_was_sent_in_the_future_is_sent_again():
    sent = []
    waiting = make.run(sent_at=timezone.now() + days(1000))

    recovery.recover(timezone.now(), send=sent.append)

    assert sent == [waiting]
