"""The undo of runs that have made rows anonymous."""

from contextlib import nullcontext
from datetime import UTC, datetime

import pytest
from django.core.files.base import ContentFile
from django.db import connection
from django.db.models import F, Q, TextField, Value
from django.db.models.functions import Concat, Upper
from django.utils import timezone

from housekeeping import Policy, anonymise
from housekeeping.engine import verification
from housekeeping.engine.effects import files
from housekeeping.engine.purge import purge
from housekeeping.exceptions import NotPossible
from housekeeping.models import Archive, FileToDelete
from housekeeping.reading.previews import restorable
from tests.engine.ends.test_anonymise import TAGS, animal, policy, rows
from tests.make import ago
from tests.shapes.models import Comment, Restaurant
from tests.zoo.models import Animal, Keeper, Photo
from tests.zoo.tasks import undo

pytestmark = pytest.mark.django_db(transaction=True)

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def test_undone_each_row_is_as_before(run_of):
    keeper = Keeper.objects.create(name="Ada")
    animal("Leo", chip=b"\x00\\x", guide=keeper, facts={"a": ["\t"]}, length=0.1)
    animal(None, weight="1.5", fed_at="10:00", born="2020-02-29")
    animal("Mia\\N\t", order=-1)
    before = rows()
    values: dict = {
        "tag": Concat(Value("gone-"), "pk"),
        "guide": None,
        "order": F("order") + 1,
        "facts": None,
    }
    values |= {"chip": None, "length": None, "weight": 0, "fed_at": None, "born": None}

    run = run_of(policy(values))
    assert not any(row == old for row, old in zip(rows(), before, strict=True))
    undone = undo(run)

    assert undone.result == {"restored": {"zoo.Animal": 3}, "not_restored": {}}
    assert rows() == before
    assert not Archive.objects.exists()
    assert purge(policy(values)) == 0  # they are on hold


def test_an_undo_keeps_what_somebody_has_set_since(run_of):
    leo, _mia, tom = animal("Leo", order=1), animal("Mia", order=2), animal("Tom", order=3)
    run = run_of(policy({"tag": None, "order": 0}, done="is_tame"))
    Animal.objects.filter(pk=leo.pk).update(tag="Leonardo")
    tom.delete()

    undone = undo(run)

    assert undone.result["restored"] == {"zoo.Animal": 1}
    assert undone.result["not_restored"] == {
        "zoo.Animal: tag was set to another since": 1,
        "zoo.Animal: its row is gone": 1,
    }
    tags = Animal.objects.order_by("pk").values_list("tag", "order", "is_tame")
    assert list(tags) == [("Leonardo", 1, None), ("Mia", 2, None)]
    assert Archive.objects.get().rows == 2  # for another try


def test_an_undo_leaves_a_unique_value_to_who_has_it_now(run_of):
    leo, mia = animal("Leo"), animal("Mia")
    run = run_of(TAGS)
    animal("Leo", age=1)

    undone = undo(run)

    assert undone.result["not_restored"] == {"zoo.Animal: a unique value of it is taken by another row": 1}
    assert Animal.objects.get(pk=leo.pk).tag == f"gone-{leo.pk}"
    assert Animal.objects.get(pk=mia.pk).tag == "Mia"


def test_an_undo_does_not_refer_to_a_row_that_is_gone(run_of):
    keeper = Keeper.objects.create(name="Ada")
    leo = animal("Leo", guide=keeper)
    run = run_of(policy({"tag": Concat(Value("gone-"), "pk"), "guide": None}))
    keeper.delete()

    undone = undo(run)

    assert undone.result["not_restored"] == {"zoo.Animal: the row that guide_id refers to is gone": 1}
    leo.refresh_from_db()
    assert (leo.tag, leo.guide) == ("Leo", None)


@pytest.mark.parametrize(
    ("model", "values"), [(Comment, {"slug": None, "parent": None}), (Restaurant, {"stars": 0})]
)
def test_rows_of_a_tree_or_with_parts_in_another_table_are_undone_too(run_of, model, values):
    first = Comment.objects.create(slug="a")
    Comment.objects.create(slug="b", parent=first)
    Restaurant.objects.create(stars=3)
    before = list(model.objects.order_by("pk").values())
    [name] = values.keys() - {"parent"}
    then = anonymise(values, done=Q(**{name: values[name]}))

    run = run_of(Policy("animals_unknown", lambda cutoff: model.objects.all(), then=then))
    assert run.status == "succeeded", run.error
    assert {getattr(row, name) for row in model.objects.all()} == {values[name]}

    assert undo(run).result["not_restored"] == {}
    assert list(model.objects.order_by("pk").values()) == before


def test_an_undo_finds_the_file_that_no_row_named_any_more(run_of, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    photo = Photo(taken_at=ago(days=40))
    photo.file.save("lion.jpg", ContentFile(b"roar"))
    then = anonymise({"file": ""}, done=Q(file=""))
    photos = Policy("animals_unknown", lambda cutoff: Photo.objects.all(), deletes_files=True, then=then)

    undo(run_of(photos))
    FileToDelete.objects.update(due_at=ago())

    assert files.delete_due()["files_still_named"] == 1
    assert Photo.objects.get().file.read() == b"roar"


@pytest.fixture
def names_alike():
    """Names of keepers that differ in nothing but case are the same to the database."""
    collation, plain = "nocase", Keeper._meta.get_field("name")
    if connection.vendor == "postgresql":
        collation = "alike"
        with connection.cursor() as cursor:
            cursor.execute(
                "CREATE COLLATION alike (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
            )
    alike = TextField(db_collation=collation)
    alike.set_attributes_from_name("name")
    alike.model = Keeper
    with connection.schema_editor() as editor:
        editor.alter_field(Keeper, plain, alike)
    yield
    with connection.schema_editor() as editor:
        editor.alter_field(Keeper, alike, plain)
        if connection.vendor == "postgresql":
            editor.execute("DROP COLLATION alike")


def test_an_undo_keeps_what_was_set_since_also_if_a_collation_takes_it_for_the_same(run_of, names_alike):
    for name in ("Ada", "Bob"):
        Keeper.objects.create(name=name)
    then = anonymise({"name": Upper("name"), "hired_at": LONG_AGO}, done=Q(hired_at=LONG_AGO))
    run = run_of(Policy("animals_unknown", lambda cutoff: Keeper.objects.all(), then=then))
    Keeper.objects.filter(name="ADA").update(name="ada")

    undone = undo(run)

    assert undone.result["not_restored"] == {"zoo.Keeper: name was set to another since": 1}
    assert [keeper.name for keeper in Keeper.objects.order_by("pk")] == ["ada", "Bob"]


@pytest.mark.parametrize("how", ["flip", "cut", "lost"])
def test_a_damaged_archive_is_noticed_and_nothing_is_set_back(run_of, how):
    animal("Leo")
    run = run_of(TAGS)
    archived = Archive.objects.get()
    payload = bytes(archived.payload)
    if how == "lost":
        archived.delete()
    else:
        damaged = payload[:-4] if how == "cut" else payload[:-6] + bytes([payload[-6] ^ 1]) + payload[-5:]
        Archive.objects.update(payload=damaged)
    changed = rows()

    assert verification.verify(run).findings()
    with pytest.raises(NotPossible) if how == "lost" else nullcontext():
        assert undo(run).status == "failed"
    assert rows() == changed


def test_the_archive_of_changed_rows_is_verified(run_of):
    animal("Leo"), animal("Mia")
    run = run_of(TAGS, batch_size=1)
    assert restorable.of(run, timezone.now()).tables == {"zoo.Animal": 2}

    report = verification.verify(run)

    assert (report.archives, report.findings(), report.receipts) == (2, [], {TAGS.name: "verified"})
