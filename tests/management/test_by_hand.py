"""Commands where no consumer runs, and beside one that does."""

import json
import logging
import signal
import threading
from contextlib import contextmanager
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from chat.models import Conversation
from housekeeping.journal import outbox
from housekeeping.models import Act, Delivery, Run
from housekeeping.runs import control
from housekeeping.runs.work import execution
from tests import make, services
from tests.make import days

pytestmark = pytest.mark.django_db(transaction=True)


def command(*words):
    """Runs it, and returns what it prints and what it says beside that."""
    printed, said = StringIO(), StringIO()
    call_command(*words, stdout=printed, stderr=said)
    return printed.getvalue(), said.getvalue()


def clean_up(*options):
    return command("run_housekeeping", "--task", "conversations", *options)


# --- Without a consumer -------------------------------------------------------------------


def test_a_run_that_waits_for_a_consumer_is_carried_out_by_hand():
    make.conversation(age=days(40))
    waiting = make.run(cause="schedule", requested_by="ada")

    printed, said = clean_up()

    run = Run.objects.get()
    assert (run.pk, run.status, run.cause, run.requested_by) == (waiting.pk, "succeeded", "schedule", "ada")
    assert f"Run {run.pk} (schedule, asked for by ada) waits for a consumer; it is carried out here" in said
    assert not Conversation.objects.exists()
    assert printed.startswith("Old conversations deleted")


def test_a_message_for_a_run_that_was_carried_out_by_hand_finds_it_gone():
    waiting = make.run()

    clean_up()

    assert execution.claim(waiting.pk, waiting.attempts) is None


def test_a_run_that_was_handed_back_is_carried_on_by_hand():
    make.conversation(age=days(40))
    make.run(attempts=1, as_of=timezone.now(), deleted={"conversations": 5})

    answer = json.loads(clean_up("--json")[0])

    assert (answer["result"], answer["run"]["attempts"]) == ({"deleted_conversations": 6}, 2)


def test_a_run_whose_command_was_killed_is_taken_back_by_the_next():
    silent = make.run(status="running", attempts=1, lease_until=make.ago(seconds=1))

    clean_up()

    run = Run.objects.get()
    assert (run.pk, run.status, run.attempts, run.losses) == (silent.pk, "succeeded", 2, 1)


def test_a_dry_run_by_hand_carries_out_the_dry_run_that_waits():
    dry = make.run(dry_run=True)

    clean_up("--dry-run")

    assert [(run.pk, run.status) for run in Run.objects.all()] == [(dry.pk, "succeeded")]


def test_approval_beforehand_goes_for_the_run_that_waited(settings):
    settings.HOUSEKEEPING_BRAKE_ROWS = 1
    make.conversation(age=days(40))
    waiting = make.run()

    clean_up("--yes")

    act = Act.objects.get(what="approve")
    assert (act.target, Conversation.objects.count()) == (str(waiting.pk), 0)


def test_approval_beforehand_goes_for_the_run_that_is_held(settings):
    settings.HOUSEKEEPING_BRAKE_ROWS = 1
    make.conversation(age=days(40))
    with pytest.raises(SystemExit, match="3"):
        clean_up()

    clean_up("--yes")

    assert [run.status for run in Run.objects.all()] == ["succeeded"]
    assert not Conversation.objects.exists()


def test_an_undo_that_waits_is_carried_out_by_hand():
    conversation = make.conversation(age=days(40))
    clean_up()
    undo = control.undo(Run.objects.get(), send=lambda run: None, by=make.ADA)

    with pytest.raises(CommandError, match=f"housekeeping_runs carry-out {undo.pk}"):
        clean_up()
    command("housekeeping_runs", "carry-out", str(undo.pk))

    assert Conversation.objects.filter(pk=conversation.pk).exists()


# --- Ctrl-C behind the run ----------------------------------------------------------------


@pytest.fixture
def interrupted_mail(settings):
    """A mail is due, and Ctrl-C comes while it is sent."""
    with services.mail_server() as server:
        server.taken = lambda: signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        settings.EMAIL_BACKEND = "housekeeping.journal.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        text = {"subject": "Hello", "text": "Hello", "sender": ""}
        Delivery.objects.create(address="ada@example.com", payload=text, created_at=timezone.now())
        yield
        assert server.accepted
        outbox.settle()


@contextmanager
def interrupted_after(line):
    """Ctrl-C comes once a line with this text is logged."""

    class Handler(logging.Handler):
        def emit(self, record):
            if line in record.getMessage():
                signal.raise_signal(signal.SIGINT)

    logger, handler = logging.getLogger("housekeeping"), Handler()
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


@pytest.mark.parametrize("is_waiting", [False, True])
def test_ctrl_c_while_mails_are_sent_ends_only_the_wait_for_them(interrupted_mail, is_waiting):
    make.conversation(age=days(40))
    if is_waiting:
        make.run()

    printed, _said = clean_up()

    assert Run.objects.get().status == "succeeded"
    assert "deleted conversations: 1" in printed


@pytest.mark.parametrize("is_waiting", [False, True])
def test_ctrl_c_while_mails_are_sent_leaves_a_held_run_held(interrupted_mail, is_waiting, settings):
    settings.HOUSEKEEPING_BRAKE_ROWS = 1
    make.conversation(age=days(40))
    if is_waiting:
        make.run()

    with pytest.raises(SystemExit, match="3"):
        clean_up()

    assert Run.objects.get().status == "held"


@pytest.mark.parametrize("is_waiting", [False, True])
def test_ctrl_c_just_after_the_brake_leaves_the_run_held(is_waiting, settings):
    settings.HOUSEKEEPING_BRAKE_ROWS = 1
    make.conversation(age=days(40))
    if is_waiting:
        make.run()

    with interrupted_after("is held for approval"), pytest.raises(SystemExit, match="3"):
        clean_up()

    assert Run.objects.get().status == "held"


@pytest.mark.parametrize("is_waiting", [False, True])
def test_ctrl_c_just_after_the_end_of_a_run_prints_its_result(is_waiting):
    make.conversation(age=days(40))
    if is_waiting:
        make.run()

    with interrupted_after("succeeded"):
        printed, _said = clean_up()

    assert "deleted conversations: 1" in printed


# --- Beside a consumer --------------------------------------------------------------------


@pytest.mark.parametrize("status", ["queued", "running", "held"])
def test_a_dry_run_waits_for_no_run_that_deletes(status):
    make.conversation(age=days(40))
    make.run(status=status, attempts=1, lease_until=make.ago(minutes=-1))

    clean_up("--dry-run")

    assert Run.objects.get(dry_run=True).status == "succeeded"
    assert Run.objects.get(dry_run=False).status == status


@pytest.mark.parametrize("status", ["queued", "running"])
def test_a_dry_run_blocks_no_run_that_deletes(status):
    make.run(status=status, dry_run=True, attempts=1, lease_until=make.ago(minutes=-1))

    clean_up()

    assert Run.objects.get(dry_run=False).status == "succeeded"


def test_a_run_that_a_consumer_carries_out_is_refused_with_what_to_do():
    run = make.run(
        status="running", consumer=make.consumer(host="web1", pid=7), lease_until=make.ago(hours=-1)
    )

    with pytest.raises(CommandError) as refusal:
        clean_up()

    assert str(refusal.value) == (
        f"The task 'conversations' is running already, as run {run.pk}. It is carried out by web1:7:"
        f" wait until it ends, or cancel it with `housekeeping_runs cancel {run.pk}`."
    )


def test_a_run_that_is_held_is_refused_with_the_exit_code_of_the_brake():
    run = make.run(status="held")

    with pytest.raises(CommandError, match=f"housekeeping_runs approve {run.pk}` or with --yes") as refusal:
        clean_up()

    assert refusal.value.returncode == 3


@pytest.mark.parametrize("options", [[], ["--yes"]])
def test_a_plan_in_whose_way_a_held_run_is_tells_how_to_carry_out_the_plan(options):
    make.conversation(age=days(40))
    clean_up("--dry-run")
    held = make.run(status="held")

    with pytest.raises(CommandError) as refusal:
        clean_up("--plan", str(Run.objects.get(dry_run=True).pk), *options)

    assert str(refusal.value).endswith(
        "It takes other rows than the plan:"
        f" cancel it with `housekeeping_runs cancel {held.pk}`, and carry out the plan again."
    )
    assert Conversation.objects.exists()


def test_a_plan_is_not_mistaken_for_the_run_that_waits(settings):
    make.conversation(age=days(40))
    clean_up("--dry-run")
    waiting = make.run()

    with pytest.raises(CommandError, match=f"Leave out --plan .* cancel {waiting.pk}"):
        clean_up("--plan", str(Run.objects.get(dry_run=True).pk))

    assert Conversation.objects.exists()


def test_a_dry_run_carries_out_no_plan():
    clean_up("--dry-run")
    plan = Run.objects.get()

    with pytest.raises(CommandError, match="--dry-run makes a plan") as refusal:
        clean_up("--dry-run", "--plan", str(plan.pk))

    assert refusal.value.returncode == 2
    assert Run.objects.get() == plan


def test_a_dry_run_is_nobody_s_approval():
    clean_up("--dry-run", "--yes")

    assert Run.objects.get().approved_by == ""
    assert not Act.objects.filter(what="approve").exists()


def test_what_has_ended_is_not_carried_out_by_hand():
    run = make.run(status="succeeded")

    with pytest.raises(CommandError, match="is succeeded; only one that is queued is carried out"):
        command("housekeeping_runs", "carry-out", str(run.pk))
