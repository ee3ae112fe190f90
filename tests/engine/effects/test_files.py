"""Files of deleted rows: they go once the rows can't be put back any more, and not before."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.core.checks import run_checks
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, default_storage
from django.db import IntegrityError, connection
from django.utils import timezone

from housekeeping.declared import registry
from housekeeping.engine.effects import files
from housekeeping.engine.purge import purge, purge_batches
from housekeeping.models import Archive, FileToDelete, Run
from housekeeping.runs import control
from tests.make import ago
from tests.zoo.models import Park, Photo, Postcard
from tests.zoo.tables import in_schema, in_table
from tests.zoo.tasks import PHOTOS, POLICIES, carry_out, task_of

pytestmark = pytest.mark.django_db(transaction=True)

PARKS = replace(POLICIES[0], name="parks_with_files", deletes_files=True)


@pytest.fixture(autouse=True)
def _files_of_its_own(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def tasks():
    """A task for each of the two policies."""
    for policy in (PHOTOS, PARKS):
        registry.task(policy=policy)(task_of(policy))
    yield
    for policy in (PHOTOS, PARKS):
        del registry.TASKS[policy.name]


def photo(name="lion.jpg", *, age=40, **fields):
    made = Photo(taken_at=ago(days=age), **fields)
    made.file.save(name, ContentFile(b"roar"))
    return made


def run_of(task, **options):
    return carry_out(control.request(task, send=lambda run: None, **options))


def close_windows():
    """As if the undo window of every run were over."""
    over = timezone.now() - timedelta(minutes=1)
    FileToDelete.objects.update(due_at=over)
    Archive.objects.update(expires_at=over)


def there(*names):
    return [name for name in names if default_storage.exists(name)]


def test_a_file_goes_when_the_undo_window_closes_and_not_before(tasks):
    old, young = photo("old.jpg"), photo("young.jpg", age=1)
    run = run_of("photos")

    note = FileToDelete.objects.get()
    assert (note.field, note.name, note.run_id) == ("zoo.Photo.file", old.file.name, run.pk)
    assert note.due_at == Archive.objects.get().expires_at
    assert run.receipt["photos"]["files"] == 1
    assert files.delete_due() == {"deleted_files": 0, "files_still_named": 0, "failed_files": 0}
    assert there(old.file.name) == [old.file.name]

    close_windows()

    assert files.delete_due()["deleted_files"] == 1
    assert there(old.file.name, young.file.name) == [young.file.name]
    assert not FileToDelete.objects.exists()


def test_an_undo_finds_the_files_and_they_stay_with_their_rows(tasks):
    one = photo()
    run = run_of("photos")
    assert carry_out(control.undo(run, send=lambda run: None)).status == "succeeded"
    close_windows()

    assert files.delete_due() == {"deleted_files": 0, "files_still_named": 1, "failed_files": 0}
    assert Photo.objects.get().file.read() == b"roar"
    assert one.file.name == Photo.objects.get().file.name
    assert not FileToDelete.objects.exists()


def test_files_of_rows_below_go_too_and_each_of_a_row_s_files(tasks):
    park = Park.objects.create(opened_at=ago(days=40))
    one = photo(park=park)
    one.print.save("print.pdf", ContentFile(b"%PDF"))
    kept = photo("kept.jpg", park=Park.objects.create(opened_at=ago(days=1)))
    run_of("parks_with_files")
    close_windows()

    assert files.delete_due()["deleted_files"] == 2
    assert there(one.file.name, one.print.name, kept.file.name) == [kept.file.name]


@pytest.mark.parametrize("elsewhere", [False, True], ids=["the same table", "another table"])
def test_a_file_that_another_row_names_stays(tasks, elsewhere):
    one = photo()
    if elsewhere:
        Postcard.objects.create(picture=one.file.name)
    else:
        Photo.objects.create(file=one.file.name, taken_at=ago(days=1))
    run_of("photos")
    close_windows()

    assert files.delete_due()["files_still_named"] == 1
    assert there(one.file.name) == [one.file.name]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no schemas")
def test_a_file_that_a_row_in_another_schema_names_stays(tasks):
    one = photo()
    run_of("photos")
    close_windows()
    with in_schema(Postcard):
        Postcard.objects.create(picture=one.file.name)

        assert files.delete_due()["files_still_named"] == 1
    assert there(one.file.name) == [one.file.name]


def test_a_model_that_is_not_managed_may_have_no_table(tasks):
    one = photo()
    run_of("photos")
    close_windows()

    with in_table(Postcard, "nowhere", managed=False):
        assert files.delete_due()["deleted_files"] == 1
    assert there(one.file.name) == []


def test_a_file_stays_while_another_row_that_named_it_can_still_be_put_back(tasks):
    one = photo()
    run_of("photos")
    close_windows()
    Photo.objects.create(file=one.file.name, taken_at=ago(days=40))
    later = run_of("photos")

    assert files.delete_due()["files_still_named"] == 1
    assert there(one.file.name) == [one.file.name]
    assert [note.run_id for note in FileToDelete.objects.all()] == [later.pk]


def test_a_file_waits_while_an_undo_of_its_run_is_at_work(tasks):
    one = photo()
    run = run_of("photos")
    undo = control.undo(run, send=lambda run: None)
    FileToDelete.objects.update(due_at=ago(minutes=1))  # it has begun in time, and its archives stay

    assert files.delete_due() == {"deleted_files": 0, "files_still_named": 0, "failed_files": 0}
    assert FileToDelete.objects.count() == 1
    assert carry_out(undo).status == "succeeded"
    assert files.delete_due()["files_still_named"] == 1
    assert there(one.file.name) == [one.file.name]


def test_a_batch_that_is_rolled_back_leaves_no_note():
    one = photo()

    def refuse(batch):
        raise IntegrityError("a table that Django does not know forbids it")

    with pytest.raises(IntegrityError, match="forbids it"):
        list(purge_batches(PHOTOS, cutoff=ago(days=30), save_progress=refuse))

    assert not FileToDelete.objects.exists()
    assert (Photo.objects.count(), there(one.file.name)) == (1, [one.file.name])


def test_without_an_archive_a_file_is_due_at_once(tasks, settings):
    settings.HOUSEKEEPING_UNDO_DAYS = 0
    one = photo()
    run_of("photos")

    assert files.delete_due()["deleted_files"] == 1
    assert there(one.file.name) == []


def test_files_stay_where_the_policy_does_not_ask_for_it():
    one = photo()
    quiet = replace(PHOTOS, deletes_files=None)
    assert purge(quiet) == 1

    assert not FileToDelete.objects.exists()
    assert there(one.file.name) == [one.file.name]


def test_a_storage_that_fails_is_reported_and_asked_again(tasks):
    default_storage.save("folder/inside.txt", ContentFile(b"x"))
    one = photo()
    Photo.objects.create(file="folder", taken_at=ago(days=50))  # can't be removed: it is not empty
    run_of("photos")
    close_windows()
    run = run_of("files")

    assert (run.status, run.result["deleted_files"], run.result["failed_files"]) == ("failed", 1, 1)
    assert "The storage of zoo.Photo.file did not delete 1 of its files." in run.error
    assert there(one.file.name) == []
    note = FileToDelete.objects.get()
    assert (note.name, note.attempts) == ("folder", 1)
    assert run.result["refused_files"] == {"zoo.Photo.file: folder": note.error}
    assert note.error.startswith("OSError: ")
    again = run_of("files").result["refused_files"]
    assert again == {"zoo.Photo.file: folder": f"{note.error} (tried 2 times)"}

    default_storage.delete("folder/inside.txt")

    assert run_of("files").result["deleted_files"] == 1
    assert not FileToDelete.objects.exists()


def test_a_storage_that_is_down_is_not_asked_for_every_file(tasks):
    for number in range(files.GIVE_UP + 3):
        default_storage.save(f"{number}/inside.txt", ContentFile(b"x"))
        Photo.objects.create(file=str(number), taken_at=ago(days=40))
    run_of("photos")
    close_windows()
    result = files.delete_due()

    assert result["failed_files"] == files.GIVE_UP + 3
    assert FileToDelete.objects.filter(attempts=1).count() == files.GIVE_UP


def test_files_that_are_refused_every_night_keep_no_others_waiting(tasks):
    for number in range(files.GIVE_UP):
        default_storage.save(f"{number}/inside.txt", ContentFile(b"x"))
        Photo.objects.create(file=str(number), taken_at=ago(days=50))
    one = photo()
    run_of("photos")
    close_windows()

    assert files.delete_due()["deleted_files"] == 0
    assert files.delete_due()["deleted_files"] == 1
    assert there(one.file.name) == []
    assert {note.attempts for note in FileToDelete.objects.all()} == {2}


class Strict(FileSystemStorage):
    """As storages that tell of a file that is not there."""

    def delete(self, name):
        if not self.exists(name):
            raise FileNotFoundError(name)
        super().delete(name)


@pytest.mark.parametrize("kind", [FileSystemStorage, Strict])
def test_a_file_that_is_gone_already_is_no_failure(tasks, settings, kind):
    """As after a kill between the file and its note."""
    backend = {"BACKEND": f"{kind.__module__}.{kind.__name__}"}
    settings.STORAGES = {**settings.STORAGES, "default": backend}
    one = photo()
    run_of("photos")
    close_windows()
    one.file.storage.delete(one.file.name)

    assert files.delete_due()["failed_files"] == 0
    assert not FileToDelete.objects.exists()


def test_a_field_that_no_longer_exists_leaves_its_files_and_says_so(caplog):
    FileToDelete.objects.create(field="zoo.Photo.gone", name="a.jpg", policy="photos", due_at=ago(days=1))
    FileToDelete.objects.create(field="gone.Gone.file", name="b.jpg", policy="photos", due_at=ago(days=1))

    assert files.delete_due()["files_of_unknown_fields"] == 2
    assert "The file a.jpg stays: the field zoo.Photo.gone no longer exists." in caplog.text
    assert not FileToDelete.objects.exists()


def test_a_sweep_that_is_stopped_keeps_the_notes_of_what_is_left(tasks):
    for number in range(3):
        photo(f"{number}.jpg")
    run_of("photos")
    close_windows()
    calls = iter([None, None])

    def stop():
        if next(calls, 1):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        files.delete_due(stop)

    assert FileToDelete.objects.count() == 1
    assert files.delete_due()["deleted_files"] == 1


def test_no_run_s_history_keeps_a_file_from_going(tasks):
    """The note outlives its run."""
    photo()
    run = run_of("photos")
    close_windows()
    Archive.objects.all().delete()
    Run.objects.filter(pk=run.pk).delete()

    assert files.delete_due()["deleted_files"] == 1


# --- What `check` says ------------------------------------------------------------------------


def messages(*policies):
    """What `check` says of files if tasks declare these policies."""
    for policy in policies:
        registry.task(policy=policy)(task_of(policy))
    try:
        found = run_checks()
    finally:
        for policy in policies:
            del registry.TASKS[policy.name]
    return [str(one.msg) for one in found if one.id in ("housekeeping.E019", "housekeeping.W006")]


def test_a_policy_says_what_becomes_of_files():
    quiet = replace(PARKS, deletes_files=None)

    assert messages(quiet) == [
        "The policy 'parks_with_files' deletes rows of zoo.Photo, and does not say whether their files go,"
        " too (file, print)."
    ]
    assert messages(replace(PARKS, deletes_files=False)) == messages(PARKS) == []


def test_policies_of_one_table_agree_about_its_files():
    """Otherwise one of them could put back a row whose file the other one has deleted."""
    assert messages(PARKS, replace(PHOTOS, deletes_files=False)) == [
        "Only one of the policies 'parks_with_files' and 'photos' deletes the files of zoo.Photo: a file that"
        " the other one could put back might be gone."
    ]
    assert messages(PARKS, PHOTOS) == []
