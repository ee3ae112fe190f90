"""The page of a run: the sentence at its top, and what it offers."""

import re
from html import unescape

import pytest
from django.contrib.auth.models import Permission

from chat.models import Conversation
from housekeeping.engine import verification
from housekeeping.models import Archive, Run
from housekeeping.runs import control
from housekeeping.runs.work import execution
from tests import make
from tests.visitors import account, answer_of, as_user, text

pytestmark = pytest.mark.django_db

RUNS = "/scheduler-admin/runs"


def page_of(run):
    return f"{RUNS}/{run.pk}"


def offered(answer):
    """What can be pressed, each with the sentence beside it."""
    return {
        name: unescape(sentence)
        for name, sentence in re.findall(r'<p id="does-([\w-]+)">(.*?)</p>', answer.text)
    }


def questions(answer):
    return [unescape(question) for question in re.findall(r'data-confirm="([^"]*)"', answer.text)]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"status": "queued"}, "It is waiting, but no consumer is running. Start one with"),
        ({"status": "running"}, "It is running."),
        (
            {"status": "running", "deleted": {"users": 1204}, "receipt": {"users": {"rows": {}}}},
            "It is running; 1,204 rows are deleted so far.",
        ),
        ({"status": "running", "deleted": {"warned_users": 12}}, "It is running. "),
        ({"status": "running", "cancel_requested": True}, "It has been cancelled and stops"),
        ({"status": "running", "dry_run": True}, "It counts what would be deleted, and deletes nothing."),
        ({"status": "held", "error": "Too much."}, "Too much. Nothing is deleted until somebody approves"),
        ({"status": "missed", "error": "No consumer looked."}, "It did not run. No consumer looked."),
        ({"status": "cancelled"}, "Cancelled before it changed anything."),
        ({"status": "failed", "error": "Boom"}, "It failed before it began."),
        ({"status": "failed", "started_at": make.ago(hours=1)}, "and deleted nothing."),
        ({"status": "succeeded"}, "No rows were eligible for deletion. It took"),
    ],
)  # fmt: skip
def test_one_sentence_says_how_the_run_stands(fields, sentence, dashboard):
    run = make.run("users", **fields)

    assert sentence in text(dashboard.get(page_of(run))).partition("Facts")[0]


def test_of_a_failed_run_without_policies_nobody_knows_what_it_has_deleted(dashboard):
    """Such as one that deletes files."""
    run = make.run("files", status="failed", started_at=make.ago(hours=1), finished_at=make.ago())

    assert "It failed after 1 h 0 min. " in text(dashboard.get(page_of(run)))


def test_a_run_that_waits_for_another_of_its_task_says_so(dashboard):
    make.consumer()
    make.run("users", status="running")

    assert "It is waiting for another run of this task to end." in text(
        dashboard.get(page_of(make.run("users")))
    )


def test_a_purge_says_what_it_deleted_and_can_be_undone(dashboard):
    run = make.purge()

    answer = dashboard.get(page_of(run))

    assert "2 conversations and 5 chat messages deleted in" in text(answer)
    assert offered(answer)["undo"].startswith("Restores 2 conversations and 5 chat messages and puts")
    assert "Restore 2 conversations and 5 chat messages?" in questions(answer)


@pytest.mark.parametrize("status", ["succeeded", "running"])
def test_no_undo_is_offered_once_its_window_has_closed(status, dashboard):
    run = make.run("messages", status=status)
    undo = make.run("messages", status="failed", undo_of=run)
    make.archive(run)
    make.archive(run, expires_at=make.ago(seconds=1))

    answers = [dashboard.get(page_of(run)), dashboard.get(page_of(undo))]

    assert [{"undo", "retry"} & set(offered(answer)) for answer in answers] == [set(), set()]
    assert "some of its archives have expired" in text(dashboard.post(f"{page_of(run)}/undo", follow=True))
    assert "Can be undone until" not in text(dashboard.get(page_of(run)))


def test_of_a_damaged_run_the_page_puts_back_what_is_intact(dashboard, transactional_db):
    run = make.purge(batch_size=1)
    kept = run.archives.order_by("pk").first()
    run.archives.filter(pk=kept.pk).update(payload=bytes(kept.payload)[:-1])
    verification.verify(run)

    answer = dashboard.get(page_of(run))
    dashboard.post(posted_by(answer, "undo"))
    undo = execution.execute(execution.claim(Run.objects.get(undo_of=run).pk, 0))

    assert "damaged. Restores only the intact batches" in offered(answer)["undo"]
    assert (undo.status, Conversation.objects.count()) == ("succeeded", 1)


def test_what_version_1_0_kept_is_put_back_unverified_after_a_question(dashboard, transactional_db):
    run = make.purge(batch_size=1)
    run.archives.update(batch=None, position=None, before=None, digest=None)
    run.archives.order_by("pk").last().delete()

    answer = dashboard.get(page_of(run))
    dashboard.post(posted_by(answer, "undo"))
    undo = execution.execute(execution.claim(Run.objects.get(undo_of=run).pk, 0))

    assert "Restore without verification?" in questions(answer)
    assert (undo.status, Conversation.objects.count()) == ("succeeded", 1)


def posted_by(answer, action):
    """The address that a button of the page posts to, with its query."""
    return unescape(re.search(rf'action="([^"]*/{action}(?:\?[^"]*)?)"', answer.text)[1])


def test_a_purge_says_how_much_of_it_is_back(dashboard, transactional_db):
    run = make.purge()
    messages = run.archives.get(model="chat.ChatMessage")
    Archive.objects.filter(pk=messages.pk).update(payload=bytes(messages.payload)[:-1])

    undo = control.undo(run, send=lambda run: None, intact_only=True)
    execution.execute(execution.claim(undo.pk, 0))
    none_of_it, nothing_back = text(dashboard.get(page_of(run))), text(dashboard.get(page_of(undo)))
    Archive.objects.filter(pk=messages.pk).update(payload=messages.payload)
    back = {"rows": {"chat.Conversation": 1, "chat.ChatMessage": 2}}
    Run.objects.filter(pk=undo.pk).update(undo_state=back, result=None, status="cancelled")
    some_of_it = text(dashboard.get(page_of(run)))

    assert "They have been restored since." not in none_of_it + some_of_it
    assert "None of them has been restored yet." in none_of_it
    assert "No rows were restored. It took" in nothing_back
    assert "7 rows could not be restored." in nothing_back
    assert "3 of these rows have been restored since." in some_of_it


def test_an_undone_purge_and_its_undo_name_each_other(dashboard, transactional_db):
    run = make.purge()
    undo = control.undo(run, send=lambda run: None)
    execution.execute(execution.claim(undo.pk, 0))

    answer, of_undo = dashboard.get(page_of(run)), dashboard.get(page_of(undo))

    assert "They have been restored since." in text(answer)
    assert "undo" not in offered(answer)
    assert f"Undone by run {str(undo.pk)[:8]} succeeded" in text(answer)
    assert "2 conversations and 5 chat messages restored in" in text(of_undo)
    assert f"Undo of run {str(run.pk)[:8]} succeeded" in text(of_undo)


def test_a_plan_says_what_it_would_delete_and_asks_in_numbers(dashboard):
    plan = make.purge(dry_run=True)

    answer = dashboard.get(page_of(plan))

    assert "A dry run: 2 conversations and 5 chat messages would be deleted. Nothing was deleted." in text(
        answer
    )
    assert offered(answer)["carry-out"].startswith(
        "Deletes exactly the rows listed in this preview: 2 conversations and 5 chat messages"
    )
    assert "Delete 2 conversations and 5 chat messages?" in text(dashboard.get(f"{page_of(plan)}/carry-out"))
    assert "dry-run" in offered(answer)


def test_a_plan_that_was_carried_out_is_not_offered_again(dashboard, transactional_db):
    plan = make.purge(dry_run=True)
    done = control.request("conversations", send=lambda run: None, plan=plan)
    execution.execute(execution.claim(done.pk, 0))

    answer = dashboard.get(page_of(plan))

    assert "carry-out" not in offered(answer)
    assert f"Carried out by run {str(done.pk)[:8]}" in text(answer)
    assert f"Carries out the plan of run {str(plan.pk)[:8]}" in text(dashboard.get(page_of(done)))


def test_a_plan_whose_rows_are_not_kept_any_more_is_not_offered(dashboard):
    plan = make.purge(dry_run=True)
    plan.planned_rows.all().delete()

    assert "carry-out" not in offered(dashboard.get(page_of(plan)))


def test_a_held_run_says_what_approving_and_what_cancelling_does(dashboard):
    facts = {"rows": 3, "tables": {"chat.User": 3}, "cutoff": "2026-01-01T00:00:00+00:00"}
    plan = {"users": facts | {"retention_days": 7}}
    run = make.run("users", status="held", error="Too much.", plan=plan)

    answer = dashboard.get(page_of(run))

    assert offered(answer) == {
        "approve": "Deletes exactly the rows of its plan: 3 users.",
        "cancel": "Discards its plan; 3 users stay.",
    }
    assert questions(answer) == ["Cancel this run?"]
    assert "Delete 3 users?" in text(dashboard.get(f"{page_of(run)}/approve"))


def test_a_retry_says_how_many_rows_are_eligible_now(dashboard):
    make.message()
    make.message()
    run = make.run("messages", status="failed")

    answer = dashboard.get(page_of(run))

    assert "Asks for confirmation, with the number of rows" in offered(answer)["retry"]
    assert "Delete 2 chat messages?" in text(dashboard.get(f"{page_of(run)}/retry"))


def test_nothing_is_offered_that_another_run_of_the_task_would_refuse(dashboard):
    failed, other = make.run("users", status="failed"), make.run("users", status="held")

    answer = dashboard.get(page_of(failed))

    assert set(offered(answer)) == {"dry-run"}
    assert "More can be done once another run of this task has ended: it is held." in text(answer)
    assert f'href="{page_of(other)}"' in answer.text


def test_a_run_of_a_task_that_is_no_longer_declared_offers_nothing(dashboard):
    assert offered(dashboard.get(page_of(make.run("forgotten", status="failed")))) == {}


@pytest.mark.parametrize("status", Run.Status.values)
@pytest.mark.parametrize("rights", [(), ("operate",), ("configure",), ("operate", "configure")], ids="+".join)
def test_each_thing_that_is_offered_is_accepted_and_no_other_is_offered(
    status, rights, transactional_db, django_assert_max_num_queries
):
    client = as_user(account("view_run", *rights))
    run = make.run("messages", status=status)
    make.archive(run)

    with django_assert_max_num_queries(30):
        offers = offered(client.get(page_of(run)))

    accepted = set()
    for name in ("approve", "retry", "cancel", "undo"):
        Run.objects.exclude(pk=run.pk).delete()
        Run.objects.filter(pk=run.pk).update(status=status, cancel_requested=False, approved_by="")
        answer = client.post(f"{page_of(run)}/{name}", follow=True)
        if "asked-title" in answer.text and 'name="answer"' in answer.text:
            answer = client.post(f"{page_of(run)}/{name}", dict(answer_of(answer)), follow=True)
        if answer.status_code == 200 and 'data-level="error" role="status"' not in answer.text:
            accepted.add(name)
    assert set(offers) - {"dry-run"} == accepted


def test_a_failed_undo_is_tried_again_only_by_who_may_undo(operator, transactional_db):
    purged_run = make.run("messages", status="succeeded")
    make.archive(purged_run)
    undo = make.run("messages", status="failed", undo_of=purged_run)
    client = as_user(operator)
    assert "retry" not in offered(client.get(page_of(undo)))
    assert f'id="pick-retry-{undo.pk}"' not in client.get(RUNS).text
    assert client.post(f"{page_of(undo)}/retry").status_code == 403
    both = client.post(f"{RUNS}/act", {"act": "retry", "run": [str(undo.pk)]}, follow=True)
    assert "needs the right to configure" in text(both)

    operator.user_permissions.add(Permission.objects.get(codename="configure"))

    assert f'id="pick-retry-{undo.pk}"' in as_user(operator).get(RUNS).text
    assert offered(as_user(operator).get(page_of(undo)))["retry"] == "Tries again to restore 1 chat message."
    assert as_user(operator).post(f"{page_of(undo)}/retry").status_code == 302
    assert purged_run.undos.active().count() == 1


def test_a_failed_undo_is_not_offered_again_to_who_may_undo_and_not_operate():
    purged_run = make.run("messages", status="succeeded")
    make.archive(purged_run)
    undo = make.run("messages", status="failed", undo_of=purged_run)
    client = as_user(account("view_run", "configure"))

    assert client.post(f"{page_of(undo)}/retry").status_code == 403
    assert "retry" not in offered(client.get(page_of(undo)))


def test_the_dry_run_that_is_offered_is_one(dashboard, worker):
    make.message()
    run = make.run("messages", status="failed", requested_at=make.ago(hours=1))
    form = re.search(
        r'<form method="post" action="([^"]*)">(?:(?!</form>).)*does-dry-run',
        dashboard.get(page_of(run)).text,
        re.DOTALL,
    )
    fields = dict(re.findall(r'<input type="hidden" name="(dry_run|show)" value="(\w+)"', form[0]))

    answer = dashboard.post(form[1], fields, follow=True)

    newest = Run.objects.newest_first()[0]
    assert (newest.dry_run, newest.result) == (True, {"cleaned_messages": 1})
    assert answer.redirect_chain == [(page_of(newest), 302)]
