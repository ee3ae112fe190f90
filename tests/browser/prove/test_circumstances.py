"""Pages at a zoom of 400 %, without motion, in the system's colours, and on paper."""

import pytest

from housekeeping.models import LogLine
from tests import make
from tests.browser import doors, world
from tests.browser.test_dashboard import SCREENSHOTS
from tests.chat.sign_in import apps

ZOOMED = {"width": 320, "height": 256}  # 1280 by 1024 at 400 %, as WCAG 1.4.10 has it
# What stands beyond the window's edge, unless one can scroll to it; and text that its own box cuts off.
CUT_OFF = """() => {
    const style = (one) => getComputedStyle(one);
    const scrolls = (one) => one && (/auto|scroll/.test(style(one).overflowX) || scrolls(one.parentElement));
    const isHidden = (one) => one.closest(".visually-hidden, .skip, [hidden], canvas, [aria-hidden=true]");
    const beyond = (one) => {
        const { left, right, width } = one.getBoundingClientRect();
        return width > 0 && (right > innerWidth + 1 || left < -1) && !scrolls(one);
    };
    const cut = (one) => {
        const { overflowX, display } = style(one);
        return /hidden|clip/.test(overflowX) && display !== "inline" && one.scrollWidth > one.clientWidth + 1;
    };
    return [...document.querySelectorAll("body *")]
        .filter((one) => one.checkVisibility() && !isHidden(one) && (beyond(one) || cut(one)))
        .map((one) => one.outerHTML.slice(0, 120));
}"""

pytestmark = pytest.mark.django_db(transaction=True)


def all_pages(made):
    tasks = {f"task {name}": f"{world.HOME}/tasks/{name}" for name in ("conversations", "all", "stats")}
    return world.pages(made, make.visitor()) | tasks


def shoot(page, name):
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


def test_at_400_percent_nothing_is_cut_off_nor_scrolled_sideways(site, visit):
    page = visit(viewport=ZOOMED, expect_errors=True)
    found = []

    for name, path in all_pages(world.a_night()).items():
        page.goto(site + path)
        page.evaluate("for (const one of document.querySelectorAll('main details')) one.open = true")
        if name in ("overview", "runs", "run failed", "holds", "trends", "tables", "table"):
            shoot(page, f"zoom-{name}")
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found.append(f"{name} scrolls sideways")
        found += [f"{name}: {cut}" for cut in page.evaluate(CUT_OFF)[:6]]

    assert not found, "\n".join(found)


def test_nor_is_a_page_to_sign_in_or_of_one_s_account(site, open_page):
    page = open_page(viewport=ZOOMED, expect_errors=True)
    found = []

    for name, (client, path) in doors.pages().items():
        doors.visit(page, site, client, path)
        shoot(page, f"zoom-{name.strip('/').replace('/', '-')}")
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found.append(f"{name} scrolls sideways")
        found += [f"{name}: {cut}" for cut in page.evaluate(CUT_OFF)[:6]]

    assert not found, "\n".join(found)


def test_a_phone_names_the_two_runs_that_it_compares(site, visit):
    failed = world.a_night()["failed"]
    page = visit(f"{world.HOME}/runs/{failed.pk}", viewport={"width": 390, "height": 844})
    shoot(page, "compared")
    column = page.get_by_role("columnheader", name="This run")

    assert column.is_visible()
    own = page.locator(".pairs:has(thead) tbody td").first
    assert abs(column.bounding_box()["x"] - own.bounding_box()["x"]) < 2


# --- Without motion ---------------------------------------------------------------------------

MOVES = """() => [...document.querySelectorAll("*")].flatMap((one) =>
    ["", "::before", "::after", "::backdrop"].map((part) => getComputedStyle(one, part))
    .filter((style) => style.animationName !== "none" || !/^0s(, 0s)*$/.test(style.transitionDuration)
        || style.scrollBehavior === "smooth")
    .map(() => one.outerHTML.slice(0, 100)))"""


def test_nothing_moves_for_who_asked_for_less_motion(site, visit):
    page = visit(reduced_motion="reduce", expect_errors=True)
    found = []

    for name, path in all_pages(world.a_night()).items():
        page.goto(site + path)
        found += [f"{name}: {moves}" for moves in page.evaluate(MOVES)]
    page.goto(site + world.HOME)
    page.locator("#task-conversations").get_by_role("button", name="Actions").click()
    page.get_by_role("dialog").wait_for()

    assert not found, "\n".join(found)
    assert page.evaluate("document.getAnimations().length") == 0


# --- In the system's colours ------------------------------------------------------------------

# The contrast of two colours of an element's style, as WCAG 1.4.11 has it, with what is behind it.
CONTRAST = """(one, property) => {
    const linear = (part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    const light = (color) => {
        const [red, green, blue] = color.match(/[\\d.]+/g).map((part) => linear(part / 255));
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const behind = light(getComputedStyle(document.body).backgroundColor);
    const here = light(getComputedStyle(one)[property]);
    return (Math.max(here, behind) + 0.05) / (Math.min(here, behind) + 0.05);
}"""


@pytest.fixture
def in_system_colors(site, visit):
    """A function that opens a page of a site with content, in colours that the system sets."""
    made = world.a_night()

    def open_one(name="overview", scheme="dark"):
        page = visit(world.pages(made, make.visitor())[name], forced_colors="active", color_scheme=scheme)
        shoot(page, f"forced-{name}-{scheme}")
        return page

    return open_one


def contrasts(page, selector, of):
    """The contrast of a property of each such element, which there have to be."""
    found = [one.evaluate(CONTRAST, of) for one in page.locator(selector).all() if one.is_visible()]
    assert found, selector
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_system_colors_states_and_buttons_have_lines_and_bars_stand_out(in_system_colors, scheme):
    page = in_system_colors(scheme=scheme)

    for selector in (".badge", ".button", ".verdict", "progress", ".panel"):
        assert min(contrasts(page, selector, "borderTopColor")) >= 3, selector
        widths = page.locator(selector).evaluate_all(
            "all => all.map((it) => getComputedStyle(it).borderTopWidth)"
        )
        assert "0px" not in widths, selector
    assert min(contrasts(page, ".strip .bar-mark", "fill")) >= 3
    bars = [
        page.locator(f'.bar-mark[data-status="{status}"]') for status in ("succeeded", "running", "failed")
    ]
    assert len({bar.first.evaluate("it => getComputedStyle(it).fill") for bar in bars}) == 3


def test_in_system_colors_the_focus_and_the_current_page_are_seen(in_system_colors):
    page = in_system_colors("runs")

    page.get_by_role("link", name="Trends").focus()
    page.keyboard.press("Tab")
    focused = page.locator(":focus-visible")
    assert focused.evaluate("it => getComputedStyle(it).outlineStyle") == "solid"
    assert focused.evaluate(CONTRAST, "outlineColor") >= 3
    current, other = (
        page.locator(f".tabs a{which}").first.evaluate("it => getComputedStyle(it).borderBottomColor")
        for which in ("[aria-current]", ":not([aria-current])")
    )
    assert current != other
    assert (
        page.locator(".bar nav [aria-current]").evaluate("it => getComputedStyle(it).outlineStyle") == "solid"
    )


# --- On paper ---------------------------------------------------------------------------------

PAPER = {"width": 718, "height": 1010}  # A4 within its margins
PRESSED = ".bar, button, .button, form input:not([type=hidden]), select, dialog, .crumbs"


def test_on_paper_there_is_what_one_reads_and_none_of_it_is_cut_off(site, visit):
    page = visit(viewport=PAPER, color_scheme="dark")
    page.emulate_media(media="print")
    pages = world.pages(world.a_night(), make.visitor())

    for name in (
        "overview",
        "runs",
        "run failed",
        "run purged",
        "trends",
        "tables",
        "table",
        "holds",
        "history",
        "policy",
    ):
        page.goto(site + pages[name])
        shoot(page, f"print-{name}")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        assert page.evaluate(CUT_OFF) == [], name
        pressed = [
            one.evaluate("it => it.outerHTML") for one in page.locator(PRESSED).all() if one.is_visible()
        ]
        assert pressed == [], name
        assert len(page.locator("main").inner_text()) > 100, name
        assert page.locator("main").evaluate("it => getComputedStyle(it).color") == "rgb(28, 33, 30)", name


def test_on_paper_there_are_the_recovery_codes(site, open_page):
    """The page asks to print them, and shows them once."""
    page = open_page(viewport=PAPER, color_scheme="dark")
    page.emulate_media(media="print")
    user = make.administrator(username="grace", password=doors.PASSWORD)
    apps.given(user)

    doors.visit(page, site, doors.with_new_codes(user), "/account/codes")
    shoot(page, "print-codes")

    assert len(set(doors.codes_on(page))) == 10
    assert page.evaluate(CUT_OFF) == []
    assert [one for one in page.locator(PRESSED).all() if one.is_visible()] == []
    assert page.locator("main").evaluate("it => getComputedStyle(it).color") == "rgb(28, 33, 30)"


def test_on_paper_a_long_log_and_a_hidden_result_are_whole(site, visit):
    long = "a_long_name " * 20
    run = make.run("users", status="failed", error=long, finished_at=make.ago())
    lines = [LogLine(run=run, logged_at=make.ago(), level="INFO", text=f"line {n}") for n in range(100)]
    LogLine.objects.bulk_create(lines)
    page = visit(f"{world.HOME}/runs/{run.pk}", viewport=PAPER)
    page.emulate_media(media="print")
    log = page.locator("#log-lines")
    assert log.evaluate("it => it.scrollHeight <= it.clientHeight + 1")

    page.goto(f"{site}{world.HOME}/runs")
    result = page.locator("td.result span")

    assert result.evaluate("it => it.scrollWidth <= it.clientWidth + 1 && it.clientHeight > 30")
