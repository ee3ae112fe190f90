"""The dashboard in a real browser, on a real site with a real consumer."""

from datetime import UTC, datetime

import pytest

from chat.models import ChatMessage, Conversation, User
from housekeeping.models import PolicyState, Run
from housekeeping.steering import retentions
from tests import make
from tests.browser.conftest import PASSWORD, sign_in
from tests.make import days
from tests.processes import ROOT
from tests.services import wait_until

SCREENSHOTS = ROOT / "test-output" / "screenshots"
SIZES = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}


def something_to_do():
    make.conversation(age=days(31), messages=3)
    make.conversation(age=days(2), messages=2)
    make.message()
    make.visitor(age=days(8))


def stays_the_same_page(page):
    """A mark that a reload of the page would lose."""
    page.evaluate("window.stayed = true")
    return lambda: page.evaluate("window.stayed === true")


def acts(page, task):
    """Open what can be done about a task."""
    page.locator(f"#task-{task}").get_by_role("button", name="Actions").click()
    dialog = page.locator("#asked")
    dialog.get_by_role("button", name="Close").or_(dialog.get_by_role("link", name="Close")).wait_for()
    return dialog


def answer(page):
    """Answer the question that is asked before rows are deleted, with its first button."""
    page.locator("#asked form button").click()


def test_each_button_shows_its_result_without_a_reload(site, processes, open_page):
    something_to_do()
    processes.consumer()
    page = sign_in(open_page(), site)
    stayed = stays_the_same_page(page)

    for task, result in [
        ("conversations", "1 deleted conversations"),
        ("messages", "1 cleaned messages"),
        ("users", "1 deleted users"),
        ("stats", "1 total conversations"),
        ("all", "0 deleted conversations"),
    ]:
        card = page.locator(f"#task-{task}")
        card.get_by_role("button", name="Run now").click()
        if task != "stats":
            answer(page)
        card.locator('.badge[data-status="succeeded"]').wait_for()
        assert result in " ".join(card.get_by_role("status").first.inner_text().split())

    assert stayed()
    assert (Conversation.objects.count(), ChatMessage.objects.count()) == (1, 2)
    assert not User.objects.filter(is_active=False).exists()


def test_a_dry_run_shows_what_would_go_and_deletes_nothing(site, processes, open_page):
    something_to_do()
    processes.consumer()
    page = sign_in(open_page(), site)

    card = page.locator("#task-conversations")
    acts(page, "conversations").get_by_role("button", name="Dry run").click()
    card.get_by_text("dry run, would be: 1 deleted conversations").wait_for()

    assert Conversation.objects.count() == 2


def test_the_banner_goes_when_a_consumer_starts_and_what_waited_runs(site, processes, open_page):
    something_to_do()
    page = sign_in(open_page(), site)
    stayed = stays_the_same_page(page)
    page.get_by_text("No consumer is running").wait_for()
    card = page.locator("#task-conversations")
    card.get_by_role("button", name="Run now").click()
    answer(page)
    card.locator('.badge[data-status="queued"]').wait_for()

    processes.consumer()

    card.locator('.badge[data-status="succeeded"]').wait_for()
    page.get_by_text("All systems healthy.").wait_for()
    assert page.get_by_text("No consumer is running").count() == 0
    assert stayed()


def test_a_run_that_waits_can_be_cancelled_in_place(site, open_page):
    page = sign_in(open_page(), site)
    card = page.locator("#task-messages")
    card.get_by_role("button", name="Run now").click()
    answer(page)

    card.get_by_role("button", name="Cancel").click()
    page.locator("#question [value=yes]").click()

    card.locator('.badge[data-status="cancelled"]').wait_for()
    assert Run.objects.get().status == "cancelled"


def test_the_page_refreshes_by_itself_while_something_runs(site, open_page):
    make.run("stats")
    page = sign_in(open_page(), site)

    Run.objects.update(status="failed", error="the pipe burst")

    page.locator("#task-stats").get_by_text("the pipe burst").wait_for()


def test_focus_survives_a_refresh(site, open_page):
    make.run("stats")
    page = sign_in(open_page(), site)
    button = page.locator("#task-users").get_by_role("button", name="Run now")
    button.focus()

    Run.objects.update(status="failed", error="the pipe burst")
    page.locator("#task-stats").get_by_text("the pipe burst").wait_for()

    assert button.evaluate("element => element === document.activeElement")


def test_a_schedule_is_paused_and_resumed_in_place(site, open_page):
    page = sign_in(open_page(), site)
    stayed = stays_the_same_page(page)

    row = page.locator("#task-conversations")
    row.get_by_role("button", name="Actions").focus()
    page.keyboard.press("Space")
    page.locator("#asked").get_by_role("button", name="Pause schedule Weekly Conversation Cleanup").click()
    row.get_by_text("paused", exact=True).wait_for()
    acts(page, "conversations").get_by_role(
        "button", name="Resume schedule Weekly Conversation Cleanup"
    ).click()
    row.get_by_text("paused", exact=True).wait_for(state="detached")

    assert stayed()


def test_fire_times_follow_what_one_types_and_are_saved_only_then(site, open_page):
    page = sign_in(open_page(), site)
    acts(page, "all").get_by_role("link", name="Edit schedule Daily Housekeeping Tasks").click()
    page.wait_for_url("**/schedules/daily_housekeeping")
    stayed = stays_the_same_page(page)
    field = page.get_by_label("Trigger")

    field.fill("61 7 * * *")
    page.get_by_text("Bad minute").wait_for()
    field.fill("15 7 * * *")
    page.locator("#fire-times li").nth(4).get_by_text("07:15:00").wait_for()

    assert stayed()
    assert field.evaluate("element => element === document.activeElement")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("runs at 7:15 AM from now on").wait_for()


@pytest.mark.parametrize("size", SIZES)
def test_a_retention_is_changed_once_what_it_hits_is_seen(site, open_page, size):
    make.conversation(age=days(20))
    make.conversation(age=days(2))
    page = sign_in(open_page(viewport=SIZES[size]), site)
    acts(page, "conversations").get_by_role("link", name="Preview policy conversations").click()
    page.wait_for_url("**/policies/conversations")
    stayed = stays_the_same_page(page)
    field = page.get_by_label("Days")

    field.fill("0")
    page.locator("#effect .error").wait_for()
    field.fill("10")
    page.get_by_text("1 row, 1 more than at 30").wait_for()
    assert stayed()
    assert field.evaluate("element => element === document.activeElement")
    assert not PolicyState.objects.exists()
    page.get_by_role("button", name="Save").click()

    page.get_by_text("Rows of conversations are kept for 10 days from the next run on.").wait_for()
    assert PolicyState.objects.get().retention_days == 10
    # By a key: a phone's page scrolls to the button that was pressed, perhaps between mouse down and up.
    page.get_by_role("button", name="Reset to 30 days").press("Enter")
    page.get_by_text("Rows of conversations are kept as declared: 30 days.").wait_for()


# --- Behaviour --------------------------------------------------------------------------------


def test_a_button_that_deletes_asks_back_with_numbers_and_can_be_left(site, open_page):
    something_to_do()
    page = sign_in(open_page(), site)
    stayed = stays_the_same_page(page)

    page.locator("#task-conversations").get_by_role("button", name="Run now").click()

    page.get_by_role("heading", name="Delete 1 conversation and 3 chat messages?").wait_for()
    page.get_by_role("link", name="Go back").click()
    page.get_by_role("dialog").wait_for(state="hidden")
    assert stayed()
    assert not Run.objects.exists()


def test_a_question_counts_when_it_is_asked_and_asks_anew_when_the_rules_have_changed(site, open_page):
    make.conversation(age=days(25))
    make.conversation(age=days(31))
    page = sign_in(open_page(expect_errors=True), site)  # 409: asked anew
    run_now = page.locator("#task-conversations").get_by_role("button", name="Run now")
    run_now.click()
    page.get_by_role("heading", name="Delete 1 conversation?").wait_for()

    retentions.change("conversations", 20)
    answer(page)

    page.get_by_role("heading", name="Delete 2 conversations?").wait_for()
    page.get_by_text("Check the new numbers and confirm again.").wait_for()
    assert not Run.objects.exists()
    answer(page)
    page.get_by_role("dialog").wait_for(state="hidden")
    page.locator('#task-conversations .badge[data-status="queued"]').wait_for()


def test_a_button_can_not_be_pressed_twice(site, open_page):
    page = sign_in(open_page(), site)
    asked = []
    page.on("request", lambda request: asked.append(request.url) if request.method == "POST" else None)

    page.locator("#task-stats").get_by_role("button", name="Run now").dblclick()

    page.locator('#task-stats .badge[data-status="queued"]').wait_for()
    assert len([url for url in asked if url.endswith("stats/trigger")]) == 1
    assert Run.objects.count() == 1


def test_an_unchanged_poll_is_answered_304_and_a_change_is_seen(site, open_page):
    make.consumer()
    page = sign_in(open_page(), site)

    def poll():
        with page.expect_response(lambda answer: answer.url.endswith("/scheduler-admin/")) as answer:
            page.evaluate("document.dispatchEvent(new Event('look-again'))")
        return answer.value.status

    wait_until(lambda: poll() == 304, what="a poll with nothing new")

    heartbeat = page.locator("li[id^=consumer-] time[data-fresh]")
    heartbeat.evaluate("it => { it.dateTime = '2020-01-01T00:00:00Z' }")
    wait_until(lambda: poll() == 304, what="a poll with nothing new")
    assert heartbeat.evaluate("it => Date.now() - new Date(it.dateTime) < 60e3")

    make.run("stats", status="failed", error="the pipe burst", finished_at=make.ago())
    page.evaluate("document.dispatchEvent(new Event('look-again'))")

    page.locator("#task-stats").get_by_text("the pipe burst").wait_for()


def test_the_bars_of_a_task_are_one_stop_of_the_tab_key_and_say_what_they_are(site, open_page):
    for hours in (9, 6, 3):
        make.run("stats", status="succeeded", requested_at=make.ago(hours=hours))
    page = sign_in(open_page(), site)
    bars = page.locator("#task-stats .strip a")

    page.locator("#task-stats th a").focus()
    page.keyboard.press("Tab")
    assert bars.nth(2).evaluate("it => it === document.activeElement")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")

    assert bars.nth(0).evaluate("it => it === document.activeElement")
    assert page.locator("#tip").inner_text().endswith(": succeeded")
    assert bars.nth(0).get_attribute("aria-label") == page.locator("#tip").inner_text()
    page.keyboard.press("Enter")
    page.wait_for_url("**/runs/*")


def test_a_long_list_of_tasks_is_filtered_by_typing_and_stays_so(processes, open_page):
    make.administrator(username="ada", password=PASSWORD)
    many = {"DJANGO_SETTINGS_MODULE": "tests.many.settings", "HOUSEKEEPING_AUTOSTART": "false"}
    _, site = processes.site("--noreload", **many)
    page = sign_in(open_page(viewport=SIZES["desktop"]), site)
    assert page.evaluate("document.documentElement.scrollHeight") < 3 * SIZES["desktop"]["height"]
    field = page.get_by_label("Filter the tasks by name")

    field.fill("chore 2")
    shown = page.locator("tr.task:visible")
    assert shown.count() == 13
    page.evaluate("document.dispatchEvent(new Event('look-again'))")
    make.run("chore_20", status="failed", error="the pipe burst", finished_at=make.ago())
    page.evaluate("document.dispatchEvent(new Event('look-again'))")
    page.locator("#task-chore_20").get_by_text("the pipe burst").wait_for()

    assert shown.count() == 13
    assert field.input_value() == "chore 2"
    assert field.evaluate("it => it === document.activeElement")


def test_a_hidden_tab_does_not_poll_and_catches_up_when_it_is_seen_again(site, open_page):
    page = sign_in(open_page(), site)
    make.run("stats")
    page.evaluate("document.dispatchEvent(new Event('look-again'))")
    page.locator('#task-stats .badge[data-status="queued"]').wait_for()
    page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    page.wait_for_timeout(500)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    Run.objects.update(status="failed", error="the pipe burst", finished_at=make.ago())

    page.wait_for_timeout(3_000)
    assert asked == []
    page.evaluate("Object.defineProperty(document, 'hidden', {value: false, configurable: true})")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

    page.locator("#task-stats").get_by_text("the pipe burst").wait_for()


def test_times_are_shown_in_the_zone_of_who_looks(site, open_page):
    page = sign_in(open_page(timezone_id="Asia/Tokyo", locale="en-GB"), site)

    page.get_by_text("All times are in Asia/Tokyo.").wait_for()
    make.run("stats", status="succeeded", requested_at=datetime(2026, 1, 15, 23, 30, 7, tzinfo=UTC))
    page.goto(f"{site}/scheduler-admin/runs")
    requested = page.locator("tr[id^=run-row-] time").first

    assert requested.inner_text() == "2026-01-16 08:30:07"
    assert "JST" in requested.get_attribute("title") or "GMT+9" in requested.get_attribute("title")
    page.goto(f"{site}/scheduler-admin/schedules/daily_housekeeping")
    page.get_by_text("02:00:00 UTC").first.wait_for()


def test_keys_lead_to_the_pages_and_can_be_switched_off(site, open_page):
    page = sign_in(open_page(), site)
    page.keyboard.press("g")
    page.keyboard.press("r")
    page.wait_for_url("**/scheduler-admin/runs")
    page.keyboard.press("?")
    page.get_by_label("Use single-key shortcuts").uncheck()
    page.get_by_role("button", name="Close").click()

    page.keyboard.press("g")
    page.keyboard.press("o")
    page.wait_for_timeout(300)

    assert page.url.endswith("/runs")


def test_the_key_r_asks_each_page_anew(site, open_page):
    ended = make.run("stats", status="failed")
    page = sign_in(open_page(), site)

    for path in ("trends", "schedules/weekly_cleanup", "policies/users", f"runs/{ended.pk}"):
        page.goto(f"{site}/scheduler-admin/{path}")
        stayed = stays_the_same_page(page)
        with page.expect_navigation():
            page.keyboard.press("r")
        assert not stayed(), path

    for path in ("holds", "runs"):
        page.goto(f"{site}/scheduler-admin/{path}")
        stayed = stays_the_same_page(page)
        with page.expect_response(f"**/scheduler-admin/{path}") as found:
            page.keyboard.press("r")
        assert (found.value.status, stayed()) == (304, True), path


def test_charts_have_the_same_numbers_as_a_table_and_tell_them_by_keys(site, open_page):
    make.tally(runs=3, rows=1204)
    page = sign_in(open_page(), site)
    page.get_by_role("link", name="Trends").first.click()

    figure = page.locator("#chart-purged")
    figure.locator("canvas").wait_for()
    figure.locator(".plot").focus()
    page.keyboard.press("End")
    value = figure.locator(".u-legend .u-value").last
    assert value.inner_text() == "1,204"
    page.keyboard.press("ArrowLeft")
    assert value.inner_text() == "0"
    figure.get_by_text("As a table").click()

    assert figure.get_by_role("cell", name="1,204").is_visible()


def test_a_range_that_is_dragged_in_one_chart_is_shown_by_all(site, open_page):
    make.tally(runs=3, rows=1204)
    page = sign_in(open_page(), site)
    page.goto(f"{site}/scheduler-admin/trends")
    other = page.locator("#chart-outcomes canvas")
    other.wait_for()
    before = other.screenshot()
    box = page.locator("#chart-purged .u-over").bounding_box()
    middle = box["y"] + box["height"] / 2

    page.mouse.move(box["x"] + box["width"] * 0.8, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.99, middle, steps=5)
    page.mouse.up()

    wait_until(lambda: other.screenshot() != before, what="the range in the other chart")


COLORED = """(canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let number = 0;
    for (let at = 0; at < data.length; at += 4) number += data[at + 1] - data[at] > 40 && data[at + 3] > 200;
    return number;
}"""


def test_a_line_of_one_day_is_a_point(site, open_page):
    for seconds in (1, 5):
        times = {"started_at": make.ago(seconds=seconds), "finished_at": make.ago()}
        make.run("conversations", status="succeeded", **times)
    page = sign_in(open_page(), site)
    page.goto(f"{site}/scheduler-admin/tasks/conversations")
    canvas = page.locator("#chart-percentiles canvas")
    canvas.wait_for()

    assert canvas.evaluate(COLORED) > 10


def test_without_javascript_a_chart_is_a_drawing(site, open_page):
    make.tally(runs=3, rows=1204)
    page = sign_in(open_page(java_script_enabled=False), site)
    page.goto(f"{site}/scheduler-admin/trends")

    assert page.locator("#chart-purged svg").is_visible()
    assert page.locator("#chart-purged svg rect").count() == 1
    assert not page.locator("#chart-purged .plot").is_visible()
