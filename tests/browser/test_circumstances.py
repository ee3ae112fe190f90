"""Pages at a zoom of 400 %, without motion, in the system's colours, and on paper."""

import pytest

from tests import make
from tests.browser import world
from tests.browser.test_dashboard import SCREENSHOTS

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
        if name in ("overview", "runs", "run failed", "holds", "trends"):
            shoot(page, f"zoom-{name}")
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found.append(f"{name} scrolls sideways")
        found += [f"{name}: {cut}" for cut in page.evaluate(CUT_OFF)[:6]]

    assert not found, "\n".join(found)
