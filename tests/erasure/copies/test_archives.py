"""What is left of an archive: on the zoo, whose tables refer to each other in every way."""

from collections import Counter

import pytest

from housekeeping.declared.personal import Person, PersonalRows
from housekeeping.engine import verification
from housekeeping.erasure import people
from housekeeping.erasure.copies import archives
from housekeeping.erasure.terms import Terms
from housekeeping.models import Archive, Run
from tests.zoo import tasks
from tests.zoo.models import Animal, House, Keeper, Meal, Park, Passport, Visit
from tests.zoo.worlds import AS_OF, MONTH

pytestmark = pytest.mark.django_db(transaction=True)

OLD = AS_OF - 2 * MONTH


@pytest.fixture(autouse=True)
def _zoo(settings):
    settings.HOUSEKEEPING_BRAKE_SHARE = 1
    with tasks.declared():
        yield


def zoo():
    """Two parks with the same of everything; both are old."""
    made = []
    for name in ("a", "b"):
        park = Park.objects.create(name=name, opened_at=OLD)
        house = House.objects.create(code=f"house {name}", park=park)
        keeper = Keeper.objects.create(name=f"keeper\t{name}\\n", hired_at=OLD)
        animal = Animal.objects.create(
            house=house,
            park=park,
            guide=keeper,
            seen_at=OLD,
            tag=name,
            length=0.1,
            chip=b"\0x",
            facts={"a": [name]},
        )
        animal.keepers.add(keeper)
        Passport.objects.create(animal=animal)
        Meal.objects.create(animal=animal, house=house, food="hay\nand\tmore")
        Visit.objects.create(park=park, animal=animal)
        made.append({"park": park, "house": house, "keeper": keeper, "animal": animal})
    return made


def erase(row, *, personal=()):
    """Erase what belongs to a row, as if its table were that of accounts. Returns the keys and the counts."""
    model = type(row)
    found, gone = {model._meta.label: {str(row.pk)}}, Counter()
    archives.look(model, found, lambda read, row: None, lambda: None)
    terms = Terms(Person(people.accounts(), "1", "mjollnir", ("grace@example.com",)), "erased-1")
    rewriting = archives.Rewriting(terms, found, lambda more, archive: gone.update(more))
    rewriting.without.declared.by_label = {one.model._meta.label: [one] for one in personal}
    rewriting.carry_out(lambda: None)
    assert rewriting.carry_out(lambda: None) == 0
    return found, dict(gone)


def everything():
    models = (Park, House, Keeper, Animal, Passport, Meal, Visit, Animal.keepers.through)
    return {model._meta.label: list(model.objects.order_by("pk").values()) for model in models}


def test_all_that_hangs_from_a_row_goes_and_the_rest_comes_back_unchanged():
    mine, theirs = zoo()
    kept = {label: [row for row in rows if row in _of(theirs, label)] for label, rows in everything().items()}
    run = tasks.purge("parks")
    assert not Animal.objects.exists()

    found, gone = erase(mine["park"])

    assert found["zoo.Animal"] == {str(mine["animal"].pk)}
    assert gone == {
        "zoo.Park": 1, "zoo.House": 1, "zoo.Animal": 1, "zoo.Passport": 1, "zoo.Meal": 1,
        "zoo.Animal_keepers": 1, "zoo.Visit.park_id": 1, "zoo.Visit.animal_id": 1,
    }  # fmt: skip
    assert not verification.verify(Run.objects.get(pk=run.pk)).findings()
    undone = tasks.undo(run)
    assert (undone.status, undone.result["not_restored"]) == ("succeeded", {})
    after = everything()
    for label, rows in kept.items():
        if label not in ("zoo.Keeper", "zoo.Visit"):  # these never went
            assert after[label] == rows, label
    assert Visit.objects.get(park=theirs["park"]).animal == theirs["animal"]
    assert not Archive.objects.exists()


def _of(theirs, label):
    keys = {str(row.pk) for row in theirs.values() if row._meta.label == label}
    animal = theirs["animal"].pk
    return [
        row
        for row in everything()[label]
        if str(row.get("id", row.get("code"))) in keys or row.get("animal_id") == animal
    ]


def test_rows_that_only_refer_to_it_stay_without_the_reference():
    mine, theirs = zoo()
    run = tasks.purge("animals")

    _, gone = erase(mine["keeper"])
    Keeper.objects.filter(pk=mine["keeper"].pk).delete()

    assert gone == {"zoo.Animal.guide_id": 1, "zoo.Animal_keepers": 1}
    assert not verification.verify(Run.objects.get(pk=run.pk)).findings()
    undone = tasks.undo(run)
    assert undone.result["not_restored"] == {}
    animal = Animal.objects.get(tag="a")
    assert (animal.guide, animal.chip and bytes(animal.chip), animal.facts) == (None, b"\0x", {"a": ["a"]})
    assert Animal.objects.get(tag="b").guide == theirs["keeper"]


def test_a_row_in_one_archive_is_found_by_its_owner_in_another():
    mine, _ = zoo()
    tasks.purge("meals")
    tasks.purge("animals")
    tasks.purge("houses")
    tasks.purge("parks")

    _, gone = erase(mine["park"])

    assert (gone["zoo.Meal"], gone["zoo.Animal"], gone["zoo.House"], gone["zoo.Park"]) == (1, 1, 1, 1)


def test_declared_rows_go_and_renamed_ones_stay():
    zoo()
    Keeper.objects.create(name="MJOLLNIR", hired_at=OLD)
    tasks.purge("keepers")

    assert erase(Park.objects.first(), personal=[PersonalRows(Keeper, renamed=["name"])])[1] == {
        "zoo.Keeper.name": 1
    }
    Archive.objects.all().delete()
    Keeper.objects.create(name="grace@example.com", hired_at=OLD)
    tasks.purge("keepers")
    assert erase(Park.objects.first(), personal=[PersonalRows(Keeper, names=["name"])])[1] == {
        "zoo.Keeper": 1
    }


def test_an_archive_of_an_app_that_is_gone_is_searched_by_its_texts():
    Keeper.objects.create(name="mjollnir was here", hired_at=OLD)
    Keeper.objects.create(name="mjollnir2", hired_at=OLD)
    run = tasks.purge("keepers")
    for archived in run.archives.all():
        archived.model = "gone.Keeper"
        archived.digest = None
        archived.save(update_fields=["model", "digest"])

    _, gone = erase(Park.objects.create())

    assert gone == {"gone.Keeper": 1}
