"""Exports: files of a storage lose the rows of a person who is erased, and keep those of others."""

import gzip
import json
import sys
from dataclasses import replace

import pytest
from django.core.files.base import ContentFile
from django.db.models import Q

from housekeeping.declared import registry
from housekeeping.declared.ends import anonymise, export
from housekeeping.declared.personal import PersonalRows
from housekeeping.engine import packing
from housekeeping.engine.exports.formats import FORMATS
from housekeeping.erasure import certificate, people, requests, work
from housekeeping.exceptions import NotPossible
from housekeeping.models import Archive, Erasure, Export, Hold
from tests.engine.exports.cold import PARKS, declare, store_in
from tests.engine.test_promises import killed_at, sample, statements_of
from tests.erasure.people import NAME, WORDS, grace, personal_rows, talk
from tests.make import ago, days
from tests.zoo import tasks
from tests.zoo.models import Park, Photo

pytestmark = pytest.mark.django_db(transaction=True)

PHOTOS = replace(tasks.PHOTOS, name="exported", then=export("cold"), deletes_files=None)


@pytest.fixture(autouse=True)
def cold(settings, tmp_path):
    """Photos are about whoever has taken them, and a task exports them."""
    settings.HOUSEKEEPING_BRAKE_SHARE = 1
    registry.task(policy=PHOTOS)(tasks.task_of(PHOTOS))
    with personal_rows(PersonalRows(Photo, names=["taken_by"], module=__name__)):
        yield store_in(tmp_path, settings)
    del registry.TASKS["exported"]


def purge_photos():
    for name in (NAME, "bob"):
        Photo.objects.create(taken_by=name, taken_at=ago(days=4_000))
    run = tasks.purge("exported")
    assert run.status == "succeeded", run.error
    Archive.objects.all().delete()


def erase():
    return work.carry_out(requests.store(people.find(NAME)))


def in_files(cold):
    """What the manifests lead to, after a look at their digests."""
    found = []
    for one in Export.objects.all():
        with cold.open(f"{one.folder}/manifest.json") as file:
            manifest = json.loads(file.read())
        assert manifest == one.manifest
        for table in manifest["tables"]:
            with cold.open(f"{one.folder}/{table['file']}") as file:
                found += [json.loads(line) for line in gzip.decompress(file.read()).splitlines()]
        assert cold.there() == set(one.files)
    return found


def everything(cold):
    """All bytes of the storage, unpacked."""
    parts = []
    for name in cold.there():
        with cold.open(name) as file:
            content = file.read()
        parts.append(gzip.decompress(content) if name.endswith(".gz") else content)
    return b"".join(parts).decode()


def test_the_rows_leave_the_files_and_those_of_others_stay(cold):
    grace()
    purge_photos()
    assert NAME in everything(cold)

    erasure = erase()

    assert [row["taken_by"] for row in in_files(cold)] == ["bob"]
    assert NAME not in everything(cold)
    assert erasure.certificate["erased_from_exports"] == {"zoo.Photo": 1}
    assert Export.objects.get().rows == {"zoo.Photo": 1}


def test_exported_rows_are_found_by_the_exported_rows_that_they_refer_to(cold):
    talk(grace(), age=days(400))
    [talks] = registry.TASKS["conversations"].policies
    declare(replace(talks, name="exported", then=export("cold")))
    assert tasks.purge("exported").status == "succeeded"
    Archive.objects.all().delete()
    assert WORDS in everything(cold)

    erasure = erase()

    assert erasure.certificate["erased_from_exports"] == {"chat.Conversation": 1, "chat.ChatMessage": 2}
    assert in_files(cold) == []
    assert WORDS not in everything(cold)


def test_the_rest_of_a_rewritten_export_can_be_imported(cold):
    grace()
    purge_photos()
    erase()

    from tests.engine.exports.test_import import bring

    assert bring("exported", "--storage", "cold") == "1 row of zoo.Photo\n"
    assert Photo.objects.get().taken_by == "bob"


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_rows_of_a_model_that_is_gone_stay_as_they_were(cold, form):
    """Its app may come back, and its rows with it."""
    grace()
    declare(replace(PHOTOS, then=export("cold", form)))
    purge_photos()
    one = Export.objects.get()
    [table] = one.manifest["tables"]
    before = rows_of(cold, one, form)[1:]
    one.manifest = {**one.manifest, "tables": [{**table, "model": "gone.Photo"}]}
    one.save()

    erasure = erase()

    assert erasure.certificate["erased_from_exports"] == {"gone.Photo": 1}
    assert rows_of(cold, Export.objects.get(), form) == before


def rows_of(cold, one, form):
    [table] = one.manifest["tables"]
    fields = packing.columns(Photo)
    with cold.open(f"{one.folder}/{table['file']}") as file:
        return list(FORMATS[form].read(file, fields))


def test_an_export_that_a_policy_keeps_from_erasures_stays_and_the_certificate_says_so(cold):
    grace()
    declare(replace(PHOTOS, then=export("cold", is_erasable=False)))
    purge_photos()
    before = everything(cold)

    erasure = erase()

    assert everything(cold) == before
    assert certificate.EXPORTS in erasure.certificate["not_reached"]


def test_parquet_on_a_site_that_can_not_read_it_stops_the_erasure(cold, monkeypatch):
    declare(replace(PHOTOS, then=export("cold", "parquet")))
    user = grace()
    purge_photos()
    monkeypatch.setitem(sys.modules, "pyarrow", None)  # as if it was not installed

    erasure = erase()

    assert (erasure.state, people.find(NAME).key) == ("stopped", str(user.pk))
    assert "needs the package pyarrow: pip install pyarrow" in erasure.reason


def test_an_export_that_can_not_be_read_stops_the_erasure_before_anything_changes(cold):
    grace()
    purge_photos()
    [one] = Export.objects.all()
    name = next(file for file in one.files if file.endswith(".gz"))
    cold.delete(name)
    cold.save(name, ContentFile(b"x"))

    erasure = erase()

    assert erasure.state == "stopped"
    assert "is not what was written" in erasure.reason
    assert people.find(NAME)


def test_a_storage_that_fails_keeps_the_erasure_open(cold):
    grace()
    purge_photos()
    cold.fails_at = "1.zoo.Photo.jsonl.gz"
    erasure = requests.store(people.find(NAME))

    with pytest.raises(NotPossible, match="could not be written to"):
        work.carry_out(erasure)

    cold.fails_at = ""
    erasure = work.carry_out(Erasure.objects.get())
    assert erasure.state == "finished"
    assert [row["taken_by"] for row in in_files(cold)] == ["bob"]
    assert erasure.certificate["erased_from_exports"] == {"zoo.Photo": 1}


def test_what_a_killed_run_has_begun_to_write_is_removed(cold):
    grace()
    purge_photos()
    name = cold.save("exported/x/zoo.Photo.jsonl.gz", ContentFile(gzip.compress(NAME.encode())))
    Export.objects.create(
        run_id="00000000-0000-0000-0000-000000000001",
        policy="exported",
        storage="cold",
        folder="exported/x",
        files=[name],
        made_at=ago(days=1),
    )

    erase()

    assert NAME not in everything(cold)


def leave_half_an_export(cold):
    purge_photos()
    Photo.objects.create(taken_by=NAME, taken_at=ago(days=4_000))
    cold.fails_at = "manifest.json"
    tasks.purge("exported")
    cold.fails_at, cold.keeps_all = "", True
    return Export.objects.filter(state="writing")


def test_half_an_export_that_can_not_be_removed_stops_the_erasure_before_anything_changes(cold):
    grace()
    leave_half_an_export(cold)

    erasure = erase()

    assert erasure.state == Erasure.State.STOPPED
    assert "The storage 'cold' could not delete" in erasure.reason
    assert Photo.objects.get().taken_by == NAME


def test_half_an_export_that_a_policy_keeps_from_erasures_stops_none(cold):
    grace()
    half = leave_half_an_export(cold)
    Export.objects.update(is_erasable=False)

    assert erase().state == Erasure.State.FINISHED
    assert half.exists()


def test_an_export_in_a_storage_that_is_no_longer_declared_stops_the_erasure(cold):
    grace()
    purge_photos()
    Export.objects.update(storage="gone")

    erasure = erase()

    assert erasure.state == Erasure.State.STOPPED
    assert "STORAGES has no 'gone', only" in erasure.reason


def test_a_kill_at_any_statement_leaves_nothing_of_the_person(cold):
    def full():
        Export.objects.all().delete()
        for file in cold.there():
            cold.delete(file)
        grace()
        purge_photos()

    full()
    number = statements_of(erase)
    for each in sample(number):
        full()
        erasure = requests.store(people.find(NAME))

        with killed_at(each):
            work.carry_out(erasure)
        erasure = work.carry_out(Erasure.objects.get(pk=erasure.pk))

        assert erasure.state == "finished", each
        assert [row["taken_by"] for row in in_files(cold)] == ["bob"], each
        assert NAME not in everything(cold), each
        assert erasure.certificate["erased_from_exports"] == {"zoo.Photo": 1}, each


def test_a_row_that_was_made_anonymous_after_its_export_is_nobodys_and_stays_on_hold():
    declare(replace(PARKS, then=[export("cold"), anonymise({"name": None}, done=Q(name=None))]))
    grace()
    park = Park.objects.create(name=NAME, opened_at=ago(days=4_000))
    Photo.objects.create(park=park)
    tasks.purge("exported")
    Archive.objects.all().delete()
    Hold.objects.create(model="zoo.Park", key=park.pk, reason="evidence")

    with personal_rows(PersonalRows(Park, names=["name"], module=__name__)):
        erasure = erase()

    assert (erasure.state, erasure.exported) == ("finished", {"zoo.Park": 1}), erasure.reason
    assert (Park.objects.get().name, Photo.objects.count(), Hold.objects.count()) == (None, 1, 1)
