"""The list of runs."""

import csv
import re
import uuid
from datetime import timedelta
from html import unescape

import pytest
from django.test.html import parse_html

from housekeeping.models import Act, Run
from tests import make
from tests.visitors import HTMX, as_user, confirm, poll, text

pytestmark = pytest.mark.django_db

RUNS = "/scheduler-admin/runs"


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


# --- Filters ---------------------------------------------------------------------------------


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

    answer = dashboard.get(f"{RUNS}?{query}", follow=True)

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
        ("status=done", "Status: “done” is not valid; choose one of queued, running, held"),
        ("cause=luck", "Cause: “luck” is not valid; choose one of schedule, catch-up, manual, retry."),
        ("task=nope", "Task: “nope” is not valid; choose one of all, conversations"),
        ("schedule=nope", "Schedule: “nope” is not valid; choose one of"),
        ("dry_run=maybe", "Dry runs: “maybe” is not valid; choose one of true, false."),
        ("after=yesterday", "From: Enter a time such as 2026-11-25T02:00."),
        ("before=9999-12-31T23:59:59-23:59", "To: Enter a time such as"),
        ("after=0001-01-01T00:00%2B14:00", "From: Enter a time such as"),
        ("after=2026-02-02T00:00&before=2026-02-01T00:00", "From: “From” must be before “To”."),
        ("taks=users", "There is no filter “taks”; choose one of text, task"),
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
    assert "The search covers the newest 100,000 of these runs, back to" in text(answer)


@pytest.mark.parametrize("query", ["?who=<script>alert(1)</script>", "?text=%22%3E%3Cscript%3Ealert(1)"])
def test_what_somebody_typed_is_escaped(query, dashboard):
    assert "<script>alert" not in dashboard.get(RUNS + query).text


# --- Pages -----------------------------------------------------------------------------------


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
    assert "This part of the list does not exist" in text(answer)


def test_few_runs_have_no_pages(dashboard):
    history(50)

    assert 'class="pager"' not in dashboard.get(RUNS).text


def test_the_list_asks_the_database_as_often_for_a_page_as_for_a_row(
    dashboard, django_assert_max_num_queries
):
    history(1)
    # Session, account, active and failed runs, page, people, and one to spare.
    with django_assert_max_num_queries(7):
        dashboard.get(RUNS)
    moments = {"started_at": make.ago(minutes=3), "finished_at": make.ago(minutes=2)}
    history(120, **moments, deleted={"users": 3}, result={"deleted_users": 3}, error="out of ink")
    for status in set(Run.Status) - {Run.Status.SUCCEEDED}:
        make.run("users", status=status, started_at=moments["started_at"], total=7)
    with django_assert_max_num_queries(7):
        dashboard.get(RUNS)
    with django_assert_max_num_queries(7):
        dashboard.get(f"{RUNS}?oldest=1&status=succeeded")


def test_no_page_of_the_list_counts_or_reads_the_whole(dashboard, django_assert_max_num_queries):
    history(60, error="out of ink", plan={"x": 1})
    with django_assert_max_num_queries(10) as asked:
        dashboard.get(f"{RUNS}?text=ink")

    seen = [query["sql"] for query in asked if 'FROM "housekeeping_run"' in query["sql"]]
    assert seen
    assert all("LIMIT" in sql for sql in seen)
    assert not any("COUNT(" in sql or '"plan",' in sql or '"receipt",' in sql for sql in seen)


# --- Refresh ---------------------------------------------------------------------------------


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

    with django_assert_max_num_queries(5):
        unchanged = poll(dashboard, answer, RUNS)
    Run.objects.update(status="failed", finished_at=make.ago())
    changed = poll(dashboard, answer, RUNS)

    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert changed.status_code == 200
    assert f'id="pick-retry-{run.pk}"' in changed.text


def test_the_tag_of_one_list_or_of_one_person_is_not_another_s(dashboard, viewer):
    make.run("users")
    answer = dashboard.get(RUNS, headers=HTMX)

    assert poll(dashboard, answer, f"{RUNS}?task=users").status_code == 200
    assert poll(as_user(viewer), answer, RUNS).status_code == 200


# --- Acts on many ----------------------------------------------------------------------------


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
    assert f"messages {str(ended.pk)[:8]}: This run has already ended: succeeded." in text(answer)
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
        ({"act": "retry", "run": ["nonsense"]}, "The selection can't be read: reload the page."),
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


# --- Tabs, and the list as a file -------------------------------------------------------------


def tabs(answer):
    nav = answer.text.partition('<nav class="tabs"')[2].partition("</nav>")[0]
    return [
        (href, " ".join(re.sub("<[^>]*>", " ", label).split()))
        for href, label in re.findall(r'<a href="([^"]*)"[^>]*>(.*?)</a>', nav)
    ][:4]


def test_tabs_count_what_runs_is_held_or_has_failed(dashboard):
    for number in range(3):
        make.run("stats", status="failed", requested_at=make.ago(hours=number))
    make.run("users", status="held")
    make.run("messages", status="running")

    answer = dashboard.get(f"{RUNS}?status=failed")

    assert tabs(answer) == [
        (RUNS, "All"),
        (f"{RUNS}?status=running", "running 1"),
        (f"{RUNS}?status=held", "held 1"),
        (f"{RUNS}?status=failed", "failed 3"),
    ]
    assert f'<a href="{RUNS}?status=failed" aria-current="page">' in answer.text


def test_tabs_keep_the_other_filters_and_then_count_nothing(dashboard):
    make.run("stats", status="failed")

    found = tabs(dashboard.get(f"{RUNS}?task=stats&status=held"))

    assert found[0] == (f"{RUNS}?task=stats", "All")
    assert found[3] == (f"{RUNS}?task=stats&amp;status=failed", "failed")


def test_a_tab_counts_to_99(dashboard):
    Run.objects.bulk_create([Run(task="stats", status="failed", requested_at=make.ago()) for _ in range(101)])

    assert tabs(dashboard.get(RUNS))[3][1] == "failed 99+"


def test_the_list_is_a_file_with_a_line_for_each_run_that_the_filters_leave(dashboard):
    started = make.ago(minutes=5)
    make.run("users", status="succeeded")
    moments = {"requested_at": started - timedelta(seconds=2.5), "started_at": started}
    moments["finished_at"] = started + timedelta(seconds=90)
    make.run("stats", status="failed", error="=1+1", result={"counted": 3}, **moments)

    answer = dashboard.get(f"{RUNS}.csv?status=failed")

    [line] = csv.DictReader(answer.text.splitlines())
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer["Content-Disposition"]
    assert (line["task"], line["waited_seconds"], line["took_seconds"]) == ("stats", "2.500", "90.000")
    assert (line["result"], line["error"]) == ('{"counted": 3}', "'=1+1")


def test_a_file_by_a_filter_that_can_not_be_used_leads_to_the_list_that_says_so(dashboard):
    assert dashboard.get(f"{RUNS}.csv?status=none")["Location"] == f"{RUNS}?status=none"


def test_a_poll_of_an_unchanged_list_is_answered_if_a_tab_counts_anew(dashboard):
    make.run("users", status="failed")
    answer = dashboard.get(f"{RUNS}?status=failed", headers=HTMX)
    assert poll(dashboard, answer, f"{RUNS}?status=failed").status_code == 304

    make.run("stats", status="held")

    assert poll(dashboard, answer, f"{RUNS}?status=failed").status_code == 200


def test_the_export_says_how_many_runs_it_has_at_most_if_there_are_more_pages(dashboard):
    make.run("stats", status="succeeded")
    assert "Export as CSV" in text(dashboard.get(RUNS))
    assert "at most" not in text(dashboard.get(RUNS))

    history(60)

    assert "Export as CSV (10,000 runs at most)" in text(dashboard.get(RUNS))
