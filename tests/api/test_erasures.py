"""Erasures over the API: previewed, begun and looked at."""

import time

import pytest

from chat.models import User
from housekeeping.erasure import certificate
from housekeeping.models import Act, Erasure, Hold
from tests import make
from tests.api.addresses import SCHEDULER
from tests.conftest import with_token
from tests.visitors import account

ERASURES = f"{SCHEDULER}/erasures"
pytestmark = pytest.mark.django_db


@pytest.fixture
def grace():
    return make.user(username="grace", email="grace@example.com")


def test_a_dry_run_counts_and_changes_nothing(api, grace):
    make.conversation(user=grace, messages=2)

    answer = api.post(ERASURES, {"account": "grace@example.com", "dry_run": True})

    assert answer.status_code == 200
    assert answer.json() == {
        "account": "grace",
        "key": str(grace.pk),
        "archived": False,
        "rows": {"chat.User": 1, "chat.Conversation": 1, "chat.ChatMessage": 2},
        "files": {},
        "archives": 0,
        "obstacles": [],
    }
    assert not Erasure.objects.exists()


@pytest.mark.parametrize("typed", [{}, {"typed": "grace@example.com"}, {"typed": ""}])
def test_without_the_typed_name_nothing_is_erased(api, grace, typed):
    answer = api.post(ERASURES, {"account": "grace"} | typed)

    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["typed"])
    assert not Erasure.objects.exists()


def test_who_is_not_there_is_refused(api):
    answer = api.post(ERASURES, {"account": "nobody", "typed": "nobody"})

    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["account"])


def test_a_held_row_is_a_conflict(api, grace):
    Hold.objects.create(model="chat.User", key=grace.pk, reason="a dispute")

    answer = api.post(ERASURES, {"account": "grace", "typed": "grace"})

    assert answer.status_code == 409
    assert "a dispute" in answer.json()["message"]
    assert api.post(ERASURES, {"account": "grace", "dry_run": True}).json()["obstacles"]


def test_only_a_superuser_erases_a_superuser(grace):
    User.objects.filter(pk=grace.pk).update(is_superuser=True)
    client = with_token(account("view_run", "configure"))

    for body in ({"typed": "grace"}, {"dry_run": True}):
        assert client.post(ERASURES, {"account": "grace"} | body).status_code == 403


@pytest.mark.django_db(transaction=True)
def test_a_consumer_carries_it_out_and_issues_the_certificate(api, grace, worker):
    answer = api.post(ERASURES, {"account": "grace", "typed": "Grace"})
    assert answer.status_code == 202
    address = answer["Location"]
    assert address == f"{ERASURES}/{answer.json()['id']}"

    found = _finished(api, address)

    assert (found["state"], found["requested_by"]) == ("finished", "ada")
    assert found["deleted"]["chat.User"] == 1
    assert certificate.digest(found["certificate"]) == found["digest"]
    assert api.get(ERASURES).json()["results"] == [found]
    assert not User.objects.filter(username="grace").exists()
    assert Act.objects.get(what="erase").target == found["pseudonym"]


def _finished(api, address):
    deadline = time.monotonic() + 20
    while (found := api.get(address).json())["finished_at"] is None and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


@pytest.mark.django_db(transaction=True)
def test_without_a_queue_nothing_was_requested(api, grace, unreachable_queue):
    answer = api.post(ERASURES, {"account": "grace", "typed": "grace"})

    assert answer.status_code == 503
    assert not Erasure.objects.exists()
