"""An erasure beside purges, previews and a person who goes on writing, in threads of their own."""

import threading
import time
from contextlib import contextmanager

import pytest
from django.db import DatabaseError, connections, transaction

from chat import conversations
from chat.models import Conversation, User
from housekeeping.engine import verification
from housekeeping.erasure import people, requests, work
from housekeeping.models import Erasure, Run
from tests import make
from tests.erasure import traces
from tests.erasure.people import NAME, TRACES, WORDS, grace, preview, purge, talk
from tests.make import days

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _settings(settings):
    settings.HOUSEKEEPING_BRAKE_SHARE = 1


@contextmanager
def beside(act):
    """Call ``act`` over and over in a thread meanwhile. Gives the number of calls as a list of ones."""
    done, calls = threading.Event(), []

    def repeat():
        while not done.is_set():
            try:
                act()
                calls.append(1)
            except (DatabaseError, Conversation.DoesNotExist):
                time.sleep(0.01)
        connections.close_all()

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield calls
    finally:
        done.set()
        thread.join()


def erase():
    erasure = requests.store(people.find(NAME), by=make.ADA)
    return work.carry_out(Erasure.objects.get(pk=erasure.pk))


def test_purges_and_previews_beside_it_keep_nothing():
    user, bob = grace(), make.user(username="bob")
    for number in range(30):
        talk(user, age=days(40), messages=1)
        make.conversation(user=bob, age=days(40), messages=1, title=f"Bob's {number}")

    def act():
        purge(batch_size=3)
        preview()

    with beside(act) as calls:
        while not calls:
            time.sleep(0.01)
        for number in range(10):
            with transaction.atomic():  # or a purge takes the conversation before its message comes
                talk(user, age=days(41 + number), messages=1)
        erasure = erase()

    assert erasure.state == "finished", erasure.reason
    assert traces.of(*TRACES) == []
    for run in Run.objects.filter(archives__isnull=False).distinct():
        assert not verification.verify(run).findings()


def test_a_person_who_goes_on_writing_is_erased_all_the_same():
    user = grace()
    conversation = talk(user)

    with beside(lambda: conversations.post(conversation, f"and {WORDS}")) as calls:
        while len(calls) < 5:
            time.sleep(0.01)
        erasure = erase()

    assert erasure.state == "finished"
    assert not User.objects.filter(username=NAME).exists()
    assert traces.of(*TRACES) == []
