"""Forms that store something: saved or not, and why, is told in words at the field."""

import re
from html import unescape

import pytest

from housekeeping.models import PolicyState, ScheduleState
from tests import make
from tests.visitors import text

pytestmark = pytest.mark.django_db

HOME = "/scheduler-admin"
RETENTION = f"{HOME}/policies/conversations"
CHANGE_RETENTION = f"{RETENTION}/retention"
CHANGE_TRIGGER = f"{HOME}/schedules/weekly_cleanup/change"


def field(page, name):
    """The tag of a field, and the texts that describe it."""
    [tag] = re.findall(rf'<input name="{name}"[^>]*>', page.text, re.DOTALL)
    described = re.search(r'aria-describedby="([^"]*)"', tag)[1].split()
    bodies = [re.search(rf'id="{one}".*?</(?:p|div)>', page.text, re.DOTALL)[0] for one in described]
    return tag, " ".join(unescape(re.sub(r"<[^>]*>|id=[^>]*>", " ", " ".join(bodies))).split())


@pytest.mark.parametrize(
    ("address", "name", "typed", "why"),
    [
        (CHANGE_RETENTION, "retention_days", "soon", "Not saved: Enter whole days, from 1 to 36,500."),
        (CHANGE_TRIGGER, "trigger", "61 7 * * *", "Bad minute. Minutes go from 0 to 59."),
        (CHANGE_TRIGGER, "trigger", "0 0 31 2 *", "Days go from 1 to 31, as far as the month has them."),
        (CHANGE_TRIGGER, "trigger", "daily", "Not saved: A trigger is five cron fields, such as"),
    ],
)
def test_what_can_t_be_saved_stays_in_its_field_and_is_told_there(address, name, typed, why, dashboard):
    page = dashboard.post(address, {name: typed})

    tag, told = field(page, name)
    assert page.status_code in (400, 422)
    assert f'value="{typed}"' in tag
    assert 'aria-invalid="true" autofocus' in tag
    assert "Not saved: " in told
    assert why in told
    assert not PolicyState.objects.exists()
    assert not ScheduleState.objects.exclude(trigger="").exists()


@pytest.mark.parametrize(
    ("address", "name", "typed", "how"),
    [
        (CHANGE_RETENTION, "retention_days", "60", "Saved. Rows of conversations are kept for 60 days"),
        (CHANGE_RETENTION, "retention_days", "0040", "Saved. Rows of conversations are kept for 40 days"),
        (CHANGE_TRIGGER, "trigger", "15 7 * * *", "Saved. Weekly Conversation Cleanup runs at 7:15 AM"),
    ],
)
def test_what_is_saved_is_told_at_its_field(address, name, typed, how, dashboard):
    page = dashboard.post(address, {name: typed}, follow=True)

    tag, told = field(page, name)
    assert "aria-invalid" not in tag
    assert how in told


def test_a_shorter_retention_that_was_not_seen_is_not_saved_yet(dashboard):
    make.conversation(age=make.days(20))

    page = dashboard.post(CHANGE_RETENTION, {"retention_days": "10"})

    tag, _ = field(page, "retention_days")
    assert 'value="10"' in tag
    assert "aria-invalid" not in tag
    assert "Not saved yet: this is shorter than now." in text(page)
    assert not PolicyState.objects.exists()


def test_what_is_only_tried_is_not_said_to_be_unsaved(dashboard):
    page = dashboard.get(RETENTION, {"retention_days": "soon"})

    tag, told = field(page, "retention_days")
    assert 'aria-invalid="true"' in tag
    assert "autofocus" not in tag
    assert "Not saved" not in told
