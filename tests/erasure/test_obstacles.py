"""What stops an erasure: then nothing has changed."""

import pytest

from chat.models import User
from housekeeping.declared import registry
from housekeeping.declared.registry import Unreadable
from housekeeping.engine import cascade
from housekeeping.erasure import obstacles, people, requests, work
from housekeeping.exceptions import BadField, NotAllowed, NotPossible
from housekeeping.models import Act, Archive, Erasure, Hold
from tests import make
from tests.erasure.people import MAIL, NAME, grace, leave_traces, purge, talk
from tests.make import days
from tests.zoo.models import Contract, House, Park

pytestmark = pytest.mark.django_db(transaction=True)


def refused():
    """Why an erasure is refused. Nothing is stored then."""
    before = User.objects.values().get(username=NAME)
    with pytest.raises(NotPossible) as why:
        requests.store(people.find(NAME), by=make.ADA)
    assert not Erasure.objects.exists()
    assert not Act.objects.filter(what="erase").exists()
    assert User.objects.values().get(username=NAME) == before
    return str(why.value)


@pytest.mark.parametrize("held", ["account", "conversation", "message"])
def test_a_held_row_stops_it_with_the_reason(held):
    user = grace()
    conversation = talk(user)
    rows = {"account": user, "conversation": conversation, "message": conversation.messages.first()}
    Hold.objects.create(model=rows[held]._meta.label, key=rows[held].pk, reason="a dispute")

    assert "is on hold indefinitely: a dispute" in refused()


def test_a_table_that_can_t_be_purged_stops_it(monkeypatch):
    grace()
    monkeypatch.setattr(
        cascade, "problems", lambda model: [f"{model._meta.label} inherits from another table"]
    )

    assert "Its tables can't be purged: chat.User inherits from another table." in refused()


def test_a_protected_row_is_named():
    park = Park.objects.create()
    house = House.objects.create(code="a", park=park)
    Contract.objects.create(house=house)
    person = people.Person(Park, str(park.pk), "park")

    found = obstacles._protected(person)

    assert found == ["1 row of zoo.Contract protects the account, or a row below it, from deletion."]
    assert not obstacles._protected(people.Person(Park, str(Park.objects.create().pk), "park"))


def test_code_that_can_t_be_imported_stops_it(monkeypatch):
    grace()
    monkeypatch.setattr(registry, "UNREADABLE", [Unreadable("shop.tasks", "ImportError: no", is_ours=True)])

    assert "shop.tasks can't be used, so its tables would not be searched: ImportError: no." in refused()


def test_a_recipe_that_can_t_be_used_stops_it(settings):
    grace()
    settings.HOUSEKEEPING_RECIPES = ["silk"]

    assert "recipe silk can't be used" in refused()


@pytest.mark.parametrize("damage", ["flipped", "cut", "swapped"])
def test_a_damaged_archive_stops_it_before_anything_changes(damage, settings):
    settings.HOUSEKEEPING_BRAKE_SHARE = 1
    user = grace()
    talk(user)
    make.conversation(age=days(40), messages=1)
    make.conversation(age=days(41), messages=1)
    purge(batch_size=1)
    leave_traces(user)
    archived, other = Archive.objects.filter(model="chat.Conversation").order_by("pk")
    payload = bytes(archived.payload)
    new = {"flipped": payload[:-3] + b"xyz", "cut": payload[:9], "swapped": bytes(other.payload)}[damage]
    Archive.objects.filter(pk=archived.pk).update(payload=new)
    erasure = requests.store(people.find(NAME))

    work.carry_out(erasure)

    assert erasure.state == "stopped"
    assert f"An archive of run {archived.run_id} is damaged" in erasure.reason
    assert (erasure.person, erasure.found) == (None, None)
    assert User.objects.get(username=NAME).is_active


def test_a_hold_that_was_made_after_the_request_stops_it():
    user = grace()
    erasure = requests.store(people.find(NAME))
    Hold.objects.create(model="chat.User", key=user.pk, reason="a dispute")

    work.carry_out(erasure)

    assert (erasure.state, User.objects.get(pk=user.pk).is_active) == ("stopped", True)
    Hold.objects.all().delete()
    assert requests.store(people.find(NAME)) != erasure


def test_all_that_is_in_the_way_is_told_at_once(settings):
    settings.HOUSEKEEPING_BRAKE_SHARE = 1
    user = grace()
    talk(user, age=days(40))
    purge()
    erasure = requests.store(people.find(NAME))
    Hold.objects.create(model="chat.User", key=user.pk, reason="a dispute")
    Archive.objects.update(payload=b"damaged")

    work.carry_out(erasure)

    assert "is on hold indefinitely: a dispute" in erasure.reason
    assert "is damaged and can't be searched" in erasure.reason


def test_a_hold_is_told_beside_a_table_that_can_t_be_purged(monkeypatch):
    user = grace()
    erasure = requests.store(people.find(NAME))
    Hold.objects.create(model="chat.User", key=user.pk, reason="a dispute")
    monkeypatch.setattr(cascade, "problems", lambda model: ["a view"])

    work.carry_out(erasure)

    assert "Its tables can't be purged: a view." in erasure.reason
    assert "is on hold indefinitely: a dispute" in erasure.reason


def test_only_a_superuser_erases_a_superuser():
    grace(is_superuser=True)
    make.user(username="bob")

    with pytest.raises(NotAllowed):
        requests.check_right(people.find(NAME), is_superuser=False)
    requests.check_right(people.find(NAME), is_superuser=True)
    requests.check_right(people.find("bob"), is_superuser=False)


@pytest.mark.parametrize("typed", ["", "mjollni", MAIL])
def test_the_name_has_to_be_typed(typed):
    grace()

    with pytest.raises(BadField, match="Type the name of the account, mjollnir"):
        requests.check_typed(people.find(NAME), typed)
    requests.check_typed(people.find(NAME), " MJOLLNIR ")


def test_an_account_is_found_by_its_name_address_or_key():
    user = grace()
    make.user(username="bob")

    for text in (NAME, MAIL, MAIL.upper(), str(user.pk), f" {NAME} "):
        assert people.find(text).key == str(user.pk), text


@pytest.mark.parametrize(
    "text",
    ["", "nobody", "99999999", "x" * 300, "a\0b", "gr\udcffce", "key:", "key:x", "key:\udcff", "9" * 30],
)
def test_who_is_not_there_is_not_found(text):
    grace()

    with pytest.raises(people.UnknownPerson, match="There is no account"):
        people.find(text)


def test_a_preview_counts_what_would_go_and_changes_nothing():
    user = grace()
    talk(user, messages=3)
    leave_traces(user)
    make.conversation(messages=2)

    preview = requests.preview(people.find(NAME))

    assert preview.obstacles == []
    assert preview.rows["chat.User"] == 1
    assert preview.rows["chat.ChatMessage"] == 3
    assert preview.rows["axes.AccessLog"] == 2
    assert preview.rows["sessions.Session"] == 1
    assert User.objects.filter(username=NAME).exists()


def test_a_name_that_is_somebody_else_s_address_stands_for_both():
    bob = make.user(username="bob", email="bob@x.example")
    named = make.user(username="BOB@x.example", email="other@x.example")
    same = make.user(username="bob@x.example", email="third@x.example")

    with pytest.raises(people.UnknownPerson, match=f"several accounts.*key:{bob.pk}, key:{same.pk}"):
        people.find("bob@x.example")
    for user in (bob, named, same):
        assert people.find(f"key:{user.pk}").key == str(user.pk)
        assert people.find(f" KEY: {user.pk}").key == str(user.pk)


def test_a_name_that_is_somebody_else_s_key_stands_for_both():
    user = grace()
    named = make.user(username=str(user.pk))

    with pytest.raises(people.UnknownPerson, match=f"key:{user.pk}"):
        people.find(str(user.pk))
    assert people.find(f"key:{user.pk}").key == str(user.pk)
    assert people.find(f"key:{named.pk}").key == str(named.pk)


def test_a_name_that_only_an_archive_has_as_well_stands_for_both(settings):
    settings.HOUSEKEEPING_BRAKE_SHARE = 1
    before = grace(is_active=False, email_verified_at=None, date_joined=make.ago(days=20))
    purge("users")
    after = grace()

    with pytest.raises(people.UnknownPerson, match=f"key:{before.pk}, key:{after.pk}"):
        people.find(NAME)
    assert people.find(f"key:{before.pk}").key == str(before.pk)
    assert requests.preview(people.find(f"key:{before.pk}")).is_archived


def test_a_damaged_archive_hides_no_account_that_is_there(settings):
    settings.HOUSEKEEPING_BRAKE_SHARE = 1
    make.user(is_active=False, email_verified_at=None, date_joined=make.ago(days=20))
    purge("users")
    Archive.objects.update(payload=b"damaged")
    user = grace()

    assert people.find(NAME).key == str(user.pk)
