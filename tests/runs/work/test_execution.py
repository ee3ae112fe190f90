import sys
import uuid

import pytest
from django.db import IntegrityError, OperationalError, connection
from django.utils import timezone

from chat.models import Conversation, User
from chat.tasks import cleanup_orphaned_messages
from housekeeping.declared.policies import Policy
from housekeeping.declared.steps import run_steps
from housekeeping.engine.purge import purge
from housekeeping.models import Run, Snapshot
from housekeeping.runs import control
from housekeeping.runs.work import execution
from tests import make
from tests.make import ADA, days

pytestmark = pytest.mark.django_db(transaction=True)


def carry_out(run, **options):
    return execution.execute(execution.claim(run.pk, run.attempts), batch_size=10, **options)


# --- Claiming -----------------------------------------------------------------------------


def test_only_one_of_two_claims_wins():
    run = make.run()

    first, second = execution.claim(run.pk, 0), execution.claim(run.pk, 0)

    assert (first.status, first.attempts, second) == ("running", 1, None)


def test_a_message_that_comes_again_after_the_end_does_nothing():
    run = carry_out(make.run())

    assert execution.claim(run.pk, 0) is None
    assert execution.claim(run.pk, 1) is None


def test_a_run_that_is_gone_is_not_claimed():
    assert execution.claim(uuid.uuid4(), 0) is None


def test_a_run_waits_while_another_of_its_task_is_running():
    make.run(status="running", attempts=1)
    waiting = make.run()

    assert execution.claim(waiting.pk, 0) is None
    waiting.refresh_from_db()
    assert waiting.status == "queued"


def test_the_database_refuses_a_second_running_run_of_a_task():
    make.run(status="running")

    with pytest.raises(IntegrityError):
        make.run(status="running")


def test_the_database_refuses_a_second_run_of_a_fire_time():
    moment = timezone.now()
    make.run(cause="schedule", schedule="weekly_cleanup", scheduled_for=moment, status="succeeded")

    with pytest.raises(IntegrityError):
        make.run(cause="catch-up", schedule="weekly_cleanup", scheduled_for=moment, status="missed")


# --- Carrying out -------------------------------------------------------------------------


def test_a_run_deletes_and_keeps_its_result():
    make.conversation(age=days(31))
    kept = make.conversation(age=days(29))

    run = carry_out(make.run())

    assert (run.status, run.result) == ("succeeded", {"deleted_conversations": 1})
    assert run.progress() == {"done": 1, "total": 1}
    assert run.started_at <= run.finished_at
    assert list(Conversation.objects.all()) == [kept]


def test_all_runs_the_four_in_order_with_one_result(caplog):
    make.conversation(age=days(31))
    make.message()
    make.visitor(age=days(8))

    run = carry_out(make.run("all"))

    done = [line for line in caplog.messages if line.startswith(("Successfully deleted", "Statistics"))]
    assert [line.split()[-1] for line in done[:3]] == ["conversation", "message", "user"]
    assert done[3].startswith("Statistics")
    assert set(run.result) == {"deleted_conversations", "cleaned_messages", "deleted_users", "stats"}
    assert run.result["deleted_conversations"] == run.result["cleaned_messages"] == 1
    assert run.result["deleted_users"] == 1
    assert run.result["stats"]["total_conversations"] == 0
    assert run.progress() == {"done": 3, "total": 3}


def test_a_dry_run_takes_the_same_path_and_changes_nothing():
    make.conversation(age=days(31), messages=2)
    make.message()
    make.visitor(age=days(8))

    run = carry_out(make.run("all", dry_run=True))

    assert run.status == "succeeded"
    assert (run.result["deleted_conversations"], run.result["cleaned_messages"]) == (1, 1)
    assert run.result["deleted_users"] == 1
    assert Conversation.objects.count() == 1
    assert User.objects.filter(is_active=False).count() == 1
    assert not Snapshot.objects.exists()


def test_a_failed_run_keeps_its_error_and_traceback(add_task):
    def break_down():
        raise ValueError("the pipe burst")

    add_task("plumbing", break_down)

    run = carry_out(make.run("plumbing"))

    assert (run.status, run.error) == ("failed", "ValueError: the pipe burst")
    assert "in break_down" in run.traceback
    assert run.finished_at


def test_all_goes_on_past_a_failed_step_and_ends_as_failed(add_task):
    def refuse():
        raise ValueError("not today")

    def both(purge=purge):
        return run_steps(first=refuse, messages=lambda: cleanup_orphaned_messages(purge))

    add_task("both", both)
    make.message()

    run = carry_out(make.run("both"))

    assert run.status == "failed"
    assert run.result == {"errors": {"first": "ValueError: not today"}, "cleaned_messages": 1}
    assert run.error == "ValueError: not today"
    assert "in refuse" in run.traceback


def test_a_task_that_calls_exit_fails_alone(add_task):
    add_task("leaving", lambda: sys.exit(3))

    run = carry_out(make.run("leaving"))

    assert (run.status, run.error) == ("failed", "SystemExit: 3")


def test_a_result_that_json_can_not_hold_fails_the_run(add_task):
    add_task("odd", lambda: {"when": timezone.now()})

    run = carry_out(make.run("odd"))

    assert run.status == "failed"
    assert "JSON" in run.error


def test_a_task_that_this_version_does_not_know_fails_with_a_clear_error():
    run = carry_out(make.run("from-tomorrow"))

    assert run.status == "failed"
    assert run.error.startswith("There is no task 'from-tomorrow'; choose one of all, ")


def test_a_nul_in_an_error_does_not_lose_it(add_task):
    def complain():
        raise ValueError("a \0 in the text")

    add_task("complaining", complain)

    assert carry_out(make.run("complaining")).status == "failed"


# --- Stopping and resuming ----------------------------------------------------------------


def conversations(count):
    owner = make.user()
    Conversation.objects.bulk_create(
        Conversation(user=owner, created_at=make.ago(days=40)) for _ in range(count)
    )


class After:
    """True from the given look on."""

    def __init__(self, looks):
        self.looks = looks

    def __call__(self, *_):
        self.looks -= 1
        return self.looks < 0


def test_a_stop_hands_the_rest_back_and_the_next_attempt_counts_all():
    conversations(25)

    run = carry_out(make.run(), should_stop=After(2))

    assert (run.status, run.attempts, run.done) == ("queued", 1, 10)
    assert Conversation.objects.count() == 15

    run = carry_out(run)

    assert (run.status, run.attempts) == ("succeeded", 2)
    assert run.result == {"deleted_conversations": 25}
    assert run.progress() == {"done": 25, "total": 25}


def test_a_second_attempt_deletes_what_the_first_would_have():
    conversations(15)
    run = carry_out(make.run(), should_stop=After(2))
    cutoff = run.as_of - days(30)
    young = make.conversation(created_at=cutoff)  # too young then, old enough now

    run = carry_out(run)

    assert run.result == {"deleted_conversations": 15}
    assert list(Conversation.objects.all()) == [young]


def test_a_cancelled_run_stops_between_batches():
    conversations(25)
    run = make.run()

    def cancel_after_the_first(seen):
        if seen.done == 10:
            control.cancel(run, by=ADA)

    run = carry_out(run, watch=cancel_after_the_first)

    assert (run.status, run.done, run.result) == ("cancelled", 10, None)
    assert Conversation.objects.count() == 15


def test_a_worker_that_lost_its_claim_writes_nothing_more():
    conversations(25)
    run = make.run()
    taken_over = []

    def take_over_after_the_first(seen):
        if seen.done == 10 and not taken_over:
            Run.objects.filter(pk=run.pk).update(status="queued")
            taken_over.append(execution.claim(run.pk, 1))

    run = carry_out(run, watch=take_over_after_the_first)

    assert (run.status, run.attempts, run.done) == ("running", 2, 10)
    assert Conversation.objects.count() == 15
    assert execution.execute(taken_over[0]).result == {"deleted_conversations": 25}


def test_a_batch_of_a_lost_claim_is_rolled_back(add_task):
    conversations(10)
    looks = []

    def rows(cutoff):
        looks.append(cutoff)
        if len(looks) == 2:  # the purge has checked its claim; now another takes it
            Run.objects.update(attempts=7)
        return Conversation.objects.filter(created_at__lt=cutoff)

    policy = Policy("raced", rows=rows)
    add_task("raced", lambda purge=purge: {"gone": purge(policy)}, policy=policy)

    run = carry_out(make.run("raced"))

    assert (run.status, run.attempts, run.deleted) == ("running", 7, {})
    assert Conversation.objects.count() == 10


def test_ctrl_c_hands_back_and_goes_on_up(add_task):
    def interrupted():
        raise KeyboardInterrupt

    add_task("slow", interrupted)
    run = make.run("slow")

    with pytest.raises(KeyboardInterrupt):
        carry_out(run)

    run.refresh_from_db()
    assert run.status == "queued"


def test_a_lost_database_is_not_the_task_s_failure(add_task):
    def lose_it():
        connection.close()  # as a server that restarts does
        raise OperationalError("server closed the connection unexpectedly")

    add_task("unlucky", lose_it)

    run = carry_out(make.run("unlucky"))

    run.refresh_from_db()
    assert (run.status, run.error) == ("running", "")  # to be taken back when its lease ends


def test_what_the_database_refuses_is_the_task_s_failure(add_task):
    def ask_for_nonsense():
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM a_table_that_is_not_there")

    add_task("asking", ask_for_nonsense)

    run = carry_out(make.run("asking"))

    assert run.status == "failed"
    assert "a_table_that_is_not_there" in run.error


def test_a_message_for_an_unknown_task_is_kept_as_a_failed_run():
    message = uuid.uuid4()

    execution.reject(message, "shop.tasks.send_invoice")
    execution.reject(message, "shop.tasks.send_invoice")

    run = Run.objects.get()
    assert (run.pk, run.status, run.task) == (message, "failed", "shop.tasks.send_invoice")
    assert "newer version" in run.error


def test_a_count_that_the_first_attempt_did_not_write_is_made_up_for():
    conversations(15)
    run = make.run(attempts=1, deleted={"conversations": 10}, as_of=timezone.now())

    run = carry_out(run)

    assert run.progress() == {"done": 25, "total": 25}


@pytest.mark.parametrize("how", ["planned", "resumed", "held"])
def test_what_a_clock_that_was_ahead_has_begun_deletes_nothing_early(how, settings):
    settings.HOUSEKEEPING_BRAKE_SHARE, settings.HOUSEKEEPING_BRAKE_ROWS = 0.5, 1
    young, old = make.conversation(age=days(29)), make.conversation(age=days(40))
    begun = make.run(dry_run=how == "planned", as_of=timezone.now() + days(1_000))
    claimed = execution.claim(begun.pk, 0)
    claimed.as_of = begun.as_of
    if how == "resumed":
        cutoff = {"cutoff": begun.as_of.isoformat(), "retention_days": 30}
        Run.objects.filter(pk=begun.pk).update(cutoffs={"conversations": cutoff}, status="queued")
    else:
        execution.execute(claimed)
    begun.refresh_from_db()

    if how == "planned":
        begun = control.request("conversations", send=lambda run: None, plan=begun)
    elif how == "held":
        control.approve(begun, send=lambda run: None)
    begun.refresh_from_db()
    run = execution.execute(execution.claim(begun.pk, begun.attempts))

    assert list(Conversation.objects.all()) == [young], (run.status, run.error)
    assert old.pk not in Conversation.objects.values_list("pk", flat=True)
