"""Every act of the dashboard in a browser without JavaScript, with its answer on the page that comes."""

import re

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from chat.models import Conversation
from housekeeping.models import Channel, Erasure, Hold, Run
from housekeeping.runs import control
from housekeeping.runs.work import execution
from housekeeping.steering import retentions
from housekeeping.urls import urlpatterns
from tests import make
from tests.make import days
from tests.services import wait_until

HOME = "/scheduler-admin"
ROW = "chat.Conversation"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def page(visit):
    return visit(java_script_enabled=False, expect_errors=True)  # 422: what can't be saved


@pytest.fixture
def go(page, site):
    def to(path):
        page.goto(f"{site}{HOME}/{path}".rstrip("/"))
        return page

    return to


def press(page, name, *, within="main", exact=True):
    page.locator(within).get_by_role("button", name=name, exact=exact).first.click()


def says(page, text):
    expect(page.locator("main").get_by_text(re.compile(text)).first).to_be_visible()


def hold(**fields):
    return Hold.objects.create(**{"model": ROW, "key": "1", "reason": "A dispute", "made_by": "ada"} | fields)


def undone_holds():
    undo = make.run(status="succeeded", undo_of=make.run(status="succeeded"), requested_by="grace")
    for key in ("1", "2"):
        hold(key=key, undo=undo, until=make.ago(days=-30))
    return undo


def carried_out(task, **fields):
    run = control.request(task, send=lambda run: None, **fields)
    return execution.execute(execution.claim(run.pk, 0))


# --- What is done, by the name of the address that is posted to --------------------------------


def trigger(go):
    make.conversation(age=days(31), messages=2)
    page = go("")
    press(page, "Run now: Generate statistics")
    expect(page.locator("#task-stats .badge").first).to_have_text("queued")
    press(page, "Run now: Delete old conversations")
    says(page, "Delete 1 conversation and 2 chat messages?")
    press(page, "Delete them")
    says(page, "queued")
    assert set(Run.objects.values_list("task", flat=True)) == {"stats", "conversations"}


def dry_run(go):
    page = go("tasks/conversations")
    press(page, "Dry run")
    says(page, "queued")
    assert Run.objects.get().dry_run


def pause_all(go):
    page = go("")
    press(page, "Pause all")
    says(page, "paused")
    press(page, "Resume all")
    expect(page.locator('main .badge[data-status="paused"]')).to_have_count(0)


def schedule_pause(go):
    page = go("schedules/weekly_cleanup")
    press(page, "Pause")
    says(page, "paused")
    press(page, "Resume")
    expect(page.locator("main").get_by_role("button", name="Pause", exact=True)).to_be_visible()


def schedule_run(go):
    page = go("schedules/weekly_cleanup")
    press(page, "Run now")
    press(page, "Run now")
    says(page, "queued")
    assert Run.objects.get().task == "conversations"


def schedule_change(go):
    page = go("schedules/weekly_cleanup")
    page.get_by_label("Trigger").fill("61 3 * * *")
    press(page, "Save")
    says(page, "Bad minute")
    page.get_by_label("Trigger").fill("15 7 * * *")
    press(page, "Save")
    says(page, "runs at 7:15 AM from now on")
    press(page, "Reset", exact=False)
    says(page, "on Sunday at 3:00 AM")


def policy_change(go):
    page = go("policies/conversations")
    page.get_by_label("Days").fill("0")
    press(page, "Save")
    says(page, "days, from 1")
    page.get_by_label("Days").fill("40")
    press(page, "Save")
    says(page, "are kept for 40 days")


def policy_reset(go):
    retentions.change("conversations", 40)
    page = go("policies/conversations")
    press(page, "Reset to 30 days")
    says(page, "as declared: 30 days")


def runs_act(go):
    make.run("messages")
    make.run("users", status="failed")
    page = go("runs")
    page.get_by_role("checkbox", name="Select the run of Cleanup orphaned messages").check()
    press(page, "Cancel selected")
    says(page, "1 run cancelled")
    page.get_by_role("checkbox", name="Select the run of Cleanup inactive users").check()
    press(page, "Retry selected")
    press(page, "Run now")
    says(page, "1 run retried")


def run_carry_out(go):
    make.conversation(age=days(31))
    plan = carried_out("conversations", dry_run=True)
    page = go(f"runs/{plan.pk}")
    press(page, "Run this plan")
    press(page, "Delete", exact=False)
    says(page, "queued|waits")
    assert Run.objects.filter(dry_run=False).count() == 1


def run_cancel(go):
    run = make.run("messages")
    page = go(f"runs/{run.pk}")
    press(page, "Cancel")
    says(page, "cancelled")
    assert Run.objects.get().status == "cancelled"


def run_retry(go):
    run = make.run("users", status="failed")
    page = go(f"runs/{run.pk}")
    press(page, "Retry")
    press(page, "Run now")
    says(page, "queued|waits")
    assert Run.objects.get(cause="retry").retry_of == run


def run_approve(go, settings):
    settings.HOUSEKEEPING_BRAKE_ROWS = 1
    make.conversation(age=days(31))
    run = carried_out("conversations")
    page = go(f"runs/{run.pk}")
    press(page, "Approve")
    press(page, "Delete", exact=False)
    says(page, "queued|waits")
    assert Run.objects.get(pk=run.pk).approved_by == "ada"


def run_undo(go):
    run = make.purge()
    page = go(f"runs/{run.pk}")
    press(page, "Undo")
    says(page, "queued|waits")
    assert Run.objects.get(undo_of=run).requested_by == "ada"


def hold_add(go):
    row = make.conversation()
    page = go("holds")
    page.get_by_role("textbox", name="Key").fill(str(row.pk))
    page.get_by_label("Reason").fill("A dispute")
    press(page, "Put on hold")
    says(page, f"{ROW} {row.pk} is on hold")


def hold_change(go):
    one = hold()
    page = go("holds")
    page.locator(f"#hold-{one.pk}").get_by_text("Change").click()
    page.locator(f"#hold-{one.pk}").get_by_label("Last day").fill("2127-01-31")
    press(page, "Save", within=f"#hold-{one.pk}")
    says(page, "31 Jan 2127")


def hold_end(go):
    one = hold()
    page = go("holds")
    press(page, "End", within=f"#hold-{one.pk}", exact=False)
    says(page, "Ended the hold on")
    assert not Hold.objects.exists()


def erasure_begin(go):
    make.user(username="grace")
    page = go("erasures")
    page.get_by_label("Name, mail address or key").fill("grace")
    press(page, "Preview")
    says(page, "Erase “grace” for good")
    page.locator("main input[name=typed]").fill("grace")
    press(page, "Erase")
    says(page, "It waits for a consumer")
    assert Erasure.objects.get().requested_by == "ada"


def undo_holds_change(go):
    undo = undone_holds()
    page = go("holds")
    row = f"#undo-holds-{undo.pk}"
    page.locator(row).get_by_text("Change").click()
    page.locator(row).get_by_label("Last day").fill("2127-01-31")
    press(page, "Save", within=row)
    says(page, "31 Jan 2127")


def undo_holds_end(go):
    undo = undone_holds()
    page = go("holds")
    press(page, "End all", within=f"#undo-holds-{undo.pk}", exact=False)
    page.locator("main input[name=typed]").fill("2")  # it can't be undone
    press(page, "End", exact=False)
    says(page, "Ended 2 holds")


def task_pause(go):
    page = go("tasks/stats")
    page.locator("summary", has_text="Pause task").click()
    press(page, "Pause", within="#pause-stats")
    says(page, "Generate statistics is paused")
    press(page, "Resume task")
    says(page, "Generate statistics is resumed")


def task_acknowledge(go):
    make.run("stats", status="failed", error="Out of ink")
    page = go("tasks/stats")
    page.locator("summary", has_text="Acknowledge").click()
    press(page, "Acknowledge", within="#know-stats")
    says(page, "The failure is acknowledged")
    press(page, "Count again")
    says(page, "The failure counts again")


def channel_add(go):
    page = go("alerts")
    page.get_by_label("Name").fill("on-call")
    page.get_by_label("Mail address or URL").fill("ada@example.com")
    page.get_by_label("A task failed").check()
    press(page, "Add channel")
    says(page, "Saved. Send a test")
    press(page, "Send a test")
    says(page, "A test is on its way to 1 address")
    says(page, "^(sent|waiting)$")


def channel_change(go):
    make.channel("pager", address="https://alerts.example.com/in")
    page = go("channels/pager")
    page.get_by_label("On", exact=True).uncheck()
    press(page, "Save")
    says(page, "Saved.")
    assert not Channel.objects.get().is_on
    press(page, "Make a new secret")
    says(page, "signed with the new secret")
    press(page, "Remove")
    says(page, "The channel pager is removed.")


ACTS = {
    "channel-add": channel_add,
    "channel-test": channel_add,
    "channel-change": channel_change,
    "channel-secret": channel_change,
    "channel-remove": channel_change,
    "trigger": trigger,
    "task-pause": task_pause,
    "task-resume": task_pause,
    "task-acknowledge": task_acknowledge,
    "task-unacknowledge": task_acknowledge,
    "pause-all": pause_all,
    "resume-all": pause_all,
    "schedule-pause": schedule_pause,
    "schedule-resume": schedule_pause,
    "schedule-run": schedule_run,
    "schedule-change": schedule_change,
    "schedule-reset": schedule_change,
    "policy-change": policy_change,
    "policy-reset": policy_reset,
    "runs-act": runs_act,
    "run-carry-out": run_carry_out,
    "run-cancel": run_cancel,
    "run-retry": run_retry,
    "run-approve": run_approve,
    "run-undo": run_undo,
    "erasure-begin": erasure_begin,
    "hold-add": hold_add,
    "hold-change": hold_change,
    "hold-end": hold_end,
    "undo-holds-change": undo_holds_change,
    "undo-holds-end": undo_holds_end,
}


def test_no_act_is_forgotten_here(admin_client):
    examples = {"name": "stats", "pk": make.run().pk}
    posted_to = set()
    for pattern in urlpatterns:
        kinds = pattern.pattern.converters.items()
        values = {name: 1 if kind.regex == "[0-9]+" else examples[name] for name, kind in kinds}
        answer = admin_client.options(reverse(f"housekeeping:{pattern.name}", kwargs=values))
        if "POST" in answer.get("Allow", ""):
            posted_to.add(pattern.name)

    assert posted_to == ACTS.keys()


@pytest.mark.parametrize("act", [*dict.fromkeys(ACTS.values()), dry_run], ids=lambda act: act.__name__)
def test_it_is_done_and_answered(act, go, page, settings):
    sent = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)

    act(go, settings) if act is run_approve else act(go)

    assert sent


def test_a_task_is_run_from_the_question_to_its_end(page, go, processes):
    make.conversation(age=days(31), messages=3)
    make.conversation(age=days(2))
    processes.consumer()
    go("")

    page.locator("#task-conversations").get_by_role("button", name="Run now").click()
    page.get_by_role("heading", name="Delete 1 conversation and 3 chat messages?").wait_for()
    page.get_by_role("button", name="Delete them").click()
    page.locator("#overview").wait_for()  # else a reload could come before the act is sent

    done = page.locator('#task-conversations .badge[data-status="succeeded"]')
    wait_until(lambda: page.reload() and done.count(), what="the end of the run")
    assert Conversation.objects.count() == 1
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="Sign in").wait_for()
