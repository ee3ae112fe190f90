"""Signing in in several tabs, in a real browser."""

from tests.browser.conftest import PASSWORD

HOME = "/scheduler-admin"


def fill_in(page):
    page.get_by_label("User name").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)


def test_a_second_tab_signs_in_after_the_first(site, open_page):
    first = open_page()
    second = first.context.new_page()
    for page, path in ((first, ""), (second, "/runs")):
        page.goto(f"{site}{HOME}{path}")
        fill_in(page)
    first.get_by_role("button", name="Sign in").click()
    first.wait_for_selector("#overview")

    second.get_by_role("button", name="Sign in").click()

    second.wait_for_url(f"{site}{HOME}/runs")
    second.get_by_role("heading", name="Runs", exact=True).wait_for()
