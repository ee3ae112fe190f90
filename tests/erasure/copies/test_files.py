"""Files that a person's rows name go with the person: those of their rows, and those of rows in archives."""

from dataclasses import replace

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from housekeeping.declared import registry
from housekeeping.declared.personal import PersonalRows
from housekeeping.engine.effects import files
from housekeeping.erasure import certificate, people, requests, work
from housekeeping.exceptions import NotPossible
from housekeeping.models import Erasure, FileToDelete
from housekeeping.runs import control
from tests.engine.test_promises import killed_at, sample, statements_of
from tests.erasure.people import NAME, grace, personal_rows, purge
from tests.make import ago
from tests.zoo.models import Photo, Postcard
from tests.zoo.tasks import PHOTOS, carry_out, task_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _photos(settings, tmp_path):
    """Photos are about whoever has taken them, and a task purges them."""
    settings.MEDIA_ROOT = tmp_path
    settings.HOUSEKEEPING_BRAKE_SHARE = 1
    registry.task(policy=PHOTOS)(task_of(PHOTOS))
    with personal_rows(PersonalRows(Photo, names=["taken_by"], module=__name__)):
        yield
    del registry.TASKS["photos"]


def photo(by, *, age=1, **fields):
    made = Photo(taken_by=by, taken_at=ago(days=age), **fields)
    made.file.save(f"{by}.jpg", ContentFile(b"smile"))
    return made.file.name


def erase():
    return work.carry_out(requests.store(people.find(NAME)))


def there(*names):
    return [name for name in names if default_storage.exists(name)]


def test_the_files_of_the_rows_go_and_those_of_others_stay():
    grace()
    mine, print_of_mine = photo(NAME, print="print.jpg"), default_storage.save("print.jpg", ContentFile(b"p"))
    of_bob, on_a_postcard = photo("bob"), photo(NAME)
    Postcard.objects.create(picture=on_a_postcard)

    erasure = erase()

    assert there(mine, print_of_mine, of_bob, on_a_postcard) == [of_bob, on_a_postcard]
    assert erasure.state == "finished"
    assert erasure.certificate["deleted_files"] == {"zoo.Photo.file": 1, "zoo.Photo.print": 1}
    assert certificate.FILES not in erasure.certificate["not_reached"]
    assert not FileToDelete.objects.exists()


def test_a_preview_counts_the_rows_that_name_a_file():
    grace()
    photo(NAME, print="print.jpg")
    photo(NAME)
    photo("bob")

    preview = requests.preview(people.find(NAME))

    assert preview.files == {"zoo.Photo.file": 2, "zoo.Photo.print": 1}
    assert preview.rows["zoo.Photo"] == 2


def test_files_of_archived_rows_go_at_once_and_the_others_wait_for_the_undo_window():
    grace()
    mine, of_bob = photo(NAME, age=40), photo("bob", age=40)
    run = purge("photos")
    assert FileToDelete.objects.count() == 2

    erasure = erase()

    assert there(mine, of_bob) == [of_bob]
    assert erasure.certificate["deleted_files"] == {"zoo.Photo.file": 1}
    assert FileToDelete.objects.get().name == of_bob

    carry_out(control.undo(run, send=lambda run: None))

    assert Photo.objects.get().file.read() == b"smile"


def test_a_file_that_another_archived_row_names_waits_for_its_undo_window():
    grace()
    shared = photo(NAME, age=40)
    Photo.objects.create(file=shared, taken_by="bob", taken_at=ago(days=40))
    purge("photos")

    erase()

    assert there(shared) == [shared]
    assert FileToDelete.objects.get().run_id

    FileToDelete.objects.update(due_at=ago(days=1))
    files.delete_due()

    assert there(shared) == []


def test_files_that_the_site_looks_after_stay_and_the_certificate_says_so():
    grace()
    kept = replace(PHOTOS, deletes_files=False)
    registry.TASKS["photos"] = replace(registry.TASKS["photos"], policies=(kept,))
    mine = photo(NAME)

    erasure = erase()

    assert there(mine) == [mine]
    assert not Photo.objects.exists()
    assert certificate.FILES in erasure.certificate["not_reached"]
    assert erasure.certificate["deleted_files"] == {}


def test_a_storage_that_fails_keeps_the_erasure_open():
    grace()
    mine = photo(NAME)
    default_storage.save("folder/inside.txt", ContentFile(b"x"))
    Photo.objects.create(file="folder", taken_by=NAME)  # can't be removed: it is not empty
    erasure = requests.store(people.find(NAME))

    with pytest.raises(NotPossible, match=r"The storage of zoo\.Photo\.file did not delete 1 of its files"):
        work.carry_out(erasure)

    assert Erasure.objects.get().is_open
    assert there(mine) == []

    default_storage.delete("folder/inside.txt")
    erasure = work.carry_out(Erasure.objects.get())

    assert erasure.state == "finished"
    assert erasure.certificate["deleted_files"] == {"zoo.Photo.file": 2}


def test_a_kill_at_any_statement_leaves_no_file_behind():
    def full():
        grace()
        return [photo(NAME), photo("bob"), photo(NAME, age=40), photo("bob", age=40)]

    full()
    purge("photos")
    number = statements_of(erase)
    for each in sample(number):
        mine, of_bob, mine_archived, archived_of_bob = full()
        purge("photos")
        erasure = requests.store(people.find(NAME))

        with killed_at(each):
            work.carry_out(erasure)
        erasure = work.carry_out(Erasure.objects.get(pk=erasure.pk))

        assert there(mine, of_bob, mine_archived, archived_of_bob) == [of_bob, archived_of_bob], each
        assert erasure.certificate["deleted_files"] == {"zoo.Photo.file": 2}, each
