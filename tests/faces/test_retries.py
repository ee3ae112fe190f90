"""Where an automatic retry is shown."""

from datetime import timedelta

import pytest
from django.utils import timezone

from housekeeping.declared.registry import TASKS
from housekeeping.models import Run
from tests import make
from tests.visitors import HTMX, poll, text

pytestmark = pytest.mark.django_db

API = "/api/admin/scheduler"
PAGES = "/scheduler-admin"


@pytest.fixture
def dishes(add_task):
    return add_task("dishes", lambda: {"plates": 1}, retries=3, retry_delay=timedelta(minutes=5))


@pytest.fixture
def failed(dishes):
    make.consumer()
    return make.run("dishes", status="failed", error="no water", requested_at=make.ago(minutes=1))


@pytest.fixture
def retry(failed):
    due = make.ago(minutes=-5)
    return make.run("dishes", cause="retry", retry_of=failed, retry_number=2, not_before=due)


def findings(api):
    verdict = api.get(f"{API}/overview").json()["verdict"]
    return [(one["level"], one["text"], one["advice"]) for one in verdict["findings"]]


def test_the_api_tells_of_a_retry_and_of_what_a_task_declares(api, retry):
    run = api.get(f"{API}/runs/{retry.pk}").json()
    task = api.get(f"{API}/tasks/dishes").json()

    assert (run["cause"], run["retry_number"], run["retry_of"]) == ("retry", 2, str(retry.retry_of_id))
    assert run["not_before"]
    assert (task["retries"], task["retry_delay_seconds"]) == (3, 300)
    assert task["latest"]["status"] == "failed"


def test_a_failure_that_is_tried_again_is_a_warning(api, retry):
    assert findings(api) == [
        ("warning", f"{TASKS['dishes'].title} failed: no water", "It is tried again automatically (2 of 3).")
    ]


def test_a_failure_that_is_not_tried_again_is_bad(api, failed):
    assert findings(api) == [
        ("bad", f"{TASKS['dishes'].title} failed: no water", "Open the run, fix the cause, then retry.")
    ]


def test_the_overview_shows_the_failure_and_lets_one_start_the_task(dashboard, retry):
    page = dashboard.get(PAGES).text
    row = page.partition('id="task-dishes"')[2].partition("</tr>")[0]

    assert 'data-status="failed"' in row
    assert f"{PAGES}/tasks/dishes/trigger" in row
    assert 'hx-trigger="every 30s' in page


def test_a_retry_that_is_not_due_does_not_count_as_waiting(api, client, retry):
    assert api.get(f"{API}/overview").json()["waiting"] == 0
    assert "housekeeping_oldest_waiting_seconds 0.0" in client.get("/metrics").text

    Run.objects.filter(pk=retry.pk).update(not_before=make.ago(minutes=3))

    assert api.get(f"{API}/overview").json()["waiting"] == 1
    assert ("warning", "1 run has waited for a worker for more than two minutes.", None) in findings(api)


def test_the_page_of_a_retry_says_when_it_is_due(dashboard, retry):
    page = dashboard.get(f"{PAGES}/runs/{retry.pk}")

    assert f"{waiting(retry)}." in text(page)
    assert "automatic retry 2" in text(page)
    assert "0 of 0 rows" not in text(page)
    assert 'hx-trigger="every 30s' in page.text


def waiting(retry):
    return f"Automatic retry 2 of 3, due at {timezone.localtime(retry.not_before):%H:%M}"


def test_every_page_that_lists_a_retry_says_when_it_is_due(dashboard, retry):
    overview, runs, task, failed = (
        text(dashboard.get(f"{PAGES}{path}"))
        for path in ("", "/runs", "/tasks/dishes", f"/runs/{retry.retry_of_id}")
    )

    assert f"queued {waiting(retry)}" in overview
    assert "waits for a worker" not in overview
    assert waiting(retry) in runs
    assert waiting(retry) in task
    assert f"It failed before it began. {waiting(retry)}." in failed
    assert f"Related runs {waiting(retry)} run {str(retry.pk)[:8]} queued" in failed


def test_the_page_of_a_retry_changes_once_it_is_due(dashboard, retry):
    address = f"{PAGES}/runs/{retry.pk}"
    seen = dashboard.get(address, headers=HTMX)
    assert poll(dashboard, seen, address).status_code == 304

    Run.objects.filter(pk=retry.pk).update(not_before=make.ago(seconds=1))

    assert poll(dashboard, seen, address).status_code == 200


def test_a_retry_of_a_task_that_is_no_longer_retried_is_not_the_second_of_none(api, retry):
    Run.objects.update(task="stats")  # declared without retries

    assert findings(api)[0][2] == "It is tried again automatically (2 of 2)."
