"""The parts of a task's page that refresh themselves."""

import re

import pytest

from housekeeping.models import Run
from tests import make
from tests.visitors import HTMX, poll, root, text

pytestmark = pytest.mark.django_db

TASK = "/scheduler-admin/tasks/conversations"
PARTS = ["now", "runs"]


def seconds(answer):
    return re.findall(r'hx-trigger="every (\d+)s', answer.text)


@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_one_element_that_asks_for_itself(dashboard, part):
    _, attributes = root(dashboard.get(f"{TASK}?part={part}", headers=HTMX))

    assert (attributes["id"], attributes["hx-get"]) == (f"task-{part}", f"{TASK}?part={part}")


@pytest.mark.parametrize("part", PARTS)
def test_a_part_follows_a_run_and_is_304_otherwise(dashboard, part):
    run, address = make.run(), f"{TASK}?part={part}"
    seen = dashboard.get(address, headers=HTMX)
    assert "queued" in text(seen)
    assert poll(dashboard, seen, address).status_code == 304

    Run.objects.filter(pk=run.pk).update(status="succeeded", finished_at=make.ago())
    after = poll(dashboard, seen, address)

    assert "succeeded" in text(after)
    assert "queued" not in text(after)
    assert "Cancel" not in text(after)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"status": "queued"}, "2"),
        ({"status": "running"}, "2"),
        ({"status": "held"}, "30"),
        ({"status": "succeeded"}, "30"),
        ({"status": "queued", "retry_number": 1}, "30"),
    ],
)
def test_the_page_asks_more_often_while_a_run_is_active(dashboard, fields, expected):
    if "retry_number" in fields:
        fields = fields | {"not_before": make.ago(minutes=-5)}
    make.run(**fields)

    assert seconds(dashboard.get(TASK)) == [expected, expected]


def test_what_was_refused_is_not_refreshed(dashboard):
    make.run(status="failed")

    answer = dashboard.post(f"{TASK}/acknowledge", {"until": "2020-01-01"})

    assert "?part=now" not in answer.text
