"""If-Match: a change is made only if nobody else has changed the object since it was read."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from housekeeping.models import Act, Channel, Hold
from tests import make
from tests.api.addresses import SCHEDULER
from tests.conftest import with_token

# For each address: a change of it, and another one.
CHANGES = {
    "schedules": ({"paused": True}, {"paused": False}),
    "schedules/weekly_cleanup": ({"trigger": "0 5 * * *"}, {"paused": True}),
    "tasks/stats": ({"paused": True, "reason": "A fire"}, {"paused": False}),
    "policies/conversations": ({"retention_days": 60}, {"reset": True}),
    "holds/{hold}": ({"reason": "A dispute"}, {"until": "2127-01-31"}),
    "channels/pager": ({"on": False}, {"reminders": False}),
}


@pytest.fixture
def at(db):
    """A function that fills in an address."""
    make.channel("pager", kind="mail", address="ada@example.com")
    conversation = make.conversation()
    hold = Hold.objects.create(model="chat.Conversation", key=str(conversation.pk), reason="Evidence")
    return lambda path: f"{SCHEDULER}/{path.format(hold=hold.pk)}"


@pytest.mark.parametrize("path", CHANGES)
def test_only_the_first_of_two_changes_of_what_was_read_is_made(path, api, at):
    first, second = CHANGES[path]
    known = {"If-Match": api.get(at(path))["ETag"]}

    done, refused = (api.patch(at(path), body, headers=known) for body in (first, second))

    assert (done.status_code, refused.status_code) == (200, 412)
    assert refused.json()["code"] == "precondition_failed"
    assert api.patch(at(path), second, headers={"If-Match": api.get(at(path))["ETag"]}).status_code == 200


@pytest.mark.django_db
def test_a_run_that_starts_meanwhile_refuses_no_change(api):
    path = f"{SCHEDULER}/schedules/statistics_generation"
    known = api.get(path)["ETag"]
    make.run("stats", status="succeeded", schedule="statistics_generation")

    assert api.get(path, headers={"If-None-Match": known}).status_code == 200
    assert api.patch(path, {"paused": True}, headers={"If-Match": known}).status_code == 200


@pytest.mark.parametrize("tags", ['"made-up"', '"", "*"', "nonsense", 'W/"made-up"'])
def test_what_is_no_etag_of_it_matches_nothing(tags, api, at):
    refused = api.patch(at("policies/conversations"), {"retention_days": 60}, headers={"If-Match": tags})

    assert refused.status_code == 412
    assert not Act.objects.exists()


def test_a_weak_one_and_one_of_several_match(api, at):
    path = at("policies/conversations")
    tag = api.get(path)["ETag"]

    for tags in (f"W/{tag}", f'"made-up", {tag}', "*"):
        body = {"retention_days": 60, "dry_run": True}
        assert api.patch(path, body, headers={"If-Match": tags}).status_code == 200


def test_what_has_changed_is_not_deleted(api, at):
    known = {"If-Match": api.get(at("channels/pager"))["ETag"]}
    api.patch(at("channels/pager"), {"on": False})

    assert api.delete(at("channels/pager"), headers=known).status_code == 412
    assert Channel.objects.filter(name="pager").exists()


def test_where_nothing_can_be_read_only_the_star_matches(api, at):
    path = at("tasks/stats/acknowledgement")
    make.run("stats", status="failed")

    assert api.put(path, {}, headers={"If-Match": '"made-up"'}).status_code == 412
    assert api.put(path, {}, headers={"If-Match": "*"}).status_code == 200


def test_a_body_that_is_not_valid_is_refused_for_that(api, at):
    path = at("policies/conversations")

    assert api.patch(path, {"retention": 60}, headers={"If-Match": '"made-up"'}).status_code == 400


def test_the_rights_come_first(at, operator):
    path = at("policies/conversations")

    assert with_token(operator).patch(path, {}, headers={"If-Match": '"x"'}).status_code == 403


@pytest.mark.django_db(transaction=True)
def test_of_two_at_the_same_moment_one_is_made(administrator):
    path = f"{SCHEDULER}/policies/conversations"
    known = {"If-Match": with_token(administrator).get(path)["ETag"]}

    def change(days):
        try:
            return with_token(administrator).patch(path, {"retention_days": days}, headers=known).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as together:
        statuses = list(together.map(change, (40, 50, 60, 70)))

    assert sorted(statuses) == [200, 412, 412, 412]
