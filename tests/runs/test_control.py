import pytest
from django.db import transaction
from django.utils import timezone

from housekeeping.exceptions import NotPossible, PlanInDryRun, QueueUnreachable, RunInProgress, UnknownTask
from housekeeping.models import Act, Run
from housekeeping.runs import control
from housekeeping.runs.work import execution
from tests import make
from tests.make import ADA

pytestmark = pytest.mark.django_db(transaction=True)


# --- Asking -------------------------------------------------------------------------------


def test_a_request_is_a_row_and_then_a_message(sent):
    run = control.request("conversations", send=sent.append, by=ADA)

    assert sent == [run]
    run.refresh_from_db()
    assert (run.status, run.cause, run.requested_by, run.attempts) == ("queued", "manual", "ada", 0)


def test_a_request_is_on_record(sent):
    run = control.request("conversations", send=sent.append, by=ADA)

    act = Act.objects.get()
    assert (act.who, act.what, act.target, act.origin) == ("ada", "trigger", str(run.pk), "a test")


def test_a_task_that_does_not_exist_is_refused(sent):
    with pytest.raises(UnknownTask, match="choose one of all, conversations"):
        control.request("dishes", send=sent.append)

    assert not Run.objects.exists()


def test_a_dry_run_carries_out_no_plan(sent):
    plan = make.run(status="succeeded", dry_run=True)

    with pytest.raises(PlanInDryRun, match="can't carry one out"):
        control.request("conversations", send=sent.append, dry_run=True, plan=plan)

    assert (sent, list(Run.objects.all())) == ([], [plan])


@pytest.mark.parametrize("status", ["queued", "running", "held"])
def test_a_second_request_names_the_active_run(sent, status):
    active = make.run(status=status)

    with pytest.raises(RunInProgress) as error:
        control.request("conversations", send=sent.append)

    assert error.value.run == active
    assert (sent, Run.objects.count()) == ([], 1)


def test_where_the_queue_is_out_of_reach_no_run_is_left(add_task):
    def refuse(run):
        raise QueueUnreachable("connection refused")

    with pytest.raises(QueueUnreachable):
        control.request("conversations", send=refuse)

    assert not Run.objects.exists()


def test_a_message_is_sent_only_once_its_row_is_committed(sent):
    with transaction.atomic():
        control.request("conversations", send=sent.append)
        assert sent == []

    assert len(sent) == 1


# --- Cancel, retry, wait ------------------------------------------------------------------


def test_a_waiting_run_is_cancelled_at_once():
    run = control.cancel(make.run(), by=ADA)

    assert run.status == "cancelled"
    assert execution.claim(run.pk, 0) is None
    assert Act.objects.get().what == "cancel"


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled", "missed"])
def test_what_has_ended_is_not_cancelled(status):
    with pytest.raises(NotPossible, match=status):
        control.cancel(make.run(status=status), by=ADA)

    assert not Act.objects.exists()


@pytest.mark.parametrize("status", ["failed", "cancelled", "missed"])
def test_a_retry_is_a_new_run(sent, status):
    old = make.run(status=status, dry_run=True, schedule="weekly_cleanup", scheduled_for=timezone.now())

    new = control.retry(old, send=sent.append, by=ADA)

    assert (new.cause, new.status, new.dry_run, new.task) == ("retry", "queued", True, old.task)
    assert sent == [new]


@pytest.mark.parametrize("status", ["succeeded", "queued", "running"])
def test_only_what_went_wrong_is_retried(sent, status):
    with pytest.raises(NotPossible, match=status):
        control.retry(make.run(status=status), send=sent.append)


def test_to_wait_for_a_run_that_was_withdrawn_is_to_have_no_queue():
    run = make.run()
    Run.objects.get().delete()

    with pytest.raises(QueueUnreachable, match=f"run {run.pk} was withdrawn"):
        control.wait(run, 1)


def test_wait_comes_back_when_the_time_is_up():
    run = control.wait(make.run(), 0.1)

    assert run.status == "queued"
