"""An operator's main jobs by keys alone: the focus is always seen, and never lost."""

import pytest

from chat.models import Conversation
from housekeeping.models import Hold, PolicyState, Run
from tests import make
from tests.browser.prove.test_accessibility import focused
from tests.browser.test_dashboard import SIZES
from tests.make import days
from tests.services import wait_until

# Why one can't see what has the focus, if so: nothing has it, it has no ring, or something lies over it. The
# calendar of a date has a ring of its own.
UNSEEN = """() => {
    const it = document.activeElement;
    if (!it || it === document.body) return "nothing has the focus";
    const { outlineStyle, outlineWidth } = getComputedStyle(it);
    const what = it.outerHTML.slice(0, 200);
    const hasPart = !it.matches(":focus") && it.matches(":focus-within");
    if (!hasPart && (outlineStyle === "none" || parseFloat(outlineWidth) < 1)) return `no ring: ${what}`;
    const { left, top, width, height } = it.getBoundingClientRect();
    const above = document.elementFromPoint(left + width / 2, top + height / 2);
    if (!it.contains(above) && !above?.contains(it)) return `not in view: ${what}`;
    return "";
}"""

pytestmark = pytest.mark.django_db(transaction=True)


class Keyboard:
    """The keys of a page. After each, what has the focus is in view and has a ring."""

    def __init__(self, page):
        self.page = page

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)
        return self

    def is_seen(self):
        wait_until(lambda: self.page.evaluate(UNSEEN) == "", seconds=3, what=self.page.evaluate(UNSEEN))

    def to(self, name, *, key="Tab", most=60):
        """Press Tab until what is called ``name`` has the focus."""
        passed = []
        while not passed or passed[-1] != name:
            assert len(passed) < most, f"{name} is not among {passed}"
            self.page.keyboard.press(key)
            assert self.page.evaluate(UNSEEN) == ""
            passed.append(self.label())
        return self

    def label(self):
        return self.page.evaluate("document.activeElement.labels?.[0]?.innerText.trim() ?? ''") or focused(
            self.page
        )

    def enter(self, url=None):
        if url is None:
            return self.press("Enter")
        self.page.keyboard.press("Enter")
        self.page.wait_for_url(url)
        return self

    def type(self, text):
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.type(text)
        return self


@pytest.fixture(params=SIZES)
def keys(request, visit):
    """A function that opens a page, and gives its keyboard."""
    return lambda path="/scheduler-admin": Keyboard(visit(path, viewport=SIZES[request.param]))


def question(keyboard):
    """Wait for the question, whose harmless answer has the focus, and go back to the other one."""
    wait_until(lambda: focused(keyboard.page) == "Go back", what="the focus in the question")
    keyboard.is_seen()
    return keyboard


def test_a_failed_run_is_found_on_the_overview_and_retried(keys):
    failed = make.run("users", status="failed", error="the pipe burst", finished_at=make.ago())
    keyboard = keys()

    keyboard.to("View run").enter(f"**/runs/{failed.pk}")
    keyboard.to("Retry").enter()
    question(keyboard).to("Run now", key="Shift+Tab").enter()

    keyboard.page.get_by_text("queued").first.wait_for()
    assert Run.objects.get(cause="retry").retry_of == failed


def test_a_task_is_previewed_and_then_run(keys):
    make.consumer()
    make.conversation(age=days(31))
    keyboard = keys()
    row = keyboard.page.locator("#task-conversations")

    keyboard.to("Actions: Delete old conversations").enter()
    wait_until(lambda: focused(keyboard.page) == "Close", what="the focus in the dialog")
    keyboard.to("Dry run", key="Shift+Tab").enter()
    row.locator('.badge[data-status="queued"]').wait_for()
    keyboard.is_seen()
    Run.objects.update(status="succeeded", finished_at=make.ago(), result={"deleted_conversations": 1})
    row.get_by_text("1 deleted conversations").wait_for()
    keyboard.is_seen()
    keyboard.to("Run now: Delete old conversations", key="Shift+Tab").enter()
    question(keyboard).to("Delete them", key="Shift+Tab").enter()

    row.locator('.badge[data-status="queued"]').wait_for()
    keyboard.is_seen()
    assert list(Run.objects.order_by("requested_at").values_list("dry_run", flat=True)) == [True, False]


def test_a_retention_is_changed(keys):
    make.conversation(age=days(20))
    keyboard = keys()

    keyboard.to("Actions: Delete old conversations").enter()
    wait_until(lambda: focused(keyboard.page) == "Close", what="the focus in the dialog")
    keyboard.to("Preview policy conversations", key="Shift+Tab").enter("**/policies/conversations")
    keyboard.to("Days").type("10")
    keyboard.page.get_by_text("1 row, 1 more than at 30").wait_for()
    keyboard.is_seen()
    keyboard.to("Save").enter()

    keyboard.page.get_by_text("are kept for 10 days").first.wait_for()
    assert PolicyState.objects.get().retention_days == 10


def test_a_row_is_put_on_hold(keys):
    row = make.conversation()
    keyboard = keys()

    keyboard.press("g", "s").page.wait_for_url("**/settings")
    keyboard.press("g", "h").page.wait_for_url("**/holds")
    keyboard.to("Key").type(str(row.pk)).to("Reason").type("A dispute").to("Put on hold").enter()

    keyboard.page.get_by_text("is on hold").first.wait_for()
    assert Hold.objects.get().reason == "A dispute"


def test_a_purge_is_undone(keys):
    run = make.purge()
    assert not Conversation.objects.exists()
    keyboard = keys("/scheduler-admin/runs")

    keyboard.to("Delete old conversations").enter(f"**/runs/{run.pk}")
    keyboard.to("Undo").enter()
    question(keyboard).to("Undo", key="Shift+Tab").enter()

    keyboard.page.get_by_text("waiting for a consumer").first.wait_for()
    assert Run.objects.get(undo_of=run).requested_by == "ada"


def test_runs_are_filtered_and_one_of_them_is_opened(keys):
    make.run("stats", status="succeeded")
    failed = make.run("users", status="failed", error="the pipe burst")
    keyboard = keys("/scheduler-admin/runs")

    keyboard.press("/").is_seen()
    keyboard.type("pipe").page.wait_for_url("**/runs?text=pipe")
    keyboard.page.locator("tr[id^=run-row-]").nth(1).wait_for(state="detached")
    keyboard.is_seen()

    keyboard.to("Cleanup inactive users").enter(f"**/runs/{failed.pk}")


def test_a_word_is_explained_and_the_explanation_leaves_by_escape(keys):
    keyboard = keys("/scheduler-admin/holds")

    keyboard.to("What does this mean?").enter()
    explained = keyboard.page.locator(".term-text:popover-open")
    explained.wait_for()
    keyboard.is_seen()
    keyboard.press("Escape")

    explained.wait_for(state="hidden")
    assert keyboard.label() == "What does this mean?"
    keyboard.is_seen()
