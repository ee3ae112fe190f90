"""What can't be undone, by keys, by touch and without JavaScript: it is typed before it is done."""

import pytest

from housekeeping.models import Consumer, Hold, Run
from tests import make
from tests.browser.conftest import PASSWORD, sign_in
from tests.browser.test_acts import answer, focused, press
from tests.browser.test_holds import some_holds
from tests.make import days

HOME = "/scheduler-admin"


@pytest.fixture
def show(site, open_page):
    """Opens a page of the dashboard, signed in."""

    def open_one(path="", **options):
        page = sign_in(open_page(**{"expect_errors": True} | options), site)  # 422: mistyped
        page.goto(f"{site}{HOME}{path}")
        return page

    return open_one


def test_upkeep_is_typed_by_keys_alone(show):
    make.consumer(age=days(91))
    page = show("/tasks/history")
    press(page, page.get_by_role("button", name="Run now"))
    page.get_by_label("Type history to confirm").wait_for()
    field = page.get_by_label("Type history to confirm")
    assert field.evaluate("it => it === document.activeElement")

    page.keyboard.press("Enter")  # the browser asks to fill it in
    page.keyboard.type("hist")
    page.keyboard.press("Enter")

    page.get_by_text("Nothing was done: what was typed is not “history”.").wait_for()
    assert (field.input_value(), field.get_attribute("aria-invalid")) == ("hist", "true")
    assert field.evaluate("it => it === document.activeElement")
    assert not Run.objects.exists()
    page.keyboard.press("End")
    page.keyboard.type("ory")
    page.keyboard.press("Enter")
    answer(page, "Tidy history: waiting for a consumer")
    assert Run.objects.get().task == "history"
    assert Consumer.objects.exists()


def test_a_site_that_archives_nothing_has_it_typed_in_the_dialog(processes, open_page):
    make.administrator(username="ada", password=PASSWORD)
    make.conversation(age=days(31))
    for_good = {"HOUSEKEEPING_AUTOSTART": "false", "HOUSEKEEPING_UNDO_DAYS": "0"}
    _, site = processes.site("--noreload", **for_good)
    page = sign_in(open_page(expect_errors=True), site)
    run_now = page.locator("#task-conversations").get_by_role("button", name="Run now")
    press(page, run_now)
    dialog = page.locator("#asked")
    dialog.get_by_text("It can't be undone.").wait_for()

    page.keyboard.type("conversation")
    page.keyboard.press("Enter")
    dialog.get_by_text("Nothing was done: what was typed is not “conversations”.").wait_for()
    assert not Run.objects.exists()
    page.keyboard.press("Escape")
    assert focused(page) == "Run now: Delete old conversations"

    page.keyboard.press("Enter")
    dialog.get_by_label("Type conversations to confirm").wait_for()
    page.keyboard.type("conversations")
    page.keyboard.press("Tab")
    assert focused(page) == "Delete them"
    page.keyboard.press("Enter")
    answer(page, "Delete old conversations: waiting for a consumer")
    assert focused(page) == "Cancel: Delete old conversations"


@pytest.mark.parametrize("javascript", [True, False], ids=["javascript", "none"])
def test_an_undo_s_holds_are_typed_on_a_phone(show, javascript):
    some_holds(3)
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
    page = show("/holds", java_script_enabled=javascript, **phone)

    page.get_by_role("button", name="End all").tap()
    page.get_by_label("Type 3 to confirm").fill("2")
    page.get_by_role("button", name="End all").last.tap()
    page.get_by_text("Nothing was done: what was typed is not “3”.").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert Hold.objects.count() == 3

    page.get_by_label("Type 3 to confirm").fill("3")
    page.get_by_role("button", name="End all").last.tap()
    place = page.locator(".answer", has_text="Ended 3 holds.")
    place.wait_for()
    assert place.evaluate("it => it === document.activeElement")
    assert not Hold.objects.exists()
