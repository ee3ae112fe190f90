"""The pages for a script that runs from right to left: nothing sticks out, and all is mirrored.

No such language is translated yet: the direction alone is turned, with the texts as they are.
"""

import pytest
from django.conf import settings
from django.test import Client

from tests import make
from tests.browser import world

SIZES = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
# What is drawn past the page's own edges, and not in something that scrolls, nor hidden.
OUTSIDE = """() => {
    document.documentElement.dir = "rtl";
    for (const one of document.querySelectorAll("main details")) one.open = true;
    const scrolls = (element) => element && (/auto|scroll/.test(getComputedStyle(element).overflowX)
        || scrolls(element.parentElement));
    const seen = [...document.querySelectorAll("body *:not(.skip):not(.visually-hidden)")];
    const found = seen.filter((one) => {
        const box = one.getBoundingClientRect();
        return box.width && !scrolls(one) && (box.left < -1 || box.right > innerWidth + 1);
    }).map((one) => one.outerHTML.slice(0, 120));
    if (document.documentElement.scrollWidth > innerWidth) found.push("the page scrolls sideways");
    return found;
}"""
EDGES = """() => {
    const box = (name) => document.querySelector(name).getBoundingClientRect();
    return {brand: innerWidth - box(".bar-brand").right, account: box(".bar-account").left};
}"""

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def signed_in(live_server, open_page):
    """Opens pages by their paths, at a size."""
    client = Client()
    client.force_login(make.administrator(username="ada"))
    name = settings.SESSION_COOKIE_NAME
    cookie = {"name": name, "value": client.cookies[name].value, "url": live_server.url}

    def with_options(**options):
        page = open_page(expect_errors=True, **options)
        page.context.add_cookies([cookie])
        return lambda path: page.goto(live_server.url + path) and page

    return with_options


@pytest.mark.parametrize("size", SIZES)
def test_nothing_sticks_out_and_the_bar_begins_at_the_right(signed_in, size):
    pages = world.pages(world.a_night(), make.visitor())
    visit, outside = signed_in(viewport=SIZES[size]), {}

    for name, path in pages.items():
        page = visit(path)
        outside[name] = page.evaluate(OUTSIDE)
        edges = page.evaluate(EDGES)
        assert edges["brand"] <= 130, name
        assert edges["account"] <= 130, name

    assert not any(outside.values()), {name: found for name, found in outside.items() if found}


@pytest.mark.parametrize("size", SIZES)
def test_german_with_its_long_words_fits_too(signed_in, size):
    pages = world.pages(world.a_night(), make.visitor())
    visit = signed_in(viewport=SIZES[size], locale="de-DE")
    outside = {name: visit(path).evaluate(OUTSIDE.replace('"rtl"', '"ltr"')) for name, path in pages.items()}

    assert not any(outside.values()), {name: found for name, found in outside.items() if found}


def test_time_runs_from_left_to_right_in_charts_and_under_them(signed_in):
    world.a_night()
    page = signed_in()(f"{world.HOME}/trends")
    page.evaluate(OUTSIDE)
    page.evaluate("for (const chart of document.querySelectorAll('.chart')) delete chart.dataset.plotted")
    first, last = (page.locator(".chart-ends span").nth(place).bounding_box()["x"] for place in (0, 1))
    assert first < last

    page.goto(page.url.replace("/trends", ""))
    page.evaluate(OUTSIDE)
    ends = page.locator(".strip-head span").evaluate_all(
        "ends => ends.map((one) => one.getBoundingClientRect().left)"
    )

    assert ends == sorted(ends)
