"""An erasure that is killed before any of its statements, and repeated, ends the same."""

import pytest
from huey.contrib.djhuey import HUEY

from housekeeping.erasure import certificate, people, requests, work
from housekeeping.models import Erasure
from housekeeping.queue import tasks as queue
from tests.engine.test_promises import killed_at, sample, statements_of
from tests.erasure import traces
from tests.erasure.people import NAME, TRACES, grace, leave_traces, of_others, others, preview, purge, talk
from tests.make import days

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _settings(settings):
    settings.HOUSEKEEPING_BRAKE_SHARE = 1


def full():
    """A person with all kinds of traces, another one, and the request."""
    user, bob = grace(), others()
    talk(user)
    talk(user, age=days(40))
    purge()
    talk(user, age=days(35), messages=1)
    preview()
    leave_traces(user)
    return bob, requests.store(people.find(NAME))


def carry_out(erasure):
    return work.carry_out(Erasure.objects.get(pk=erasure.pk), forget_results=queue.forget_results_with)


def survives_a_kill_before(number):
    bob, erasure = full()
    before = of_others(bob)

    with killed_at(number):
        carry_out(erasure)
    erasure = carry_out(erasure)

    assert erasure.state == "finished", (number, erasure.reason)
    assert traces.of(*TRACES, besides=[bob.username, bob.email]) == [], number
    assert of_others(bob) == before, number
    assert erasure.archived == {"chat.Conversation": 1, "chat.ChatMessage": 2}, number
    deleted = {"chat.User": 1, "chat.Conversation": 2, "chat.ChatMessage": 3}
    assert deleted.items() <= erasure.rows.items(), number
    stored = Erasure.objects.get(pk=erasure.pk)
    assert certificate.digest(stored.certificate) == stored.digest
    assert (stored.person, stored.found) == (None, None)


def statements():
    _, erasure = full()
    return statements_of(lambda: carry_out(erasure))


def test_a_kill_at_any_statement_ends_the_same(clean):
    number = statements()
    for each in sample(number):
        clean()
        survives_a_kill_before(each)


@pytest.fixture
def clean(transactional_db):
    from django.core.management import call_command

    def empty():
        call_command("flush", interactive=False, verbosity=0)
        HUEY.flush()

    return empty


def test_two_kills_in_a_row_end_the_same():
    bob, erasure = full()
    for number in (40, 90, 150):
        with killed_at(number):
            carry_out(erasure)

    assert carry_out(erasure).state == "finished"
    assert traces.of(*TRACES, besides=[bob.username, bob.email]) == []


def test_it_can_be_stopped_between_transactions_and_goes_on():
    bob, erasure = full()
    looks = []

    class Stopped(Exception):
        pass

    def stop():
        looks.append(1)
        if len(looks) in (5, 12, 30, 60):
            raise Stopped

    for _ in range(5):
        try:
            work.carry_out(
                Erasure.objects.get(pk=erasure.pk), checkpoint=stop, forget_results=queue.forget_results_with
            )
        except Stopped:
            assert Erasure.objects.get(pk=erasure.pk).is_open

    assert Erasure.objects.get(pk=erasure.pk).state == "finished"
    assert traces.of(*TRACES, besides=[bob.username, bob.email]) == []


def test_a_person_with_many_rows_is_deleted_in_short_transactions():
    user = grace()
    conversation = talk(user)
    message = type(conversation.messages.first())
    message.objects.bulk_create(
        [message(conversation=conversation, role="user", content=f"message {n}") for n in range(5_000)]
    )
    batches = []

    def count():
        batches.append(message.objects.count())

    work.carry_out(requests.store(people.find(NAME)), checkpoint=count)

    steps = sorted(set(batches), reverse=True)
    assert len(steps) > 3, steps
    assert not message.objects.exists()
