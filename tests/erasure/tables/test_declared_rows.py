"""Rows that are declared to be about a person: holds and protection count for them, too."""

from dataclasses import replace

import pytest
from axes.models import AccessLog
from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType

from chat.models import Conversation
from housekeeping.declared import personal
from housekeeping.declared.ends import export
from housekeeping.erasure import people, requests, work
from housekeeping.erasure.tables import rows
from housekeeping.exceptions import NotPossible
from housekeeping.models import Archive, Hold
from tests import make
from tests.engine.exports.cold import store_in
from tests.erasure.people import NAME, grace, personal_rows, purge, talk
from tests.make import days
from tests.zoo import tasks as zoo
from tests.zoo.models import Animal, Contract, Entry, House, Keeper, Park, Photo

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def houses():
    """The zoo's houses are about whoever they are called like."""
    with personal_rows(personal.PersonalRows(House, names=["code"], module=__name__)):
        yield


def sign_in():
    return AccessLog.objects.create(username=NAME, ip_address="10.0.0.1", attempt_time=make.ago())


def entry(about):
    """A line of the admin's log about a row."""
    return LogEntry.objects.create(
        user=make.user(),
        content_type=ContentType.objects.get_for_model(about),
        object_id=about.pk,
        object_repr="x",
        action_flag=CHANGE,
    )


def hold(row):
    return Hold.objects.create(model=row._meta.label, key=row.pk, reason="evidence")


def refused():
    with pytest.raises(NotPossible) as why:
        requests.store(people.find(NAME))
    return str(why.value)


def test_a_held_sign_in_stops_it():
    grace()
    hold(sign_in())

    assert "is on hold indefinitely: evidence" in refused()
    assert requests.preview(people.find(NAME)).obstacles
    assert AccessLog.objects.exists()


def test_a_held_line_of_a_log_about_a_row_of_theirs_stops_it():
    hold(entry(talk(grace())))

    assert "is on hold indefinitely: evidence" in refused()


def test_a_held_line_about_a_row_that_only_an_archive_has_stops_it(settings):
    settings.HOUSEKEEPING_BRAKE_SHARE = 1
    conversation = talk(grace(), age=days(40))
    line = entry(conversation)
    purge()
    assert not Conversation.objects.exists()
    hold(line)

    erasure = work.carry_out(requests.store(people.find(NAME)))

    assert (erasure.state, LogEntry.objects.count()) == ("stopped", 1)
    assert "is on hold indefinitely: evidence" in erasure.reason


def test_lines_about_thousands_of_rows_go_and_no_other():
    user = grace()
    theirs = Conversation.objects.bulk_create(Conversation(user=user) for _ in range(2_500))
    kept = entry(make.conversation())
    LogEntry.objects.bulk_create(
        LogEntry(object_id=one.pk, user=kept.user, content_type=kept.content_type, action_flag=CHANGE)
        for one in theirs
    )

    erasure = work.carry_out(requests.store(people.find(NAME)))

    assert erasure.rows["admin.LogEntry"] == 2_500
    assert [line.pk for line in LogEntry.objects.all()] == [kept.pk]


def test_a_log_is_read_once_for_rows_of_many_tables(django_assert_num_queries):
    grace()
    person = people.find(NAME)
    lines = next(one for one in personal.declared() if one.model is LogEntry and one.objects)
    found = {model._meta.label: {"1", "2"} for model in apps.get_models()}
    there = entry(Conversation(pk=1))
    list(rows.about(person, lines, found))  # asks for content types

    with django_assert_num_queries(1):
        assert list(rows.about(person, lines, found)) == [[there.pk]]


@pytest.fixture
def about_an_archived_park(settings, add_task):
    """A line of the admin's log about a keeper, who is about a park that only an archive has."""
    settings.HOUSEKEEPING_BRAKE_SHARE = 1
    policy = zoo.POLICIES[0]
    add_task("parks", zoo.task_of(policy), policy=policy)
    grace()
    park = Park.objects.create(name=NAME, opened_at=make.ago(days=40))
    line = entry(Keeper.objects.create(name=park.pk))
    purge("parks")
    assert not Park.objects.exists()
    parks = personal.PersonalRows(Park, names=["name"], module=__name__)
    keepers = personal.PersonalRows(Keeper, keys={"name": Park}, module=__name__)
    with personal_rows(parks, keepers):
        yield line


def test_a_line_about_a_row_about_one_that_only_an_archive_has_goes(about_an_archived_park):
    work.carry_out(requests.store(people.find(NAME)))

    assert (Keeper.objects.count(), LogEntry.objects.count()) == (0, 0)


def test_a_hold_on_such_a_line_stops_it(about_an_archived_park):
    hold(about_an_archived_park)

    erasure = work.carry_out(requests.store(people.find(NAME)))

    assert (erasure.state, Keeper.objects.count()) == ("stopped", 1)


def test_a_row_about_one_that_only_an_export_has_goes(settings, tmp_path, add_task):
    settings.HOUSEKEEPING_BRAKE_SHARE = 1
    store_in(tmp_path, settings)
    policy = replace(zoo.PHOTOS, name="exported", then=export("cold"))
    add_task("exported", zoo.task_of(policy), policy=policy)
    grace()
    for name in (NAME, "bob"):
        photo = Photo.objects.create(taken_by=name, taken_at=make.ago(days=40))
        Entry.objects.create(kind=photo.pk)
    purge("exported")
    Archive.objects.all().delete()
    photos = personal.PersonalRows(Photo, names=["taken_by"], module=__name__)

    with personal_rows(photos, personal.PersonalRows(Entry, keys={"kind": Photo}, module=__name__)):
        erasure = work.carry_out(requests.store(people.find(NAME)))

    assert erasure.exported == {"zoo.Photo": 1}
    assert [entry.kind for entry in Entry.objects.all()] == [str(photo.pk)]  # Bob's


def test_a_protected_row_stops_it(houses):
    grace()
    house = House.objects.create(code=NAME, park=Park.objects.create())
    Contract.objects.create(house=house)

    assert refused() == "1 row of zoo.Contract protects a row of zoo.House about the person from deletion."


def test_holds_on_rows_about_others_stop_nothing(houses):
    grace()
    bob = make.user(username="bob")
    hold(AccessLog.objects.create(username="bob", ip_address="10.0.0.1", attempt_time=make.ago()))
    hold(entry(bob))
    house = House.objects.create(code="bob", park=Park.objects.create())
    Contract.objects.create(house=house)

    assert work.carry_out(requests.store(people.find(NAME))).state == "finished"
    assert (AccessLog.objects.count(), LogEntry.objects.count(), House.objects.count()) == (1, 1, 1)


def test_a_preview_counts_lines_about_all_rows_of_theirs():
    user = grace()
    entry(user)
    entry(talk(user))
    LogEntry.objects.create(user=user, object_repr="x", action_flag=CHANGE)

    assert requests.preview(people.find(NAME)).rows["admin.LogEntry"] == 3


def test_a_key_that_no_number_of_a_column_can_be_is_not_looked_for():
    grace()
    House.objects.create(code="9" * 19, park=Park.objects.create(name=NAME))
    parks = personal.PersonalRows(Park, names=["name"], module=__name__)
    animals = personal.PersonalRows(Animal, objects=[("order", "number")], module=__name__)

    with personal_rows(parks, animals):
        assert requests.preview(people.find(NAME)).rows["zoo.House"] == 1


def test_a_key_is_not_looked_for_in_a_column_that_can_not_have_it():
    grace()
    Park.objects.create(name=NAME)
    Animal.objects.create(order=1, number=1)
    parks = personal.PersonalRows(Park, names=["name"], module=__name__)
    animals = personal.PersonalRows(Animal, objects=[("order", "number")], module=__name__)

    with personal_rows(parks, animals):
        erasure = work.carry_out(requests.store(people.find(NAME)))

    assert erasure.rows == {"chat.User": 1, "zoo.Park": 1}
