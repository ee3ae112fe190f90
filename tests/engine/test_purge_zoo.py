"""Purges of what the chat does not have, and beside writers and other purges."""

import threading
from contextlib import contextmanager
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, connection, connections, transaction
from django.db.models import Count
from django.utils import timezone

from chat.models import ChatMessage, Conversation
from chat.tasks import old_conversations
from housekeeping.declared.policies import Policy
from housekeeping.engine.purge import PACES, held_back, preview, purge, purge_batches
from housekeeping.models import Run
from housekeeping.runs import control, recovery
from tests import make
from tests.make import days
from tests.zoo import tasks
from tests.zoo.models import Animal, Contract, House, Keeper, Loan, Meal, Park
from tests.zoo.tasks import carry_out

pytestmark = pytest.mark.django_db(transaction=True)

parks, animals = (policy for policy in tasks.POLICIES if policy.name in ("parks", "animals"))


@pytest.mark.parametrize("kind", [Contract, Loan])
def test_what_protects_or_restricts_below_keeps_all_of_it(kind):
    park = Park.objects.create(opened_at=make.ago(days=40))
    house = House.objects.create(code="a", park=park)
    animal = Animal.objects.create(house=house)
    kind.objects.create(**{"house": house} if kind is Contract else {"animal": animal})

    assert (preview(parks), purge(parks)) == (0, 0)
    assert held_back(parks, cutoff=make.ago(days=30)) == {"held": 0, "protected": 1}
    assert (Park.objects.count(), Animal.objects.count()) == (1, 1)


def test_a_policy_may_count_what_hangs_from_its_rows():
    """Its query groups, and such a one can't be locked."""
    lonely = Policy(
        "lonely",
        rows=lambda cutoff: Keeper.objects.annotate(wards=Count("animal")).filter(
            wards=0, hired_at__lt=cutoff
        ),
        retention=days(30),
        age="hired_at",
    )
    Keeper.objects.create(name="Noah", hired_at=make.ago(days=40))
    busy = Keeper.objects.create(name="Ruth", hired_at=make.ago(days=40))
    Animal.objects.create().keepers.add(busy)

    assert (preview(lonely), purge(lonely)) == (1, 1)
    assert Keeper.objects.get() == busy


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Berlin"])
def test_a_cutoff_counts_elapsed_time_also_from_a_local_clock(zone):
    after_both_changes = datetime(2026, 12, 1, 12, tzinfo=ZoneInfo(zone))

    cutoff = Policy("x", rows=lambda cutoff: Park.objects.all(), retention=days(40)).cutoff(
        after_both_changes
    )

    assert after_both_changes.timestamp() - cutoff.timestamp() == days(40).total_seconds()


# --- Killed at the one place that chance seldom finds -----------------------------------------


def test_an_undo_killed_after_its_commit_still_tells_what_it_restored():
    make.conversation(age=days(40), messages=2)
    run = carry_out(control.request("conversations", send=lambda run: None))
    undone = control.undo(run, send=lambda run: None)

    def die(run, result):
        raise SystemExit  # as good as killed: nothing is written after it

    with pytest.raises(SystemExit), dead_after(die):
        carry_out(undone, publish=die)
    Run.objects.filter(pk=undone.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    recovery.recover(timezone.now(), send=lambda run: None)
    undone.refresh_from_db()
    assert undone.status == "queued"

    again = carry_out(undone)

    assert again.result["restored"] == {"chat.Conversation": 1, "chat.ChatMessage": 2}
    assert (again.deleted, again.progress()) == ({"restored": 3}, {"done": 3, "total": 3})


@contextmanager
def dead_after(die):
    """Once the result is published, no statement follows."""

    def refuse(execute, sql, params, many, context):
        if "finished_at" in sql and sql.startswith("UPDATE"):
            die(None, None)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(refuse):
        yield


# --- Beside others --------------------------------------------------------------------------------


def in_threads(*functions):
    """Run them at the same time; what one raises is raised here."""
    raised = []

    def work(function):
        try:
            function()
        except BaseException as error:  # handed on
            raised.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=[function]) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for error in raised:
        raise error


def test_writers_and_a_second_purge_beside_a_purge_lose_nothing():
    owner = make.user()
    old = Conversation.objects.bulk_create(
        Conversation(user=owner, created_at=make.ago(days=40)) for _ in range(300)
    )
    young = Conversation.objects.bulk_create(Conversation(user=owner) for _ in range(20))
    ChatMessage.objects.bulk_create(ChatMessage(conversation=one, role="user") for one in [*old, *young])
    cutoff, gone, written, refused, done = make.ago(days=30), [], [], [], threading.Event()

    def purge_them():
        for batch in purge_batches(old_conversations, cutoff=cutoff, batch_size=7, pace=PACES["normal"]):
            gone.extend(batch.keys)

    def write(conversations):
        number = 0
        while not done.is_set():
            number += 1
            conversation = conversations[number * 37 % len(conversations)]
            if number % 10 == 0:
                conversation = Conversation.objects.create(user=owner)
                young.append(conversation)
            try:
                with transaction.atomic():
                    message = ChatMessage.objects.create(
                        conversation=conversation, role="user", content="new"
                    )
                written.append((message.pk, conversation.pk))
            except IntegrityError:
                refused.append(conversation.pk)

    def purges():
        try:
            in_threads(purge_them, purge_them)
        finally:
            done.set()

    in_threads(purges, lambda: write(old), lambda: write(young))
    gone += [key for batch in purge_batches(old_conversations, cutoff=cutoff) for key in batch.keys]

    assert sorted(gone) == sorted(one.pk for one in old)  # each exactly once
    assert set(refused) <= set(gone)
    assert written
    there = set(ChatMessage.objects.values_list("pk", "conversation_id"))
    assert {pair for pair in written if pair[1] not in set(gone)} <= there
    assert not {pair for pair in there if pair[1] in set(gone) or pair[1] is None}
    assert Conversation.objects.filter(pk__in=[one.pk for one in young]).count() == len(young)


def test_what_arrives_two_tables_below_waits_and_does_not_fail_the_batch():
    """A meal for an animal of an old park, written between the delete of meals and of animals."""
    park = Park.objects.create(opened_at=make.ago(days=40))
    animal = Animal.objects.create(park=park)
    refused = []

    def feed():
        try:
            Meal.objects.create(animal=animal)
        except IntegrityError as error:
            refused.append(error)

    feeder = threading.Thread(target=lambda: (feed(), connections.close_all()))

    def meanwhile(execute, sql, params, many, context):
        if sql.startswith('DELETE FROM "zoo_animal"'):
            feeder.start()
            feeder.join(0.5)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(meanwhile):
        assert purge(parks) == 1
    feeder.join()

    assert len(refused) == 1
    assert [Park.objects.count(), Animal.objects.count(), Meal.objects.count()] == [0, 0, 0]
