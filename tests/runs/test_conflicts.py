"""What counts as a conflict, and what is a fault."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, connection

from housekeeping.exceptions import RunInProgress
from housekeeping.models import Run, ScheduleState, constraints
from housekeeping.runs import control, ticks
from housekeeping.runs.work import execution
from tests import make
from tests.make import ADA

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TWICE = {
    constraints.ONE_PER_FIRE_TIME: {
        "status": "missed",
        "cause": "catch-up",
        "schedule": "nightly",
        "scheduled_for": NOON,
    },
    constraints.ONE_PER_KEY: {"status": "failed", "requested_by": "ada", "idempotency_key": "a"},
    constraints.ONE_RUNNING: {"status": "running"},
    constraints.ONE_WAITING: {"status": "queued"},
    constraints.ONE_PER_ID: {"status": "failed", "id": make.Run().pk},
}


@pytest.mark.parametrize("name", TWICE)
def test_a_refusal_is_known_by_its_constraint(name):
    make.run(**TWICE[name])

    with pytest.raises(IntegrityError) as refusal:
        make.run(**TWICE[name])

    others = set(TWICE) - {name}
    if connection.vendor == "sqlite":  # which tells no more than the columns
        others -= {constraints.ONE_RUNNING, constraints.ONE_WAITING}
    assert constraints.is_refused_by(refusal.value, name)
    assert not constraints.is_refused_by(refusal.value, *others)


def test_a_stranger_s_refusal_is_none_of_ours():
    with make.refusal("INSERT"), pytest.raises(IntegrityError, match="refused") as refusal:
        make.run()

    assert not constraints.is_refused_by(refusal.value, *TWICE)


def test_another_refusal_of_a_request_is_raised():
    with make.refusal("INSERT"), pytest.raises(IntegrityError, match="refused"):
        control.request("conversations", send=lambda run: None, by=ADA)

    assert not Run.objects.exists()


def test_a_retry_of_a_run_that_is_gone_is_no_conflict():
    gone = make.run(status="failed")
    Run.objects.filter(pk=gone.pk).delete()

    with pytest.raises(IntegrityError):
        control.retry(gone, send=lambda run: None, by=ADA)


def test_another_refusal_of_a_claim_is_raised():
    run = make.run()

    with make.refusal("UPDATE", of=run), pytest.raises(IntegrityError, match="refused"):
        execution.claim(run.pk, 0)


def test_a_fire_time_whose_run_is_refused_is_owed_still():
    make.schedule_state("statistics_generation", due=NOON)

    with make.refusal("INSERT"), pytest.raises(IntegrityError, match="refused"):
        ticks.tick(NOON + timedelta(seconds=1), send=lambda run: None)

    assert ScheduleState.objects.get(id="statistics_generation").next_fire_at == NOON


def test_of_requests_at_the_same_moment_one_is_taken_and_the_others_name_it():
    def ask(_):
        try:
            return control.request("conversations", send=lambda run: None, by=ADA).pk, "taken"
        except RunInProgress as error:
            return error.run.pk, "refused"
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(ask, range(12)))

    assert [answer for _, answer in answers].count("taken") == 1
    assert {pk for pk, _ in answers} == set(Run.objects.values_list("pk", flat=True))
