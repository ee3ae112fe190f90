"""Automatic retries."""

from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from housekeeping.declared import registry
from housekeeping.journal import outbox
from housekeeping.models import Run
from housekeeping.runs import control, pauses, recovery, retries, schedules
from housekeeping.runs.work import execution
from tests import make
from tests.make import ADA

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def operator():
    return make.administrator(email="ada@example.com")


@pytest.fixture
def errors():
    """A task ``dishes`` with two retries that raises what is in the list, and succeeds while it is empty."""
    with make.dishes(retries=2, retry_delay=timedelta(minutes=4)) as errors:
        errors.append(ValueError("no water"))
        yield errors


def carry_out(run=None, **fields):
    return execution.execute(execution.claim((run or make.run("dishes", **fields)).pk, 0))


def retry_of(run):
    return Run.objects.get(retry_of=run)


def carry_out_retry(run):
    """Let the time of the run's retry come, and carry it out."""
    retry = retry_of(run)
    Run.objects.filter(pk=retry.pk).update(not_before=timezone.now() - timedelta(seconds=1))
    sent = []
    recovery.recover(timezone.now(), send=sent.append)
    assert [one.pk for one in sent] == [retry.pk]
    return carry_out(retry)


def subjects():
    outbox.settle()
    return [message.subject for message in mail.outbox]


def test_a_run_that_failed_is_tried_again_as_a_run_of_its_own(errors):
    failed = carry_out(schedule="nightly", scheduled_for=timezone.now())

    retry = retry_of(failed)
    assert (retry.cause, retry.status, retry.retry_number, retry.requested_by) == ("retry", "queued", 1, "")
    assert (retry.schedule, retry.scheduled_for) == (failed.schedule, failed.scheduled_for)
    waits = retry.not_before - failed.finished_at
    assert timedelta(minutes=4) <= waits <= timedelta(minutes=6, seconds=10)


def test_each_retry_waits_twice_as_long_up_to_an_hour():
    task = registry.Task("dishes", dict, (), "", retries=10, retry_delay=timedelta(minutes=4))

    waits = [retries.delay(task, number) for number in (1, 2, 3, 9)]

    for wait, minutes in zip(waits, (4, 8, 16, 60), strict=True):
        assert timedelta(minutes=minutes) <= wait <= timedelta(minutes=1.5 * minutes)


def test_no_worker_takes_a_retry_before_its_time(errors):
    retry = retry_of(carry_out())

    sent = []
    recovery.resend_all()
    recovery.recover(timezone.now(), send=sent.append)

    assert sent == []
    assert execution.claim(retry.pk, 0) is None


def test_a_retry_that_waits_for_too_long_was_put_off_by_a_wrong_clock(errors):
    retry = retry_of(carry_out())
    Run.objects.filter(pk=retry.pk).update(not_before=timezone.now() + timedelta(days=3))

    assert execution.claim(retry.pk, 0)


def test_after_the_last_retry_there_is_none_and_one_alert(errors):
    first = carry_out()
    second = carry_out_retry(first)
    assert subjects() == []

    third = carry_out_retry(second)

    assert (third.retry_number, third.status) == (2, "failed")
    assert not third.retries.exists()
    assert subjects() == ["Housekeeping: dishes failed"]


def test_a_retry_that_succeeds_leaves_no_alert(errors):
    first = carry_out()
    errors.clear()

    again = carry_out_retry(first)

    assert again.status == "succeeded"
    assert subjects() == []
    assert not again.retries.exists()


def test_a_series_after_a_failure_that_was_told_is_told_of_once_it_succeeds(errors):
    carry_out_retry(carry_out_retry(carry_out()))
    failed = carry_out()
    errors.clear()

    carry_out_retry(failed)

    assert subjects() == ["Housekeeping: dishes failed", "Housekeeping: dishes succeeded again"]


def test_a_retry_is_dropped_when_another_run_has_done_its_work(errors):
    failed = carry_out()
    errors.clear()
    other = carry_out()
    Run.objects.filter(retry_of=failed).update(not_before=timezone.now())

    recovery.recover(timezone.now(), send=lambda run: pytest.fail("it was sent"))

    retry = retry_of(failed)
    assert (retry.status, retry.error) == (
        "cancelled",
        f"Run {other.pk} was requested before this retry was due, and does its work.",
    )
    assert subjects() == []


def test_the_failures_of_a_run_that_took_a_retry_s_place_are_told(errors):
    failed = carry_out()
    other = carry_out()
    Run.objects.filter(retry_of=failed).update(not_before=timezone.now())
    recovery.recover(timezone.now(), send=lambda run: None)

    carry_out_retry(carry_out_retry(other))

    assert subjects() == ["Housekeeping: dishes failed"]


def test_a_waiting_retry_is_in_nobody_s_way(errors):
    carry_out()

    asked = control.request("dishes", send=lambda run: None, by=ADA)

    assert asked.status == Run.Status.QUEUED
    assert Run.objects.filter(status="queued").count() == 2


@pytest.mark.parametrize("fields", [{"dry_run": True}, {"plan_of": True}, {"undo_of": True}])
def test_what_a_person_has_to_look_at_is_not_tried_again(errors, fields):
    fields = {name: make.run("stats", status="succeeded") if name != "dry_run" else True for name in fields}
    run = make.run("dishes", **fields)

    Run.objects.filter(pk=run.pk).update(status="failed")
    run.refresh_from_db()

    assert retries.open_next(run) is None


def test_a_task_without_retries_is_not_tried_again(add_task):
    add_task("glasses", lambda: 1 / 0)

    failed = execution.execute(execution.claim(make.run("glasses").pk, 0))

    assert failed.status == "failed"
    assert not failed.retries.exists()


def test_a_paused_task_is_not_tried_again_and_its_last_failure_is_told(errors):
    failed = carry_out()

    schedules.pause_task("dishes", by=ADA)

    retry = retry_of(failed)
    assert (retry.status, retry.error) == ("cancelled", "Its task was paused before this retry was due.")
    assert subjects() == ["Housekeeping: dishes failed"]
    assert not carry_out().retries.exists()


def test_a_retry_cancelled_by_a_person_leaves_the_failure_told(errors):
    failed = carry_out()

    control.cancel(retry_of(failed), by=ADA)

    assert subjects() == ["Housekeeping: dishes failed"]


def test_a_retry_cancelled_after_another_run_succeeded_calls_for_no_mail(errors):
    failed = carry_out()
    errors.clear()
    carry_out()

    control.cancel(retry_of(failed), by=ADA)

    assert subjects() == []


def test_an_abandoned_run_is_tried_again(errors):
    run = make.run("dishes", status="running", attempts=1, losses=2, lease_until=make.ago(minutes=1))

    recovery.recover(timezone.now(), send=lambda run: None)

    run.refresh_from_db()
    assert run.error.startswith("Abandoned: ")
    assert retry_of(run).retry_number == 1


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"retries": 11}, ValueError),
        ({"retries": -1}, ValueError),
        ({"retries": True}, TypeError),
        ({"retries": "3"}, TypeError),
        ({"retry_delay": 60}, TypeError),
        ({"retry_delay": timedelta(hours=2)}, ValueError),
        ({"retry_delay": timedelta()}, ValueError),
    ],
)
def test_retries_that_can_not_be_are_refused(options, error):
    with pytest.raises(error, match="retr"):
        registry.task("dishes", **options)


def test_a_retry_that_was_opened_as_its_task_was_paused_does_not_start(errors):
    failed = carry_out()
    retry = retry_of(failed)
    pauses.change("dishes", is_paused=True)  # as if its commit came just before that of the failed run
    Run.objects.filter(pk=retry.pk).update(not_before=timezone.now() - timedelta(seconds=1))
    sent = []

    recovery.recover(timezone.now(), send=sent.append)

    retry.refresh_from_db()
    assert (sent, retry.status, retry.cancel_requested) == ([], "cancelled", True)
    assert retry.error == pauses.PAUSED_BEFORE_RETRY
