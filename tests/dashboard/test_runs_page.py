"""The list of runs and the page of a run, over HTTP."""

import re
import uuid
from html import unescape

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.test.html import parse_html

from chat.models import Conversation
from housekeeping.engine import verification
from housekeeping.models import Act, Archive, LogLine, Run
from housekeeping.runs import control, execution
from tests import make
from tests.make import days
from tests.visitors import account, answer_of, confirm

pytestmark = pytest.mark.django_db

RUNS = "/scheduler-admin/runs"
HTMX = {"HX-Request": "true"}


def text(response):
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", response.text)).split())


def listed(answer):
    return re.findall(r'id="run-row-([^"]*)"', answer.text)


def link(answer, label):
    """The address of the link with that label, in the list; None where there is none."""
    found = re.search(rf'href="([^"]*)">{label}</a>', answer.text)
    return unescape(found[1]) if found else None


def history(number, **fields):
    """The ids of so many runs, newest first."""
    made = Run.objects.bulk_create(
        Run(
            **{"task": "stats", "cause": "manual", "status": "succeeded", "requested_at": make.ago(minutes=n)}
            | fields
        )
        for n in range(number)
    )
    return [str(run.pk) for run in made]


def page_of(run):
    return f"{RUNS}/{run.pk}"


def as_user(user):
    client = Client()
    client.force_login(user)
    return client


# --- The list: filters ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "label", "words"),
    [
        ("task=users", "Task", "Cleanup inactive users"),
        ("schedule=weekly_cleanup", "Schedule", "Weekly Conversation Cleanup"),
        ("status=failed", "Status", "failed"),
        ("cause=retry", "Cause", "retry"),
        ("who=grace", "Who", "grace"),
        ("dry_run=true", "Dry runs", "only"),
        ("text=out+of+ink", "Text", "out of ink"),
        ("after=2026-01-02T00:00", "From", "2026-01-02 00:00"),
    ],
)
def test_a_filter_in_the_address_is_applied_shown_and_removable(query, label, words, dashboard):
    make.run("stats", status="succeeded", requested_at=make.ago(days=3000))
    wanted = make.run(
        "users", status="failed", cause="retry", requested_by="grace", dry_run=True, error="Out of ink",
        schedule="weekly_cleanup",
    )  # fmt: skip

    answer = dashboard.get(f"{RUNS}?{query}")

    assert listed(answer) == [str(wanted.pk)]
    [chip] = re.findall(r'<a class="chip" href="([^"]*)">(.*?)</a>', answer.text)
    assert chip[0] == RUNS
    assert re.sub(r"<[^>]*>", "", chip[1]).split("×")[0].split() == [*label.split(), *words.split()]


def test_one_of_two_filters_is_removed_and_the_other_stays(dashboard):
    answer = dashboard.get(f"{RUNS}?task=users&status=failed")

    assert re.findall(r'<a class="chip" href="([^"]*)"', answer.text) == [
        f"{RUNS}?status=failed",
        f"{RUNS}?task=users",
    ]


def test_the_fields_show_what_is_filtered_by(dashboard):
    answer = dashboard.get(
        f"{RUNS}?task=users&who=grace&text=ink&dry_run=false&before=2026-01-02T03:04:00%2B01:00"
    )

    assert '<option value="users" selected>' in answer.text
    assert '<option value="false" selected>' in answer.text
    assert 'name="who" value="grace"' in answer.text
    assert 'name="text" value="ink"' in answer.text
    assert 'name="before" value="2026-01-02T02:04"' in answer.text
    assert re.search(r'<details class="wide" id="more-filters" open>', answer.text)


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("status=done", "Status: “done” is none; choose one of queued, running, held"),
        ("cause=luck", "Cause: “luck” is none; choose one of schedule, catch-up, manual, retry."),
        ("task=nope", "Task: “nope” is none; choose one of all, conversations"),
        ("schedule=nope", "Schedule: “nope” is none; choose one of"),
        ("dry_run=maybe", "Dry runs: “maybe” is none; choose one of true, false."),
        ("after=yesterday", "From: This is no moment: write it as 2026-11-25T02:00."),
        ("before=9999-12-31T23:59:59-23:59", "To: This is no moment"),
        ("after=0001-01-01T00:00%2B14:00", "From: This is no moment"),
        ("after=2026-02-02T00:00&before=2026-02-01T00:00", "From: From is not before To"),
        ("taks=users", "There is no filter “taks”; there are text, task"),
        ("text=%00", "Text: Null characters are not allowed."),
        ("task=%00", "Task: Null characters are not allowed."),
        (f"text={'x' * 201}", "Text: Ensure this value has at most 200 characters"),
    ],
)
@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "htmx"])
def test_a_filter_that_can_t_be_used_is_named_in_place(query, problem, headers, dashboard):
    make.run()

    answer = dashboard.get(f"{RUNS}?{query}", headers=headers)

    assert answer.status_code == 400
    assert problem in text(answer)
    assert listed(answer) == []
    assert "Clear all filters" in text(answer)


def test_runs_of_a_task_that_was_dropped_are_found_still(dashboard):
    run = make.run("forgotten", schedule="gone", status="failed")

    answer = dashboard.get(f"{RUNS}?task=forgotten&schedule=gone")

    assert listed(answer) == [str(run.pk)]
    assert '<option value="forgotten" selected>' in answer.text


def test_an_address_with_empty_filters_leads_to_the_tidy_one(dashboard):
    answer = dashboard.get(f"{RUNS}?text=&task=users&status=&who=")

    assert (answer.status_code, answer["Location"]) == (302, f"{RUNS}?task=users")


def test_no_match_says_so_and_shows_a_way_on(dashboard):
    make.run()

    answer = dashboard.get(f"{RUNS}?who=nobody")

    assert "No run matches these filters. Show all runs" in text(answer)


def test_no_runs_are_an_empty_page_that_says_so(dashboard):
    assert "Nothing has run yet." in text(dashboard.get(RUNS))


def test_a_bounded_search_says_how_far_it_looked(dashboard, monkeypatch):
    monkeypatch.setattr("housekeeping.reading.search.TEXT_REACH", 2)
    ids = history(3, error="out of ink")

    answer = dashboard.get(f"{RUNS}?text=ink")

    assert listed(answer) == ids[:2]
    assert "The text is looked for in the newest 100,000 of these runs, back to" in text(answer)


@pytest.mark.parametrize("query", ["?who=<script>alert(1)</script>", "?text=%22%3E%3Cscript%3Ealert(1)"])
def test_what_somebody_typed_is_escaped(query, dashboard):
    assert "<script>alert" not in dashboard.get(RUNS + query).text


# --- The list: pages --------------------------------------------------------------------------


def test_the_list_is_newest_first_and_leads_down_and_up_and_to_its_end(dashboard):
    newest = history(120)

    first = dashboard.get(RUNS)
    second = dashboard.get(link(first, "Older"))
    third = dashboard.get(link(second, "Older"))
    last = dashboard.get(link(first, "Oldest"))

    assert listed(first) + listed(second) + listed(third) == newest
    assert (link(first, "Newer"), link(first, "Newest"), link(third, "Older"), link(third, "Oldest")) == (
        None, None, None, None,
    )  # fmt: skip
    assert listed(last) == newest[70:]
    assert listed(dashboard.get(link(third, "Newer"))) == newest[50:100]
    assert listed(dashboard.get(link(third, "Newest"))) == newest[:50]


def test_the_pages_keep_the_filters(dashboard):
    wanted = history(60, status="failed", requested_by="grace & co")
    history(60)

    first = dashboard.get(f"{RUNS}?status=failed&who=grace+%26+co")

    assert listed(dashboard.get(link(first, "Older"))) == wanted[50:]
    assert listed(dashboard.get(link(first, "Oldest"))) == wanted[10:]


@pytest.mark.parametrize("place", ["nonsense", f"{10**40}-x", uuid.uuid4()])
@pytest.mark.parametrize("step", ["older", "newer"])
def test_a_place_that_is_not_there_is_the_newest_page_and_says_so(step, place, dashboard):
    newest = history(3)

    answer = dashboard.get(f"{RUNS}?{step}={place}")

    assert listed(answer) == newest
    assert "There is no such place in the list" in text(answer)


def test_few_runs_have_no_pages(dashboard):
    history(50)

    assert 'class="pager"' not in dashboard.get(RUNS).text


def test_the_list_asks_the_database_as_often_for_a_page_as_for_a_row(
    dashboard, django_assert_max_num_queries
):
    history(1)
    with django_assert_max_num_queries(6):  # session, account, tag, page, people, and one to spare
        dashboard.get(RUNS)
    history(120)
    with django_assert_max_num_queries(6):
        dashboard.get(f"{RUNS}?oldest=1&status=succeeded")


def test_no_page_of_the_list_counts_or_reads_the_whole(dashboard, django_assert_max_num_queries):
    history(60, error="out of ink", plan={"x": 1})
    with django_assert_max_num_queries(10) as asked:
        dashboard.get(f"{RUNS}?text=ink")

    seen = [query["sql"] for query in asked if 'FROM "housekeeping_run"' in query["sql"]]
    assert seen
    assert all("LIMIT" in sql for sql in seen)
    assert not any("COUNT(" in sql or '"plan",' in sql or '"receipt",' in sql for sql in seen)


# --- The list: refresh ------------------------------------------------------------------------


def poll(client, answer, address=RUNS):
    return client.get(address, headers={**HTMX, "HX-PTag": answer["HX-PTag"]})


def test_htmx_is_given_the_list_alone_with_its_tidy_address(dashboard):
    make.run("users")

    answer = dashboard.get(f"{RUNS}?task=users&status=&text=", headers=HTMX)

    root = parse_html(answer.text)
    attributes = dict(root.attributes)
    assert (root.name, attributes["id"]) == ("section", "runs")
    assert attributes["hx-get"] == answer["HX-Replace-Url"] == f"{RUNS}?task=users"
    assert attributes["hx-ptag"] == answer["HX-PTag"]
    assert "HX-Request" in answer["Vary"]


def test_going_back_in_history_is_answered_with_the_whole_page(dashboard):
    answer = dashboard.get(RUNS, headers={**HTMX, "HX-History-Restore-Request": "true"})

    assert "<!doctype html>" in answer.text


def test_the_newest_page_alone_refreshes_itself_and_sooner_while_something_runs(dashboard):
    history(60)
    first = dashboard.get(RUNS)
    assert 'hx-trigger="every 30s, look-again from:document"' in first.text
    assert "every" not in dashboard.get(link(first, "Older")).text

    make.run("users", status="running")

    assert 'hx-trigger="every 5s, look-again from:document"' in dashboard.get(RUNS).text


def test_an_unchanged_list_is_answered_304_and_a_changed_one_anew(dashboard, django_assert_max_num_queries):
    run = make.run("users", status="queued")
    answer = dashboard.get(RUNS, headers=HTMX)

    with django_assert_max_num_queries(3):
        unchanged = poll(dashboard, answer)
    Run.objects.update(status="failed", finished_at=make.ago())
    changed = poll(dashboard, answer)

    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert changed.status_code == 200
    assert f'id="pick-retry-{run.pk}"' in changed.text


def test_the_tag_of_one_list_or_of_one_person_is_not_another_s(dashboard, viewer):
    make.run("users")
    answer = dashboard.get(RUNS, headers=HTMX)

    assert poll(dashboard, answer, f"{RUNS}?task=users").status_code == 200
    assert poll(as_user(viewer), answer).status_code == 200


# --- The list: acts on many -------------------------------------------------------------------


def act(client, what, *runs, headers=None, **fields):
    data = {"act": what, "run": [str(run.pk) for run in runs], **fields}
    return client.post(f"{RUNS}/act", data, headers=headers or {}, follow=not headers)


def test_selected_runs_are_cancelled_and_the_list_says_how_many_and_why_not_the_others(
    dashboard, administrator
):
    waiting, running = make.run("users"), make.run("stats", status="running")
    ended = make.run("messages", status="succeeded")

    answer = act(dashboard, "cancel", waiting, running, ended, query="?task=users")

    assert answer.redirect_chain == [(f"{RUNS}?task=users", 302)]
    assert "1 run cancelled. 1 stops after its batch. 1 was not:" in text(answer)
    assert f"messages {str(ended.pk)[:8]}: This run is succeeded already." in text(answer)
    running.refresh_from_db()
    waiting.refresh_from_db()
    assert (waiting.status, running.cancel_requested) == ("cancelled", True)
    assert Act.objects.filter(who=administrator.username, what="cancel").count() == 2


def test_selected_runs_are_retried(dashboard, transactional_db):
    failed, missed = make.run("users", status="failed"), make.run("messages", status="missed")

    fields = {"act": "retry", "run": [str(failed.pk), str(missed.pk)]}
    answer = confirm(dashboard, f"{RUNS}/act", fields, follow=True)

    assert "2 runs retried." in text(answer)
    assert {run.retry_of for run in Run.objects.filter(cause="retry")} == {failed, missed}


def test_htmx_is_answered_with_the_list_and_the_outcome_in_it(dashboard):
    make.run("stats", status="succeeded")
    run = make.run("users")

    answer = act(dashboard, "cancel", run, headers=HTMX, query="?task=users")

    assert dict(parse_html(answer.text).attributes)["id"] == "runs"
    assert "1 run cancelled." in text(answer)
    assert listed(answer) == [str(run.pk)]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"act": "cancel"}, "Select runs first."),
        ({"act": "explode", "run": ["1"]}, "Press either Cancel or Retry."),
        ({}, "Press either Cancel or Retry."),
        ({"act": "retry", "run": ["nonsense"]}, "What is selected are no runs: load the page anew."),
        ({"act": "cancel", "run": [str(uuid.uuid4()) for _ in range(101)]}, "At most 100 runs at once; 101"),
    ],
)
def test_what_can_t_be_done_to_many_is_refused_with_the_reason(fields, reason, dashboard):
    run = make.run()

    answers = [
        dashboard.post(f"{RUNS}/act", fields, follow=True),
        dashboard.post(f"{RUNS}/act", fields, headers=HTMX),
    ]

    assert all(reason in text(answer) for answer in answers)
    assert [answer.status_code for answer in answers] == [200, 400]
    run.refresh_from_db()
    assert run.status == "queued"


@pytest.mark.parametrize("query", ["https://evil.example", "?next=//evil.example", "?status=nope"])
def test_the_way_back_stays_in_the_list(query, dashboard):
    answer = dashboard.post(f"{RUNS}/act", {"act": "cancel", "query": query})

    assert answer["Location"].split("?")[0] == RUNS
    assert "evil" not in answer["Location"]


def test_a_viewer_sees_no_box_and_no_button_and_is_refused(viewer):
    run = make.run("users")
    client = as_user(viewer)

    assert not {'name="run"', 'name="act"'} & set(re.findall(r'name="\w+"', client.get(RUNS).text))
    assert client.post(f"{RUNS}/act", {"act": "cancel", "run": [str(run.pk)]}).status_code == 403
    assert Run.objects.get().status == "queued"


def test_only_runs_that_can_be_cancelled_or_retried_have_a_box(dashboard):
    boxes = {status: make.run(status, status=status) for status in Run.Status.values}

    answer = dashboard.get(RUNS)

    assert set(re.findall(r'id="pick-(\w+)-([^"]*)"', answer.text)) == {
        ("cancel", str(boxes["queued"].pk)),
        ("cancel", str(boxes["running"].pk)),
        ("cancel", str(boxes["held"].pk)),
        ("retry", str(boxes["failed"].pk)),
        ("retry", str(boxes["cancelled"].pk)),
        ("retry", str(boxes["missed"].pk)),
    }


# --- The page of a run ------------------------------------------------------------------------


def offered(answer):
    """What can be pressed, each with the sentence beside it."""
    return {
        name: unescape(sentence)
        for name, sentence in re.findall(r'<p id="does-([\w-]+)">(.*?)</p>', answer.text)
    }


def questions(answer):
    return [unescape(question) for question in re.findall(r'data-confirm="([^"]*)"', answer.text)]


def purged(*, batch_size=None, **fields):
    """A purge of two conversations and five messages, as it really ran."""
    make.conversation(age=days(31), messages=3)
    make.conversation(age=days(32), messages=2)
    run = control.request("conversations", send=lambda run: None, **fields)
    return execution.execute(execution.claim(run.pk, 0), batch_size=batch_size)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"status": "queued"}, "It waits, and no consumer is running: start one with"),
        ({"status": "running"}, "It is running."),
        (
            {"status": "running", "deleted": {"users": 1204}, "receipt": {"users": {"rows": {}}}},
            "It is running; 1,204 rows are deleted so far.",
        ),
        ({"status": "running", "deleted": {"warned_users": 12}}, "It is running. "),
        ({"status": "running", "cancel_requested": True}, "It was asked to stop"),
        ({"status": "running", "dry_run": True}, "It counts what would go, and deletes nothing."),
        ({"status": "held", "error": "Too much."}, "Too much. Nothing is deleted until somebody approves"),
        ({"status": "missed", "error": "No consumer looked."}, "It did not run. No consumer looked."),
        ({"status": "cancelled"}, "Cancelled before it changed anything."),
        ({"status": "failed", "error": "Boom"}, "It failed before it began."),
        ({"status": "failed", "started_at": make.ago(hours=1)}, "and deleted nothing."),
        ({"status": "succeeded"}, "Nothing was past due: no rows deleted"),
    ],
)  # fmt: skip
def test_one_sentence_says_how_the_run_stands(fields, sentence, dashboard):
    run = make.run("users", **fields)

    assert sentence in text(dashboard.get(page_of(run))).partition("Facts")[0]


def test_a_run_that_waits_for_another_of_its_task_says_so(dashboard):
    make.consumer()
    make.run("users", status="running")

    assert "It waits for another run of this task to end." in text(dashboard.get(page_of(make.run("users"))))


def test_a_purge_says_what_it_deleted_and_can_be_undone(dashboard):
    run = purged()

    answer = dashboard.get(page_of(run))

    assert "2 conversations and 5 chat messages deleted in" in text(answer)
    assert offered(answer)["undo"].startswith("Puts 2 conversations and 5 chat messages back and holds")
    assert "Put 2 conversations and 5 chat messages back?" in questions(answer)


@pytest.mark.parametrize("status", ["succeeded", "running"])
def test_no_undo_is_offered_once_its_window_has_closed(status, dashboard):
    run = make.run("messages", status=status)
    undo = make.run("messages", status="failed", undo_of=run)
    make.archive(run)
    make.archive(run, expires_at=make.ago(seconds=1))

    answers = [dashboard.get(page_of(run)), dashboard.get(page_of(undo))]

    assert [{"undo", "retry"} & set(offered(answer)) for answer in answers] == [set(), set()]
    assert "window of this run has closed" in text(dashboard.post(f"{page_of(run)}/undo", follow=True))
    assert "Can be undone until" not in text(dashboard.get(page_of(run)))


def test_of_a_damaged_run_the_page_puts_back_what_is_intact(dashboard, transactional_db):
    run = purged(batch_size=1)
    kept = run.archives.order_by("pk").first()
    run.archives.filter(pk=kept.pk).update(payload=bytes(kept.payload)[:-1])
    verification.verify(run)

    answer = dashboard.get(page_of(run))
    dashboard.post(posted_by(answer, "undo"))
    undo = execution.execute(execution.claim(Run.objects.get(undo_of=run).pk, 0))

    assert "damaged: puts back the batches that are intact" in offered(answer)["undo"]
    assert (undo.status, Conversation.objects.count()) == ("succeeded", 1)


def test_what_version_1_0_kept_is_put_back_unverified_after_a_question(dashboard, transactional_db):
    run = purged(batch_size=1)
    run.archives.update(batch=None, position=None, before=None, digest=None)
    run.archives.order_by("pk").last().delete()

    answer = dashboard.get(page_of(run))
    dashboard.post(posted_by(answer, "undo"))
    undo = execution.execute(execution.claim(Run.objects.get(undo_of=run).pk, 0))

    assert "Put it back unverified?" in questions(answer)
    assert (undo.status, Conversation.objects.count()) == ("succeeded", 1)


def posted_by(answer, action):
    """The address that a button of the page posts to, with its query."""
    return unescape(re.search(rf'action="([^"]*/{action}(?:\?[^"]*)?)"', answer.text)[1])


def test_a_purge_says_how_much_of_it_is_back(dashboard, transactional_db):
    run = purged()
    messages = run.archives.get(model="chat.ChatMessage")
    Archive.objects.filter(pk=messages.pk).update(payload=bytes(messages.payload)[:-1])

    undo = control.undo(run, send=lambda run: None, intact_only=True)
    execution.execute(execution.claim(undo.pk, 0))
    none_of_it, nothing_back = text(dashboard.get(page_of(run))), text(dashboard.get(page_of(undo)))
    Archive.objects.filter(pk=messages.pk).update(payload=messages.payload)
    back = {"rows": {"chat.Conversation": 1, "chat.ChatMessage": 2}}
    Run.objects.filter(pk=undo.pk).update(undo_state=back, result=None, status="cancelled")
    some_of_it = text(dashboard.get(page_of(run)))

    assert "They are put back since." not in none_of_it + some_of_it
    assert "None of them is back yet." in none_of_it
    assert "No rows put back, in" in nothing_back
    assert "7 rows could not be put back." in nothing_back
    assert "3 of these rows are put back since." in some_of_it


def test_an_undone_purge_and_its_undo_name_each_other(dashboard, transactional_db):
    run = purged()
    undo = control.undo(run, send=lambda run: None)
    execution.execute(execution.claim(undo.pk, 0))

    answer, of_undo = dashboard.get(page_of(run)), dashboard.get(page_of(undo))

    assert "They are put back since." in text(answer)
    assert "undo" not in offered(answer)
    assert f"Undone by run {str(undo.pk)[:8]} succeeded" in text(answer)
    assert "2 conversations and 5 chat messages put back in" in text(of_undo)
    assert f"Undo of run {str(run.pk)[:8]} succeeded" in text(of_undo)


def test_a_plan_says_what_it_would_delete_and_asks_in_numbers(dashboard):
    plan = purged(dry_run=True)

    answer = dashboard.get(page_of(plan))

    assert "A dry run: 2 conversations and 5 chat messages would go. Nothing was deleted." in text(answer)
    assert offered(answer)["carry-out"].startswith("Deletes 2 conversations and 5 chat messages")
    assert "Delete 2 conversations and 5 chat messages?" in text(dashboard.get(f"{page_of(plan)}/carry-out"))
    assert "dry-run" in offered(answer)


def test_a_plan_that_was_carried_out_is_not_offered_again(dashboard, transactional_db):
    plan = purged(dry_run=True)
    done = control.request("conversations", send=lambda run: None, plan=plan)
    execution.execute(execution.claim(done.pk, 0))

    answer = dashboard.get(page_of(plan))

    assert "carry-out" not in offered(answer)
    assert f"Carried out by run {str(done.pk)[:8]}" in text(answer)
    assert f"Carries out the plan of run {str(plan.pk)[:8]}" in text(dashboard.get(page_of(done)))


def test_a_plan_whose_rows_are_not_kept_any_more_is_not_offered(dashboard):
    plan = purged(dry_run=True)
    plan.planned_rows.all().delete()

    assert "carry-out" not in offered(dashboard.get(page_of(plan)))


def test_a_held_run_says_what_approving_and_what_cancelling_does(dashboard):
    facts = {"rows": 3, "tables": {"chat.User": 3}, "cutoff": "2026-01-01T00:00:00+00:00"}
    plan = {"users": facts | {"retention_days": 7}}
    run = make.run("users", status="held", error="Too much.", plan=plan)

    answer = dashboard.get(page_of(run))

    assert offered(answer) == {
        "approve": "Deletes 3 users: those that it was held with, and no others.",
        "cancel": "Drops its plan: 3 users stay.",
    }
    assert questions(answer) == ["Cancel this run?"]
    assert "Delete 3 users?" in text(dashboard.get(f"{page_of(run)}/approve"))


def test_a_retry_says_how_many_rows_are_eligible_now(dashboard):
    make.message()
    make.message()
    run = make.run("messages", status="failed")

    answer = dashboard.get(page_of(run))

    assert "Asks first, and counts what it would delete." in offered(answer)["retry"]
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
    assert "needs the right to configure" in text(act(client, "retry", undo))

    operator.user_permissions.add(Permission.objects.get(codename="configure"))

    assert f'id="pick-retry-{undo.pk}"' in as_user(operator).get(RUNS).text
    assert offered(as_user(operator).get(page_of(undo)))["retry"] == "Tries again to put 1 chat message back."
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


def test_a_result_is_a_table_and_json(dashboard):
    result = {
        "deleted_users": 1234,
        "stats": {"total_users": 5},
        "errors": {"users": "Boom <b>"},
        "note": [1, "a"],
    }

    answer = dashboard.get(page_of(make.run("all", status="failed", result=result)))

    table = re.search(r'<table class="pairs" hx-ignore>.*?</table>', answer.text, re.DOTALL)[0]
    rows = re.findall(r"<th scope=\"row\">(.*?)</th><td>(.*?)</td>", table)
    assert sorted(rows[:2]) == [("deleted users", "1,234"), ("note", "[1, &quot;a&quot;]")]
    assert sorted(rows[2:]) == [("total users", "5"), ("users", "Boom &lt;b&gt;")]
    assert "&quot;deleted_users&quot;: 1234" in answer.text


def test_the_newest_log_lines_are_shown_and_all_of_them_as_text(dashboard):
    run = make.run("users", status="running")
    LogLine.objects.bulk_create(
        LogLine(run=run, logged_at=make.ago(), level="INFO", text=f"line {n}") for n in range(203)
    )

    answer, everything = dashboard.get(page_of(run)), dashboard.get(f"{page_of(run)}/log")

    shown = re.findall(r"<span hx-ignore>(line \d+)</span>", answer.text)
    assert shown == [f"line {n}" for n in range(3, 203)]
    assert "the newest 200 lines" in text(answer)
    assert everything["Content-Type"] == "text/plain; charset=utf-8"
    assert re.findall(r"line \d+$", everything.text, re.MULTILINE) == [f"line {n}" for n in range(203)]


def test_a_text_with_line_breaks_forges_no_line_of_the_log(dashboard):
    run = make.run("users", status="failed")
    LogLine.objects.create(run=run, logged_at=make.ago(), level="INFO", text="a\n2026-01-01 ERROR b\r\x85c")

    lines = dashboard.get(f"{page_of(run)}/log").text.splitlines()

    assert lines[0].endswith(" INFO     a")
    assert lines[1:] == ["    2026-01-01 ERROR b", "    ", "    c"]


def test_a_run_tells_its_attempts_its_losses_and_its_consumer(dashboard):
    consumer = make.consumer(host="night", pid=42)
    run = make.run("users", status="failed", attempts=3, losses=2, consumer=consumer)

    assert "Attempts 3, 2 lost with their workers Consumer night:42" in text(dashboard.get(page_of(run)))


def test_a_run_tells_who_did_what_to_it(dashboard, administrator):
    run = make.run("users")
    dashboard.post(f"{page_of(run)}/cancel")

    seen = text(dashboard.get(page_of(run)))

    assert f"{administrator.username} : cancelled" in seen
    assert "dashboard from 127.0.0.1 status queued → to cancelled" in seen


def test_a_retry_names_the_run_that_it_retries_and_the_other_way_round(dashboard, transactional_db):
    failed = make.run("users", status="failed")
    confirm(dashboard, f"{page_of(failed)}/retry")
    retried = Run.objects.get(cause="retry")

    assert f"Retried as run {str(retried.pk)[:8]}" in text(dashboard.get(page_of(failed)))
    assert f"Retry of run {str(failed.pk)[:8]}" in text(dashboard.get(page_of(retried)))


def test_a_run_leads_to_the_ones_before_and_after_it_of_its_schedule(dashboard):
    make.run("users", status="failed", requested_at=make.ago(hours=2))
    first, second, third = (
        make.run("users", schedule="weekly_cleanup", status="failed", requested_at=make.ago(hours=hours))
        for hours in (3, 2, 1)
    )

    answer = dashboard.get(page_of(second))

    assert re.findall(r'rel="(prev|next)" href="([^"]*)"', answer.text) == [
        ("prev", page_of(first)), ("next", page_of(third)),
    ]  # fmt: skip


def test_an_active_run_is_answered_304_until_something_about_it_changes(
    dashboard, django_assert_max_num_queries
):
    run = make.run("users", status="queued")
    answer = dashboard.get(page_of(run), headers=HTMX)

    with django_assert_max_num_queries(3):
        unchanged = poll(dashboard, answer, page_of(run))
    LogLine.objects.create(run=run, logged_at=make.ago(), level="INFO", text="at last")
    changed = poll(dashboard, answer, page_of(run))

    assert unchanged.status_code == 304
    assert "at last" in changed.text
    assert poll(dashboard, changed, page_of(run)).status_code == 304


@pytest.mark.parametrize(
    "change", [{"status": "running"}, {"deleted": {"users": 5}}, {"cancel_requested": True}, {"losses": 1}]
)
def test_what_the_page_shows_changes_its_tag(change, dashboard):
    run = make.run("users", status="queued")
    answer = dashboard.get(page_of(run), headers=HTMX)

    Run.objects.update(**change)

    assert poll(dashboard, answer, page_of(run)).status_code == 200


def test_the_page_of_a_queued_run_follows_what_it_waits_for(dashboard):
    run, consumer = make.run("users", requested_at=make.ago(minutes=1)), make.consumer()
    waits = dashboard.get(page_of(run), headers=HTMX)
    assert "It waits for a consumer." in text(waits)

    other = make.run("users", status="running", requested_at=make.ago(seconds=1))
    behind = poll(dashboard, waits, page_of(run))
    assert "It waits for another run of this task to end." in text(behind)

    other.delete()
    consumer.delete()
    assert "no consumer is running: start one" in text(poll(dashboard, behind, page_of(run)))


def test_the_page_of_a_run_asks_the_database_no_more_for_a_longer_story(
    dashboard, django_assert_max_num_queries
):
    run = purged()
    for n in range(60):
        Act.objects.create(
            done_at=make.ago(), who="ada", what="cancel", target=str(run.pk), details={"run": str(run.pk)}
        )
        make.run("conversations", status="failed", retry_of=run, requested_at=make.ago(days=n))
        LogLine.objects.create(run=run, logged_at=make.ago(), level="INFO", text="line")

    with django_assert_max_num_queries(22):
        dashboard.get(page_of(run))


def test_a_run_that_does_not_exist_is_not_found(dashboard):
    assert dashboard.get(f"{RUNS}/{uuid.uuid4()}").status_code == 404
    assert dashboard.get(f"{RUNS}/{uuid.uuid4()}/log").status_code == 404
    assert dashboard.get(f"{RUNS}/{uuid.uuid4()}", headers=HTMX).status_code == 404
