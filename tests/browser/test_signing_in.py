"""Signing in in several tabs, and again after the session has ended, in a real browser."""

import pytest
from django.contrib.sessions.models import Session

from housekeeping.models import Hold
from tests.browser.conftest import PASSWORD, sign_in
from tests.browser.test_dashboard import SIZES

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


@pytest.mark.parametrize("javascript", [True, False], ids=["javascript", "none"])
def test_a_hold_that_was_typed_is_still_there_after_signing_in_again(site, open_page, javascript):
    page = sign_in(open_page(java_script_enabled=javascript, viewport=SIZES["phone"]), site)
    page.goto(f"{site}{HOME}/holds")
    page.get_by_role("textbox", name="Key").fill("7")
    page.get_by_label("Reason").fill("A dispute")
    Session.objects.all().delete()

    page.get_by_role("button", name="Put on hold").click()
    page.get_by_text("You were signed out; nothing was done.").wait_for()
    fill_in(page)
    page.get_by_role("button", name="Sign in").click()

    page.get_by_text("You were signed out before this was sent.").wait_for()
    assert page.get_by_role("textbox", name="Key").input_value() == "7"
    assert page.get_by_label("Reason").input_value() == "A dispute"
    assert not Hold.objects.exists()


def test_what_was_typed_in_a_dialog_is_on_the_task_s_page(site, open_page):
    page = sign_in(open_page(), site)
    page.locator("#task-users .more-acts").click()
    page.locator("#asked").get_by_text("Pause task").click()
    page.locator("#asked").get_by_label("Reason").fill("An audit")
    Session.objects.all().delete()

    page.locator("#asked").get_by_role("button", name="Pause", exact=True).click()
    page.get_by_text("You were signed out; nothing was done.").wait_for()
    fill_in(page)
    page.get_by_role("button", name="Sign in").click()

    page.wait_for_url(f"{site}{HOME}/tasks/users")
    assert page.get_by_label("Reason").input_value() == "An audit"
