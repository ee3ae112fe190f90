"""``then=export(…)``: rows are in files before they go, and only rows go that are as they are there."""

import gzip
import hashlib
import json
from dataclasses import replace

import pytest
from django.core.checks import run_checks
from django.core.files.storage import storages
from django.db import connection
from django.db.models import Q

from housekeeping.declared.ends import anonymise, export
from housekeeping.engine.exports import exporting
from housekeeping.models import Export
from tests.engine.exports.cold import FILES, PARKS, declare, old_parks
from tests.engine.test_promises import sample, statements_of, survive
from tests.zoo import tasks, worlds
from tests.zoo.models import Animal, Meal, Park, Photo

pytestmark = pytest.mark.django_db(transaction=True)


def manifest(one):
    with storages["cold"].open(f"{one.folder}/manifest.json") as file:
        text = file.read()
    assert hashlib.sha256(text).hexdigest() == one.digest
    return json.loads(text)


def lines(one, table):
    with storages["cold"].open(f"{one.folder}/{table['file']}") as file:
        packed = file.read()
    assert (hashlib.sha256(packed).hexdigest(), len(packed)) == (table["sha256"], table["bytes"])
    return [json.loads(line) for line in gzip.decompress(packed).splitlines()]


def keys():
    models = (Park, Animal, Meal, Photo)
    return {
        model._meta.label: {str(key) for key in model.objects.values_list("pk", flat=True)}
        for model in models
    }


def test_rows_are_in_files_before_they_go():
    worlds.full().create()
    before = keys()

    run = tasks.purge("exported")

    assert run.status == "succeeded", run.error
    [one] = Export.objects.all()
    tables = [table for table in manifest(one)["tables"] if not table["emptied"]]
    found = {table["model"]: lines(one, table) for table in tables}
    assert {label: len(rows) for label, rows in found.items()} == one.rows == run.receipt["exported"]["rows"]
    left = keys()
    for label, there in before.items():
        assert {str(row["id"]) for row in found.get(label, [])} == there - left[label], label


def test_an_undo_still_puts_them_back():
    worlds.full().create()
    before = worlds.everything()

    run = tasks.purge("exported", batch_size=1)
    assert worlds.everything() != before
    tasks.undo(run)

    assert worlds.everything() == before


def change(park):
    Park.objects.filter(pk=park.pk).update(name="changed")


def change_below(park):
    Photo.objects.filter(park=park).update(taken_by="somebody")


def add_below(park):
    Photo.objects.create(park=park)


@pytest.mark.parametrize("act", [change, change_below, add_below])
def test_a_row_that_has_changed_since_stays_and_is_exported_anew(act, cold):
    changed, _ = old_parks()
    cold.after(lambda: act(changed))

    run = tasks.purge("exported")

    assert run.status == "succeeded", run.error
    assert not Park.objects.exists()
    first, second = Export.objects.order_by("made_at")
    assert first.rows == {"zoo.Park": 2, "zoo.Photo": 2}
    assert second.rows == {"zoo.Park": 1, "zoo.Photo": 2 if act is add_below else 1}


def test_a_row_that_comes_below_at_the_last_moment_is_exported_before_it_goes(settings):
    """As one that refers to the park without a constraint: no lock keeps others from adding it."""
    settings.HOUSEKEEPING_UNDO_DAYS = 0  # PostgreSQL would copy the rows out as it deletes them
    [park] = old_parks(1)
    late = [lambda: add_below(park)]

    def before_they_go(execute, sql, params, many, context):
        if late and 'DELETE FROM "zoo_photo"' in sql:
            late.pop()()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(before_they_go):
        run = tasks.purge("exported")

    assert (run.status, run.retried, Park.objects.count()) == ("succeeded", 1, 0), run.error
    gone = run.receipt["exported"]["rows"]
    assert gone == {"zoo.Park": 1, "zoo.Photo": 1} == Export.objects.get().rows


def test_a_row_that_has_lost_rows_below_goes(cold):
    [park] = old_parks(1)
    cold.after(lambda: Photo.objects.filter(park=park).delete())

    run = tasks.purge("exported")

    assert (run.status, Park.objects.count(), Export.objects.count()) == ("succeeded", 0, 1)


def test_nothing_goes_if_the_storage_fails(cold):
    old_parks()
    cold.fails_at = "zoo.Park.jsonl.gz"

    run = tasks.purge("exported")

    assert run.status == "failed"
    assert "The storage 'cold' could not be written to (OSError: the disk is full)." in run.error
    assert Park.objects.count() == 2

    cold.fails_at = ""
    assert tasks.purge("exported").status == "succeeded"
    assert not Park.objects.exists()
    [one] = Export.objects.all()
    assert cold.there() == {f"{one.folder}/{name}" for name in ("manifest.json", *FILES)}


@pytest.mark.parametrize("is_gone", [False, True])
def test_a_storage_that_does_not_delete_what_is_not_complete_stops_no_other_run(cold, is_gone):
    old_parks()
    cold.fails_at = "manifest.json"
    tasks.purge("exported")
    cold.fails_at, cold.keeps_all = "", True
    if is_gone:
        Export.objects.update(storage="gone")

    run = tasks.purge("exported")

    assert run.status == "succeeded", run.error
    assert not Park.objects.exists()
    assert [one.state for one in Export.objects.order_by("made_at")] == ["writing", "written"]
    cold.keeps_all = False
    Export.objects.update(storage="cold")
    tasks.purge("exported")
    assert [one.state for one in Export.objects.all()] == ["written"]  # the next run tries again


def test_nothing_goes_if_the_storage_has_other_bytes(cold):
    old_parks()
    cold.damages = "zoo.Photo.jsonl.gz"

    run = tasks.purge("exported")

    assert run.status == "failed"
    assert "The storage 'cold' has other bytes in" in run.error
    assert Park.objects.count() == 2


def test_rows_are_exported_before_they_are_made_anonymous():
    """Nothing below them goes, so nothing below them is exported."""
    declare(replace(PARKS, then=[export("cold"), anonymise({"name": None}, done=Q(name=None))]))
    one, _ = old_parks()
    Park.objects.filter(pk=one.pk).update(name="Savanna")

    run = tasks.purge("exported")

    assert run.status == "succeeded", run.error
    [made] = Export.objects.all()
    [table] = manifest(made)["tables"]
    assert [line["name"] for line in lines(made, table)] == ["Savanna"]
    assert (Park.objects.get(pk=one.pk).name, Photo.objects.count()) == (None, 2)


@pytest.mark.parametrize(
    ("then", "problem"),
    [
        ([export("nowhere")], "STORAGES has no 'nowhere'."),
        ([export("cold")], ""),
    ],
)
def test_a_storage_that_is_not_there_is_refused_before_anything_happens(then, problem):
    old_parks()
    declare(replace(PARKS, then=then))

    found = [one.msg for one in run_checks() if one.id == "housekeeping.E021"]
    assert found == ([f"The policy 'exported' can't export its rows: {problem}"] if problem else [])
    run = tasks.purge("exported")
    assert (run.status, Park.objects.count()) == (("failed", 2) if problem else ("succeeded", 0))


def test_what_can_not_be_declared():
    for wrong in ([export("cold"), export("cold")], [anonymise({"name": None}), export("cold")]):
        with pytest.raises(ValueError, match="one export, one anonymise, or both in this order"):
            replace(PARKS, then=wrong)
    with pytest.raises(ValueError, match="jsonl, parquet"):
        export("cold", "csv")


def test_a_kill_at_any_statement_loses_no_row(cold):
    old_parks()
    number = statements_of(lambda: tasks.purge("exported", batch_size=1))
    for each in sample(number):
        parks = old_parks(3)
        run = survive(tasks.request("exported"), [each], batch_size=1)

        assert (run.status, Park.objects.count()) == ("succeeded", 0), each
        found = [
            row["id"]
            for one in Export.objects.filter(run_id=run.pk, state="written")
            for table in manifest(one)["tables"]
            if table["model"] == "zoo.Park"
            for row in lines(one, table)
        ]
        assert set(found) == {str(park.pk) for park in parks}, each
        files = {name for one in Export.objects.all() for name in one.files}
        assert cold.there() == files, each


@pytest.mark.parametrize(
    ("first", "rows", "largest", "sizes"),
    [(5, 20, 10**9, [5, 10, 10, 5]), (1_000, 8, 10**9, [8, 4, 4, 4, 4, 4, 2]), (5, 1_000, 2_000, [5, 4])],
)
def test_folders_have_a_useful_size(first, rows, largest, sizes, monkeypatch):
    old_parks(sum(sizes))
    declare(replace(PARKS, then=export("cold", rows=rows)))
    monkeypatch.setattr(exporting, "FIRST", first)
    monkeypatch.setattr(exporting, "LARGEST", largest)

    run = tasks.purge("exported", batch_size=4)

    assert run.status == "succeeded", run.error
    assert [one.rows["zoo.Park"] for one in Export.objects.order_by("made_at")] == sizes
    assert not Park.objects.exists()
