"""A request that is repeated with its key opens no second run."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from django.db import connections

from housekeeping.exceptions import KeyReused, QueueUnreachable
from housekeeping.journal.acts import Actor
from housekeeping.models import Act, Run
from housekeeping.runs import control
from tests import make
from tests.api.addresses import TRIGGER
from tests.conftest import with_token

pytestmark = pytest.mark.django_db


def trigger(api, key, **body):
    return api.post(TRIGGER, {"task": "stats", "wait": 0} | body, headers={"Idempotency-Key": key})


def test_a_repeated_request_is_answered_with_the_run_that_it_opened(api, transactional_db):
    first, second = trigger(api, "nightly"), trigger(api, "nightly")

    assert (first.status_code, second.status_code) == (202, 202)
    assert second.json()["run"]["id"] == first.json()["run"]["id"]
    assert (first.has_header("Idempotency-Replayed"), second["Idempotency-Replayed"]) == (False, "true")
    assert Run.objects.count() == Act.objects.count() == 1


def test_a_repeated_request_is_answered_after_the_run_has_ended_too(api, worker):
    first, second = trigger(api, "nightly", wait=10), trigger(api, "nightly")

    assert (first.status_code, second.status_code) == (200, 200)
    assert second.json() == first.json()
    assert Run.objects.count() == 1


def test_of_equal_requests_at_the_same_moment_one_opens_the_run(administrator, transactional_db):
    def ask(_):
        try:
            answer = trigger(with_token(administrator), "nightly")
            return answer.status_code, answer.json()["run"]["id"]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as requests:
        answers = set(requests.map(ask, range(6)))

    assert answers == {(202, str(Run.objects.get().pk))}


@pytest.mark.parametrize("body", [{"task": "messages"}, {"dry_run": True}])
def test_a_key_that_stands_for_something_else_is_refused(body, api, transactional_db):
    first = trigger(api, "nightly").json()["run"]["id"]

    answer = trigger(api, "nightly", **body)

    assert (answer.status_code, answer.json()["code"]) == (422, "key_reused")
    assert first in answer.json()["message"]
    assert Run.objects.count() == 1


def test_another_plan_is_another_request(transactional_db):
    run = make.run("stats", requested_by="ada", idempotency_key="nightly", status="succeeded")
    plan = make.run("stats", dry_run=True, status="succeeded")
    ada = Actor("ada", "a test")

    with pytest.raises(KeyReused, match=str(run.pk)):
        control.request("stats", send=lambda run: None, plan=plan, by=ada, idempotency_key="nightly")


def test_a_key_is_its_owner_s_own(api, operator, transactional_db):
    trigger(api, "nightly")

    answer = trigger(with_token(operator), "nightly", task="messages")

    assert (answer.status_code, Run.objects.count()) == (202, 2)


def test_without_a_key_nothing_is_repeated(api, worker):
    for _ in range(2):
        assert api.post(TRIGGER, {"task": "stats"}).status_code == 200

    assert Run.objects.count() == 2


def test_a_request_that_the_queue_did_not_take_is_tried_anew(api, transactional_db, unreachable_queue):
    codes = [trigger(api, "nightly").status_code for _ in range(2)]

    assert codes == [503, 503]
    assert not Run.objects.exists()


def test_a_repeated_request_whose_run_is_withdrawn_meanwhile_has_no_queue(
    api, administrator, transactional_db
):
    is_sending = Event()

    def fail_slowly(run):
        is_sending.set()
        time.sleep(1)
        raise QueueUnreachable("connection refused")

    def ask_first():
        by = Actor(administrator.username, "a test")
        try:
            control.request("stats", send=fail_slowly, by=by, idempotency_key="nightly")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as requests:
        first = requests.submit(ask_first)
        is_sending.wait()
        answer = trigger(api, "nightly", wait=10)

    assert isinstance(first.exception(), QueueUnreachable)
    assert (answer.status_code, answer.json()["code"]) == (503, "queue_unreachable")
    assert not Run.objects.exists()


@pytest.mark.parametrize("key", ["", "x" * 101, "ü", "a\tb"])
def test_a_key_that_can_t_be_used_is_named(key, api):
    answer = trigger(api, key)

    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["Idempotency-Key"])
    assert not Run.objects.exists()
