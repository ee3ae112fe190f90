"""A slow and a lost connection: what a page says, and what acts do."""

import pytest

from housekeeping.models import PolicyState, Run, ScheduleState
from tests import make
from tests.browser.test_dashboard import stays_the_same_page
from tests.make import days

HOME = "/scheduler-admin"
# Presses a button twice, and tells meanwhile how it looks.
PRESSED_TWICE = """async (button) => {
    button.click();
    await new Promise((resolve) => setTimeout(resolve, 100));
    button.click();
    return [button.ariaBusy, getComputedStyle(button, "::after").content];
}"""
BUSY = ["true", '" …" / ""']

pytestmark = pytest.mark.django_db(transaction=True)


def slow_down(page, *, latency_ms=1_000):
    limits = {"offline": False, "latency": latency_ms, "downloadThroughput": -1, "uploadThroughput": -1}
    page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", limits)


def posts(page):
    """The addresses that are posted to from now on."""
    seen = []
    page.on("request", lambda request: seen.append(request.url) if request.method == "POST" else None)
    return seen


# --- Slow -------------------------------------------------------------------------------------


def test_a_button_on_a_slow_line_is_busy_and_acts_once(visit):
    page = visit()
    slow_down(page)
    sent = posts(page)
    button = page.locator("#task-stats").get_by_role("button", name="Run now")

    looks = button.evaluate(PRESSED_TWICE)

    assert looks == BUSY
    page.locator('#task-stats .badge[data-status="queued"]').wait_for()
    page.locator("#task-stats [aria-busy]").wait_for(state="detached")
    assert len(sent) == 1
    assert Run.objects.count() == 1


def test_a_question_on_a_slow_line_is_asked_once_and_answered_once(visit):
    make.conversation(age=days(31))
    page = visit()
    slow_down(page)
    sent, asked = posts(page), []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("trigger") else None)
    button = page.locator("#task-conversations").get_by_role("button", name="Run now")

    assert button.evaluate(PRESSED_TWICE) == BUSY
    answer = page.locator("#asked form button").first
    answer.wait_for()
    assert len(asked) == 1
    assert answer.evaluate(PRESSED_TWICE) == BUSY

    page.locator('#task-conversations .badge[data-status="queued"]').wait_for()
    assert len(sent) == 1
    assert Run.objects.count() == 1


def test_a_form_that_leads_to_a_page_is_busy_and_sent_once(site, visit):
    page = visit(f"{HOME}/policies/conversations")
    slow_down(page)
    sent = posts(page)
    page.get_by_label("Days").fill("40")

    looks = page.get_by_role("button", name="Save").evaluate(PRESSED_TWICE)

    assert looks == BUSY

    page.get_by_text("are kept for 40 days").first.wait_for()
    assert len(sent) == 1
    assert PolicyState.objects.get().retention_days == 40


# --- Lost -------------------------------------------------------------------------------------


def test_a_page_says_since_when_it_is_old_and_recovers_by_itself(visit):
    page = visit(expect_errors=True)
    stayed = stays_the_same_page(page)

    page.context.set_offline(True)
    lost = page.get_by_text("Connection lost. This page has not been updated since")
    lost.wait_for()
    assert page.locator("#connection-since").inner_text().count(":") == 2
    make.run("stats", status="failed", error="the pipe burst", finished_at=make.ago())
    page.context.set_offline(False)

    lost.wait_for(state="hidden")
    page.locator("#task-stats").get_by_text("the pipe burst").wait_for()
    assert stayed()


def test_a_page_recovers_from_a_server_that_was_gone(site, visit):
    """The browser is online all the time, so that nothing tells it when to ask again."""
    page = visit(expect_errors=True)
    page.route("**/*", lambda route: route.abort())
    page.evaluate("document.dispatchEvent(new Event('look-again'))")
    lost = page.get_by_text("Connection lost")
    lost.wait_for()

    page.unroute("**/*")

    lost.wait_for(state="hidden")


def test_the_button_of_a_lost_connection_tries_at_once(visit):
    page = visit(expect_errors=True)
    page.route("**/*", lambda route: route.abort())
    page.evaluate("document.dispatchEvent(new Event('look-again'))")
    button = page.get_by_role("button", name="Try now")
    button.wait_for()

    with page.expect_request("**/scheduler-admin/", timeout=3_000):
        button.click()

    assert page.locator("#task-stats").is_visible()  # what was seen last stays


def test_an_act_without_a_connection_says_that_nothing_was_done(visit):
    page = visit(expect_errors=True)
    page.context.set_offline(True)
    said = page.get_by_text("Nothing was done: there was no connection.")

    acts_on(page)
    said.wait_for()
    assert not Run.objects.exists()
    page.context.set_offline(False)
    page.get_by_text("Connection lost").wait_for(state="hidden")
    assert said.is_visible()  # it is still true
    acts_on(page)

    page.locator('#task-stats .badge[data-status="queued"]').wait_for()
    said.wait_for(state="hidden")
    assert Run.objects.count() == 1


def acts_on(page):
    page.locator("#task-stats").get_by_role("button", name="Run now").click()


def test_a_question_without_a_connection_says_so_too(visit):
    page = visit(expect_errors=True)
    page.context.set_offline(True)

    page.locator("#task-conversations").get_by_role("button", name="Run now").click()

    page.get_by_text("Nothing was done: there was no connection.").wait_for()
    assert page.get_by_role("dialog").count() == 0


def test_an_act_whose_answer_is_lost_says_that_it_may_have_been_done(visit):
    page = visit(expect_errors=True)
    page.route("**/trigger", lambda route: (route.fetch(), route.abort()))

    acts_on(page)

    page.get_by_text("may or may not have been done").wait_for()
    assert Run.objects.count() == 1


@pytest.mark.parametrize("path", ["policies/conversations", "schedules/daily_housekeeping"])
def test_a_form_of_a_page_without_a_connection_stays_with_what_was_typed(visit, path):
    page = visit(f"{HOME}/{path}", expect_errors=True)
    field = page.locator("input[name=retention_days], input[name=trigger]")
    typed = "40" if "policies" in path else "15 7 * * *"
    field.fill(typed)
    page.context.set_offline(True)
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Nothing was done: there was no connection.").wait_for()
    assert field.input_value() == typed

    page.context.set_offline(False)
    page.get_by_text("Connection lost").wait_for(state="hidden")
    page.get_by_role("button", name="Save").click()

    page.get_by_text("from the next run on" if "policies" in path else "at 7:15 AM").first.wait_for()
    assert PolicyState.objects.exists() or ScheduleState.objects.filter(trigger__gt="").exists()


def test_nothing_is_held_back_where_the_site_answers_a_browser_that_takes_itself_for_offline(visit):
    """The site on one's own machine, on a train."""
    page = visit(f"{HOME}/policies/conversations")
    page.evaluate("Object.defineProperty(navigator, 'onLine', {value: false})")
    page.get_by_label("Days").fill("40")

    page.get_by_role("button", name="Save").click()

    page.get_by_text("are kept for 40 days").first.wait_for()
