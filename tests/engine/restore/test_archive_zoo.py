"""Undo, for what the chat does not have: odd columns and keys, emptied keys, a schema that changed."""

import math
from contextlib import contextmanager
from decimal import Decimal

import pytest
import zstandard
from django.contrib.auth.models import Group
from django.db import connection, models
from django.db.models.functions import Lower
from django.utils import timezone

from housekeeping.declared.policies import Policy
from housekeeping.models import Archive
from tests import make
from tests.zoo import tasks, worlds
from tests.zoo.models import Animal, House, Keeper, Meal, Park, Passport, Visit
from tests.zoo.tasks import purge, undo
from tests.zoo.worlds import AS_OF, MONTH

pytestmark = pytest.mark.django_db(transaction=True)

OLD = AS_OF - 2 * MONTH


@pytest.fixture(autouse=True)
def _tasks():
    with tasks.declared():
        yield


@pytest.mark.parametrize(
    "columns",
    [
        {"chip": None},
        {"chip": b""},
        {"chip": b"\x00\xff\\x"},
        {"length": 0.1},
        {"length": math.inf},
        {"length": -math.inf},
        {"length": 5e-324},
        {"length": 1.7976931348623157e308},
        {"length": 2.2250738585072014e-308},
        {"length": 9.32158e-222},
        {"weight": Decimal("1234567890.12345")},
        {"weight": Decimal("0.00001")},
        {"facts": {"\\N": ["\t", None, 1.5, True]}},
        {"facts": "null"},
        {"number": -(2**63)},
        {"tag": "\\N"},
        {"tag": ""},
    ],
    ids=str,
)
def test_every_column_comes_back(columns):
    Animal.objects.create(seen_at=OLD, **columns)
    before = worlds.everything()

    run = purge("animals")
    assert not Animal.objects.exists()
    undo(run)

    assert worlds.everything() == before


KEYS = ["a\tb", "a\nb", "\\", "\\N", "a\\tb", "\r", "\b\f\v", "'", '"', "é", "null", "1", "\\."]


def test_of_rows_with_odd_keys_only_those_that_are_back_leave_the_archive():
    park = Park.objects.create(opened_at=OLD)
    for key in KEYS:
        House.objects.create(code=key, park=park)
    run = purge("houses")
    House.objects.create(code=KEYS[0], park=park)

    undone = undo(run)

    assert undone.result["restored"] == {"zoo.House": len(KEYS) - 1}
    assert undone.result["not_restored"] == {"zoo.House: its key is taken by another row": 1}
    assert Archive.objects.get().rows == 1
    House.objects.filter(code=KEYS[0]).delete()
    assert undo(run).result["restored"] == {"zoo.House": 1}
    assert set(House.objects.values_list("code", flat=True)) == set(KEYS)


@pytest.mark.skipif(connection.vendor == "postgresql", reason="PostgreSQL's text holds no NUL")
def test_a_key_with_a_nul_in_it_is_no_other_row():
    old, young = Park.objects.create(opened_at=OLD), Park.objects.create()
    House.objects.create(code="a\0b", park=old)
    kept = House.objects.create(code="a", park=young)
    before = worlds.everything()

    run = purge("houses")
    assert list(House.objects.all()) == [kept]
    undo(run)

    assert worlds.everything() == before


def test_what_was_emptied_is_not_tied_to_a_stranger():
    park = Park.objects.create(opened_at=OLD)
    visit = Visit.objects.create(park=park)
    run = purge("parks")
    Park.objects.create(id=park.pk, name="a stranger")

    undone = undo(run)

    visit.refresh_from_db()
    assert visit.park is None
    assert undone.result["not_restored"] == {
        "zoo.Park: its key is taken by another row": 1,
        "zoo.Visit.park_id: its row is gone, or was set to another since": 1,
    }
    Park.objects.all().delete()
    undo(run)
    visit.refresh_from_db()
    assert visit.park == park


def test_what_was_set_to_another_since_stays_there():
    park, other = Park.objects.create(opened_at=OLD), Park.objects.create()
    visit = Visit.objects.create(park=park)
    run = purge("parks")
    Visit.objects.update(park=other)

    undo(run)

    visit.refresh_from_db()
    assert (visit.park, Park.objects.count()) == (other, 2)


def test_a_stranger_that_has_taken_a_key_is_not_tied_to_what_comes_back(add_task, settings):
    settings.HOUSEKEEPING_BRAKE_SHARE = 1
    parks = next(policy for policy in tasks.POLICIES if policy.name == "parks")
    visits = Policy("visits", lambda cutoff: Visit.objects.filter(park=None))
    add_task("night", lambda purge: {"gone": [purge(parks), purge(visits)]}, policies=(parks, visits))
    gone = Visit.objects.create(park=Park.objects.create(opened_at=OLD))
    run = purge("night")
    Visit.objects.create(pk=gone.pk)

    undone = undo(run)

    assert Park.objects.exists()
    assert Visit.objects.get().park is None
    assert undone.result["not_restored"] == {
        "zoo.Visit: its key is taken by another row": 1,
        "zoo.Visit.park_id: its row is gone, or was set to another since": 1,
    }


def test_what_hangs_from_a_stranger_by_its_proxy_stays_away():
    park = Park.objects.create(opened_at=OLD)
    House.objects.create(code="a", park=park)
    run = purge("proxies")
    Park.objects.create(id=park.pk, name="a stranger")

    undone = undo(run)

    assert undone.result["not_restored"]["zoo.House: the row that it refers to is gone"] == 1
    assert not House.objects.exists()


def test_a_unique_value_that_is_taken_leaves_the_row_in_the_archive():
    animal = Animal.objects.create(seen_at=OLD, tag="Bo")
    Animal.objects.create(seen_at=OLD, tag="Jo")
    Passport.objects.create(animal=animal)
    run = purge("animals")
    Animal.objects.create(tag="Bo")

    undone = undo(run)

    assert undone.result["restored"] == {"zoo.Animal": 1, "zoo.Passport": 0}
    assert undone.result["not_restored"] == {
        "zoo.Animal: a unique value of it is taken by another row": 1,
        "zoo.Passport: the row that it refers to is gone": 1,
    }
    Animal.objects.filter(tag="Bo").delete()
    undo(run)
    assert Passport.objects.get().animal == animal


def test_rows_of_a_table_that_two_ways_lead_to_come_back_with_what_is_below_them():
    """The table has two archives in the batch, each with archives of other tables after it."""
    park = Park.objects.create(opened_at=OLD)
    house = House.objects.create(code="a", park=park)
    for animal in (Animal.objects.create(park=park), Animal.objects.create(house=house)):
        Passport.objects.create(animal=animal)
        Meal.objects.create(animal=animal)
    before = worlds.everything()

    undone = undo(purge("parks"))

    assert undone.result["not_restored"] == {}
    assert worlds.everything() == before


@contextmanager
def not_looked_after(table, column):
    """PostgreSQL lets the column refer to nothing, as after somebody has dropped its constraint."""
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, table).items()
        [name] = [name for name, facts in found if facts["foreign_key"] and facts["columns"] == [column]]
        cursor.execute("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", [name])
        [definition] = cursor.fetchone()
        cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
        yield
        cursor.execute(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}')


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite drops no constraint")
def test_what_refers_to_nothing_stays_away_though_the_database_would_take_it():
    house = House.objects.create(code="a", park=Park.objects.create())
    Animal.objects.create(seen_at=OLD, house=house)
    Animal.objects.create(seen_at=OLD)

    with not_looked_after("zoo_animal", "house_id"):
        run = purge("animals")
        house.delete()
        undone = undo(run)

    assert undone.result["restored"] == {"zoo.Animal": 1}
    assert undone.result["not_restored"] == {"zoo.Animal: the row that it refers to is gone": 1}


def test_a_reference_to_nothing_comes_back_where_the_database_allows_it(meal):
    to_nothing = models.ForeignKey(Group, models.DO_NOTHING, null=True, db_constraint=False, related_name="+")

    with column("eaters", to_nothing):
        Meal.objects.update(eaters=404)
        run = purge("meals")
        undo(run)

        assert Meal.objects.get().eaters_id == 404


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL takes valid text alone")
@pytest.mark.parametrize("stranger", [False, True])
def test_a_text_that_is_no_text_comes_back_byte_for_byte(stranger):
    for number in range(2):
        Keeper.objects.create(name=number, hired_at=OLD)
    read = "SELECT id, CAST(name AS BLOB) FROM zoo_keeper ORDER BY id"
    with connection.cursor() as cursor:
        cursor.execute("UPDATE zoo_keeper SET name = CAST(x'736563726574ff' AS TEXT)")
        before = cursor.execute(read).fetchall()
        run = purge("keepers")
        if stranger:
            taken = Keeper.objects.create(pk=before[0][0], name="a stranger")
            undo(run)
            taken.delete()
        undo(run)

        assert cursor.execute(read).fetchall() == before


# --- The schema has changed since -------------------------------------------------------------


@contextmanager
def column(name, field, *, on=Meal):
    """The table has one column more, as after a migration."""
    field.set_attributes_from_name(name)
    field.contribute_to_class(on, name)
    with connection.schema_editor() as editor:
        editor.add_field(on, field)
    try:
        yield
    finally:
        with connection.schema_editor() as editor:
            editor.remove_field(on, field)
        on._meta.local_fields.remove(field)
        on._meta._expire_cache()
        delattr(on, name)


@pytest.fixture
def meal():
    return Meal.objects.create(animal=Animal.objects.create(seen_at=OLD))


def generated():
    return models.GeneratedField(expression=Lower("food"), output_field=models.TextField(), db_persist=True)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (lambda: models.TextField(null=True), None),
        (lambda: models.TextField(default="salt"), "salt"),
        (lambda: models.IntegerField(default=lambda: 7), 7),
        (lambda: models.IntegerField(db_default=8), 8),
        (lambda: models.TextField(db_default=Lower(models.Value("SALT"))), "salt"),
        (lambda: models.CharField(max_length=9, blank=True), ""),
        (
            lambda: models.GeneratedField(
                expression=Lower("food"), output_field=models.TextField(), db_persist=True
            ),
            "hay",
        ),
    ],
    ids=["null", "default", "callable", "db_default", "expression", "blank", "generated"],
)
def test_a_column_that_was_added_since_has_its_default(meal, field, value):
    run = purge("meals")

    with column("spice", field()):
        undone = undo(run)

        assert undone.result == {"restored": {"zoo.Meal": 1}, "not_restored": {}}, undone.error
        assert (Meal.objects.get().food, Meal.objects.get().spice) == ("hay", value)


def test_a_column_that_was_added_with_the_moment_has_the_moment_of_the_undo(meal):
    run = purge("meals")

    with column("cooked_at", models.DateTimeField(auto_now_add=True)):
        undo(run)

        assert timezone.now() - Meal.objects.get().cooked_at < make.days(1)


def test_a_column_that_was_added_and_has_nothing_to_be_filled_with_stops_the_undo(meal):
    run = purge("meals")

    with column("grams", models.IntegerField(default=1)):
        field = Meal._meta.get_field("grams")
        field.default = models.NOT_PROVIDED
        del field._get_default  # Django's cache of it
        undone = undo(run)

        assert (undone.status, Meal.objects.count()) == ("failed", 0)
        assert undone.error == (
            "NotPossible: zoo.Meal has a new column grams since the purge,"
            " which has no default and can't be empty."
        )
        assert Archive.objects.get().rows == 1


def test_a_column_that_was_removed_since_stops_the_undo_and_nothing_changes(meal):
    animal = meal.animal
    with column("spice", models.TextField(default="salt")):
        run = purge("animals")
    before = worlds.everything()

    undone = undo(run)

    assert (undone.status, undone.error) == (
        "failed",
        "NotPossible: zoo.Meal has lost the column spice since the purge.",
    )
    assert worlds.everything() == before
    assert not Animal.objects.filter(pk=animal.pk).exists()
    assert Archive.objects.count() == 2


def test_a_column_that_was_removed_comes_back_with_the_column(meal):
    with column("spice", models.TextField(default="salt")):
        Meal.objects.update(spice="pepper")
        run = purge("meals")
    assert undo(run).status == "failed"

    with column("spice", models.TextField(default="salt")):
        undo(run)

        assert Meal.objects.get().spice == "pepper"


def test_an_archive_of_a_table_that_is_gone_stops_the_undo():
    run = make.run(status="succeeded", deleted={"dragons": 1})
    make.archive(run, model="zoo.Dragon")

    undone = undo(run)

    assert undone.error == "NotPossible: The table of zoo.Dragon no longer exists."


def test_an_archive_of_another_database_stops_the_undo():
    run = make.run(status="succeeded", deleted={"messages": 1})
    other, rows = ("sqlite", b"[[1]]") if connection.vendor == "postgresql" else ("postgresql", b"1\n")
    make.archive(run, vendor=other, payload=zstandard.compress(rows))

    undone = undo(run)

    assert undone.error.startswith(f"NotPossible: The archive was written by {other}, and this database is")
