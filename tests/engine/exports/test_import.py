"""``housekeeping_runs import``: what was exported comes back, years later too."""

import json
import math
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from django.db.models import JSONField, Value

from housekeeping.declared.ends import export
from housekeeping.engine.exports import importing
from housekeeping.models import Archive, Export, Hold, Import, Run
from housekeeping.runs import control
from housekeeping.steering import imports
from tests.engine.exports.cold import OLD, PARKS, declare, old_parks
from tests.engine.test_promises import killed_at, survive
from tests.shapes.models import Device, Part, Tag
from tests.zoo import tasks, worlds
from tests.zoo.models import Animal, Park, Photo

pytestmark = pytest.mark.django_db(transaction=True)


def bring(source, *options):
    out = StringIO()
    call_command("housekeeping_runs", "import", str(source), *options, stdout=out)
    return out.getvalue()


def years_later():
    """No archive is left, and no trace of the run."""
    Archive.objects.all().delete()
    Run.objects.all().delete()


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_everything_comes_back_as_it_was(form):
    declare(replace(PARKS, then=export("cold", form)))
    worlds.full().create()
    before = worlds.everything()
    run = tasks.purge("exported")
    assert run.status == "succeeded", run.error
    years_later()

    bring(run.pk)

    assert worlds.everything() == before


def test_rows_too_large_for_one_archive_come_back_too(monkeypatch):
    monkeypatch.setattr(importing, "PIECE", 1)
    worlds.full().create()
    before = worlds.everything()
    run = tasks.purge("exported")
    years_later()

    bring(run.pk)

    assert worlds.everything() == before


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_null_in_json_is_not_the_same_as_no_value(form):
    declare(replace(PARKS, then=export("cold", form)))
    [park] = old_parks(1)
    for facts in (Value(None, JSONField()), None, [None]):
        Animal.objects.create(park=park, facts=facts)
    run = tasks.purge("exported")
    years_later()

    bring(run.pk)

    assert [animal.facts for animal in Animal.objects.order_by("pk")] == [None, None, [None]]
    assert [animal.facts for animal in Animal.objects.exclude(facts__isnull=True)] == [None, [None]]


def test_a_folder_is_enough_on_a_site_that_knows_nothing_of_it(cold):
    old_parks()
    run = tasks.purge("exported")
    years_later()
    Export.objects.all().delete()

    out = bring("exported", "--storage", "cold")

    assert out == "2 rows of zoo.Park\n2 rows of zoo.Photo\n"
    assert (Park.objects.count(), Photo.objects.count()) == (2, 2)
    assert not Archive.objects.exists()
    with pytest.raises(CommandError, match="No export of the run"):
        bring(run.pk)


@pytest.fixture
def other_numbers():
    """A function that gives the content types of devices and parts the number of each other."""

    def swap():
        one, other = (ContentType.objects.get_for_model(model) for model in (Device, Part))
        for kind, model in ((one, "neither"), (other, one.model), (one, other.model)):
            ContentType.objects.filter(pk=kind.pk).update(model=model)
        ContentType.objects.clear_cache()

    yield swap
    swap()


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_rows_of_another_site_name_the_same_rows_by_content_type(form, other_numbers):
    devices = replace(PARKS, rows=lambda cutoff: Device.objects.filter(made_at__lt=cutoff), age="made_at")
    declare(replace(devices, then=export("cold", form)))
    device = Device.objects.create(made_at=OLD)
    Tag.objects.create(of=Part.objects.create(device=device))
    Tag.objects.create(of=device)
    tasks.purge("exported")
    assert not Tag.objects.exists()
    years_later()
    Export.objects.all().delete()
    other_numbers()

    bring("exported", "--storage", "cold")

    assert [type(tag.of) for tag in Tag.objects.order_by("pk")] == [Part, Device]


def test_rows_of_another_site_stay_out_where_their_content_type_is_not_there(cold):
    declare(replace(PARKS, rows=lambda cutoff: Device.objects.filter(made_at__lt=cutoff), age="made_at"))
    Tag.objects.create(of=Device.objects.create(made_at=OLD))
    tasks.purge("exported")
    years_later()
    Export.objects.all().delete()
    [name] = [one for one in cold.there() if one.endswith("manifest.json")]
    text = (Path(cold.location) / name).read_text()
    (Path(cold.location) / name).write_text(text.replace('"shapes.device"', '"shapes.gadget"'))

    with pytest.raises(CommandError, match=r"1 rows? of shapes\.Tag: the row that it refers to is gone"):
        bring("exported", "--storage", "cold")

    assert (Device.objects.count(), Tag.objects.count()) == (1, 0)


def test_what_is_there_stays_as_it_is_and_is_named(cold):
    one, _ = old_parks()
    run = tasks.purge("exported")
    years_later()
    Park.objects.create(pk=one.pk, name="a new one")

    with pytest.raises(CommandError, match=r"Not put back:\n  1 row of zoo\.Park: its key is taken"):
        bring(run.pk)

    assert (Park.objects.count(), Photo.objects.count()) == (2, 1)
    assert Park.objects.get(pk=one.pk).name == "a new one"


def exported_twice():
    """The places of two exports with the same rows, which have changed between them."""
    park, _ = old_parks()
    tasks.undo(tasks.purge("exported"))
    Hold.objects.all().delete()
    Park.objects.filter(pk=park.pk).update(name="newer")
    before = worlds.everything()
    tasks.purge("exported")
    return before, [(one.storage, one.folder) for one in Export.objects.order_by("made_at")]


def read_again(places):
    """A run that is to read them, as if none had."""
    Park.objects.all().delete()
    Import.objects.all().delete()
    years_later()
    imports.store(places, by=None)
    return tasks.request("imports")


def test_a_row_of_several_exports_comes_back_once_and_as_the_newest_has_it():
    before, places = exported_twice()

    for order in (places, places[::-1]):
        undo = tasks.undo(tasks.carry_out(read_again(order)))

        assert (undo.status, undo.result["not_restored"]) == ("succeeded", {}), undo.error
        assert worlds.everything() == before


def test_an_import_that_was_killed_between_two_exports_reads_both_again():
    before, places = exported_twice()
    whole = read_again(places)
    with killed_at(math.inf) as statements:
        tasks.carry_out(whole)
    *_, second = [at for at, sql in enumerate(statements) if sql.startswith('UPDATE "housekeeping_import"')]

    run = survive(read_again(places), [second])
    assert run.receipt["exported"]["rows"] == {"zoo.Park": 2, "zoo.Photo": 2}
    undo = tasks.undo(run)

    assert (undo.status, undo.result["not_restored"]) == ("succeeded", {}), undo.error
    assert worlds.everything() == before


def test_what_was_cancelled_does_not_come_back_with_what_is_asked_for_next():
    _, places = exported_twice()
    cancelled = tasks.request("imports")
    imports.store(places, by=None, run=cancelled)
    control.cancel(cancelled)
    (storage, older), _ = places

    bring(older, "--storage", storage)

    assert Park.objects.count() == 2
    assert not Park.objects.filter(name="newer").exists()
    retried = tasks.carry_out(control.retry(cancelled, send=lambda run: None))
    assert retried.result["read_exports"] == 2


def test_a_retry_of_a_cancelled_retry_reads_them(cold):
    _, places = exported_twice()
    run = tasks.request("imports")
    imports.store(places, by=None, run=run)
    for _ in range(2):
        control.cancel(run)
        run = control.retry(run, send=lambda run: None)

    assert tasks.carry_out(run).result["read_exports"] == 2


def damage_file(cold, one):
    name = f"{one.folder}/zoo.Photo.jsonl.gz"
    cold.delete(name)
    cold.save(name, ContentFile(b"x"))
    return "zoo.Photo.jsonl.gz is not what was written: its digest is another one."


def remove_file(cold, one):
    cold.delete(f"{one.folder}/zoo.Photo.jsonl.gz")
    return "The storage 'cold' could not be read from (FileNotFoundError"


def change_manifest(cold, one):
    name = f"{one.folder}/manifest.json"
    with cold.open(name) as file:
        facts = json.loads(file.read())
    cold.delete(name)
    cold.save(name, ContentFile(json.dumps({**facts, "policy": "x"}).encode()))
    return "manifest.json is not the manifest that was written."


def make_newer(cold, one):
    change_manifest(cold, one)
    Export.objects.all().delete()
    name = f"{one.folder}/manifest.json"
    cold.delete(name)
    cold.save(name, ContentFile(b'{"version": 2}'))
    return "manifest.json has the version 2; this one reads 1."


@pytest.mark.parametrize(
    ("at", "value", "problem"),
    [
        (["tables"], None, "tables is missing"),
        (["tables", 0], "a", "bytes of a table, columns of a table"),
        (["tables", 0, "rows"], "many", "rows of a table is missing"),
        (["tables", 0, "columns", 0], {}, "name of a column is missing"),
        (["tables", 0, "columns"], [{"name": "park_id"}], "The key of zoo.Photo is another column"),
        (["tables", 0, "model"], "Photo", "This site has no model Photo."),
        (["model"], "nothing.Park", "This site has no model nothing.Park."),
        (["format"], ["jsonl"], "format is missing"),
        (["content_types"], [], "content_types is missing"),
        (["format"], "parquet", "zoo.Photo.jsonl.gz can't be read (Arrow"),
    ],
)
def test_a_manifest_that_was_edited_is_refused(cold, at, value, problem):
    old_parks()
    tasks.purge("exported")
    years_later()
    name = f"{Export.objects.get().folder}/manifest.json"
    Export.objects.all().delete()
    with cold.open(name) as file:
        facts = part = json.loads(file.read())
    for key in at[:-1]:
        part = part[key]
    part[at[-1]] = value
    cold.delete(name)
    cold.save(name, ContentFile(json.dumps(facts).encode()))

    with pytest.raises(CommandError) as why:
        bring("exported", "--storage", "cold")

    assert str(why.value).startswith("Nothing was put back. ExportFailed: ")
    assert problem in str(why.value)


@pytest.mark.parametrize("damage", [damage_file, remove_file, change_manifest, make_newer])
def test_an_export_that_is_not_intact_is_refused_as_a_whole(cold, damage):
    old_parks()
    tasks.purge("exported")
    years_later()
    problem = damage(cold, Export.objects.get())

    with pytest.raises(CommandError) as why:
        bring("exported", "--storage", "cold")

    assert str(why.value).startswith("Nothing was put back.")
    assert problem in str(why.value)
    assert not Park.objects.exists()
    assert not Archive.objects.exists()


def test_an_export_that_an_erasure_works_on_is_not_left_out_silently(cold):
    for _ in range(2):
        old_parks()
        run = tasks.purge("exported")
    Export.objects.update(run_id=run.pk)
    years_later()
    Export.objects.filter(pk=Export.objects.latest("made_at").pk).update(state=Export.State.REWRITTEN)

    with pytest.raises(CommandError, match="an erasure works on it"):
        bring(run.pk)

    assert not Park.objects.exists()


def test_a_retry_reads_what_could_not_be_read(cold):
    before, places = exported_twice()
    name = f"{places[0][1]}/zoo.Park.jsonl.gz"
    with cold.open(name) as file:
        content = file.read()
    cold.delete(name)
    failed = tasks.carry_out(read_again(places))
    assert (failed.status, failed.receipt["exported"]["rows"]["zoo.Park"]) == ("failed", 2)

    cold.save(name, ContentFile(content))
    run = tasks.carry_out(control.retry(failed, send=lambda run: None))

    assert run.result == {"read_exports": 2, "read_rows": 8}
    undo = tasks.undo(run)
    assert (undo.status, undo.result["not_restored"]) == ("succeeded", {}), undo.error
    assert worlds.everything() == before


@pytest.mark.parametrize(
    ("source", "options", "problem"),
    [
        ("deadbeef", [], "No export of the run deadbeef is known here."),
        ("exported", ["--storage", "nowhere"], "STORAGES has no 'nowhere', only default, "),
        ("nothing", ["--storage", "cold"], "The folder 'nothing' of the storage 'cold'"),
    ],
)
def test_what_is_not_there(source, options, problem):
    with pytest.raises(CommandError, match=problem):
        bring(source, *options)
