"""Rows about a person in another database than the account: deleted, renamed, counted, whatever is killed."""

from dataclasses import replace

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from housekeeping.declared import personal, registry
from housekeeping.declared.ends import export
from housekeeping.declared.personal import PersonalRows
from housekeeping.erasure import people, requests, work
from housekeeping.exceptions import NotPossible
from housekeeping.models import Archive, Erasure, Export, Handover, Hold
from housekeeping.runs import control
from tests.engine.apart.test_bookkeeping import killed_between_the_commits
from tests.engine.exports.cold import store_in
from tests.engine.test_promises import killed_at, sample, statements_of
from tests.erasure.people import NAME, grace, personal_rows, purge
from tests.make import ago
from tests.other_database import Zoo
from tests.zoo.models import Entry, Keeper, Park, Photo
from tests.zoo.tasks import PHOTOS, task_of

CALLED = []
"""Keys of photos that ``on_deleted`` was called with."""

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _apart(zoo_apart, settings, tmp_path):
    """Photos are about whoever has taken them, and a task purges them. Keepers are called by their names."""
    settings.MEDIA_ROOT = tmp_path
    settings.HOUSEKEEPING_BRAKE_SHARE = 1
    photos = PersonalRows(Photo, names=["taken_by"], module=__name__)
    keepers = PersonalRows(Keeper, renamed=["name"], module=__name__)
    policy = replace(PHOTOS, on_deleted=CALLED.extend)
    registry.task(policy=policy)(task_of(policy))
    with personal_rows(photos, keepers):
        yield
    del registry.TASKS["photos"]


def photo(by, *, age=1):
    made = Photo(taken_by=by, taken_at=ago(days=age))
    made.file.save(f"{by}.jpg", ContentFile(b"smile"))
    return made.file.name


def full():
    grace()
    for name in (NAME, "bob"):
        Keeper.objects.create(name=name)
    files = [photo(NAME), photo("bob"), photo(NAME, age=40), photo("bob", age=40)]
    purge("photos")
    CALLED.clear()
    return files


def carry_out(erasure):
    return work.carry_out(Erasure.objects.get(pk=erasure.pk))


def ends_the_same(erasure, files):
    assert erasure.state == "finished", erasure.reason
    assert {photo.taken_by for photo in Photo.objects.all()} == {"bob"}
    assert {keeper.name for keeper in Keeper.objects.all()} == {erasure.pseudonym, "bob"}
    assert [default_storage.exists(name) for name in files] == [False, True, False, True]
    assert (erasure.rows["zoo.Photo"], erasure.archived) == (1, {"zoo.Photo": 1})
    assert erasure.changed["zoo.Keeper"] == 1
    assert erasure.certificate["deleted_files"] == {"zoo.Photo.file": 2}
    assert len({*CALLED}) == 1  # the key of the photo that was there
    assert not Handover.objects.using("other").exists()


def survives_a_kill_before(number):
    for model in (Photo, Keeper):
        model.objects.all().delete()
    files = full()
    erasure = requests.store(people.find(NAME))

    with killed_at(number):
        carry_out(erasure)

    ends_the_same(carry_out(erasure), files)


def statements():
    full()
    return statements_of(lambda: carry_out(requests.store(people.find(NAME))))


def test_rows_in_another_database_are_previewed_deleted_renamed_and_counted():
    files = full()

    preview = requests.preview(people.find(NAME))
    erasure = carry_out(requests.store(people.find(NAME)))

    assert (preview.rows["zoo.Photo"], preview.files) == (1, {"zoo.Photo.file": 1})
    ends_the_same(erasure, files)


def test_a_hold_on_a_row_there_stops_the_erasure():
    full()
    theirs = Photo.objects.get(taken_by=NAME)
    Hold.objects.create(model="zoo.Photo", key=str(theirs.pk), reason="evidence")

    preview = requests.preview(people.find(NAME))

    assert [why for why in preview.obstacles if "evidence" in why]
    assert not Park.objects.exists()


def test_content_types_that_are_not_there_stop_it_with_the_reason():
    grace()
    entries = PersonalRows(Entry, objects=[("id", "kind")], module=__name__)

    with personal_rows(entries), pytest.raises(NotPossible) as why:
        requests.store(people.find(NAME))

    assert "(Entry, objects=…): django_content_type is not in the database other" in str(why.value)


def test_what_was_exported_there_leaves_the_files(settings, tmp_path, add_task):
    store_in(tmp_path / "cold", settings)
    policy = replace(PHOTOS, name="exported", then=export("cold"))
    add_task("exported", task_of(policy), policy=policy)
    grace()
    for name in (NAME, "bob"):
        photo(name, age=40)
    purge("exported")
    Archive.objects.all().delete()

    erasure = carry_out(requests.store(people.find(NAME)))

    assert erasure.certificate["erased_from_exports"] == {"zoo.Photo": 1}
    assert Export.objects.get().rows == {"zoo.Photo": 1}


def test_what_a_purge_leaves_open_while_the_erasure_is_under_way_is_erased():
    grace()
    photo(NAME, age=40)
    open_ones = []

    def purge_and_die():
        if not open_ones:
            run = killed_between_the_commits(control.request("photos", send=lambda run: None))
            open_ones.append(run.pk)

    work.carry_out(requests.store(people.find(NAME)), checkpoint=purge_and_die)

    assert open_ones
    assert not Handover.objects.using("other").exists()
    assert [archived.rows for archived in Archive.objects.all()] == [0]
    erasure = Erasure.objects.get()
    assert (erasure.state, erasure.archived) == ("finished", {"zoo.Photo": 1})


def test_a_kill_at_any_statement_and_between_the_commits_ends_the_same():
    for number in sample(statements()):
        survives_a_kill_before(number)


class Lagging(Zoo):
    """Photos are read from a replica: here, from the empty tables of the first database."""

    def db_for_read(self, model, **hints):
        return "default" if model is Photo else super().db_for_read(model, **hints)


@pytest.fixture
def by_function():
    """Photos are about whom a function tells that they are about, in the database that it names."""
    names = []

    def rows(person):
        photos = Photo.objects.using(*names) if names else Photo.objects.all()
        return photos.filter(taken_by=person.name)

    with personal_rows(PersonalRows(Photo, rows=rows, module=__name__)):
        yield names


def test_a_function_is_asked_where_the_rows_are_written_and_not_on_a_replica(by_function, settings):
    settings.DATABASE_ROUTERS = ["tests.erasure.test_other_databases.Lagging"]
    personal._declared[:] = [one for one in personal._declared if one.rows]
    grace()
    photo(NAME)

    erasure = carry_out(requests.store(people.find(NAME)))

    assert erasure.rows["zoo.Photo"] == 1
    assert not Photo.objects.using("other").exists()


def test_a_function_that_names_another_database_is_refused_with_the_reason(by_function):
    by_function.append("default")
    grace()
    photo("bob")  # might have the key of one that is hers in the other database

    with pytest.raises(NotPossible) as why:
        requests.store(people.find(NAME))

    assert "personal_rows(Photo) names the database default" in str(why.value)
    assert requests.preview(people.find(NAME)).obstacles == [str(why.value)]
