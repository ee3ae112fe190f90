"""Policies that make rows anonymous: the rows stay, and the named columns get other values."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.db.models import F, Q, Value
from django.db.models.functions import Concat, Upper

from housekeeping import ByOwner, Policy, anonymise, export
from housekeeping.declared import registry
from housekeeping.engine.effects import files
from housekeeping.engine.purge import expired, held_back, purge
from housekeeping.exceptions import EndFailed, NotPossible
from housekeeping.models import Archive, FileToDelete, Hold, Run
from housekeeping.runs import recovery
from tests.engine.test_promises import killed_at, statements_of
from tests.make import ago
from tests.zoo.models import Animal, Contract, Entry, House, Owner, Park, Photo
from tests.zoo.tasks import carry_out, task_of

pytestmark = pytest.mark.django_db(transaction=True)

GONE = Q(tag__startswith="gone-")


def policy(values, done=GONE, **options):
    return Policy(
        "animals_unknown",
        lambda cutoff: Animal.objects.filter(seen_at__lt=cutoff),
        timedelta(days=30),
        "seen_at",
        then=anonymise(values, done=done),
        **options,
    )


TAGS = policy({"tag": Concat(Value("gone-"), "pk"), "order": 0, "chip": None, "facts": {"is": "gone"}})


def animal(tag, *, age=40, **fields):
    return Animal.objects.create(tag=tag, seen_at=ago(days=age), **fields)


def rows():
    return list(Animal.objects.order_by("pk").values())


def test_expired_rows_stay_and_get_the_values_that_the_policy_names():
    old, young = animal("Leo", order=7, chip=b"\x00\xff", number=5), animal("Mia", age=1)

    assert expired(TAGS, cutoff=ago(days=30)) == 1
    assert purge(TAGS) == 1

    old.refresh_from_db()
    assert (old.tag, old.order, old.chip, old.facts) == (f"gone-{old.pk}", 0, None, {"is": "gone"})
    assert (old.number, old.doubled) == (5, 0)
    assert rows()[1]["tag"] == young.tag


def test_a_row_that_is_done_is_no_longer_due():
    animal("Leo")
    assert [purge(TAGS), expired(TAGS, cutoff=ago(days=30)), purge(TAGS)] == [1, 0, 0]


def test_done_marks_a_date_with_the_time_of_the_run_and_a_boolean_with_true(run_of):
    leo = animal("Leo", is_tame=False)
    run = run_of(policy({"tag": None}, done="born"))
    assert Animal.objects.get().born == run.as_of.date()

    Animal.objects.filter(pk=leo.pk).update(tag="Leo")
    assert purge(policy({"tag": None}, done="is_tame")) == 1
    leo.refresh_from_db()
    assert (leo.tag, leo.is_tame) == (None, True)
    assert purge(policy({"tag": None}, done="is_tame")) == 0


def test_rows_below_stay_and_what_protects_a_row_does_not_matter():
    park = Park.objects.create()
    house = House.objects.create(code="A", park=park)
    Contract.objects.create(house=house)
    animal("Leo", house=house)
    parks = Policy(
        "parks_unknown",
        lambda cutoff: Park.objects.filter(opened_at__lt=cutoff),
        age="opened_at",
        then=anonymise({"name": Upper(Concat(Value("park "), F("pk")))}, done=Q(name__startswith="PARK ")),
    )
    assert held_back(parks, cutoff=ago(days=-1)) == {"held": 0, "protected": 0}

    assert purge(parks) == 1

    assert Park.objects.get().name.replace("-", "") == f"PARK {park.pk.hex}".upper()
    assert (House.objects.count(), Animal.objects.count()) == (1, 1)


def test_a_held_row_stays_as_it_is_also_if_the_hold_is_above():
    house = House.objects.create(code="A", park=Park.objects.create())
    held, free = animal("Leo"), animal("Tom")
    animal("Mia", house=house)
    Hold.objects.create(model="zoo.Animal", key=held.pk, reason="court")
    Hold.objects.create(model="zoo.House", key="A", reason="court")

    assert held_back(TAGS, cutoff=ago(days=30)) == {"held": 2, "protected": 0}
    assert purge(TAGS) == 1
    assert [row["tag"] for row in rows()] == ["Leo", f"gone-{free.pk}", "Mia"]


def test_a_preview_counts_what_a_run_changes_and_a_run_of_its_plan_changes_these(run_of):
    animals = [animal(name) for name in ("Leo", "Mia")]
    before = rows()

    preview = run_of(TAGS, dry_run=True)
    assert (rows(), preview.plan_tables) == (before, {"zoo.Animal": 2})
    Animal.objects.filter(pk=animals[0].pk).update(seen_at=ago())
    animal("Tom")
    run = run_of(TAGS, plan=preview)

    assert (run.deleted, run.removed) == ({"animals_unknown": 1}, {"zoo.Animal": 1})
    assert set(Animal.objects.values_list("tag", flat=True)) == {"Leo", f"gone-{animals[1].pk}", "Tom"}


@pytest.mark.parametrize("then", [(), anonymise({"tag": None}, done=Q(tag=None)), (export("x"), TAGS.then)])
def test_a_plan_is_refused_once_something_else_becomes_of_its_rows(run_of, then):
    animal("Leo")
    before, preview = rows(), run_of(TAGS, dry_run=True)
    now = replace(TAGS, then=then)
    registry.TASKS[TAGS.name] = replace(registry.TASKS[TAGS.name], policies=(now,), function=task_of(now))

    with pytest.raises(NotPossible, match="has changed since this plan was made: preview again"):
        run_of(TAGS, plan=preview)

    assert rows() == before


def test_what_a_run_has_begun_to_change_is_not_deleted_by_its_next_attempt(run_of):
    for name in ("Leo", "Mia", "Tom"):
        animal(name)
    statements = statements_of(lambda: run_of(TAGS, batch_size=1))
    Animal.objects.update(tag=Concat(Value("Leo-"), "pk"))
    with killed_at(statements // 2):
        run_of(TAGS, batch_size=1)
    run, before = Run.objects.latest("requested_at"), rows()
    assert run.status == "running"
    assert 0 < run.deleted[TAGS.name] < 3

    now = replace(TAGS, then=())
    registry.TASKS[TAGS.name] = replace(registry.TASKS[TAGS.name], policies=(now,), function=task_of(now))
    Run.objects.filter(pk=run.pk).update(lease_until=ago(seconds=1))
    recovery.recover(ago(seconds=0), send=lambda run: None)
    run.refresh_from_db()
    run = carry_out(run)

    assert (run.status, rows()) == ("failed", before)
    assert "What becomes of the rows of 'animals_unknown' has changed since this run began" in run.error


def test_most_of_a_table_waits_for_an_approval(run_of, settings):
    settings.HOUSEKEEPING_BRAKE_ROWS = 2
    for name in ("Leo", "Mia"):
        animal(name)

    run = run_of(TAGS)

    assert run.status == "held"
    assert run.error == ("The policy 'animals_unknown' would change 2 of 2 rows, more than 50% of the table.")
    assert not Animal.objects.filter(GONE).exists()


def test_rows_that_are_not_done_by_their_new_values_fail_the_batch(run_of):
    animal("Leo")
    run = run_of(policy({"tag": Concat(Value("unknown-"), "pk")}))

    assert run.status == "failed"
    assert "1 of its rows are not done by their new values" in run.error
    assert [row["tag"] for row in rows()] == ["Leo"]
    assert not Archive.objects.exists()


def test_a_clash_in_the_database_fails_the_whole_batch(run_of):
    animal("Leo", number=1), animal("Mia", number=1)
    run = run_of(policy({"tag": Concat(Value("gone-"), "number")}))

    assert run.status == "failed"
    assert "can't change its rows, so their batch was rolled back: IntegrityError" in run.error
    assert {row["tag"] for row in rows()} == {"Leo", "Mia"}


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"guide": 999}, "guide refers to a row that is not there"),
        ({"tag": Concat(Value("-" * 60), "pk")}, "tag is longer than its 50 characters|DataError"),
    ],
)
def test_what_the_table_can_not_have_fails_the_batch(values, problem):
    animal("Leo")
    before = rows()
    with pytest.raises(EndFailed, match=problem):
        purge(policy(values, done="is_tame"))
    assert rows() == before


def test_a_file_that_no_row_names_any_more_goes_when_the_undo_window_closes(run_of, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    photo = Photo(taken_at=ago(days=40))
    photo.print.save("print.pdf", ContentFile(b"%PDF"))
    photo.file.save("lion.jpg", ContentFile(b"roar"))
    photos = Policy(
        "animals_unknown",
        lambda cutoff: Photo.objects.filter(taken_at__lt=cutoff),
        timedelta(days=30),
        "taken_at",
        deletes_files=True,
        then=anonymise({"file": ""}, done=Q(file="")),
    )
    run = run_of(photos)

    note = FileToDelete.objects.get()
    assert (note.field, note.name, note.due_at) == ("zoo.Photo.file", photo.file.name, run.archives_expire_at)
    FileToDelete.objects.update(due_at=ago())
    assert files.delete_due()["deleted_files"] == 1
    assert Photo.objects.get().print.read() == b"%PDF"


def kinds():
    return list(Entry.objects.order_by("written_at").values_list("kind", flat=True))


def entries(values, **rules):
    return Policy(
        "animals_unknown",
        lambda cutoff: Entry.objects.filter(written_at__lt=cutoff),
        age="written_at",
        then=anonymise(values, done=Q(kind="gone")),
        **rules,
    )


def test_the_newest_rows_of_each_owner_stay_as_they_are():
    one, other = Owner.objects.create(), Owner.objects.create()
    for owner, age in ((one, 3), (one, 2), (one, 1), (other, 4)):
        Entry.objects.create(owner=owner, written_at=ago(days=age))
    policy = entries({"kind": "gone"}, keep_newest=2, of_each="owner")

    assert [purge(policy), purge(policy)] == [1, 0]
    assert kinds() == ["note", "gone", "note", "note"]


def test_each_owner_may_have_a_retention_of_its_own():
    for days in (5, 50):
        Entry.objects.create(owner=Owner.objects.create(kept_days=days), written_at=ago(days=20 + days / 10))
    policy = entries({"kind": "gone"}, retention_by=ByOwner("owner", "kept_days"))

    assert [purge(policy), purge(policy)] == [1, 0]
    assert kinds() == ["note", "gone"]


def test_without_an_undo_window_nothing_is_archived(run_of, settings):
    settings.HOUSEKEEPING_UNDO_DAYS = 0
    leo = animal("Leo")
    run = run_of(TAGS)

    assert (run.status, run.receipt[TAGS.name]["rows"]) == ("succeeded", {"zoo.Animal": 1})
    assert [row["tag"] for row in rows()] == [f"gone-{leo.pk}"]
    assert not Archive.objects.exists()
