"""The list of runs, the page of a run and the history in a real browser, wide and narrow."""

import pytest

from chat.models import ChatMessage, Conversation
from housekeeping.models import Act, LogLine, Run
from housekeeping.runs import control
from housekeeping.runs.work import execution
from tests import make
from tests.browser.conftest import sign_in
from tests.make import days

SIZES = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
LIST = "/scheduler-admin/runs"

every_size = pytest.mark.parametrize("size", SIZES)


def rows(page):
    return page.locator("tr[id^=run-row-]")


def look_again(page):
    """What a timer does each 30 s, and a tab when it is looked at again. Waits for the answer."""
    with page.expect_response(lambda answer: answer.request.headers.get("hx-request") == "true") as found:
        page.evaluate("document.dispatchEvent(new Event('look-again'))")
    return found.value.status


def is_focused(locator):
    return locator.evaluate("element => element === document.activeElement")


@pytest.fixture
def show(site, open_page):
    """Opens a page of the dashboard, signed in, at a size."""

    def open_one(path, size="desktop", **options):
        page = sign_in(open_page(viewport=SIZES[size], **options), site)
        page.goto(site + path)
        return page

    return open_one


# --- Filters ----------------------------------------------------------------------------------


@every_size
def test_the_list_follows_what_one_types_and_chooses_and_the_address_keeps_it(show, size):
    make.run("users", status="failed", error="the pipe burst")
    make.run("stats", status="succeeded")
    page = show(LIST, size)
    field = page.get_by_label("Text", exact=True)

    field.press_sequentially("pipe")
    page.wait_for_url("**/runs?text=pipe")
    assert (rows(page).count(), is_focused(field), field.input_value()) == (1, True, "pipe")

    page.get_by_label("Status").select_option("succeeded")
    page.wait_for_url("**/runs?text=pipe&status=succeeded")
    page.get_by_text("No run matches these filters.").wait_for()

    page.reload()
    assert page.get_by_label("Status").input_value() == "succeeded"
    page.get_by_role("link", name="Text pipe").click()
    page.wait_for_url("**/runs?status=succeeded")
    assert rows(page).count() == 1


def test_a_filter_that_can_t_be_used_is_named_where_the_list_would_be(site, chromium):
    context = chromium.new_context(java_script_enabled=False)
    page = sign_in(context.new_page(), site)
    page.goto(f"{site}{LIST}?status=done")

    page.get_by_text("“done” is not valid; choose one of queued").wait_for()
    page.get_by_role("link", name="Clear all filters").click()

    page.get_by_text("Nothing has run yet.").wait_for()
    context.close()


@every_size
def test_a_refresh_keeps_focus_typed_text_checked_boxes_and_scroll(show, size):
    for age in range(40):
        make.run("stats", status="failed", requested_at=make.ago(minutes=age + 1))
    page = show(LIST, size)
    boxes = page.get_by_role("checkbox", name="Select the run")
    boxes.nth(2).check()
    page.locator("summary", has_text="More filters").click()
    who = page.get_by_label("Who")
    who.press_sequentially("gra")
    page.evaluate("window.scrollTo(0, 300)")
    before = page.evaluate("scrollY")

    new = make.run("users", status="failed", error="newcomer")
    assert look_again(page) == 200
    page.locator(f"#run-row-{new.pk}").wait_for()

    assert boxes.nth(3).is_checked()  # the same row, one lower
    assert page.locator("input[name=run]:checked").count() == 1
    assert (is_focused(who), who.input_value()) == (True, "gra")
    # The browser holds what is in view in its place, so that a new row above moves it a little.
    assert abs(page.evaluate("scrollY") - before) < 400
    assert page.locator("#more-filters").get_attribute("open") is not None
    assert look_again(page) == 304


# --- Acts on many -----------------------------------------------------------------------------


@every_size
def test_selected_runs_are_cancelled_in_place(show, size):
    waiting = [make.run("users"), make.run("messages")]
    make.run("stats", status="failed")
    page = show(LIST, size)
    page.get_by_label("All on this page").check()
    page.get_by_role("button", name="Cancel selected (2)").wait_for()
    page.get_by_role("button", name="Retry selected (1)").wait_for()
    page.locator("input[name=run][data-can=retry]").uncheck()

    page.get_by_role("button", name="Cancel selected (2)").click()
    answer = page.locator("#question [value=yes]")
    if answer.count():
        answer.click()

    page.get_by_text("2 runs cancelled.").wait_for()
    assert page.locator('.badge[data-status="cancelled"]').count() == 2
    assert page.locator("input[name=run]:checked").count() == 0
    assert {run.status for run in Run.objects.filter(pk__in=[run.pk for run in waiting])} == {"cancelled"}


def test_what_was_selected_is_done_with_once_it_was_acted_on(show):
    make.run("users", status="failed")
    page = show(LIST)
    page.get_by_role("checkbox", name="Select the run of Cleanup inactive users").check()

    page.get_by_role("button", name="Retry selected (1)").click()
    page.get_by_role("link", name="Go back").click()
    assert page.locator("input[name=run]:checked").count() == 1
    page.get_by_role("button", name="Retry selected (1)").click()
    page.locator("#asked form button").click()

    page.get_by_text("1 run retried.").wait_for()
    assert page.locator("input[name=run]:checked").count() == 0
    page.locator("button[value=retry][aria-disabled=true]").wait_for()


def test_runs_are_selected_and_retried_without_javascript(show):
    failed = make.run("users", status="failed")
    page = show(LIST, java_script_enabled=False)
    page.get_by_role("checkbox", name="Select the run of Cleanup inactive users").check()

    page.get_by_role("button", name="Retry selected").click()
    page.get_by_role("button", name="Run now").click()

    page.get_by_text("1 run retried.").wait_for()
    assert Run.objects.get(cause="retry").retry_of == failed


# --- The page of a run ------------------------------------------------------------------------


@every_size
def test_log_lines_appear_while_it_runs_and_what_one_reads_stays_in_view(show, size):
    run = make.run(
        "users", status="running", attempts=1, total=10, deleted={"users": 3}, lease_until=make.ago()
    )
    LogLine.objects.bulk_create(
        LogLine(run=run, logged_at=make.ago(), level="INFO", text=f"line {n} of the log") for n in range(100)
    )
    page = show(f"{LIST}/{run.pk}", size)
    log = page.locator("#log-lines")
    assert page.get_by_text("line 99 of the log").is_visible()
    bottom = (
        "element => element.getBoundingClientRect().top - element.closest('.log').getBoundingClientRect().top"
    )

    LogLine.objects.create(run=run, logged_at=make.ago(), level="WARNING", text="the newest line")
    page.get_by_text("the newest line").wait_for()
    assert log.evaluate("e => Math.abs(e.scrollTop)") < 2  # at its end still

    log.evaluate("e => e.scrollTo(0, -600)")
    read = page.get_by_text("line 60 of the log")
    before = read.evaluate(bottom)
    LogLine.objects.create(run=run, logged_at=make.ago(), level="INFO", text="one more line")
    page.get_by_text("one more line").wait_for(state="attached")

    assert abs(read.evaluate(bottom) - before) < 2
    Run.objects.update(status="succeeded", finished_at=make.ago(), result={"deleted_users": 10})
    page.locator('.badge[data-status="succeeded"]').first.wait_for()
    assert page.get_by_role("button", name="Cancel").count() == 0


def test_an_opened_part_stays_open_while_the_run_goes_on(show):
    run = make.run("users", status="running", attempts=1, result={"deleted_users": 3}, lease_until=make.ago())
    page = show(f"{LIST}/{run.pk}")
    page.locator("summary", has_text="As JSON").click()

    LogLine.objects.create(run=run, logged_at=make.ago(), level="INFO", text="the newest line")
    page.get_by_text("the newest line").wait_for()

    assert page.get_by_text('"deleted_users": 3').is_visible()


def test_a_plan_is_made_and_carried_out_from_its_page(show, processes):
    make.conversation(age=days(31), messages=2)
    run = make.run("conversations", status="failed", requested_at=make.ago(hours=1))
    processes.consumer()
    page = show(f"{LIST}/{run.pk}")

    page.get_by_role("button", name="Dry run").click()
    page.get_by_text("1 conversation and 2 chat messages would be deleted").first.wait_for()
    page.get_by_role("button", name="Run this plan").click()
    page.locator("#asked form button").click()

    page.get_by_text("1 conversation and 2 chat messages deleted in").wait_for()
    page.get_by_text("Carries out the plan of").wait_for()


def answer_yes(page, question):
    page.get_by_text(question, exact=True).wait_for()
    page.locator("#question [value=yes]").click()


def carried_out(task):
    run = control.request(task, send=lambda run: None)
    return execution.execute(execution.claim(run.pk, 0))


@every_size
def test_a_held_run_is_approved_once_the_question_is_answered(show, processes, settings, size):
    settings.HOUSEKEEPING_BRAKE_ROWS = 2
    for _ in range(3):
        make.conversation(age=days(31), messages=1)
    held = carried_out("conversations")
    later = make.conversation(age=days(32))
    processes.consumer()
    page = show("/scheduler-admin", size)
    page.get_by_role("link", name="Review and approve").click()
    page.wait_for_url(f"**/runs/{held.pk}")

    page.get_by_role("button", name="Approve").click()
    page.get_by_role("link", name="Go back").click()
    assert Run.objects.get().status == "held"
    page.get_by_role("button", name="Approve").click()
    page.get_by_text("Delete 3 conversations and 3 chat messages?", exact=True).wait_for()
    page.locator("#asked form button").click()

    page.get_by_text("3 conversations and 3 chat messages deleted in").wait_for()
    page.locator(".facts").get_by_text("ada").first.wait_for()
    assert list(Conversation.objects.all()) == [later]
    assert page.get_by_role("button", name="Approve").count() == 0


@every_size
def test_a_run_is_undone_once_the_question_is_answered(show, processes, size):
    make.conversation(age=days(31), messages=2)
    run = carried_out("conversations")
    assert not Conversation.objects.exists()
    processes.consumer()
    page = show(f"{LIST}/{run.pk}", size)

    page.get_by_role("button", name="Undo").click()
    answer_yes(page, "Restore 1 conversation and 2 chat messages?")

    page.get_by_text("1 conversation and 2 chat messages restored in").wait_for()
    assert (Conversation.objects.count(), ChatMessage.objects.count()) == (1, 2)
    page.locator(".related").get_by_role("link").click()
    page.wait_for_url(f"**/runs/{run.pk}")
    page.get_by_text("They have been restored since.").wait_for()
    assert page.get_by_role("button", name="Undo").count() == 0


# --- Looks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", ["light", "dark"])
@every_size
def test_no_page_is_wider_than_its_screen(show, size, theme):
    long = "a_long_name." * 30
    run = make.run(
        long[:100], status="failed", error=f"ProtectedError: {long}", traceback=long * 5,
        result={long: 1, "stats": {long: long}}, schedule=long[:100], requested_by=long[:150],
    )  # fmt: skip
    LogLine.objects.create(run=run, logged_at=make.ago(), level="ERROR", text=long)
    details = {"before": {"x": long}, "after": {"x": long}, "note": long}
    who = {"who": long[:150], "what": long[:50], "origin": long[:200]}
    Act.objects.create(done_at=make.ago(), target=str(run.pk), details=details, **who)
    page = show(LIST, size, color_scheme=theme)

    for path in (
        LIST,
        f"{LIST}?text={long[:150]}&who={long[:100]}",
        f"{LIST}/{run.pk}",
        "/scheduler-admin/history",
    ):
        page.goto(page.url.split("/scheduler-admin")[0] + path)
        for summary in page.locator("summary").all():
            summary.click()
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
