"""Accounts whose rows more than a tree of foreign keys leads to: shapes stand for tables of accounts."""

import uuid
from collections import Counter

import pytest

from housekeeping import generic_rows
from housekeeping.declared.personal import Person
from housekeeping.erasure import obstacles, people
from housekeeping.erasure.copies import archives
from housekeeping.erasure.tables import rows
from housekeeping.erasure.terms import Terms
from tests.shapes import worlds
from tests.shapes.models import (
    Badge,
    Comment,
    Device,
    Fine,
    Hotel,
    Like,
    Locker,
    Medal,
    Menu,
    Note,
    Part,
    Place,
    Restaurant,
    Review,
    Sailor,
    Scan,
    Ship,
    Tag,
    Team,
    Vote,
)
from tests.shapes.tasks import declared, generic_as_before, purge, undo
from tests.shapes.worlds import OLD

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _tasks(settings):
    settings.HOUSEKEEPING_BRAKE_SHARE = 1
    with declared(), generic_as_before():
        generic_rows(Tag, of=[Comment, Like])
        yield


def team(number):
    made = Team.objects.create(id=10 + number, name=f"team {number}", founded_at=OLD)
    badge = Badge.objects.create(team=made, code=f"code {number}")
    Scan.objects.create(badge=badge)
    Locker.objects.create(badge=badge)
    return made


def device(number):
    made = Device.objects.create(id=uuid.UUID(int=number), made_at=OLD)
    part = Part.objects.create(device=made)
    for row in (made, part):
        Vote.objects.create(tag=Tag.objects.create(of=row))
    Note.objects.create(of=part)
    return made


def comment(number):
    made = Comment.objects.create(written_at=OLD)
    below = Comment.objects.create(parent=Comment.objects.create(parent=made))
    for row in (made, Like.objects.create(comment=below)):
        Vote.objects.create(tag=Tag.objects.create(of=row))
    return made


def ship(number):
    made = Ship.objects.create(built_at=OLD)
    made.captain = Sailor.objects.create(ship=made)
    made.save()
    Medal.objects.create(sailor=made.captain)
    return made


def restaurant(number):
    made = Restaurant.objects.create(opened_at=OLD)
    Menu.objects.create(restaurant=made)
    Review.objects.create(place=made)
    Tag.objects.create(of=made)
    return made


def hotel(number):
    made = Hotel.objects.create(opened_at=OLD, founded_at=OLD, number=50 + number)
    Review.objects.create(place=made)
    return made


SHAPES = {
    "teams": team,
    "devices": device,
    "comments": comment,
    "ships": ship,
    "restaurants": restaurant,
    "hotels": hotel,
}


def as_account(row):
    return Person(type(row), str(row.pk), "mjollnir")


def no_checkpoint():
    """Nobody cancels it."""


@pytest.mark.parametrize("task", SHAPES)
def test_from_archives_all_goes_that_went_with_the_row(task):
    theirs = SHAPES[task](1)
    key, before = theirs.pk, worlds.everything()
    with worlds.taken_back():
        worlds.delete(theirs)
        theirs_alone = before.keys() - worlds.everything().keys()
    theirs = type(theirs).objects.get(pk=key)
    SHAPES[task](2)
    everything = worlds.everything()
    run = purge(task)

    found, gone = {type(theirs)._meta.label: {str(theirs.pk)}}, Counter()
    archives.look(type(theirs), found, lambda read, row: None, no_checkpoint)
    terms = Terms(Person(people.accounts(), "1", "mjollnir"), "erased-1")
    archives.Rewriting(terms, found, lambda more, archive: gone.update(more)).carry_out(no_checkpoint)
    undo(run)

    left = {row for row in everything if row not in theirs_alone}
    assert worlds.everything().keys() == left


@pytest.mark.parametrize("task", SHAPES)
def test_from_the_tables_all_goes_that_django_would_delete(task):
    theirs = SHAPES[task](1)
    SHAPES[task](2)
    with worlds.taken_back():
        worlds.delete(type(theirs).objects.get(pk=theirs.pk))
        left = worlds.everything()
    person, found, counted = as_account(theirs), {}, Counter()
    gone = worlds.everything().keys() - left.keys()

    rows.look(person, found, Terms(person, "erased-1"), no_checkpoint)
    rows.delete_theirs(
        person, lambda more, notes: counted.update(more), lambda model, keys: None, no_checkpoint
    )

    assert worlds.everything() == left
    assert counted == Counter(f"shapes.{table}" for table, _ in gone)
    assert all(len(found[label]) == number for label, number in counted.items())


def test_what_protects_a_row_below_is_told():
    theirs = team(1)
    Fine.objects.create(badge=Badge.objects.get())

    assert dict(obstacles.rows_that_protect(as_account(theirs)))["shapes.Fine"] == 1
    assert Place.objects.count() == 0
