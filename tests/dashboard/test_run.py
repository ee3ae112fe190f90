"""The page of a run: its facts, its result, its log, and what is beside it."""

import re
import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from housekeeping.models import Act, Hold, LogLine, Run
from housekeeping.runs import control
from housekeeping.runs.work import execution
from tests import make
from tests.visitors import HTMX, confirm, poll, root, text

pytestmark = pytest.mark.django_db

HOME = "/scheduler-admin"
OVERVIEW = f"{HOME}/"
RUNS = f"{HOME}/runs"


def page_of(run):
    return f"{RUNS}/{run.pk}"


def test_a_failed_run_shows_its_error_and_traceback(dashboard, failing_task):
    make.run(failing_task)
    execution.execute(execution.claim(Run.objects.get().pk, 0))

    answer = dashboard.get(page_of(Run.objects.get()))

    assert "ZeroDivisionError: division by zero" in text(answer)
    traceback = answer.text.partition('id="traceback"')[2]
    assert "Traceback (most recent call last)" in traceback
    assert "1 / 0" in traceback


def test_a_run_shows_its_result_and_its_facts(dashboard):
    run = make.run(
        status="succeeded",
        requested_by="grace",
        attempts=2,
        started_at=make.ago(seconds=65),
        finished_at=make.ago(),
        result={"deleted_conversations": 1234},
        consumer=make.consumer(host="night", pid=42),
    )

    seen = text(dashboard.get(page_of(run)))

    assert "deleted conversations 1,234" in seen
    assert "Cause manual Requested by grace" in seen
    assert "Took 1 min 5 s Attempts 2 Consumer night:42" in seen
    assert str(run.pk) in seen


def test_a_scheduled_run_shows_its_schedule_and_fire_time(dashboard):
    fire_time = make.ago(days=1).replace(hour=3, minute=0, second=0)
    run = make.run(schedule="weekly_cleanup", cause="catch-up", scheduled_for=fire_time)

    seen = text(dashboard.get(page_of(run)))

    assert "Cause catch-up, weekly_cleanup" in seen
    assert f"Fire time {fire_time:%a} {fire_time.day} {fire_time:%b %Y}, 03:00:00 UTC" in seen


@pytest.mark.parametrize("field", ["error", "traceback", "requested_by", "task"])
@pytest.mark.parametrize("url", [HOME, RUNS, "run"])
def test_foreign_text_is_escaped(field, url, dashboard):
    run = make.run(**{"status": "failed", field: "<script>alert(1)</script>"})

    page = dashboard.get(page_of(run) if url == "run" else url).text

    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page or (field, url) in {
        ("traceback", HOME),
        ("traceback", RUNS),
        ("requested_by", HOME),
        ("task", HOME),
        ("error", HOME),
    }


def test_a_run_of_a_task_that_is_no_longer_declared_is_still_shown(dashboard):
    run = make.run("forgotten", status="failed", schedule="gone")

    assert "forgotten" in text(dashboard.get(page_of(run)))


def test_a_run_is_cancelled_from_its_page(dashboard):
    run = make.run("stats")
    assert f'action="{page_of(run)}/cancel"' in dashboard.get(page_of(run)).text

    answer = dashboard.post(f"{page_of(run)}/cancel", follow=True)

    assert answer.redirect_chain == [(page_of(run), 302)]
    assert "Generate statistics: cancelled" in text(answer)
    assert Run.objects.get().status == "cancelled"


def test_a_run_that_has_ended_is_not_cancelled(dashboard):
    run = make.run(status="succeeded")
    assert "/cancel" not in dashboard.get(page_of(run)).text

    answer = dashboard.post(f"{page_of(run)}/cancel", follow=True)

    assert "This run has already ended: succeeded." in text(answer)
    assert Run.objects.get().status == "succeeded"


def test_a_failed_run_is_retried_from_its_page(dashboard, worker):
    make.message()
    failed = make.run("messages", status="failed", requested_at=make.ago(hours=1))
    assert f'action="{page_of(failed)}/retry"' in dashboard.get(page_of(failed)).text

    answer = confirm(dashboard, f"{page_of(failed)}/retry", follow=True)

    retried = Run.objects.newest_first()[0]
    assert answer.redirect_chain == [(page_of(retried), 302)]
    assert (retried.cause, retried.result) == ("retry", {"cleaned_messages": 1})


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
    assert "It is waiting for a consumer." in text(waits)

    other = make.run("users", status="running", requested_at=make.ago(seconds=1))
    behind = poll(dashboard, waits, page_of(run))
    assert "It is waiting for another run of this task to end." in text(behind)

    other.delete()
    consumer.delete()
    assert "no consumer is running. Start one" in text(poll(dashboard, behind, page_of(run)))


def test_the_page_of_a_run_asks_the_database_no_more_for_a_longer_story(
    dashboard, django_assert_max_num_queries
):
    run = make.purge()
    for n in range(60):
        Act.objects.create(
            done_at=make.ago(), who="ada", what="cancel", target=str(run.pk), details={"run": str(run.pk)}
        )
        make.run("conversations", status="failed", retry_of=run, requested_at=make.ago(days=n))
        LogLine.objects.create(run=run, logged_at=make.ago(), level="INFO", text="line")

    with django_assert_max_num_queries(22):
        dashboard.get(page_of(run))


def test_a_run_that_does_not_exist_is_not_found(dashboard):
    answer = dashboard.get(f"{RUNS}/{uuid.uuid4()}")

    assert answer.status_code == 404
    assert "Page not found" in text(answer)
    assert dashboard.get(f"{RUNS}/{uuid.uuid4()}/log").status_code == 404
    assert dashboard.get(f"{RUNS}/{uuid.uuid4()}", headers=HTMX).status_code == 404


# --- The fragment ----------------------------------------------------------------------------


def test_an_active_run_s_fragment_refreshes_itself(dashboard):
    run = make.run(status="running", attempts=1, total=1200, deleted={"conversations": 300})

    answer = dashboard.get(page_of(run), headers=HTMX)

    _, attributes = root(answer)
    assert (attributes["id"], attributes["hx-get"]) == (f"run-{run.pk}", page_of(run))
    assert attributes["hx-trigger"].startswith("every 2s")
    assert "300 of 1,200 rows" in text(answer)
    assert '<progress max="1200" value="300"' in answer.text


def test_a_run_that_has_ended_is_not_asked_for_again(dashboard):
    _, attributes = root(dashboard.get(page_of(make.run(status="failed")), headers=HTMX))

    assert "hx-trigger" not in attributes


def test_a_run_is_compared_with_the_one_before(dashboard):
    def took(seconds, at, **fields):
        moments = {"requested_at": at, "started_at": at, "finished_at": at + timedelta(seconds=seconds)}
        return make.run("stats", **moments, **fields)

    before = took(7, make.ago(hours=2), status="succeeded")
    took(1, make.ago(hours=1), status="succeeded", dry_run=True)
    run = took(3, make.ago(), status="failed")

    compared = dashboard.get(page_of(run)).text.partition('id="before"')[2].partition("</section>")[0]

    assert page_of(before) in compared
    assert " ".join(re.sub("<[^>]*>", " ", compared).split()).endswith(
        "Status failed succeeded Waited 0 ms 0 ms Took 3.0 s 7.0 s"
    )
    assert 'id="before"' not in dashboard.get(page_of(before)).text


def test_the_traceback_of_a_failed_run_is_open(dashboard):
    answer = dashboard.get(page_of(make.run(status="failed", error="x", traceback="Traceback of x")))

    assert '<details class="panel pad" id="traceback" open>' in answer.text


def test_an_undo_says_that_its_rows_are_on_hold_and_leads_to_the_holds(dashboard):
    undo = control.undo(make.purge(), send=lambda run: None, by=make.ADA)
    execution.execute(execution.claim(undo.pk, 0))
    until = timezone.localtime(Hold.objects.first().until)

    page = dashboard.get(page_of(undo))

    assert f"They are on hold until {until:%a} {until.day} {until:%b %Y}: until then" in text(page)
    assert re.search(rf"<a href=\"{HOME}/holds\">\d rows</a>", page.text)
