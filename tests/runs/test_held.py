import uuid
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.utils import timezone

from chat.models import Conversation, User
from chat.tasks import never_verified_users, old_conversations
from housekeeping.engine.purge import purge
from housekeeping.models import Hold
from tests import make
from tests.make import days
from tests.zoo import tasks
from tests.zoo.models import Animal, House, Keeper, Meal, OldPark, Park, Passport

pytestmark = pytest.mark.django_db(transaction=True)

parks, animals = (policy for policy in tasks.POLICIES if policy.name in ("parks", "animals"))


def hold(row, **fields):
    """As an operator makes one: looked at before it is kept."""
    made = Hold(model=row._meta.label, key=str(row.pk), reason="A dispute", **fields)
    made.full_clean()
    made.save()
    return made


@pytest.fixture
def park():
    return Park.objects.create(opened_at=make.ago(days=40))


@pytest.mark.parametrize("written", [str, lambda key: key.hex, lambda key: str(key).upper()])
def test_a_row_with_a_uuid_is_held_however_its_key_is_written(park, written):
    made = Hold(model="zoo.Park", key=written(park.pk), reason="A dispute")
    made.full_clean()
    made.save()

    assert made.key == str(park.pk)
    assert purge(parks) == 0
    assert Park.objects.get() == park


def test_a_number_is_held_however_it_is_written():
    kept = make.conversation(age=days(40))
    made = Hold(model="chat.conversation", key=f"0{kept.pk}", reason="A dispute")
    made.full_clean()
    made.save()

    assert (made.model, made.key) == ("chat.Conversation", str(kept.pk))
    assert purge(old_conversations) == 0


def test_a_proxy_is_held_as_its_table(park):
    made = hold(OldPark.objects.get())

    assert made.model == "zoo.Park"
    assert purge(parks) == 0


@pytest.mark.parametrize("key", ["nobody", str(uuid.UUID(int=1)), ""])
def test_a_hold_on_nothing_is_refused(park, key):
    with pytest.raises(ValidationError):
        Hold(model="zoo.Park", key=key, reason="A dispute").full_clean()


@pytest.mark.parametrize("model", [House, Animal, Passport, Meal])
def test_a_hold_on_any_table_of_the_cascade_keeps_all_of_it(park, model):
    house = House.objects.create(code="a\t\\N", park=park)
    animal = Animal.objects.create(house=house)
    Passport.objects.create(animal=animal)
    Meal.objects.create(animal=animal)
    made = hold(model.objects.get())

    assert purge(parks) == 0
    assert (Park.objects.count(), House.objects.count(), Meal.objects.count()) == (1, 1, 1)

    Hold.objects.filter(pk=made.pk).update(until=timezone.now() - timedelta(seconds=1))
    assert purge(parks) == 1


def test_what_hangs_from_a_held_row_is_kept_from_a_cascade_that_comes_another_way(park):
    """An animal hangs from its park, and from a house in a park that is held."""
    other = Park.objects.create()
    house = House.objects.create(code="a", park=other)
    kept = Animal.objects.create(house=house, park=park)
    hold(other)

    assert purge(parks) == 0
    assert Animal.objects.get() == kept


def test_the_members_of_a_held_group_are_kept():
    kept, _gone = make.visitor(age=days(50)), make.visitor(age=days(50))
    group = Group.objects.create(name="witnesses")
    kept.groups.add(group)
    hold(group)

    assert purge(never_verified_users) == 1
    assert User.objects.get() == kept


def test_a_held_keeper_is_kept_and_so_is_the_pairing_with_an_animal():
    """A row of the table between the two hangs from both."""
    keeper = Keeper.objects.create(name="Noah")
    animal = Animal.objects.create(seen_at=make.ago(days=40))
    animal.keepers.add(keeper)
    hold(keeper)

    assert purge(animals) == 0
    assert list(animal.keepers.all()) == [keeper]


def test_a_hold_on_an_emptied_row_keeps_nothing_but_itself():
    mate = Animal.objects.create(seen_at=make.ago(days=40))
    kept = Animal.objects.create(mate=mate, seen_at=make.ago(days=40))
    hold(kept)

    assert purge(animals) == 1
    assert Animal.objects.get() == kept


def test_a_hold_on_one_conversation_keeps_no_other_of_its_user():
    kept = make.conversation(age=days(40), messages=1)
    make.conversation(user=kept.user, age=days(40), messages=1)
    hold(kept.messages.get())

    assert purge(old_conversations) == 1
    assert Conversation.objects.get() == kept
