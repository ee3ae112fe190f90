"""Acknowledgements beside runs that end at the same moment, and beside a table that can't be written."""

import threading
from contextlib import contextmanager, suppress

import pytest
from django.db import connection, transaction

from housekeeping.exceptions import NotPossible
from housekeeping.models import Run, TaskState
from housekeeping.runs import acknowledgements, endings
from tests import make
from tests.make import ADA

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def about_to_end(run, status, **facts):
    """In this block, another connection has ended the run and not yet committed that. Then it commits."""
    has_ended, may_commit = threading.Event(), threading.Event()

    def end():
        with transaction.atomic():
            endings.end(run, status, rows=Run.objects.all(), **facts)
            has_ended.set()
            may_commit.wait(10)
        connection.close()

    other = threading.Thread(target=end)
    other.start()
    assert has_ended.wait(10)
    # SQLite lets nobody else write meanwhile.
    timer = threading.Timer(0.3, may_commit.set)
    timer.start()
    try:
        yield
    finally:
        may_commit.set()
        other.join()
        timer.join()


@pytest.fixture
def failed():
    moments = dict.fromkeys(("requested_at", "started_at", "finished_at"), make.ago(minutes=9))
    return make.run("stats", status="failed", error="no ink", **moments)


@pytest.fixture
def running(failed):
    return make.run("stats", status="running", started_at=make.ago(seconds=5), attempts=1)


def is_acknowledged():
    return TaskState.objects.filter(name="stats", acknowledged_at__isnull=False).exists()


def test_an_acknowledgement_beside_a_success_does_not_outlive_it(running):
    with about_to_end(running, Run.Status.SUCCEEDED, result={}), suppress(NotPossible):
        acknowledgements.acknowledge("stats", reason="The ink is ordered", by=ADA)

    running.refresh_from_db()
    assert (running.status, is_acknowledged()) == ("succeeded", False)


def test_an_acknowledgement_beside_another_failure_stays(running):
    with about_to_end(running, Run.Status.FAILED, error="no paper"):
        acknowledgements.acknowledge("stats", by=ADA)

    assert is_acknowledged()


@pytest.fixture
def unwritable_states():
    """A table of the tasks' states that refuses every change, as a trigger of the project's own may."""
    if connection.vendor == "sqlite":
        made = [
            "CREATE TRIGGER refuse BEFORE UPDATE ON housekeeping_taskstate"
            " BEGIN SELECT RAISE(ABORT, 'not today'); END"
        ]
        dropped = ["DROP TRIGGER refuse"]
    else:
        made = [
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'not today'; END $$",
            "CREATE TRIGGER refuse BEFORE UPDATE ON housekeeping_taskstate"
            " FOR EACH ROW EXECUTE FUNCTION refuse()",
        ]
        dropped = ["DROP TRIGGER refuse ON housekeeping_taskstate", "DROP FUNCTION refuse"]

    def execute(statements):
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    yield lambda: execute(made)
    execute(dropped)


def test_an_acknowledgement_that_can_not_be_ended_keeps_no_run_from_ending(
    running, unwritable_states, caplog
):
    acknowledgements.acknowledge("stats", by=ADA)
    unwritable_states()

    assert endings.end(running, Run.Status.SUCCEEDED, rows=Run.objects.all(), result={})

    running.refresh_from_db()
    assert running.status == "succeeded"
    assert "the acknowledgement of its task stays for now" in caplog.text
