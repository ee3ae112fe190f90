"""The table of runs at every width: nothing that tells one run from another is cut off."""

import pytest

from housekeeping.declared import registry
from tests import make

LIST, TASK = "/scheduler-admin/runs", "/scheduler-admin/tasks/all"
CUT_OFF = """() => [...document.querySelectorAll(".run-table .badge")].filter((badge) => {
  const end = badge.getBoundingClientRect().right;
  for (let at = badge.parentElement; !at.matches(".run-table"); at = at.parentElement)
    if (end > at.getBoundingClientRect().right + 0.5) return true;
}).map((badge) => badge.textContent)"""


@pytest.fixture
def ran(site):
    took = {"started_at": make.ago(minutes=4), "finished_at": make.ago(minutes=3)}
    make.run("all", status="succeeded", dry_run=True, result={"deleted_conversations": 12_345_678}, **took)
    make.run("all", status="failed", error="OSError: the disk is full", **took)
    return registry.TASKS["all"].title


@pytest.mark.parametrize("locale", ["en", "de-DE"])
@pytest.mark.parametrize("path", [LIST, TASK])
def test_no_badge_and_no_result_of_a_run_is_cut_off(ran, visit, path, locale):
    page = visit(path, locale=locale)
    results = page.locator(".run-table .result")

    for width in (390, 800, 1024, 1200, 1201, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        assert (width, page.evaluate(CUT_OFF)) == (width, [])
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        widths = results.evaluate_all("cells => cells.map(cell => cell.clientWidth)")
        assert (width, min(widths) >= 180) == (width, True), widths
        assert page.locator(".run-table thead").evaluate("head => head.clientHeight") < 50


def test_the_number_of_a_result_comes_first_and_its_whole_text_is_in_its_title(ran, visit):
    page = visit(LIST, viewport={"width": 1440, "height": 900})
    result = page.locator(".run-table .result", has_text="would be")

    assert result.inner_text().startswith("would be: 12,345,678 deleted")
    assert result.get_attribute("title") == "would be: 12,345,678 deleted conversations"
