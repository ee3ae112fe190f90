"""The page of holds in a real browser."""

import pytest

from housekeeping.models import Hold
from tests import make
from tests.browser.conftest import sign_in
from tests.browser.test_dashboard import SCREENSHOTS, SIZES, stays_the_same_page

CONVERSATION = "chat.Conversation"


def some_holds(number=3):
    undo = make.run(status="succeeded", undo_of=make.run(status="succeeded"), requested_by="grace")
    until = make.ago(days=-30)
    for key in range(number):
        Hold.objects.create(
            model=CONVERSATION, key=str(key), reason="Put back", undo=undo, until=until, made_by="grace"
        )
    return undo


def test_a_row_is_kept_changed_and_let_go(site, open_page):
    row, undo = make.conversation(), some_holds()
    page = sign_in(open_page(), site)
    page.get_by_role("link", name="Holds", exact=True).click()

    page.get_by_role("textbox", name="Key").fill(str(row.pk))
    page.get_by_label("Reason").fill("A dispute")
    page.get_by_role("button", name="Put on hold").click()
    page.get_by_text(f"{CONVERSATION} {row.pk} is on hold.").wait_for()
    stayed = stays_the_same_page(page)
    line = page.locator("#single-holds").locator("..").locator("..").locator("tbody tr")
    line.get_by_text("Change").click()
    line.get_by_label("Last day").fill("2127-01-31")
    line.get_by_role("button", name="Save").click()
    line.get_by_text("31 Jan 2127, 23:59").wait_for()
    assert not line.get_by_role("button", name="Save").is_visible()
    line.get_by_role("button", name="End").click()
    page.locator("#question [value=yes]").click()
    page.get_by_text("No row is on hold.").wait_for()
    page.get_by_role("button", name="End all").click()
    page.get_by_label("Type 3 to confirm").fill("3")
    page.locator("#asked").get_by_role("button", name="End all").click()
    page.get_by_text("Ended 3 holds.").wait_for()

    assert stayed()
    assert not undo.holds.exists()
    assert not Hold.objects.exists()


def test_a_refresh_leaves_what_one_types(site, open_page):
    one = Hold.objects.create(model=CONVERSATION, key="1", reason="A dispute")
    page = sign_in(open_page(), site)
    page.goto(f"{site}/scheduler-admin/holds")
    line = page.locator(f"#hold-{one.pk}")
    line.get_by_text("Change").click()
    line.get_by_label("Last day").fill("2127-01-31")
    page.get_by_label("Reason").fill("half a sent")

    Hold.objects.create(model=CONVERSATION, key="2", reason="Another")
    page.evaluate("htmx.ajax('GET', location.pathname, {target: '#holds', swap: 'outerMorph'})")
    page.get_by_text("Another").wait_for()

    assert line.get_by_label("Last day").input_value() == "2127-01-31"
    assert page.get_by_label("Reason").input_value() == "half a sent"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_the_page_fits_its_screen_with_all_that_can_stand_on_it(site, open_page, size, theme):
    some_holds(12)
    long = {"reason": "Kept for the case " + "A-2027-" * 25, "until": make.ago(days=-3), "made_by": "ada"}
    one = Hold.objects.create(model=CONVERSATION, key="4711", **long)
    Hold.objects.create(model="chat.User", key="42", reason="Asked for it", made_by="grace")
    Hold.objects.create(model="housekeeping.Run", key="a" * 32, reason="Evidence", until=make.ago(days=2))
    page = sign_in(open_page(viewport=SIZES[size], color_scheme=theme), site)
    page.goto(f"{site}/scheduler-admin/holds")

    page.locator(f"#hold-{one.pk}").get_by_text("Change").click()

    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"holds-full-{size}-{theme}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
