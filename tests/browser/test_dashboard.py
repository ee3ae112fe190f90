"""The dashboard in a real browser, on a real site with a real consumer."""

import pytest

from chat.models import ChatMessage, Conversation, User
from housekeeping.models import Run
from tests import make
from tests.browser.conftest import sign_in
from tests.make import days
from tests.processes import ROOT

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


def test_each_button_shows_its_result_without_a_reload(site, processes, open_page):
    something_to_do()
    processes.consumer()
    page = sign_in(open_page(), site)
    stayed = stays_the_same_page(page)

    for task, result in [
        ("conversations", "deleted conversations 1"),
        ("messages", "cleaned messages 1"),
        ("users", "deleted users 1"),
        ("stats", "total conversations 1"),
        ("all", "deleted conversations 0"),
    ]:
        card = page.locator(f"#task-{task}")
        card.get_by_role("button", name="Run now").click()
        card.locator('.badge[data-status="succeeded"]').wait_for()
        assert result in " ".join(card.locator(".feedback").inner_text().split())

    assert stayed()
    assert (Conversation.objects.count(), ChatMessage.objects.count()) == (1, 2)
    assert not User.objects.filter(is_active=False).exists()


def test_a_dry_run_shows_what_would_go_and_deletes_nothing(site, processes, open_page):
    something_to_do()
    processes.consumer()
    page = sign_in(open_page(), site)

    card = page.locator("#task-conversations")
    card.get_by_role("button", name="Dry run").click()
    card.get_by_text("dry run", exact=True).wait_for()

    assert "deleted conversations 1" in " ".join(card.locator(".feedback").inner_text().split())
    assert Conversation.objects.count() == 2


def test_the_banner_goes_when_a_consumer_starts_and_what_waited_runs(site, processes, open_page):
    something_to_do()
    page = sign_in(open_page(), site)
    stayed = stays_the_same_page(page)
    page.get_by_text("No consumer is running").wait_for()
    card = page.locator("#task-conversations")
    card.get_by_role("button", name="Run now").click()
    card.locator('.badge[data-status="queued"]').wait_for()

    processes.consumer()

    card.locator('.badge[data-status="succeeded"]').wait_for()
    page.get_by_text("Schedules are being watched").wait_for()
    assert page.get_by_text("No consumer is running").count() == 0
    assert stayed()


def test_a_run_that_waits_can_be_cancelled_in_place(site, open_page):
    page = sign_in(open_page(), site)
    card = page.locator("#task-messages")
    card.get_by_role("button", name="Run now").click()

    card.get_by_role("button", name="Cancel").click()

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


def test_everything_works_without_javascript(site, processes, open_page):
    something_to_do()
    processes.consumer()
    page = sign_in(open_page(java_script_enabled=False), site)

    page.locator("#task-conversations").get_by_role("button", name="Run now").click()

    page.get_by_text("Old conversations deleted").wait_for()
    assert Conversation.objects.count() == 1
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="Sign in").wait_for()


def test_a_schedule_is_paused_and_resumed_in_place(site, open_page):
    page = sign_in(open_page(), site)
    stayed = stays_the_same_page(page)

    page.get_by_role("button", name="Pause Weekly Conversation Cleanup").click()
    page.locator("#schedule-weekly_cleanup").get_by_text("paused").wait_for()
    page.get_by_role("button", name="Resume Weekly Conversation Cleanup").click()
    page.get_by_role("button", name="Pause Weekly Conversation Cleanup").wait_for()

    assert stayed()


def test_fire_times_follow_what_one_types_and_are_saved_only_then(site, open_page):
    page = sign_in(open_page(), site)
    page.get_by_role("link", name="Daily Housekeeping Tasks").click()
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


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_no_page_is_wider_than_its_screen(site, processes, open_page, size, theme):
    """Takes the screenshots to look at, too: test-output/screenshots."""
    something_to_do()
    failed = make.run("users", status="failed", error="ProtectedError: " + "a_long_name." * 30)
    processes.consumer()
    page = open_page(viewport=SIZES[size], color_scheme=theme)
    page.goto(f"{site}/scheduler-admin")
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)

    def look(name):
        page.screenshot(path=SCREENSHOTS / f"{name}-{size}-{theme}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")

    look("sign-in")
    sign_in(page, site)
    page.locator("#task-all").get_by_role("button", name="Run now").click()
    page.locator('#task-all .badge[data-status="succeeded"]').wait_for()
    look("overview")
    pages = [("runs", "runs"), ("run", f"runs/{failed.pk}"), ("schedule", "schedules/daily_housekeeping")]
    pages += [("holds", "holds")]
    for name, path in pages:
        page.goto(f"{site}/scheduler-admin/{path}")
        look(name)
