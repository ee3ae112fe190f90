"""No page is wider than its screen. Takes the screenshots to look at, too: test-output/screenshots."""

import pytest

from tests import make
from tests.browser.conftest import sign_in
from tests.browser.test_dashboard import SCREENSHOTS, SIZES, acts, answer, something_to_do


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_no_page_is_wider_than_its_screen(site, processes, open_page, size, theme):
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
    page.goto(f"{site}/scheduler-admin/tasks/all/trigger")
    look("question")
    page.get_by_role("link", name="Go back").click()
    page.wait_for_url("**/tasks/all")
    look("task")
    page.goto(f"{site}/scheduler-admin")
    look_at_acts(page, look)
    page.locator("#task-all").get_by_role("button", name="Run now").click()
    page.get_by_role("dialog").wait_for()
    look("dialog")
    answer(page)
    page.locator('#task-all .badge[data-status="succeeded"]').wait_for()
    look("overview")
    pages = [("runs", "runs"), ("run", f"runs/{failed.pk}"), ("schedule", "schedules/daily_housekeeping")]
    pages += [("holds", "holds")]
    for name, path in pages:
        page.goto(f"{site}/scheduler-admin/{path}")
        look(name)


def look_at_acts(page, look):
    acts(page, "conversations")
    look("acts")
    page.keyboard.press("Escape")
