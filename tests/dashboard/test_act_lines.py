"""Every act that changes something is on record, with before and after, and is read as a line."""

from functools import partial

import pytest

from housekeeping.dashboard import act_lines
from housekeeping.exceptions import QueueUnreachable
from housekeeping.journal.acts import Actor
from housekeeping.models import Act, Run
from housekeeping.runs import control, schedules
from housekeeping.runs.work import execution
from housekeeping.steering import retentions
from tests import make
from tests.make import days

ADA = Actor("ada", "a test")


def send(run):
    """A queue that takes everything."""


def ended(run):
    return execution.execute(execution.claim(run.pk, run.attempts))


def trigger():
    run = control.request("stats", send=send, by=ADA)
    return run.pk, "trigger", {"task": "stats", "after": {"status": "queued"}}


def dry_run():
    run = control.request("users", send=send, dry_run=True, by=ADA)
    return run.pk, "trigger", {"task": "users", "dry_run": True, "after": {"status": "queued"}}


def run_a_schedule():
    run = control.request("stats", send=send, schedule="statistics_generation", by=ADA)
    schedule = {"schedule": "statistics_generation"}
    return run.pk, "trigger", {"task": "stats", **schedule, "after": {"status": "queued"}}


def approve_beforehand():
    run = control.request("users", send=send, is_approved=True, by=ADA)
    return run.pk, "trigger", {"task": "users", "after": {"status": "queued", "approved_by": "ada"}}


def carry_a_plan_out():
    make.conversation(age=days(31), messages=2)
    plan = ended(control.request("conversations", send=send, dry_run=True))
    run = control.request("conversations", send=send, plan=plan, by=ADA)
    plan_of = {"plan_of": str(plan.pk), "rows": 3}
    return run.pk, "carry out", {"task": "conversations", **plan_of, "after": {"status": "queued"}}


def retry():
    failed = make.run("stats", status="failed")
    run = control.retry(failed, send=send, by=ADA)
    details = {"task": "stats", "retry_of": str(failed.pk), "after": {"status": "queued"}}
    return run.pk, "retry", details


def cancel_a_waiting_run():
    run = control.cancel(make.run("stats"), by=ADA)
    change = {"before": {"status": "queued"}, "after": {"status": "cancelled"}}
    return run.pk, "cancel", {"task": "stats", **change}


def cancel_a_held_run():
    run = control.cancel(make.run("stats", status="held"), by=ADA)
    return run.pk, "cancel", {
        "task": "stats", "before": {"status": "held"}, "after": {"status": "cancelled"},
    }  # fmt: skip


def cancel_a_running_run():
    run = control.cancel(make.run("stats", status="running"), by=ADA)
    change = {"before": {"cancel_requested": False}, "after": {"cancel_requested": True}}
    return run.pk, "cancel", {"task": "stats", **change}


def approve():
    tables = {"chat.Conversation": 2, "chat.ChatMessage": 5}
    plan = {"conversations": {"rows": 2, "tables": tables, "retention_days": 30}}
    run = control.approve(make.run(status="held", plan=plan), send=send, by=ADA)
    change = {"before": {"status": "held"}, "after": {"status": "queued", "approved_by": "ada"}}
    return run.pk, "approve", {"task": "conversations", "rows": 7, **change}


def undo():
    purged = make.run("messages", status="succeeded", deleted={"messages": 1})
    make.archive(purged)
    run = control.undo(purged, send=send, by=ADA)
    return purged.pk, "undo", {"task": "messages", "run": str(run.pk), "rows": 1}


def pause():
    schedules.pause("weekly_cleanup", by=ADA)
    return "weekly_cleanup", "pause", {"before": {"is_paused": False}, "after": {"is_paused": True}}


def resume():
    schedules.pause("weekly_cleanup")
    schedules.resume("weekly_cleanup", by=ADA)
    return "weekly_cleanup", "resume", {"before": {"is_paused": True}, "after": {"is_paused": False}}


def change_a_trigger():
    schedules.change("weekly_cleanup", "0 4 * * *", by=ADA)
    change = {"before": {"trigger": ""}, "after": {"trigger": "0 4 * * *"}}
    return "weekly_cleanup", "change trigger", change


def reset_a_trigger():
    schedules.change("weekly_cleanup", "0 4 * * *")
    schedules.reset("weekly_cleanup", by=ADA)
    change = {"before": {"trigger": "0 4 * * *"}, "after": {"trigger": ""}}
    return "weekly_cleanup", "reset trigger", change


def change_a_retention():
    retentions.change("conversations", 60, by=ADA)
    change = {"before": {"retention_days": 30}, "after": {"retention_days": 60}}
    return "conversations", "change retention", change


def reset_a_retention():
    retentions.change("conversations", 60)
    retentions.reset("conversations", by=ADA)
    change = {"before": {"retention_days": 60}, "after": {"retention_days": 30}}
    return "conversations", "reset retention", change


ACTS = [
    trigger, dry_run, run_a_schedule, approve_beforehand, carry_a_plan_out, retry, cancel_a_waiting_run,
    cancel_a_held_run, cancel_a_running_run, approve, undo, pause, resume, change_a_trigger,
    reset_a_trigger, change_a_retention, reset_a_retention,
]  # fmt: skip


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("do", ACTS, ids=lambda do: do.__name__)
def test_each_act_is_on_record_with_what_it_changed(do):
    target, what, details = do()

    act = Act.objects.get()
    assert (act.who, act.origin, act.what, act.target) == ("ada", "a test", what, str(target))
    assert act.details == details


@pytest.mark.django_db(transaction=True)
def test_each_act_has_its_words():
    for do in ACTS:
        Run.objects.all().delete()
        do()

    assert {act.what for act in Act.objects.all()} - set(act_lines.WORDS) == set()


def unreachable(run):
    raise QueueUnreachable("The queue can't be reached.")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("do", ["trigger", "undo", "approve"])
def test_an_act_that_came_to_nothing_says_so(do):
    run = make.run("messages", status="held" if do == "approve" else "succeeded", deleted={"messages": 1})
    make.archive(run)

    acts = {
        "trigger": partial(control.request, "stats"),
        "undo": partial(control.undo, run),
        "approve": partial(control.approve, run),
    }

    with pytest.raises(QueueUnreachable):
        acts[do](send=unreachable, by=ADA)

    act = Act.objects.get()
    assert (act.what, act.details["failed"]) == (do, "The queue can't be reached.")
    assert act_lines.Fact("failed", "The queue can't be reached.") in act_lines.lines([act])[0].facts


# --- As a line --------------------------------------------------------------------------------


def line(what, target, **details):
    act = Act.objects.create(done_at=make.ago(), who="ada", what=what, target=str(target), details=details)
    [found] = act_lines.lines([act])
    return found


@pytest.mark.django_db
def test_a_change_is_read_as_before_and_after():
    found = line(
        "change retention", "conversations", before={"retention_days": 30}, after={"retention_days": 1000}
    )

    assert (found.what, found.target) == ("retention changed", "policy conversations")
    assert found.address == "/scheduler-admin/policies/conversations"
    assert found.changes == [act_lines.Change("retention in days", "30", "1,000")]


@pytest.mark.django_db
def test_what_stayed_as_it_was_is_no_change():
    found = line(
        "change hold",
        "chat.User 5",
        before={"until": None, "reason": "a"},
        after={"until": None, "reason": "b"},
    )

    assert found.changes == [act_lines.Change("reason", "a", "b")]


@pytest.mark.django_db
def test_a_trigger_that_is_empty_is_the_declared_one():
    found = line("reset trigger", "weekly_cleanup", before={"trigger": "0 4 * * *"}, after={"trigger": ""})

    assert (found.target, found.address) == (
        "Weekly Conversation Cleanup",
        "/scheduler-admin/schedules/weekly_cleanup",
    )
    assert found.changes == [act_lines.Change("trigger", "0 4 * * *", "as declared")]


@pytest.mark.django_db
def test_a_run_is_linked_while_it_is_there_and_named_afterwards():
    run = make.run("users")

    assert line("cancel", run.pk, task="users").address == f"/scheduler-admin/runs/{run.pk}"
    Run.objects.all().delete()

    found = line("cancel", run.pk, task="users")
    assert (found.target, found.address) == (f"run of Cleanup inactive users, {str(run.pk)[:8]}", "")


@pytest.mark.django_db
def test_the_runs_that_a_page_of_acts_names_are_asked_for_at_once(django_assert_num_queries):
    acts = [
        Act(
            done_at=make.ago(),
            what="undo",
            target=str(make.run(f"{n}").pk),
            details={"run": str(make.run(f"u{n}").pk)},
        )
        for n in range(20)
    ]

    with django_assert_num_queries(1):
        assert all(one.address and one.facts[0].address for one in act_lines.lines(acts))


@pytest.mark.django_db
@pytest.mark.parametrize(
    "details", [{}, {"before": None, "after": None}, {"unheard_of": [1, {"a": 2}]}, {"rows": None}]
)
def test_an_act_of_another_version_is_still_a_line(details):
    found = line("unheard of", "somewhere", **details)

    assert (found.what, found.target, found.address, found.changes) == ("unheard of", "somewhere", "", [])
