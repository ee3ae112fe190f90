"""What a run tells about the worker that carries it out: written with its claim and with each batch."""

import os
import socket
from datetime import timedelta

import pytest
from django.db import connection

from housekeeping.models import Run
from housekeeping.runs import control
from housekeeping.runs.work import execution
from tests import make
from tests.make import days

pytestmark = pytest.mark.django_db(transaction=True)


def backend_pid():
    if connection.vendor != "postgresql":
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone()[0]


def test_a_claim_names_the_worker_and_when_it_began():
    run = make.run()

    claimed = execution.claim(run.pk, 0, consumer=make.consumer(), worker="Worker-2")

    assert (claimed.worker, claimed.batches, claimed.backend_pid) == ("Worker-2", None, backend_pid())
    assert abs(claimed.claimed_at - claimed.started_at) < timedelta(seconds=1)


def test_a_command_is_named_by_its_host_and_process():
    run = make.run()

    claimed = execution.claim(run.pk, 0)

    assert (claimed.worker, claimed.consumer) == (f"{socket.gethostname()}:{os.getpid()}", None)


def test_batches_are_counted_over_all_attempts():
    for _ in range(5):
        make.conversation(age=days(31))
    run = make.run()
    stop_after = iter([False, False, True])  # asked before the first batch, and after each

    execution.execute(
        execution.claim(run.pk, 0, worker="Worker-1"),
        batch_size=1,
        should_stop=lambda: next(stop_after, True),
    )
    run.refresh_from_db()
    first = run.status, run.done, run.batches, run.worker
    execution.execute(execution.claim(run.pk, 1, worker="Worker-2"), batch_size=1)

    run.refresh_from_db()
    assert first == ("queued", first[1], first[1], "Worker-1")
    assert 0 < first[1] < 5
    assert (run.status, run.done, run.batches, run.worker) == ("succeeded", 5, 5, "Worker-2")
    assert run.claimed_at > run.started_at


def test_the_batches_of_an_undo_are_counted_too():
    purged = make.purge(batch_size=1)

    undo = control.undo(purged, send=lambda run: None, by=make.ADA)
    execution.execute(execution.claim(undo.pk, 0), batch_size=1)

    undo.refresh_from_db()
    assert (undo.status, undo.batches) == ("succeeded", 2)


def test_a_batch_costs_as_many_statements_as_before(django_assert_num_queries):
    """The number of a batch is written by the UPDATE that counts its rows."""
    make.purge()  # warms up
    updates = []

    def note(execute, sql, params, many, context):
        if sql.startswith('UPDATE "housekeeping_run"'):
            updates.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        run = make.purge(batch_size=1)

    counting = [sql for sql in updates if '"batches"' in sql]
    assert len(counting) == Run.objects.get(pk=run.pk).batches == 2
    assert all('"deleted"' in sql and '"backend_pid"' in sql for sql in counting)
