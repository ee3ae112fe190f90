"""Signing in in several tabs, and again after the session has ended, in a real browser."""

import pytest
from django.contrib.sessions.models import Session

from chat.sign_in.receivers import SIGNED_IN_AT
from housekeeping.models import Hold, Run
from tests import make
from tests.browser.conftest import PASSWORD, sign_in
from tests.browser.test_dashboard import SIZES
from tests.make import days

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


def grow_old():
    """Make every session one whose sign-in is long ago."""
    for session in Session.objects.all():
        session.session_data = Session.objects.encode(session.get_decoded() | {SIGNED_IN_AT: 0})
        session.save()


@pytest.mark.parametrize("javascript", [True, False], ids=["javascript", "none"])
def test_an_approval_asks_for_the_password_if_the_sign_in_is_old(site, open_page, javascript):
    make.conversation(age=days(31))
    held = make.run(status="held", plan=make.purge(dry_run=True).plan, error="Too much.")
    options = {"java_script_enabled": javascript, "viewport": SIZES["phone"]}
    page = sign_in(open_page(expect_errors=True, **options), site)  # 422: a wrong password
    page.goto(f"{site}{HOME}/runs/{held.pk}")
    grow_old()

    page.get_by_role("button", name="Approve").click()
    page.get_by_role("button", name="Delete them").click()
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Continue").click()
    page.get_by_text("The password is wrong.").wait_for()
    assert Run.objects.get(pk=held.pk).status == "held"
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Continue").click()

    page.get_by_text("waiting for a consumer").first.wait_for()
    assert Run.objects.get(pk=held.pk).status == "queued"
    assert page.url == f"{site}{HOME}/runs/{held.pk}"
    assert not page.locator("#asked").is_visible()


def test_a_retention_is_saved_after_the_question(site, open_page):
    make.conversation(age=days(31))
    page = sign_in(open_page(), site)
    page.goto(f"{site}{HOME}/policies/conversations")
    grow_old()
    page.get_by_label("Days").fill("75")
    page.get_by_role("button", name="Save").click()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Continue").click()

    page.get_by_text("Rows of conversations are kept for 75 days").wait_for()


def test_a_forgotten_password_is_asked_for_by_mail(site, open_page):
    page = open_page(viewport=SIZES["phone"])
    page.goto(f"{site}/sign-in")

    page.get_by_role("link", name="Forgotten your password?").click()
    page.get_by_label("Mail address").fill("nobody@example.com")
    page.get_by_role("button", name="Send the link").click()

    page.get_by_role("heading", name="Look into your mail").wait_for()
    page.get_by_role("link", name="To the sign-in").click()
    page.wait_for_url(f"{site}/sign-in")
