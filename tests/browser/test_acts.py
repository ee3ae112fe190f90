"""After each act, by keys alone: the answer stands beside the button, and the focus stays there."""

import pytest
from playwright.sync_api import expect

from housekeeping.models import Run
from housekeeping.runs.work import execution
from tests import make
from tests.browser.conftest import HOME
from tests.make import days


@pytest.fixture
def show(visit):
    """Opens a page of the dashboard, signed in."""
    return lambda path="", **options: visit(f"{HOME}{path}", **options)


def press(page, button, key="Enter"):
    button.focus()
    page.keyboard.press(key)


def focused(page):
    """The name of what has the focus: what is read out, or else what is written on it."""
    return page.evaluate(
        "(document.activeElement.getAttribute('aria-label') ?? document.activeElement.innerText).trim()"
    )


def answer(page, text):
    """The place with this answer, once it is told."""
    place = page.locator(".answer", has_text=text)
    place.wait_for()
    assert place.get_attribute("role") == "status"
    page.wait_for_function("document.activeElement !== document.body")
    return place


def is_beside(place, element, *, within=80):
    """Are the two less than so many pixels apart?"""
    one, other = place.bounding_box(), element.bounding_box()
    gap = max(one["y"] - other["y"] - other["height"], other["y"] - one["y"] - one["height"])
    return gap < within


# --- The overview, in place -------------------------------------------------------------------


def test_a_press_on_the_overview_is_answered_in_its_row(show):
    page = show()
    row = page.locator("#task-stats")

    press(page, row.get_by_role("button", name="Run now"))

    place = answer(page, "Generate statistics: waiting for a consumer")
    assert row.locator(".answer").inner_text() == place.inner_text()
    assert focused(page) == "Cancel: Generate statistics"
    page.keyboard.press("Enter")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    answer(page, "Generate statistics: cancelled")
    assert focused(page) == "Run now: Generate statistics"


def test_an_answer_stays_while_the_page_refreshes_itself(show):
    page = show()
    press(page, page.locator("#task-stats").get_by_role("button", name="Run now"))
    place = answer(page, "waiting for a consumer")

    Run.objects.update(status="failed", error="the pipe burst", finished_at=make.ago())
    page.locator("#task-stats").get_by_text("the pipe burst").wait_for()

    assert place.is_visible()


def test_a_refresh_leads_nobody_to_an_answer_who_reads_elsewhere(show):
    page = show()
    press(page, page.locator("#task-stats").get_by_role("button", name="Run now"))
    answer(page, "waiting for a consumer")
    page.get_by_text("All times are in").click()
    assert page.evaluate("document.activeElement === document.body")

    Run.objects.update(status="failed", error="the pipe burst", finished_at=make.ago())
    page.locator("#task-stats").get_by_text("the pipe burst").wait_for()
    page.wait_for_timeout(200)

    assert page.evaluate("document.activeElement === document.body")


def test_a_question_that_was_answered_gives_the_focus_back_to_the_row(show):
    make.conversation(age=days(31))
    page = show()
    press(page, page.locator("#task-conversations").get_by_role("button", name="Run now"))
    page.locator("#asked[open]").wait_for()

    press(page, page.locator("#asked").get_by_role("button", name="Delete them"))

    place = answer(page, "Delete old conversations: waiting for a consumer")
    assert is_beside(place, page.locator("#task-conversations"))
    assert focused(page) == "Cancel: Delete old conversations"


def test_a_pause_from_the_menu_gives_the_focus_back_to_the_menu(show):
    page = show()
    press(page, page.locator("#task-conversations").get_by_role("button", name="Actions"))

    press(
        page, page.locator("#asked").get_by_role("button", name="Pause schedule Weekly Conversation Cleanup")
    )

    answer(page, "Weekly Conversation Cleanup is paused.")
    assert focused(page) == "Actions: Delete old conversations"


def test_pausing_all_leaves_the_focus_on_its_counterpart(show):
    page = show()

    press(page, page.get_by_role("button", name="Pause all"))

    place = answer(page, "All schedules are paused.")
    assert focused(page) == "Resume all"
    assert is_beside(place, page.get_by_role("button", name="Resume all"))


def test_what_is_gone_with_the_act_leaves_the_focus_on_the_answer_in_its_place(show):
    make.run("stats")
    page = show()

    press(page, page.locator("li.now").get_by_role("button", name="Cancel"))
    press(page, page.locator("#question [value=yes]"))

    answer(page, "Generate statistics: cancelled")
    assert "Generate statistics: cancelled" in focused(page)
    assert page.locator("li.now").count() == 0


def test_a_run_that_is_being_cancelled_keeps_the_focus_on_its_button(show):
    make.run("stats", status="running", attempts=1, lease_until=make.ago(minutes=-5))
    page = show()

    press(page, page.locator("li.now").get_by_role("button", name="Cancel"))
    press(page, page.locator("#question [value=yes]"))

    page.locator("li.now").get_by_text("Cancelling…").wait_for()
    place = answer(page, "Generate statistics: stops after this batch")
    assert is_beside(place, page.locator("li.now"))
    assert focused(page) == "Cancel Generate statistics"
    page.keyboard.press("Enter")  # it is under way, so nothing more happens
    page.wait_for_timeout(300)
    assert page.locator("#question[open]").count() == 0

    Run.objects.update(status="cancelled", finished_at=make.ago())
    page.locator("li.now").wait_for(state="detached")
    page.wait_for_function("document.activeElement !== document.body")
    assert "Generate statistics: stops after this batch" in focused(page)


# --- The list of runs -------------------------------------------------------------------------


def test_what_is_done_to_selected_runs_is_told_beside_the_buttons(show):
    for task in ("stats", "users"):
        make.run(task)
    page = show("/runs")
    page.get_by_label("All on this page").check()
    button = page.get_by_role("button", name="Cancel selected")

    press(page, button)
    press(page, page.locator("#question [value=yes]"))

    place = answer(page, "2 runs cancelled.")
    assert is_beside(place, button)
    assert focused(page) == "Cancel selected"
    page.evaluate("document.dispatchEvent(new Event('look-again'))")
    page.wait_for_timeout(500)
    assert place.is_visible()


# --- Pages that are loaded anew ---------------------------------------------------------------


def test_a_schedule_is_paused_and_the_focus_is_on_its_counterpart(show):
    page = show("/schedules/weekly_cleanup")

    press(page, page.get_by_role("button", name="Pause"))

    place = answer(page, "Weekly Conversation Cleanup is paused.")
    assert focused(page) == "Resume"
    assert is_beside(place, page.get_by_role("button", name="Resume"))
    assert place.get_attribute("id") in page.evaluate(
        "document.activeElement.getAttribute('aria-describedby')"
    )


def test_the_page_of_a_task_stays_and_answers_beside_what_was_pressed(show):
    page = show("/tasks/stats")

    press(page, page.get_by_role("button", name="Run now"))
    place = answer(page, "Generate statistics: waiting for a consumer")
    assert page.url.endswith("/tasks/stats")
    assert is_beside(place, page.get_by_role("button", name="Cancel"))

    press(page, page.get_by_role("button", name="Pause schedule Generate System Statistics"))
    answer(page, "Generate System Statistics is paused.")
    assert focused(page) == "Resume schedule Generate System Statistics"
    assert page.url.endswith("/tasks/stats")


def test_a_run_that_is_cancelled_from_its_page_is_answered_there(show):
    run = make.run("stats")
    page = show(f"/runs/{run.pk}")

    press(page, page.get_by_role("button", name="Cancel"))
    press(page, page.locator("#question [value=yes]"))

    place = answer(page, "Generate statistics: cancelled")
    assert is_beside(place, page.get_by_role("button", name="Retry"))
    assert "Generate statistics: cancelled" in focused(page)


@pytest.fixture
def offered():
    """For each act on the page of a run: a run that offers it."""
    purged = make.purge()
    make.visitor(age=days(8))
    plan = make.run("users", dry_run=True)
    plan = execution.execute(execution.claim(plan.pk, 0))
    held = make.run("all", status="held", plan=plan.plan)
    failed = make.run("stats", status="failed")
    return {"Undo": purged, "Dry run": purged, "Run this plan": plan, "Approve": held, "Retry": failed}


@pytest.mark.parametrize("javascript", [True, False], ids=["javascript", "none"])
@pytest.mark.parametrize("button", ["Undo", "Dry run", "Run this plan", "Approve", "Retry"])
def test_each_act_on_a_run_leads_to_its_answer(show, offered, button, javascript):
    page = show(f"/runs/{offered[button].pk}", java_script_enabled=javascript)

    press(page, page.get_by_role("button", name=button, exact=True))
    if button in ("Run this plan", "Approve"):
        press(page, page.get_by_role("button", name="Delete them"))
    elif button == "Undo" and javascript:
        press(page, page.locator("#question [value=yes]"))

    place = page.locator(".answer", has_text="waiting for a consumer")
    place.wait_for()
    assert place.evaluate("it => it === document.activeElement")
    assert is_beside(place, page.get_by_role("button", name="Cancel"))


@pytest.mark.parametrize("javascript", [True, False], ids=["javascript", "none"])
def test_a_refused_act_is_told_where_it_was_pressed(show, javascript):
    make.conversation(age=days(31))
    plan = make.run("conversations", dry_run=True)
    execution.execute(execution.claim(plan.pk, 0))
    page = show(f"/runs/{plan.pk}", java_script_enabled=javascript)
    make.run("conversations", dry_run=True)

    page.get_by_role("button", name="Dry run again").click()

    place = page.locator(".answer", has_text="is queued already")
    place.wait_for()
    assert place.evaluate("it => it === document.activeElement") or focused(page) == "Dry run again"


def test_without_javascript_the_answer_is_in_its_row_and_has_the_focus(show):
    page = show(java_script_enabled=False)

    page.locator("#task-stats").get_by_role("button", name="Run now").click()

    place = page.locator("#task-stats .answer", has_text="Generate statistics: waiting for a consumer")
    place.wait_for()
    assert place.evaluate("it => it === document.activeElement")


# --- Fields -----------------------------------------------------------------------------------


def described_by(field):
    """The texts that describe a field, as a screen reader puts them together."""
    ids = field.get_attribute("aria-describedby").split()
    return " ".join(field.page.locator(f"#{one}").inner_text() for one in ids)


@pytest.mark.parametrize("is_by_key", [True, False], ids=["in the field", "on the button"])
def test_a_trigger_is_saved_or_not_and_the_focus_stays(show, is_by_key):
    page = show("/schedules/weekly_cleanup", expect_errors=True)  # 400: not saved
    field, save = page.get_by_label("Trigger", exact=True), page.get_by_role("button", name="Save")

    field.fill("61 7 * * *")
    page.get_by_text("Minutes go from 0 to 59.").wait_for()
    assert field.get_attribute("aria-invalid") == "true"
    press(page, field if is_by_key else save)
    page.get_by_text("Not saved: '61 7 * * *' is not a cron expression").wait_for()
    assert field.evaluate("it => it === document.activeElement")
    assert (field.input_value(), field.get_attribute("aria-invalid")) == ("61 7 * * *", "true")
    assert "Not saved: " in described_by(field)

    field.fill("15 7 * * *")
    page.locator("#fire-times li").first.get_by_text("07:15:00").wait_for()
    assert field.get_attribute("aria-invalid") is None
    press(page, field if is_by_key else save)
    place = answer(page, "Saved. Weekly Conversation Cleanup runs at 7:15 AM from now on.")
    assert is_beside(place, save)
    assert (field if is_by_key else save).evaluate("it => it === document.activeElement")


def test_a_retention_is_saved_and_the_focus_stays_on_its_button(show):
    page = show("/policies/users")
    page.get_by_label("Days").fill("60")
    page.get_by_text("At 60 days").wait_for()

    press(page, page.get_by_role("button", name="Save"))

    place = answer(page, "Saved. Rows of users are kept for 60 days from the next run on.")
    assert focused(page) == "Save"
    page.get_by_text("Eligible rows by retention").wait_for()  # fetched afterwards, above it
    expect(place).to_be_in_viewport()
    press(page, page.get_by_role("button", name="Reset to 7 days"))
    place = answer(page, "Saved. Rows of users are kept as declared: 7 days.")
    assert place.evaluate("it => it === document.activeElement")


def test_holds_are_made_changed_and_ended_by_keys_alone(show):
    row = make.conversation()
    page = show("/holds", expect_errors=True)  # 400: not saved
    key, until = page.get_by_role("textbox", name="Key"), page.get_by_label("Last day").first
    key.fill("0")
    page.get_by_label("Reason").fill("A dispute")
    press(page, page.get_by_role("button", name="Put on hold"))
    page.get_by_text("Not saved: There is no chat.Conversation with the key").wait_for()
    assert key.evaluate("it => it === document.activeElement")
    assert page.get_by_label("Reason").input_value() == "A dispute"

    key.fill(str(row.pk))
    press(page, page.get_by_role("button", name="Put on hold"))
    answer(page, f"Saved. chat.Conversation {row.pk} is on hold.")
    assert focused(page) == "Put on hold"
    assert until.input_value() == ""

    line = page.locator("tr[id^=hold-]")
    press(page, line.locator("summary"))
    line.get_by_label("Last day").fill("2001-01-31")
    press(page, line.get_by_role("button", name="Save"))
    place = answer(page, "Not saved: A hold must end in the future")
    assert focused(page) == "Save"
    assert line.get_by_label("Last day").input_value() == "2001-01-31"
    assert is_beside(place, line.get_by_label("Last day"))

    line.get_by_label("Last day").fill("2127-01-31")
    press(page, line.get_by_role("button", name="Save"))
    answer(page, f"Saved. chat.Conversation {row.pk} is on hold until 2127-01-31.")
    assert focused(page) == f"Change the end of the hold: chat.Conversation {row.pk}"

    press(page, line.get_by_role("button", name="End"))
    press(page, page.locator("#question [value=yes]"))
    answer(page, "Ended the hold on")
    assert "Ended the hold on" in focused(page)
