"""A user's name may be an e-mail address of 254 characters: whatever keeps who did something takes it."""

import pytest

from housekeeping.journal.acts import Actor
from housekeeping.models import Act, PolicyState
from housekeeping.runs import control
from housekeeping.steering import holds, retentions
from tests import make

LONG = Actor(f"{'a' * 242}@example.com", "a test")

pytestmark = pytest.mark.django_db


def send(run):
    pass


def test_a_run_keeps_who_asked_for_it_and_who_approved_it():
    held = make.run("stats", status="held")

    asked = control.request("conversations", send=send, by=LONG)
    approved = control.approve(held, send=send, by=LONG)

    asked.refresh_from_db()
    assert (asked.requested_by, approved.approved_by) == (LONG.name, LONG.name)
    assert set(Act.objects.values_list("who", flat=True)) == {LONG.name}


def test_a_hold_and_a_retention_keep_who_made_them():
    conversation = make.conversation()

    hold = holds.add("chat.Conversation", conversation.pk, reason="A case.", by=LONG)
    retentions.change("conversations", 40, by=LONG)

    hold.refresh_from_db()
    assert (hold.made_by, PolicyState.objects.get().changed_by) == (LONG.name, LONG.name)


def test_the_lists_can_be_filtered_by_such_a_name(dashboard):
    make.run(requested_by=LONG.name)

    page = dashboard.get("/scheduler-admin/runs", {"who": LONG.name})

    assert page.status_code == 200
    assert "Ensure this value" not in page.text
