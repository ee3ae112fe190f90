"""German words are longer than English ones: buttons and badges still fit into their boxes."""

import pytest

from tests import make
from tests.browser import world

HOME = world.HOME
TOO_NARROW = """() => {
  const isBroken = (box) => {
    const range = document.createRange();
    range.selectNodeContents(box);
    const lines = new Set([...range.getClientRects()].map(({ top }) => Math.round(top)));
    return lines.size > box.textContent.trim().split(/\\s+/).length;
  };
  const boxes = [...document.querySelectorAll(".offers .button, .badge, .compared td")];
  return boxes.filter((box) => box.checkVisibility()).filter(
    (box) => box.scrollWidth > box.clientWidth + 1 || box.matches("td") && isBroken(box)
  ).map((box) => box.textContent.trim());
}"""


@pytest.fixture
def in_german(site, visit):
    made = world.a_night()
    make.run("users", status="failed", error="OSError", started_at=make.ago(hours=1), finished_at=make.ago())
    return made, visit(HOME, locale="de-DE", viewport={"width": 1440, "height": 900})


def test_no_german_button_or_badge_is_wider_than_its_box(in_german, site):
    made, page = in_german
    paths = [
        f"{HOME}/tasks/users",
        f"{HOME}/tasks/stats",
        *(f"{HOME}/runs/{run.pk}" for run in made.values()),
    ]

    for width in (390, 800, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        for path in paths:
            page.goto(site + path)
            assert (path, width, page.evaluate(TOO_NARROW)) == (path, width, [])
            assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_buttons_of_the_dialog_fit_in_german(in_german):
    _, page = in_german
    page.locator("#task-users .more-acts").click()
    page.locator("#asked .offers").wait_for()

    assert page.evaluate(TOO_NARROW) == []
