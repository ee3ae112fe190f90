"""Writing on SQLite beside others, with the options that Django has where a project sets none."""

from contextlib import suppress

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from chat.models import Conversation
from housekeeping.database import transactions
from housekeeping.database.transactions import writing
from housekeeping.models import Run
from housekeeping.runs import control, schedules, ticks
from housekeeping.runs.work import execution
from housekeeping.steering import holds, retentions
from tests import make
from tests.busy_sqlite import writer
from tests.make import days

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL locks rows"),
]


@pytest.fixture(autouse=True)
def django_s_options(monkeypatch, request):
    options = getattr(request, "param", {})
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", options)
    connection.close()
    # A connection that another test has left open in a thread keeps the file in WAL; all holds there, too.
    with suppress(OperationalError), connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 200")
        cursor.execute("PRAGMA journal_mode = DELETE")
    connection.close()
    yield
    connection.close()


def read_and_write():
    Conversation.objects.count()
    return make.run()


@pytest.mark.parametrize("django_s_options", [{}, {"transaction_mode": "deferred"}], indirect=True)
def test_what_reads_before_it_writes_waits_for_another_writer():
    with writer(0.3):
        with pytest.raises(OperationalError, match="locked"), transaction.atomic():
            read_and_write()  # what SQLite does by itself, at once

        with writing():
            run = read_and_write()

    assert Run.objects.get() == run


def test_it_waits_for_as_long_as_it_is_patient(monkeypatch):
    monkeypatch.setattr(transactions, "PATIENCE", 0.05)

    with writer(0.5), pytest.raises(OperationalError, match="locked"), writing():
        read_and_write()

    assert not Run.objects.exists()
    assert not connection.in_atomic_block


def timeout():
    with connection.cursor() as cursor:
        return cursor.execute("PRAGMA busy_timeout").fetchone()[0]


def test_the_project_s_own_timeout_is_back_afterwards():
    with writing():
        during = timeout()
    with pytest.raises(LookupError), writing():
        make_and_fail()

    assert (during, timeout()) == (20_000, 5_000)


def make_and_fail():
    make.run()
    raise LookupError


def test_inside_another_transaction_it_is_a_savepoint():
    with transaction.atomic():
        first = make.run("stats")
        with pytest.raises(LookupError), writing():
            make_and_fail()

    assert Run.objects.get() == first


# --- What uses it -----------------------------------------------------------------------------


@pytest.fixture
def only_one_try(monkeypatch):
    monkeypatch.setattr("housekeeping.database.transient.MOST_TRIES", 1)


def test_a_purge_waits_for_another_writer(only_one_try):
    make.conversation(age=days(40))
    run, waiting = execution.claim(make.run().pk, 0), []

    def lock(_run):
        if not waiting:
            waiting.append(writer(0.3))
            waiting[0].__enter__()

    ended = execution.execute(run, watch=lock)
    waiting[0].__exit__(None, None, None)

    assert (ended.status, ended.result) == ("succeeded", {"deleted_conversations": 1})


def cancel():
    run = make.run()
    return lambda: control.cancel(run)


def pause():
    return lambda: schedules.pause("weekly_cleanup")


def look_at_new_schedules():
    return lambda: ticks.tick(timezone.now(), send=lambda run: None)


def hold():
    conversation = make.conversation()
    return lambda: holds.add("chat.Conversation", conversation.pk, reason="A case.")


def change_hold():
    made = hold()()
    return lambda: holds.change(made, reason="Another case.")


def end_hold():
    made = hold()()
    return lambda: holds.end(made)


def change_retention():
    return lambda: retentions.change("conversations", 40)


@pytest.mark.parametrize(
    "prepare", [cancel, pause, look_at_new_schedules, hold, change_hold, end_hold, change_retention]
)
def test_an_act_waits_for_another_writer(prepare):
    act = prepare()

    with writer(0.3):
        act()


ADMIN = "/admin/housekeeping/hold"
CHANGED = {"reason": "y", "until_0": "", "until_1": ""}


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("{hold}/change/", CHANGED),
        ("{hold}/delete/", {"post": "yes"}),
        ("add/", CHANGED | {"model": "chat.Conversation", "key": "{row}"}),
    ],
)
def test_django_s_admin_waits_for_another_writer(dashboard, path, form):
    row = make.conversation()
    made = holds.add("chat.Conversation", make.conversation().pk, reason="A case.")
    sent = {name: value.format(row=row.pk) for name, value in form.items()}

    with writer(0.3):
        answer = dashboard.post(f"{ADMIN}/{path.format(hold=made.pk)}", sent)

    assert (answer.status_code, answer["Location"]) == (302, f"{ADMIN}/")
