"""Tables with more than Django gives them: another schema, triggers."""

import pytest
from django.db import connection

from housekeeping.models import Archive, Hold
from tests.make import ago
from tests.zoo import tasks
from tests.zoo.models import Animal, Keeper, Meal, Park, Visit
from tests.zoo.tables import in_schema, trigger

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _tasks(settings):
    settings.HOUSEKEEPING_BRAKE_SHARE = 1
    with tasks.declared():
        yield


def animals(number=2):
    made = [Animal.objects.create(seen_at=ago(days=4_000), number=each) for each in range(number)]
    for one in made:
        Meal.objects.create(animal=one)
        Visit.objects.create(animal=one)
    return made


def rows():
    return [list(model.objects.order_by("pk").values_list()) for model in (Animal, Meal, Visit, Park)]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no schemas")
def test_rows_in_another_schema_are_purged_held_and_put_back():
    with in_schema(Animal, Meal, Visit, Animal.keepers.through):
        _, other = animals()
        Hold.objects.create(model="zoo.Meal", key=other.meal_set.get().pk, reason="evidence")
        before = rows()

        run = tasks.purge("animals")

        assert (run.status, run.result) == ("succeeded", {"deleted_animals": 1})
        assert list(Animal.objects.all()) == [other]
        assert tasks.undo(run).status == "succeeded"
        assert rows() == before
        Hold.objects.all().delete()


def test_a_trigger_that_keeps_a_row_fails_the_batch():
    animals()
    before = rows()
    with trigger(Animal, "BEFORE DELETE", "keep"):
        run = tasks.purge("animals")

    assert run.status == "failed"
    assert (
        "The database keeps 2 rows of zoo.Animal that were to be deleted, perhaps by a trigger." in run.error
    )
    assert rows() == before
    assert not Archive.objects.exists()


def test_a_trigger_that_keeps_a_row_below_fails_the_batch():
    animals()
    before = rows()
    with trigger(Meal, "BEFORE DELETE", "keep"):
        run = tasks.purge("animals")

    assert run.status == "failed"
    assert rows() == before
    assert not Archive.objects.exists()


def test_what_a_trigger_writes_elsewhere_does_not_stop_an_undo():
    animals()
    before = rows()
    with trigger(Meal, "AFTER DELETE", "INSERT INTO zoo_keeper (name, hired_at) VALUES ('x', '2026-01-01')"):
        run = tasks.purge("animals")
        assert Keeper.objects.count() == 2
        assert tasks.undo(run).status == "succeeded"

    assert rows() == before
