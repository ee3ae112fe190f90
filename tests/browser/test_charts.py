"""The axes of the charts that charts.js draws."""

import re

from tests import make
from tests.browser import world

# The texts that uPlot draws on its canvas, with their places.
READ = """() => {
  window.drawn = [];
  const fill = CanvasRenderingContext2D.prototype.fillText;
  CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
    window.drawn.push([this.canvas.closest("figure")?.id, text]);
    return fill.call(this, text, ...rest);
  };
}"""


def axis(page, chart, is_wanted):
    texts = [text for of, text in page.evaluate("window.drawn") if of == f"chart-{chart}"]
    return [text for text in texts if is_wanted(text)]


def test_charts_show_the_whole_period_and_end_at_a_tick(site, visit):
    ended = make.ago(hours=1)
    make.run("users", status="succeeded", started_at=make.ago(hours=2), finished_at=ended, requested_at=ended)
    make.tally("users", rows=2_777)
    page = visit(world.HOME)
    page.add_init_script(f"({READ})()")

    page.goto(f"{site}{world.HOME}/tasks/users")
    page.locator("#chart-percentiles canvas").wait_for()

    dates = {
        chart: axis(page, chart, lambda text: re.fullmatch(r"\d+ [A-Z][a-z]+", text))
        for chart in ("purged", "percentiles")
    }
    assert dates["percentiles"] == dates["purged"] != []
    numbers = axis(page, "purged", lambda text: text.replace(",", "").isdigit())
    assert numbers == ["0", "1,000", "2,000", "3,000"]
