"""``on_deleted`` of a policy is called for a person's rows, too: a site may have copies of them elsewhere."""

from dataclasses import replace

import pytest
from django.db import connection

from chat.models import Conversation
from housekeeping.declared import registry
from housekeeping.erasure import people, requests, work
from housekeeping.exceptions import HookFailed
from housekeeping.models import Erasure, OpenCall
from tests.engine.test_promises import killed_at, sample, statements_of
from tests.erasure.people import NAME, grace, talk
from tests.make import days
from tests.zoo.tasks import task_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def calls():
    """The keys that a search index was told of. ``fails``: it is away."""
    found = Index()
    [talks] = registry.TASKS["conversations"].policies
    policy = replace(
        talks,
        name="indexed",
        rows=lambda cutoff: Conversation.objects.filter(created_at__lt=cutoff).exclude(title="not indexed"),
        on_deleted=found.forget,
    )
    registry.task(policy=policy)(task_of(policy))
    yield found
    del registry.TASKS["indexed"]


class Index(list):
    is_away = False

    def forget(self, keys):
        assert not connection.in_atomic_block
        if self.is_away:
            raise OSError("the index is away")
        self += keys


def erase():
    return work.carry_out(requests.store(people.find(NAME)))


def test_it_gets_the_keys_of_the_rows_that_the_policy_would_delete_some_day(calls):
    user = grace()
    old, young = talk(user, age=days(40)), talk(user)
    Conversation.objects.create(user=user, title="not indexed")

    assert erase().state == "finished"

    assert sorted(calls) == sorted([old.pk, young.pk])
    assert not OpenCall.objects.exists()


def test_an_erasure_is_not_finished_while_it_fails(calls):
    talk(grace())
    calls.is_away = True
    erasure = requests.store(people.find(NAME))

    with pytest.raises(HookFailed, match="the index is away"):
        work.carry_out(erasure)
    assert not Conversation.objects.exists()

    calls.is_away = False
    assert work.carry_out(Erasure.objects.get()).state == "finished"
    assert len(calls) == 1


def test_a_kill_at_any_statement_loses_no_call(calls):
    talk(grace())
    number = statements_of(erase)
    for each in sample(number):
        calls.clear()
        talked = talk(grace())
        erasure = requests.store(people.find(NAME))

        with killed_at(each):
            work.carry_out(erasure)
        erasure = work.carry_out(Erasure.objects.get(pk=erasure.pk))

        assert (erasure.state, {*calls}) == ("finished", {talked.pk}), each
