"""Rows in another database that are exported before they go, and come back there years later."""

from dataclasses import replace

import pytest
from django.core.management import CommandError
from hypothesis import given
from hypothesis import strategies as st

from housekeeping.declared import registry
from housekeeping.declared.ends import export
from housekeeping.engine.exports import importing, reading
from housekeeping.exceptions import ExportFailed
from housekeeping.models import Archive, Export, Hold, Import
from tests.engine import test_promises as promises
from tests.engine.apart.test_apart import nothing_open
from tests.engine.exports.cold import PARKS, declare, old_parks, store_in
from tests.engine.exports.test_import import bring
from tests.engine.test_promises import batches, kills, survive, tries
from tests.other_database import not_migrated
from tests.zoo import tasks, worlds
from tests.zoo.models import Park

pytestmark = pytest.mark.django_db(transaction=True)

zoos = worlds.worlds().filter(lambda world: world.task in worlds.ZOO)


@pytest.fixture(autouse=True)
def cold(zoo_apart, settings, tmp_path):
    settings.HOUSEKEEPING_BRAKE_SHARE = 1
    with tasks.declared():
        registry.task(policy=PARKS)(tasks.task_of(PARKS))
        yield store_in(tmp_path, settings)
        del registry.TASKS["exported"]


@tries(12)
@given(zoos, batches, st.sampled_from(["jsonl", "parquet"]), kills)
def test_what_was_exported_comes_back_whatever_was_killed(world, size, form, kills):
    policy = next(one for one in tasks.POLICIES if one.name == world.task)
    declare(replace(policy, name="exported", on_deleted=None, then=export("cold", form, rows=3)))
    world.create()
    before = worlds.everything()
    left, _ = promises.fate(world.task, before)

    run = survive(tasks.request("exported"), kills, batch_size=size)

    assert run.status == "succeeded", run.error
    assert worlds.everything() == left
    if Archive.objects.exists():
        Archive.objects.all().delete()
        bring(run.pk)
    assert worlds.everything() == before
    assert nothing_open()
    for model in (Hold, Export):
        model.objects.all().delete()


def test_a_database_without_the_table_of_handovers_is_named_before_anything_is_read():
    old_parks()
    run = tasks.purge("exported")
    Archive.objects.all().delete()

    with not_migrated(), pytest.raises(CommandError, match="run migrate housekeeping --database=other"):
        bring(run.pk)

    assert "migrate housekeeping" in Import.objects.get().error
    assert not Park.objects.exists()
    bring(run.pk)
    assert Park.objects.count() == 2


def test_rows_come_back_only_into_the_database_that_they_are_from(settings):
    old_parks()
    run = tasks.purge("exported")
    Archive.objects.all().delete()
    made = Export.objects.get()
    settings.DATABASE_ROUTERS = []  # nothing else tells where they were

    assert reading.database_of(made.manifest) == "other"
    bring(run.pk)
    assert [Park.objects.using(alias).count() for alias in ("other", "default")] == [2, 0]

    made.manifest["database"] = "gone"
    Export.objects.all().delete()
    importing.storing.remove("cold", [f"{made.folder}/manifest.json"])
    importing.storing.Folder("cold", made.folder).put_manifest(made.manifest)
    with pytest.raises(ExportFailed, match="no database 'gone'"):
        importing.Import("cold", made.folder, lambda: None)
