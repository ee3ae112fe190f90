"""Rows below those that are declared to be about a person, and copies of both, in one database or two."""

from dataclasses import replace

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from housekeeping.declared.ends import export
from housekeeping.declared.personal import PersonalRows
from housekeeping.declared.policies import Policy
from housekeeping.erasure import people, requests, work
from housekeeping.models import Archive, Export, Run
from tests.engine.exports.cold import store_in
from tests.erasure.people import NAME, grace, personal_rows, preview, purge
from tests.make import ago
from tests.zoo import tasks
from tests.zoo.models import Entry, Line, Park, Photo

pytestmark = pytest.mark.django_db(transaction=True)

ENTRIES = Policy("entries", lambda cutoff: Entry.objects.filter(written_at__lt=cutoff), tasks.MONTH)
PARKS = tasks.POLICIES[0]
CALLED = []
"""Keys of photos that ``on_deleted`` was called with."""


@pytest.fixture(autouse=True, params=["one database", "two databases"])
def _declared(request, transactional_db, settings, tmp_path, add_task):
    """Parks are about whoever they are called like, entries about whoever is their kind."""
    if request.param == "two databases":
        request.getfixturevalue("other")
        settings.DATABASE_ROUTERS = ["tests.other_database.Zoo"]
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.HOUSEKEEPING_BRAKE_SHARE = 1
    store_in(tmp_path / "cold", settings)
    photos = replace(tasks.PHOTOS, on_deleted=CALLED.extend)
    for policy in (PARKS, ENTRIES, replace(PARKS, name="exported", then=export("cold")), photos):
        add_task(policy.name, tasks.task_of(policy), policy=policy)
    parks = PersonalRows(Park, names=["name"], module=__name__)
    entries = PersonalRows(Entry, names=["kind"], module=__name__)
    CALLED.clear()
    with personal_rows(parks, entries):
        grace()
        yield


def with_rows_below(name, *, age=40):
    photo = Photo(park=Park.objects.create(name=name, opened_at=ago(days=age)), taken_at=ago(days=1))
    photo.file.save(f"{name}.jpg", ContentFile(b"smile"))
    Line.objects.create(entry=Entry.objects.create(kind=name, written_at=ago(days=age)))
    return photo


def erase():
    erasure = work.carry_out(requests.store(people.find(NAME)))
    assert erasure.state == "finished", erasure.reason
    return erasure


THEIRS = {"zoo.Park": 1, "zoo.Photo": 1, "zoo.Entry": 1, "zoo.Line": 1}


def test_they_are_previewed_with_their_files_and_go():
    theirs, _ = with_rows_below(NAME), with_rows_below("bob")

    seen = requests.preview(people.find(NAME))
    erasure = erase()

    assert seen.rows == erasure.rows == {"chat.User": 1, **THEIRS}
    assert seen.files == {"zoo.Photo.file": 1}
    assert [theirs.pk] == CALLED
    assert not default_storage.exists(theirs.file.name)
    assert (Photo.objects.count(), Line.objects.count()) == (1, 1)


def test_they_leave_the_archives():
    theirs, _ = with_rows_below(NAME), with_rows_below("bob")
    purge("parks")
    purge("entries")

    erasure = erase()

    assert erasure.archived == THEIRS
    assert {archived.model: archived.rows for archived in Archive.objects.all()} == THEIRS  # Bob's
    assert not default_storage.exists(theirs.file.name)


def test_they_leave_exports():
    for name in (NAME, "bob"):
        with_rows_below(name)
    purge("exported")
    Archive.objects.all().delete()

    erasure = erase()

    assert erasure.exported == {"zoo.Park": 1, "zoo.Photo": 1}
    assert Export.objects.get().rows == {"zoo.Park": 1, "zoo.Photo": 1}


@pytest.mark.parametrize("are_purged", [False, True])
def test_plans_forget_them(are_purged):
    theirs, _ = with_rows_below(NAME), with_rows_below("bob")
    plan = preview("parks")
    if are_purged:
        purge("parks")

    erase()

    sample = Run.objects.get(pk=plan.pk).plan["parks"]["sample"]
    assert len(sample) == 1
    assert str(theirs.park_id) not in str(sample)
