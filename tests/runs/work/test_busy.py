"""A run beside a process that holds SQLite's write lock for longer than a writer waits."""

import pytest
from django.db import connection

from chat.models import Conversation
from housekeeping.runs.work import execution
from tests import make
from tests.busy_sqlite import writer
from tests.make import days

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL locks rows"),
]


@pytest.fixture(autouse=True)
def _impatient_connection():
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 10")
    yield
    connection.close()


def test_a_claim_waits_out_a_locked_database():
    run = make.run()

    with writer(0.3):
        claimed = execution.claim(run.pk, 0)

    assert claimed
    assert claimed.status == "running"


@pytest.mark.parametrize("moment", ["batch", "end"])
def test_a_run_waits_out_a_locked_database(moment):
    make.conversation(age=days(40))
    run, waiting = execution.claim(make.run().pk, 0), []

    def lock(*_):
        if not waiting:
            waiting.append(writer(0.3))
            waiting[0].__enter__()

    hooks = {"batch": {"watch": lock}, "end": {"publish": lock}}
    ended = execution.execute(run, **hooks[moment])
    waiting[0].__exit__(None, None, None)

    assert (ended.status, ended.result) == ("succeeded", {"deleted_conversations": 1})
    assert not Conversation.objects.exists()


def test_a_database_that_stays_locked_leaves_the_run_to_be_taken_back(monkeypatch):
    monkeypatch.setattr("housekeeping.database.transient.FIRST_PAUSE", 0.01)
    conversation = make.conversation(age=days(40))
    run, waiting = execution.claim(make.run().pk, 0), []

    def lock(_run):
        if not waiting:
            waiting.append(writer(2))
            waiting[0].__enter__()

    execution.execute(run, watch=lock)
    waiting[0].__exit__(None, None, None)

    run.refresh_from_db()
    assert (run.status, run.done) == ("running", 0)
    assert Conversation.objects.get() == conversation
