"""The page of a task, and what can be done about it in a dialog."""

import json
import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from django.utils import timezone

from housekeeping.declared.policies import Policy
from housekeeping.models import ScheduleState
from housekeeping.runs import acknowledgements, schedules
from tests import make
from tests.visitors import HTMX, account, as_user, text

pytestmark = pytest.mark.django_db

TASK = "/scheduler-admin/tasks/conversations"
PAUSE = ["Pause task…", "Pause"]  # of the task itself: what opens the form, and its button


def test_the_page_of_a_task_shows_its_schedules_policies_and_runs(dashboard):
    make.conversation(age=make.days(31))
    run = make.run(
        schedule="weekly_cleanup", cause="schedule", status="missed", scheduled_for=make.ago(days=3)
    )
    make.run("stats", status="succeeded")

    answer = dashboard.get(TASK)

    assert "<h1>Delete old conversations" in answer.text
    assert re.findall(r'<tr id="schedule-(\w+)"', answer.text) == ["weekly_cleanup"]
    assert re.findall(r'<tr id="policy-(\w+)"', answer.text) == ["conversations"]
    assert re.findall(r'id="run-row-([^"]*)"', answer.text) == [str(run.pk)]
    assert f'href="/scheduler-admin/runs/{run.pk}"><span class="badge" data-status="missed">' in answer.text
    assert "conversations 30 days 1 row " in text(answer)


def test_for_htmx_it_is_a_dialog_with_the_acts(dashboard):
    answer = dashboard.get(TASK, headers=HTMX)

    assert (answer["HX-Retarget"], answer["HX-Reswap"]) == ("#asked", "innerHTML")
    assert "<html" not in answer.text
    assert buttons(answer) == [
        "Run now",
        "Dry run",
        "Pause schedule",
        *PAUSE,
        "Edit schedule",
        "Preview policy",
    ]


def buttons(answer):
    found = re.findall(r'class="button[^"]*"[^>]*>([^<]*)<', answer.text.partition("</ul>")[0])
    return [button.strip() for button in found]


def test_a_paused_schedule_can_be_resumed_and_an_active_run_cancelled(dashboard):
    ScheduleState.objects.create(
        id="weekly_cleanup", is_paused=True, next_fire_at=make.ago(), computed_from=""
    )
    make.run(status="running")

    assert buttons(dashboard.get(TASK, headers=HTMX)) == [
        "Cancel",
        "Resume schedule",
        *PAUSE,
        "Edit schedule",
        "Preview policy",
    ]


@pytest.mark.parametrize(
    ("rights", "offered"),
    [
        (["view_run"], ["Preview policy"]),
        (["view_run", "configure"], ["Edit schedule", "Preview policy"]),
        (["view_run", "operate"], ["Run now", "Dry run", "Pause schedule", *PAUSE, "Preview policy"]),
    ],
)
def test_a_task_offers_what_one_may_do(rights, offered):
    answer = as_user(account(*rights)).get(TASK, headers=HTMX)

    assert buttons(answer) == offered


def test_a_task_that_is_not_declared_is_404(dashboard):
    assert dashboard.get("/scheduler-admin/tasks/none").status_code == 404


def test_a_task_whose_policy_can_not_be_counted_says_why(dashboard, add_task):
    def rows(cutoff):
        raise ValueError("a mistake")

    add_task("broken", lambda purge: {}, policy=Policy("broken", rows, make.days(30)))

    assert "ValueError: a mistake" in text(dashboard.get("/scheduler-admin/tasks/broken"))


def test_the_charts_of_a_task_are_of_its_runs_alone(dashboard):
    make.tally("conversations", runs=3, rows=40)
    make.tally("stats", runs=9)
    ended = timezone.now()
    for seconds in (2, 4):
        began = ended - timedelta(seconds=seconds)
        make.run(status="succeeded", requested_at=began, started_at=began, finished_at=ended)

    page = dashboard.get(TASK).text

    data = [json.loads(found) for found in re.findall(r"<script data-chart [^>]*>(.*?)</script>", page)]
    outcomes, purged, percentiles = data
    assert (outcomes["series"][0]["values"][-1], purged["series"][0]["values"][-1]) == (3, 40)
    assert [series["values"] for series in percentiles["series"]] == [[3000], [3900]]


@pytest.mark.parametrize("after", [{"dry_run": True, "status": "succeeded"}, {"status": "cancelled"}])
def test_a_failure_can_be_acknowledged_although_a_run_came_after_it_that_did_no_work(after, dashboard):
    moments = dict.fromkeys(("requested_at", "started_at", "finished_at"), make.ago(minutes=5))
    make.run("users", status="failed", error="out of ink", **moments)
    make.run("users", finished_at=make.ago(minutes=1), **after)

    page = dashboard.get("/scheduler-admin/tasks/users")

    assert 'action="/scheduler-admin/tasks/users/acknowledge"' in page.text


def test_a_failed_run_and_a_policy_lead_to_their_task(dashboard):
    run = make.run("conversations", status="failed", error="out of ink")

    for path in (f"runs/{run.pk}", "policies/conversations"):
        assert 'href="/scheduler-admin/tasks/conversations"' in dashboard.get(f"/scheduler-admin/{path}").text
    assert "Acknowledge the failure" in dashboard.get(f"/scheduler-admin/runs/{run.pk}").text


def test_the_verdict_leads_to_a_paused_task(dashboard):
    schedules.pause_task("users", reason="The disk is full", by=make.ADA)

    assert (
        '<a class="button small" href="/scheduler-admin/tasks/users">View task</a>'
        in dashboard.get("/scheduler-admin").text
    )


# --- What can be done about its active run ----------------------------------------------------


@pytest.mark.parametrize(
    ("status", "acts"),
    [
        ("queued", "Cancel Removes it from the queue; it has deleted nothing."),
        ("running", "Cancel Stops after the current batch; nothing has been deleted so far."),
        (
            "held",
            "Review and approve Deletes exactly the rows of its plan: no rows."
            " Cancel Discards its plan; no rows stay.",
        ),
    ],
)
@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "dialog"])
def test_its_active_run_is_cancelled_in_the_words_of_the_run(dashboard, status, acts, headers):
    run = make.run(status=status, error="60 of 100 rows" if status == "held" else "")

    answer = dashboard.get(TASK, headers=headers)

    offers = answer.text[answer.text.index('<ul class="offers">') :]
    assert 'data-confirm="Cancel this run?"' in offers
    assert " ".join(unescape(re.sub(r"<[^>]*>", " ", offers)).split()).startswith(acts)
    assert (f'href="/scheduler-admin/runs/{run.pk}"' in offers.partition("</ul>")[0]) == (status == "held")


def test_a_run_that_has_been_cancelled_is_not_cancelled_again(dashboard):
    make.run(status="running", cancel_requested=True)

    assert "Cancelling… It has been cancelled and stops after its current batch." in text(dashboard.get(TASK))


# --- Acknowledging ----------------------------------------------------------------------------

REFUSED = {"until": "2020-01-01", "reason": "The ink is ordered"}


@pytest.fixture
def failed():
    return make.run(status="failed", error="Out of ink", requested_at=make.ago(hours=1))


def acknowledge(client, headers, **fields):
    return client.post(f"{TASK}/acknowledge", REFUSED | {"beside": "know"} | fields, headers=headers)


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "dialog"])
def test_a_refused_acknowledgement_stays_in_its_form(dashboard, failed, headers):
    answer = acknowledge(dashboard, headers)

    form = re.search(r"<details open>.*?</details>", answer.text, re.DOTALL)[0]
    assert re.findall(r'name="(?:reason|until)" value="([^"]*)"', form) == [
        REFUSED["reason"],
        REFUSED["until"],
    ]
    assert "Not saved: Give a moment in the future" in form
    assert answer.status_code == 409
    assert answer.get("HX-Retarget") == ("#asked" if headers else None)
    assert f'min="{timezone.localdate()}"' in form


def test_an_acknowledgement_that_is_no_longer_possible_is_answered(dashboard, failed):
    make.run(status="succeeded")

    for headers in ({}, HTMX):
        answer = acknowledge(dashboard, headers, until="")
        assert "Not saved: The newest run of conversations has not failed." in text(answer)


def test_an_acknowledgement_says_until_when_and_by_whom_if_that_is_known(dashboard, failed):
    make.consumer()
    assert "Until (empty: until it succeeds)" in text(dashboard.get(TASK))

    acknowledgements.acknowledge("conversations", until=datetime(2028, 3, 1, 12, tzinfo=UTC))
    for path in ("/scheduler-admin", TASK):
        assert "acknowledged until Wed 1 Mar 2028, 12:00" in text(dashboard.get(path))

    acknowledgements.acknowledge("conversations", until=datetime(2028, 3, 1, 12, tzinfo=UTC), by=make.ADA)
    assert "acknowledged by ada, until Wed 1 Mar 2028, 12:00" in text(dashboard.get(TASK))


def test_who_may_only_look_sees_no_empty_box(dashboard):
    assert "What can be done" in text(dashboard.get(TASK))
    assert "What can be done" not in text(as_user(account("view_run")).get(TASK))
