"""What opens a run, with the statuses that the description names for it."""

import pytest

from housekeeping.api.description.document import OWN
from tests import make
from tests.api.addresses import RUNS, SCHEDULER, TRIGGER

pytestmark = pytest.mark.django_db

KEY = {"Idempotency-Key": "nightly"}
OPENING = {
    "trigger": "/trigger",
    "retry_run": "/runs/{id}/retry",
    "approve_run": "/runs/{id}/approve",
    "undo_run": "/runs/{id}/undo",
    "run_schedule": "/schedules/{name}/run",
}


def described(operation):
    return OWN.document()["paths"][f"{SCHEDULER}{OPENING[operation]}"]["post"]["responses"]


def undoable():
    run = make.run(status="succeeded")
    make.archive(run)
    return run


SITUATIONS = {
    "retry_run": [
        (202, lambda: make.run(status="failed")),
        (400, lambda: make.run("verification", status="failed", dry_run=True)),
        (409, lambda: make.run(status="succeeded")),
        (409, lambda: make.run("former", status="failed")),
    ],
    "approve_run": [(202, lambda: make.run(status="held")), (409, lambda: make.run(status="queued"))],
    "undo_run": [(202, undoable), (409, lambda: make.run(status="succeeded"))],
}


@pytest.mark.parametrize(
    ("operation", "status", "make_run"),
    [(operation, *situation) for operation, listed in SITUATIONS.items() for situation in listed],
)
def test_a_run_is_acted_on_with_a_status_that_is_described(
    operation, status, make_run, api, transactional_db
):
    act = operation.removesuffix("_run")

    answer = api.post(f"{RUNS}/{make_run().pk}/{act}", {"wait": 0} if act == "undo" else None)

    assert answer.status_code == status
    assert str(status) in described(operation)


@pytest.mark.parametrize(
    ("schedule", "body", "status"),
    [
        ("weekly_cleanup", {"wait": 0}, 202),
        ("weekly_cleanup", {"wait": -1}, 400),
        ("statistics_generation", {"wait": 0}, 409),
        ("former", {"wait": 0}, 404),
    ],
)
def test_a_schedule_is_run_with_a_status_that_is_described(schedule, body, status, api, transactional_db):
    make.run("stats", status="running")

    answer = api.post(f"{SCHEDULER}/schedules/{schedule}/run", body)

    assert answer.status_code == status
    assert str(status) in described("run_schedule")


def test_only_a_trigger_reads_an_idempotency_key_and_refuses_one_that_was_used(api, transactional_db):
    api.post(TRIGGER, {"task": "users", "wait": 0}, headers=KEY)
    failed, held, purged = (
        make.run("history", status="failed"),
        make.run("messages", status="held"),
        undoable(),
    )

    answers = {
        "trigger": api.post(TRIGGER, {"task": "stats", "wait": 0}, headers=KEY),
        "approve_run": api.post(f"{RUNS}/{held.pk}/approve", headers=KEY),
        "undo_run": api.post(f"{RUNS}/{purged.pk}/undo", {"wait": 0}, headers=KEY),
        "run_schedule": api.post(
            f"{SCHEDULER}/schedules/statistics_generation/run", {"wait": 0}, headers=KEY
        ),
        "retry_run": api.post(f"{RUNS}/{failed.pk}/retry", headers=KEY),
    }

    refused = {operation for operation, answer in answers.items() if answer.status_code == 422}
    assert {answer.status_code for answer in answers.values()} == {422, 202}
    assert refused == {operation for operation in OPENING if "422" in described(operation)} == {"trigger"}


def test_a_retry_among_several_that_can_t_be_previewed_any_more_has_its_status_described(api):
    run = make.run("verification", status="failed", dry_run=True)

    [outcome] = api.post(f"{RUNS}/retry", {"ids": [str(run.pk)]}).json()["results"]

    statuses = OWN.document()["components"]["schemas"]["Outcome"]["properties"]["status"]["description"]
    assert outcome["status"] == 400
    assert "400" in statuses
