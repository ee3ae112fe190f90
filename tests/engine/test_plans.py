"""Previews, and runs that delete what a preview showed and nothing else."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from chat.models import ChatMessage, Conversation
from chat.tasks import old_conversations, orphaned_messages
from housekeeping.dashboard.pages import run as run_page
from housekeeping.declared import registry
from housekeeping.declared.policies import Policy
from housekeeping.declared.registry import TASKS
from housekeeping.engine import plans
from housekeeping.exceptions import NotPossible
from housekeeping.journal.acts import Actor
from housekeeping.models import Hold, PlannedRows, Run, Tally
from housekeeping.rights import Rights
from housekeeping.runs import control
from housekeeping.runs.work import execution
from housekeeping.steering import retentions
from tests import make
from tests.make import days

pytestmark = pytest.mark.django_db(transaction=True)

ADA = Actor("ada", "a test")


def carry_out(run):
    return execution.execute(execution.claim(run.pk, run.attempts))


def asked(task="conversations", **options):
    return carry_out(control.request(task, send=lambda run: None, by=ADA, **options))


def look(**options):
    options = {"cutoff": make.ago(days=30), "retention": days(30)} | options
    return plans.look(old_conversations, **options)


def test_a_preview_counts_each_table_and_names_the_oldest():
    oldest = make.conversation(age=days(50), messages=3, title="The oldest")
    newest = make.conversation(age=days(40), messages=1)
    make.conversation(age=days(1), messages=5)

    seen = look()

    assert (seen["rows"], seen["tables"]) == (2, {"chat.Conversation": 2, "chat.ChatMessage": 4})
    assert (seen["oldest"], seen["newest"]) == (oldest.created_at.isoformat(), newest.created_at.isoformat())
    assert seen["sample"][0] == {"key": str(oldest.pk), "age_from": oldest.created_at.isoformat()}


def test_the_backlog_of_a_policy_without_a_date_says_how_many_rows_and_not_since_when():
    run = make.run(dry_run=True, status="succeeded", requested_at=make.ago(days=8))
    PlannedRows.objects.create(run=run, policy="conversations", rows=1, payload=b"")

    seen = plans.backlog(registry.find_policy("plans"))

    assert (seen["rows"], seen["due_since"]) == (1, None)


def test_a_preview_says_what_is_held_back_and_why():
    kept = make.conversation(age=days(50), messages=3)
    Hold.objects.create(model="chat.Conversation", key=str(kept.pk), reason="A dispute")

    seen = look()

    assert (seen["rows"], seen["held_back"]) == (0, {"held": 1, "protected": 0})
    assert seen["tables"]["chat.ChatMessage"] == 0


def test_what_if_counts_by_each_retention():
    for age in (8, 31, 61, 91, 366):
        make.conversation(age=days(age))

    assert plans.what_if(old_conversations, timezone.now()) == {7: 5, 30: 4, 60: 3, 90: 2, 365: 1}


def test_a_plan_is_carried_out_as_it_was_seen():
    for _ in range(3):
        make.conversation(age=days(40), messages=2)
    dry = asked(dry_run=True)

    run = asked(plan=dry)

    assert (run.status, run.result) == ("succeeded", {"deleted_conversations": 3})
    assert run.receipt["conversations"]["rows"] == dry.plan["conversations"]["tables"]
    assert (run.receipt["conversations"]["planned"], run.receipt["conversations"]["left"]) == (3, 0)
    assert (run.plan_of, run.approved_by) == (dry, "ada")


def test_what_has_changed_since_the_plan_is_spared(settings):
    settings.HOUSEKEEPING_CONVERSATION_AGE_FROM = "last_message_at"
    alive, held, grown, gone, goes = (make.conversation(age=days(40), messages=1) for _ in range(5))
    dry = asked(dry_run=True)
    Conversation.objects.filter(pk=alive.pk).update(last_message_at=timezone.now())
    Hold.objects.create(model="chat.Conversation", key=str(held.pk), reason="A dispute")
    make.message(conversation=grown, created_at=make.ago(days=39))
    gone.delete()
    imported = make.conversation(age=days(60), messages=1)

    run = asked(plan=dry)

    assert set(Conversation.objects.all()) == {alive, held, grown, imported}
    assert ChatMessage.objects.count() == 5
    assert (run.result, run.receipt["conversations"]["left"]) == ({"deleted_conversations": 1}, 4)
    assert not Conversation.objects.filter(pk=goes.pk).exists()


def test_a_plan_keeps_its_cutoff_however_late_it_is_carried_out():
    make.conversation(age=days(30) - timedelta(seconds=1))
    due = make.conversation(age=days(31))
    dry = asked(dry_run=True)
    later = make.conversation(age=days(30) + timedelta(seconds=1))

    asked(plan=dry)

    assert not Conversation.objects.filter(pk=due.pk).exists()
    assert Conversation.objects.filter(pk=later.pk).exists()


def test_a_plan_is_carried_out_once():
    make.conversation(age=days(40))
    dry = asked(dry_run=True)
    asked(plan=dry)

    with pytest.raises(NotPossible, match="already been carried out"):
        asked(plan=dry)


@pytest.mark.parametrize("task", ["conversations", "users"])
def test_only_a_finished_dry_run_of_the_same_task_is_a_plan(task):
    make.conversation(age=days(40))
    other = asked("users", dry_run=True) if task == "conversations" else asked()

    with pytest.raises(NotPossible, match="not a finished dry run"):
        asked(plan=other)


def test_a_plan_whose_rows_are_not_kept_any_more_deletes_nothing():
    make.conversation(age=days(40))
    dry = asked(dry_run=True)
    PlannedRows.objects.all().delete()

    with pytest.raises(NotPossible, match="preview again"):
        asked(plan=dry)

    assert Conversation.objects.count() == 1


def test_to_wait_for_approval_is_no_time_that_a_run_took(settings):
    settings.HOUSEKEEPING_BRAKE_ROWS = 1
    make.conversation(age=days(40))
    held = carry_out(make.run(requested_at=make.ago(hours=14)))

    assert (held.status, held.duration, held.took) == ("held", None, "")
    control.cancel(held)
    assert Tally.objects.filter(status="cancelled", duration_ms__gt=0).count() == 0


def test_a_held_run_is_approved_as_it_was_seen(settings):
    settings.HOUSEKEEPING_BRAKE_ROWS = 2
    for _ in range(3):
        make.conversation(age=days(40))
    held = asked()
    imported = make.conversation(age=days(60))

    run = carry_out(control.approve(held, send=lambda run: None, by=ADA))

    assert (run.status, run.result) == ("succeeded", {"deleted_conversations": 3})
    assert list(Conversation.objects.all()) == [imported]


def test_a_plan_that_was_cut_off_in_the_middle_goes_on(settings):
    for _ in range(10):
        make.conversation(age=days(40), messages=1)
    dry = asked(dry_run=True)
    run = control.request("conversations", send=lambda run: None, plan=dry)
    stops = iter([False, False, False, True])

    run = execution.execute(execution.claim(run.pk, 0), should_stop=lambda: next(stops), batch_size=2)
    assert (run.status, run.deleted) == ("queued", {"conversations": 4})
    run = carry_out(run)

    assert (run.status, run.result) == ("succeeded", {"deleted_conversations": 10})
    assert run.receipt["conversations"]["rows"] == {"chat.Conversation": 10, "chat.ChatMessage": 10}


def test_far_more_than_usual_is_worth_a_warning(settings):
    settings.HOUSEKEEPING_BRAKE_ROWS = 5
    for _ in range(3):
        make.run(status="succeeded", deleted={"conversations": 2})
    for _ in range(7):
        make.conversation(age=days(40))
    for _ in range(10):
        make.conversation()

    seen, run = look(), asked()

    assert (seen["usual"], seen["warning"]) == (2, "7 rows are more than 3 times the usual 2.")
    assert run.receipt["conversations"]["warning"] == seen["warning"]


def test_a_run_whose_time_is_over_stops_between_batches_and_says_what_is_left(settings):
    settings.HOUSEKEEPING_TIME_BUDGET_MINUTES = 1
    for _ in range(6):
        make.conversation(age=days(40))
    run = execution.claim(control.request("conversations", send=lambda run: None).pk, 0)

    def let_time_pass(run):
        if run.done:
            run.started_at = make.ago(minutes=2)

    run = execution.execute(run, watch=let_time_pass, batch_size=2)

    assert (run.status, run.result) == ("succeeded", {"deleted_conversations": 2})
    assert run.receipt["conversations"]["left"] == 4
    assert "time budget of 1 min is over; 4 rows are left" in run.receipt["conversations"]["stopped"]


def test_a_stop_while_the_brake_writes_its_plan_releases_nothing(settings):
    settings.HOUSEKEEPING_BRAKE_ROWS = 5
    make.conversation(age=days(40))
    for _ in range(5):
        make.conversation()
    for _ in range(10):
        make.message()
    run = execution.claim(control.request("all", send=lambda run: None).pk, 0)
    stops = iter([False, True])
    run = execution.execute(run, should_stop=lambda: next(stops))
    assert (run.status, run.plan) == ("queued", {})

    run = carry_out(run)

    assert run.status == "held"
    assert (ChatMessage.objects.count(), Conversation.objects.count()) == (10, 6)


def test_what_grew_while_a_run_waited_to_go_on_is_braked_and_the_plan_counts_from_there(settings):
    settings.HOUSEKEEPING_BRAKE_ROWS = 5
    for _ in range(4):
        make.conversation(age=days(40))
    for _ in range(10):
        make.conversation()
    run = execution.claim(control.request("all", send=lambda run: None).pk, 0)
    run = execution.execute(run, should_stop=lambda: bool(run.deleted), batch_size=2)
    assert (run.status, run.deleted) == ("queued", {"conversations": 2})
    for _ in range(10):
        make.message()

    run = carry_out(run)
    assert (run.status, ChatMessage.objects.count()) == ("held", 10)
    run = carry_out(control.approve(run, send=lambda run: None, by=ADA))

    assert (run.status, run.deleted) == ("succeeded", {"conversations": 4, "messages": 10})
    assert [facts["left"] for facts in run.receipt.values()][:2] == [0, 0]


def test_a_plan_is_refused_once_rows_are_kept_longer_and_goes_after_a_shorter_retention():
    make.conversation(age=days(40))
    dry = asked(dry_run=True)

    retentions.change("conversations", 3_650)
    with pytest.raises(NotPossible, match="raised to 3650 days after this plan was made: preview again"):
        asked(plan=dry)
    retentions.change("conversations", 20)

    assert asked(plan=dry).result == {"deleted_conversations": 1}


def test_a_plan_of_a_policy_that_no_task_declares_is_refused_once_rows_are_kept_longer(add_task):
    make.conversation(age=days(40))
    kept = [30, 30, 3_650]  # days, as the site's code has it at each run
    rows = Conversation.objects.filter
    undeclared = [Policy("x", lambda cutoff: rows(created_at__lt=cutoff), days(each)) for each in kept]
    add_task("x", lambda purge: {"rows": purge(undeclared.pop(0))})
    dry, another = asked("x", dry_run=True), asked("x", dry_run=True)

    run = asked("x", plan=dry)

    assert (run.status, Conversation.objects.count()) == ("failed", 1)
    assert "'x' was raised to 3650 days after this plan was made: preview again" in run.error
    undeclared.append(replace(old_conversations, name="x"))
    assert asked("x", plan=another).result == {"rows": 1}


def test_a_plan_that_was_asked_for_before_rows_are_kept_longer_deletes_nothing():
    make.conversation(age=days(40))
    asked(dry_run=True)
    run = control.request("conversations", send=lambda run: None, plan=Run.objects.get())

    retentions.change("conversations", 3_650)
    run = carry_out(run)

    assert (run.status, Conversation.objects.count()) == ("failed", 1)
    assert "preview again" in run.error
    with pytest.raises(NotPossible):
        control.retry(run, send=lambda run: None)


def test_a_run_that_was_held_under_a_shorter_retention_is_neither_approved_nor_retried(settings):
    settings.HOUSEKEEPING_BRAKE_ROWS = 1
    make.conversation(age=days(40))
    run = asked()
    retentions.change("conversations", 3_650)

    with pytest.raises(NotPossible, match="preview again"):
        control.approve(run, send=lambda run: None)
    run.refresh_from_db()
    assert run.status == "held"
    assert "preview again" in _page(run).standing
    control.cancel(run)
    with pytest.raises(NotPossible, match="preview again"):
        control.retry(run, send=lambda run: None)
    assert not {"approve", "retry"} & {offer.name for offer in _page(run).offers}


def test_a_run_that_was_approved_before_rows_are_kept_longer_deletes_nothing(settings):
    settings.HOUSEKEEPING_BRAKE_ROWS = 1
    make.conversation(age=days(40))
    run = control.approve(asked(), send=lambda run: None)

    retentions.change("conversations", 3_650)
    run = carry_out(run)

    assert (run.status, run.deleted, Conversation.objects.count()) == ("failed", {}, 1)


def test_a_policy_that_has_not_begun_is_spared_though_its_run_deleted_by_another(settings):
    settings.HOUSEKEEPING_BRAKE_ROWS = 5
    make.message()
    run = execution.claim(control.request("all", send=lambda run: None).pk, 0)
    run = execution.execute(run, should_stop=lambda: not ChatMessage.objects.exists())
    for _ in range(10):
        make.conversation(age=days(40))
    run = control.approve(carry_out(run), send=lambda run: None)

    retentions.change("conversations", 3_650)
    run = carry_out(run)

    assert (run.status, run.deleted, Conversation.objects.count()) == ("failed", {"messages": 1}, 10)


def test_a_policy_that_its_task_got_after_the_plan_deletes_nothing(monkeypatch):
    make.conversation(age=days(40))
    make.message()
    dry = asked(dry_run=True)
    policies = (old_conversations, orphaned_messages)
    wider = replace(
        TASKS["conversations"], policies=policies, function=lambda purge: list(map(purge, policies))
    )
    monkeypatch.setitem(TASKS, "conversations", wider)

    run = asked(plan=dry)

    assert (run.status, run.deleted, ChatMessage.objects.count()) == ("succeeded", {"conversations": 1}, 1)


def _page(run):
    return run_page.read(run, Rights(operate=True), timezone.now())
