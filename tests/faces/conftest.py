"""What the faces are tried with: accounts by their rights, a worker, and things that really fail."""

import re
import threading
from html import unescape
from pathlib import Path

import pytest
from django.contrib.auth.models import Permission
from django.db import connection, connections
from huey.contrib.djhuey import HUEY

from housekeeping.declared import registry
from tests import make


@pytest.fixture(autouse=True)
def _empty_queue():
    HUEY.flush()


def account(*rights):
    """An ordinary account that holds these of our permissions, and no others."""
    user = make.user()
    user.user_permissions.set(
        Permission.objects.filter(content_type__app_label="housekeeping", codename__in=rights)
    )
    return user


def answer_of(page):
    """What the form of a question sends, without JavaScript."""
    form = re.search(r'<form method="post" action="[^"]*" class="actions".*?</form>', page.text, re.DOTALL)
    return [(name, unescape(value)) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', form[0])]


def confirm(client, address, fields=None, **options):
    """Press what asks before it deletes, and answer."""
    asked = client.post(address, fields) if fields else client.get(address)
    answer = {}
    for name, value in answer_of(asked):
        answer.setdefault(name, []).append(value)
    return client.post(address, answer, **options)


@pytest.fixture
def viewer(db):
    return account("view_run")


@pytest.fixture
def operator(db):
    return account("view_run", "operate")


@pytest.fixture
def worker(transactional_db, monkeypatch):
    """A thread that carries out what is queued, as a worker of run_huey does."""
    # Pages wait for a run as long as a person would not notice; a busy machine may need longer.
    monkeypatch.setattr("housekeeping.dashboard.views.GLANCE", 30.0)
    done = threading.Event()

    def work():
        while not done.is_set():
            task = HUEY.dequeue()
            if task:
                HUEY.execute(task)
            else:
                done.wait(0.01)
        connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    done.set()
    thread.join()


@pytest.fixture
def unreachable_queue():
    """A folder lies where the queue's file should be, so that it can't be opened."""
    HUEY.storage.close()
    file = Path(HUEY.storage.filename)
    aside = file.rename(f"{file}.aside")
    file.mkdir()
    yield
    file.rmdir()
    aside.rename(file)


@pytest.fixture
def protected_conversation(transactional_db):
    """An old conversation that a row of somebody else's table holds on to."""
    conversation = make.conversation(age=make.days(31))
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE evidence (conversation_id bigint REFERENCES chat_conversation (id))")
        cursor.execute("INSERT INTO evidence VALUES (%s)", [conversation.pk])
    yield conversation
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE evidence")


@pytest.fixture
def declare():
    """Adds a function to the tasks of the site, for the time of the test."""
    names = []

    def add(function):
        registry.task(function.__name__)(function)
        names.append(function.__name__)
        return function.__name__

    yield add
    for name in names:
        del registry.TASKS[name]


@pytest.fixture
def failing_task(declare):
    @declare
    def reckon():
        """Reckon what can't be reckoned."""
        return {"quotient": 1 / 0}

    return reckon
