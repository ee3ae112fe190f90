"""Pausing a task and acknowledging its failure, in the browser."""

from housekeeping.runs import pauses
from tests import make
from tests.browser.conftest import sign_in

HOME = "/scheduler-admin"


def fail():
    make.consumer()
    make.run("stats", status="failed", error="Out of ink")


def test_a_failure_is_acknowledged_in_the_dialog_and_the_status_is_green(site, open_page):
    fail()
    page = sign_in(open_page(), site)
    page.locator('.verdict[data-level="bad"]').wait_for()

    page.locator("#task-stats .more-acts").click()
    page.locator("summary", has_text="Acknowledge").click()
    page.get_by_label("Reason").first.fill("The ink is ordered")
    page.get_by_role("button", name="Acknowledge", exact=True).click()

    page.locator('.verdict[data-level="good"]').wait_for()
    known = page.locator(".acknowledged").inner_text()
    assert known == "Generate statistics fails, acknowledged by ada, until it succeeds: The ink is ordered"
    assert "The failure is acknowledged." in page.locator("#task-stats").inner_text()


def test_without_javascript_a_task_is_paused_and_resumed_on_its_page(site, open_page):
    page = sign_in(open_page(java_script_enabled=False), site)
    page.goto(f"{site}{HOME}/tasks/stats")

    page.locator("summary", has_text="Pause task").click()
    page.get_by_label("Reason").fill("Moving house")
    page.get_by_role("button", name="Pause", exact=True).click()

    assert pauses.paused()["stats"].reason == "Moving house"
    header = page.locator("article header").first.inner_text()
    assert "paused by ada, " in header
    assert header.endswith(": Moving house")
    assert page.get_by_text("Generate statistics is paused. You can still start it.").is_visible()

    page.get_by_role("button", name="Resume task").click()

    assert not pauses.paused()
    assert page.get_by_text("Generate statistics is resumed.").is_visible()


def test_the_page_of_a_task_follows_its_run(visit):
    page = visit("/scheduler-admin/tasks/stats")
    page.locator("summary", has_text="Pause task").click()
    reason = page.locator("#pause-stats").get_by_label("Reason")
    reason.press_sequentially("half a rea")

    run = make.run("stats")
    page.evaluate("document.dispatchEvent(new Event('look-again'))")
    page.locator("#task-runs .badge", has_text="queued").wait_for()
    page.get_by_role("button", name="Cancel").wait_for()
    type(run).objects.update(status="succeeded", finished_at=make.ago())

    page.locator("#task-runs .badge", has_text="succeeded").wait_for()
    page.get_by_role("button", name="Run now").wait_for()
    assert page.locator(".badge", has_text="queued").count() == 0
    assert reason.input_value() == "half a rea"


def test_without_javascript_no_page_promises_what_it_needs_it_for(site, open_page):
    page = sign_in(open_page(java_script_enabled=False), site)
    assert not page.get_by_text("refreshed every").is_visible()
    page.goto(f"{site}{HOME}/trends")

    assert not page.get_by_text("Drag over a part of a chart").is_visible()
