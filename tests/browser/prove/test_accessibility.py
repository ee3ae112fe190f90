"""WCAG 2.2 AA: every page through axe-core, in both themes and widths; and the whole path by keys."""

import pytest
from django.conf import settings
from django.test import Client

from tests import make
from tests.browser import doors, world
from tests.processes import ROOT
from tests.services import wait_until

AXE = (ROOT / "tests/browser/vendor/axe.min.js").read_text()
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SIZES = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
LOOK = """async (tags) => {
    const what = (node) => `${node.html.slice(0, 200)} (${node.failureSummary})`;
    const { violations } = await axe.run({ runOnly: tags });
    return violations.map((found) => [found.id, ...found.nodes.slice(0, 5).map(what)].join("; "));
}"""

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def look(live_server, open_page):
    """Opens pages in one browser context, signed in or not, and names the barriers in each."""

    def with_options(user=None, **options):
        page = open_page(expect_errors=True, reduced_motion="reduce", **options)
        if user:
            client = Client()
            client.force_login(user)
            value = client.cookies[settings.SESSION_COOKIE_NAME].value
            page.context.add_cookies(
                [{"name": settings.SESSION_COOKIE_NAME, "value": value, "url": live_server.url}]
            )

        def barriers(name, path):
            answer = page.goto(live_server.url + path)
            assert answer.status < 500, f"{name}: {answer.status}"
            return here(name)

        def here(name):
            page.evaluate("for (const one of document.querySelectorAll('main details')) one.open = true")
            page.evaluate(AXE)
            return [f"{name}: {found}" for found in page.evaluate(LOOK, TAGS)]

        barriers.page, barriers.here = page, here
        return barriers

    return with_options


@pytest.mark.parametrize(("size", "theme"), [("desktop", "light"), ("phone", "dark")])
def test_no_page_has_a_barrier(look, size, theme):
    ada = make.administrator(username="ada")
    pages = world.pages(world.a_night(), make.visitor())
    barriers = look(ada, viewport=SIZES[size], color_scheme=theme)

    found = [barrier for name, path in pages.items() for barrier in barriers(name, path)]

    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_neither_has_an_empty_site(look, size, theme):
    empty = look(make.administrator(), viewport=SIZES[size], color_scheme=theme)

    found = [barrier for name in world.LISTS for barrier in empty(f"empty{name}", world.HOME + name)]

    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_nor_has_a_page_to_sign_in_or_of_one_s_account(look, live_server, size, theme):
    barriers = look(viewport=SIZES[size], color_scheme=theme)
    found = []

    for name, (client, path) in doors.pages().items():
        assert doors.visit(barriers.page, live_server.url, client, path).status == 200, name
        found += barriers.here(name)

    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(("size", "theme"), [("desktop", "dark"), ("phone", "light")])
def test_nor_has_what_opens_on_a_page(look, live_server, size, theme):
    ada = make.administrator(username="ada")
    made = world.a_night()
    barriers = look(ada, viewport=SIZES[size], color_scheme=theme)
    page = barriers.page
    found = []

    def press(name, opens):
        page.get_by_role("button", name=name).first.click()
        page.locator(opens).wait_for()
        found.extend(f"{name}: {barrier}" for barrier in page.evaluate(LOOK, TAGS))
        page.keyboard.press("Escape")

    barriers("overview", world.HOME)
    press("What does this mean?", ".term-text:popover-open")
    press("Actions: Delete old conversations", "#asked[open]")
    press("Cancel Cleanup orphaned messages", "#question[open]")
    doors.visit(page, live_server.url, doors.of_long_ago(ada), f"{world.HOME}/runs/{made['purged'].pk}")
    page.get_by_role("button", name="Undo").click()
    page.locator("#question [value=yes]").click()
    page.get_by_role("heading", name="Confirm that it is you").wait_for()
    found += barriers.here("confirmation")
    barriers("run failed", f"{world.HOME}/runs/{made['failed'].pk}")
    assert page.get_by_role("heading", name="Compared with the run before").is_visible()
    press("Retry", "#asked[open]")
    page.context.set_offline(True)
    page.get_by_text("Connection lost").wait_for()
    found += page.evaluate(LOOK, TAGS)

    assert not found, "\n".join(found)


# --- By keys alone ----------------------------------------------------------------------------


@pytest.fixture
def overview(look, live_server):
    make.consumer()
    make.conversation(age=make.days(31))
    page = look(make.administrator()).page
    page.goto(live_server.url + world.HOME)
    return page


def focused(page):
    """The name of what has the focus: what is read out, or else what is written on it."""
    return page.evaluate(
        "(document.activeElement.getAttribute('aria-label') ?? document.activeElement.innerText).trim()"
    )


def tab_to(page, name, *, most=40):
    """Press Tab until ``name`` has the focus; all that had it on the way."""
    passed = []
    while not passed or passed[-1] != name:
        assert len(passed) < most, f"{name} is not among {passed}"
        page.keyboard.press("Tab")
        passed.append(focused(page))
    return passed


def test_tab_leads_from_the_skip_link_through_the_bar_to_the_first_task(overview):
    passed = tab_to(overview, "Run now: Cleanup inactive users")

    bar = ["Overview", "Runs", "Trends", "Tables", "Holds", "History", "Alerts", "Settings"]
    assert passed[:10] == ["Skip to the content", "Housekeeping", *bar]
    assert "Keyboard shortcuts" in passed
    assert passed.index("Sign out") < passed.index("Run all housekeeping tasks")


def test_the_skip_link_is_seen_and_leads_past_the_bar(overview):
    overview.keyboard.press("Tab")
    assert overview.locator(".skip").bounding_box()["x"] >= 0

    overview.keyboard.press("Enter")
    overview.keyboard.press("Tab")

    assert overview.evaluate("document.querySelector('main').contains(document.activeElement)")


def test_a_question_takes_the_focus_and_gives_it_back(overview):
    name = "Run now: Delete old conversations"
    tab_to(overview, name)

    overview.keyboard.press("Enter")
    overview.get_by_role("dialog").wait_for()
    wait_until(lambda: focused(overview) == "Go back", what="the focus in the dialog")
    overview.evaluate(AXE)
    assert overview.evaluate(LOOK, TAGS) == []
    overview.keyboard.press("Escape")

    overview.get_by_role("dialog").wait_for(state="hidden")
    assert focused(overview) == name
    overview.keyboard.press("Enter")
    wait_until(lambda: focused(overview) == "Go back", what="the focus in the dialog")
    overview.keyboard.press("Enter")
    overview.get_by_role("dialog").wait_for(state="hidden")
    assert focused(overview) == name


def test_the_help_sheet_opens_by_key_and_by_button_and_gives_the_focus_back(overview):
    sheet = overview.locator("#keys")
    tab_to(overview, "Runs")
    overview.keyboard.press("?")
    assert sheet.is_visible()
    assert sheet.evaluate("sheet => sheet.contains(document.activeElement)")
    overview.keyboard.press("Escape")
    assert focused(overview) == "Runs"

    tab_to(overview, "Keyboard shortcuts")
    overview.keyboard.press("Enter")
    assert sheet.is_visible()
    overview.keyboard.press("Escape")

    assert focused(overview) == "Keyboard shortcuts"
