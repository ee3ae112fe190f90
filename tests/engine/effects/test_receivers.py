"""Delete signals: a policy sends them if it says so, as Django's own ``delete()`` does."""

from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import pytest
from django.core.checks import run_checks
from django.db import connection
from django.db.models.signals import post_delete, pre_delete
from django.test.utils import CaptureQueriesContext

from housekeeping.declared.policies import Policy
from housekeeping.engine.purge import purge
from housekeeping.exceptions import ReceiverFailed
from housekeeping.runs import control
from tests import make
from tests.make import ADA, days
from tests.zoo.models import Animal, Entry, House, Keeper, Line, Meal, OldPark, Owner, Park
from tests.zoo.tasks import carry_out

pytestmark = pytest.mark.django_db(transaction=True)

PARKS = Policy(
    "parks",
    lambda cutoff: Park.objects.filter(opened_at__lt=cutoff),
    days(30),
    "opened_at",
    send_signals=True,
)
ENTRIES = Policy("entries", lambda cutoff: Entry.objects.all(), age="written_at", send_signals=True)


@contextmanager
def connected(signal, receiver, sender=None, **options):
    signal.connect(receiver, sender=sender, **options)
    try:
        yield
    finally:
        signal.disconnect(receiver, sender=sender, dispatch_uid=options.get("dispatch_uid"))


@contextmanager
def heard(*senders):
    """Everything that the receivers of these models, or of all, are told."""
    told = []

    def hear(signal, sender, instance, using, origin, **rest):
        assert connection.in_atomic_block
        kind = "pre" if signal is pre_delete else "post"
        there = sender._base_manager.filter(pk=instance.pk).exists()
        told.append((kind, sender.__name__, instance.pk, using, origin.model.__name__, there))

    for sender in senders:
        pre_delete.connect(hear, sender=sender)
        post_delete.connect(hear, sender=sender)
    yield told
    for sender in senders:
        pre_delete.disconnect(hear, sender=sender)
        post_delete.disconnect(hear, sender=sender)


def a_park():
    park = Park.objects.create(opened_at=make.ago(days=40))
    house = House.objects.create(code="h", park=park)
    keeper = Keeper.objects.create(name="k")
    for both in ({"house": house, "park": park}, {"house": house}):
        animal = Animal.objects.create(**both)
        animal.keepers.add(keeper)
        Meal.objects.create(animal=animal, house=house)
    return park


@pytest.mark.parametrize("senders", [(None,), (Park,), (Animal, Meal)], ids=str)
def test_the_same_is_sent_as_by_django_s_delete(senders):
    a_park()
    with heard(*senders) as by_django:
        Park.objects.all().delete()
    a_park()
    with heard(*senders) as by_us:
        assert purge(PARKS) == 1

    # A row that is told of has another key the second time.
    assert Counter(without_keys(by_us)) == Counter(without_keys(by_django)) != Counter()
    assert [kind for kind, *_ in by_us] == sorted((kind for kind, *_ in by_us), reverse=True)
    if senders == (None,):
        assert [one[1] for one in by_us if one[0] == "pre"][-2:] == ["House", "Park"]
    assert (Park.objects.count(), Animal.objects.count()) == (0, 0)


def without_keys(told):
    return [(kind, model, using, origin, there) for kind, model, _key, using, origin, there in told]


def test_a_proxy_is_the_sender_of_its_own_rows():
    Park.objects.create()
    proxies = Policy("proxies", lambda cutoff: OldPark.objects.all(), send_signals=True)

    with heard(Park) as nobody, heard(OldPark) as told:
        assert purge(proxies) == 1

    assert (nobody, [one[1] for one in told]) == ([], ["OldPark", "OldPark"])


def test_nothing_is_sent_unless_the_policy_says_so():
    a_park()

    with heard(None) as told:
        assert purge(replace(PARKS, send_signals=None)) == 1

    assert told == []


@pytest.mark.parametrize("signal", [pre_delete, post_delete], ids=["pre", "post"])
def test_a_receiver_that_raises_rolls_the_batch_back_and_fails_the_run(signal, add_task):
    add_task("entries", lambda purge: {"deleted": purge(ENTRIES)}, policy=ENTRIES)
    for number in range(3):
        Entry.objects.create(written_at=make.ago(days=9 - number))
    newest = Entry.objects.latest("written_at")

    def refuse(instance, **rest):
        if instance == newest:
            raise ValueError("not this one")

    with connected(signal, refuse, Entry):
        run = carry_out(control.request("entries", send=lambda run: None, by=ADA), batch_size=1)

    name = "pre_delete" if signal is pre_delete else "post_delete"
    assert (run.status, run.deleted) == ("failed", {"entries": 2})
    assert f"A receiver of {name} for zoo.Entry failed, so its batch was rolled back" in run.error
    assert "ValueError: not this one" in run.error
    assert Entry.objects.get() == newest


def test_in_a_shell_the_error_is_raised():
    Entry.objects.create()

    with connected(pre_delete, lambda **rest: 1 / 0, Entry, weak=False), pytest.raises(ReceiverFailed):
        purge(ENTRIES)


def test_only_rows_that_somebody_listens_for_are_read():
    for _ in range(3):
        Line.objects.create(entry=Entry.objects.create())

    with CaptureQueriesContext(connection) as queries, connected(post_delete, hear, Line):
        assert purge(ENTRIES) == 3

    read = [one["sql"] for one in queries if one["sql"].startswith("SELECT")]
    assert not any('"zoo_entry"."kind"' in sql for sql in read)
    assert any('"zoo_line"."entry_id"' in sql for sql in read)


# --- What `check` says ------------------------------------------------------------------------


def hear(**rest): ...


class Listener:
    def hear(self, **rest): ...

    def __call__(self, **rest): ...


def test_the_site_s_own_policies_say_what_they_send():
    assert warnings() == []


def warnings():
    return [one.msg for one in run_checks() if one.id == "housekeeping.W008"]


def declare(add_task, **fields):
    policy = replace(ENTRIES, **{"send_signals": None} | fields)
    add_task(policy.name, lambda purge: {}, policy=policy)


LISTENER = Listener()
HERE = __name__
NAMES = [
    (hear, f"{HERE}.hear"),
    (LISTENER.hear, f"{HERE}.Listener.hear"),
    (LISTENER, f"{HERE}.Listener"),
    (partial(partial(hear), more=1), f"{HERE}.hear"),
]


@pytest.mark.parametrize(("receiver", "name"), NAMES, ids=lambda one: one if isinstance(one, str) else "")
@pytest.mark.parametrize("sender", [Entry, Line, None])
def test_receivers_of_a_policy_that_does_not_say_are_named(receiver, name, sender, add_task):
    declare(add_task)

    with connected(pre_delete, receiver, sender, dispatch_uid="x"), connected(post_delete, receiver, sender):
        told = warnings()

    tables = ["zoo.Entry", "zoo.Line"] if sender is None else [sender._meta.label]
    text = "The policy 'entries' deletes rows of {} without the signals that {} would receive."
    assert [one for one in told if "'entries'" in one] == [text.format(table, name) for table in tables]


@pytest.mark.parametrize("says", [True, False])
def test_a_policy_that_says_so_gets_no_warning(says, add_task):
    declare(add_task, send_signals=says)

    with connected(pre_delete, hear, Entry):
        assert warnings() == []


def test_receivers_of_other_models_and_of_those_that_django_made_are_none(add_task):
    declare(add_task)
    of_parks = replace(PARKS, send_signals=None)
    add_task("parks", lambda purge: {}, policy=of_parks)

    # Not even its own delete() sends a signal for the table of a many-to-many field.
    with connected(pre_delete, hear, Owner), connected(post_delete, hear, Animal.keepers.through):
        assert warnings() == []


def test_upkeep_is_none_of_the_business_of_receivers_for_all_models():
    with connected(pre_delete, hear):
        assert [one for one in warnings() if "housekeeping." in one.split("without")[0]] == []
