"""Tables that foreign keys alone do not lead to, and keys of other kinds."""

import uuid
from datetime import date

import pytest
from django.contrib.contenttypes.models import ContentType

from housekeeping.engine import holds
from housekeeping.engine.purge import due, preview
from housekeeping.models import Hold
from tests.shapes import worlds
from tests.shapes.models import (
    Anchor,
    Badge,
    Bar,
    Business,
    Comment,
    Day,
    Device,
    Fine,
    Holiday,
    Host,
    Hotel,
    Lock,
    Locker,
    Menu,
    Note,
    Page,
    Part,
    Pizzeria,
    Place,
    Port,
    Restaurant,
    Review,
    Scan,
    Shift,
    Tag,
    Tax,
    Team,
    Vote,
)
from tests.shapes.tasks import POLICIES, check, purge, undo
from tests.shapes.worlds import AS_OF, MONTH, OLD

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("shapes")]


# --- Keys to another column -------------------------------------------------------------------


@pytest.fixture
def badges():
    teams = [Team.objects.create(id=number, name=f"team {number}", founded_at=OLD) for number in (11, 12)]
    found = [Badge.objects.create(id=70 - team.pk, team=team, code=f"code {team.pk}") for team in teams]
    for badge in found:
        Scan.objects.create(badge=badge)
        Locker.objects.create(badge=badge)
    return found


def test_what_refers_to_another_column_goes_along_and_comes_back(badges):
    check("teams", batch_size=1)
    check("badges")


def test_what_refers_to_another_column_protects(badges):
    Fine.objects.create(badge=badges[0])

    check("badges")
    check("teams")


def test_a_hold_is_found_along_other_columns(badges):
    scan = badges[0].scan_set.get()
    Hold.objects.create(model="shapes.Scan", key=scan.pk, reason="A dispute")

    assert list(due(POLICIES["teams"], cutoff=AS_OF)) == [badges[1].team]
    Hold.objects.update(model="shapes.Team", key=badges[0].team.pk)
    assert list(due(POLICIES["badges"], cutoff=AS_OF)) == [badges[1]]


def test_nothing_is_attached_to_a_stranger_that_has_taken_a_value(badges):
    run = purge("badges")
    Badge.objects.create(id=50, code=badges[0].code)

    undone = undo(run)

    assert set(Scan.objects.values_list("badge", flat=True)) == {badges[1].code}
    assert Locker.objects.filter(badge=None).count() == 1
    assert undone.result["not_restored"] == {
        "shapes.Badge: a unique value of it is taken by another row": 1,
        "shapes.Scan: the row that it refers to is gone": 1,
        "shapes.Locker.badge_id: its row is gone, or was set to another since": 1,
    }
    Badge.objects.filter(id=50).delete()
    undo(run)
    assert Scan.objects.count() == 2


# --- Generic relations ------------------------------------------------------------------------


@pytest.fixture
def devices():
    """Two old devices and a young one, each with parts; all of them have tags, with votes for these."""
    found = []
    for number in (1, 2, 3):
        device = Device.objects.create(id=uuid.UUID(int=number), made_at=OLD if number < 3 else AS_OF)
        part = Part.objects.create(device=device, id=number)
        for row in (device, part):
            tag = Tag.objects.create(of=row)
            Vote.objects.create(tag=tag)
        Note.objects.create(of=part)
        found.append(device)
    Tag.objects.create(content_type=worlds.kind(Comment), object_id="1")
    Tag.objects.create(content_type=worlds.kind(Device), object_id="no key at all")
    return found


@pytest.mark.parametrize("size", [1, 100])
def test_what_names_a_row_by_its_content_type_goes_along(devices, size):
    run = check("devices", batch_size=size)

    assert run.receipt["devices"]["rows"] == {
        "shapes.Device": 2, "shapes.Part": 2, "shapes.Tag": 4, "shapes.Vote": 4, "shapes.Note": 2,
    }  # fmt: skip


def test_a_generic_relation_is_followed_to_what_protects(devices):
    Lock.objects.create(tag=devices[0].part_set.get().tags.get())

    check("devices")


@pytest.mark.parametrize(
    "find", [lambda device: device.tags.get(), lambda device: device.part_set.get().notes.get()]
)
def test_a_hold_is_found_along_generic_relations(devices, find):
    held = find(devices[0])
    Hold.objects.create(model=held._meta.label, key=held.pk, reason="A dispute")

    assert list(due(POLICIES["devices"], cutoff=AS_OF - MONTH)) == [devices[1]]
    assert [holds.is_held(row) for row in (held, devices[0], devices[1])] == [True, True, False]
    Hold.objects.update(model="shapes.Device", key=devices[0].pk)
    assert [holds.is_held(row) for row in (held, *devices[0].part_set.all())] == [True, True]
    assert holds.reason_held(held).startswith("shapes.Device 00000000-0000-0000-0000-000000000001 is on hold")


def test_what_names_a_stranger_stays_away(devices):
    run = purge("devices")
    Device.objects.create(id=devices[0].id)

    undone = undo(run)

    assert undone.result["not_restored"] == {
        "shapes.Device: its key is taken by another row": 1,
        "shapes.Part: the row that it refers to is gone": 1,
        "shapes.Tag: the row that it refers to is gone": 2,
        "shapes.Vote: the row that it refers to is gone": 2,
        "shapes.Note: the row that it refers to is gone": 1,
    }
    Device.objects.filter(id=devices[0].id).delete()
    assert undo(run).result["not_restored"] == {}


def test_a_batch_is_cut_into_parts_along_generic_relations(devices):
    before = worlds.everything()
    run = purge("devices", batch_size=100)

    undone = undo(run, batch_size=1)

    assert undone.result["not_restored"] == {}
    assert worlds.everything() == before


def test_what_names_a_content_type_that_is_gone_stays_away(devices):
    run = purge("devices")
    worlds.kind(Device).delete()
    ContentType.objects.clear_cache()

    undone = undo(run)

    assert undone.result["not_restored"]["shapes.Tag: the row that it refers to is gone"] == 2
    assert Device.objects.count() == 3


# --- Multi-table inheritance ------------------------------------------------------------------


@pytest.fixture
def town():
    """A row of each model that inherits, and a plain one of each that is inherited from; all are old."""
    place = Place.objects.create(opened_at=OLD)
    found = {
        "place": place,
        "restaurant": Restaurant.objects.create(opened_at=OLD, near=place),
        "pizzeria": Pizzeria.objects.create(opened_at=OLD, stars=2),
        "bar": Bar.objects.create(opened_at=OLD, beers=9),
        "business": Business.objects.create(founded_at=OLD),
        "hotel": Hotel.objects.create(opened_at=OLD, founded_at=OLD, number=50, id=60),
    }
    for name, row in found.items():
        if name != "business":
            Review.objects.create(place_id=row.pk)
            Tag.objects.create(of=row)
    for name in ("restaurant", "pizzeria"):
        Menu.objects.create(restaurant_id=found[name].pk)
    return found


@pytest.mark.parametrize("size", [1, 100])
@pytest.mark.parametrize("task", ["places", "restaurants", "hotels", "businesses"])
def test_a_row_goes_with_its_parts_in_the_tables_of_its_parents_and_children(town, task, size):
    check(task, batch_size=size)


def test_tags_of_the_part_stay_as_django_leaves_them(town):
    """A generic relation is looked for under the model that the row is deleted as."""
    Tag.objects.create(content_type=worlds.kind(Place), object_id=town["pizzeria"].pk)
    Tag.objects.create(content_type=worlds.kind(Restaurant), object_id=town["pizzeria"].pk)

    check("restaurants")
    check("places")


def test_what_protects_a_part_protects_the_row(town):
    Tax.objects.create(business_id=50)
    Lock.objects.create(tag=town["pizzeria"].tags.get())

    for task in ("places", "restaurants", "hotels", "businesses"):
        check(task)


def test_a_part_of_two_rows_takes_both_along(town):
    """Django's delete() fails there: it forgets the other one."""
    bar = Bar(place_ptr=Place.objects.get(pk=town["restaurant"].pk))
    bar.save_base(raw=True, force_insert=True)
    before = worlds.everything()

    run = purge("restaurants")

    assert run.receipt["restaurants"]["rows"]["shapes.Bar"] == 1
    undo(run)
    assert worlds.everything() == before


@pytest.mark.parametrize(
    ("on", "task", "kept"),
    [
        ("pizzeria", "places", {"pizzeria"}),
        ("hotel", "businesses", {"hotel"}),
        ("bar", "restaurants", set()),
    ],
)
def test_a_hold_on_any_part_keeps_the_row(town, on, task, kept):
    policy, row = POLICIES[task], town[on]
    for label, key in {(type(row)._meta.label, row.pk), ("shapes.Place", row.pk)}:
        Hold.objects.create(model=label, key=key, reason="A dispute")

        spared = set(policy.rows(AS_OF - MONTH)) - set(due(policy, cutoff=AS_OF - MONTH))
        assert {one.pk for one in spared} == {
            town[name].number if task == "businesses" else town[name].pk for name in kept
        }
        assert holds.is_held(row)
        Hold.objects.all().delete()


def test_no_part_comes_back_without_the_others(town):
    run = purge("restaurants")
    Place.objects.create(id=town["pizzeria"].pk)

    undone = undo(run)

    assert not Pizzeria.objects.filter(pk=town["pizzeria"].pk).exists()
    assert undone.result["not_restored"]["shapes.Restaurant: the row that it refers to is gone"] == 1
    assert undone.result["not_restored"]["shapes.Pizzeria: the row that it refers to is gone"] == 1
    assert Restaurant.objects.get().near == town["place"]


def test_a_batch_without_the_archive_of_a_part_is_passed_over(town):
    run = purge("restaurants", batch_size=1)
    lost = run.archives.filter(model="shapes.Place").order_by("batch").first()
    lost.delete()

    undo(run, intact_only=True)

    assert Restaurant.objects.count() == Place.objects.filter(restaurant__isnull=False).count() == 1


# --- Keys of other kinds ----------------------------------------------------------------------

LONG = "https://example.org/?q=" + "ü\t\\\n%" * 60


def test_rows_whose_keys_are_dates_go_and_come_back():
    for number in (1, 2, 28):
        day = Day.objects.create(date=date(2025, 12, number))
        Shift.objects.create(day=day)
        Holiday.objects.create(day=day)
        Tag.objects.create(of=day)
    Day.objects.create(date=AS_OF.date())

    check("days", batch_size=2, undo_batch_size=1)


@pytest.mark.parametrize("name", [Day, Holiday])
def test_a_hold_names_a_date(name):
    for number in (1, 2):
        Holiday.objects.create(day=Day.objects.create(date=date(2025, 12, number)))
    Hold.objects.create(model=name._meta.label, key="2025-12-02", reason="evidence")

    assert preview(POLICIES["days"]) == 1
    purge("days")
    assert [day.pk for day in Day.objects.all()] == [date(2025, 12, 2)]


def test_rows_whose_keys_are_long_texts_go_and_come_back():
    top = Page.objects.create(url=LONG, fetched_at=OLD)
    below = Page.objects.create(url=LONG + "/below", fetched_at=OLD, parent=top)
    other = Page.objects.create(url="https://example.org")
    Anchor.objects.create(page=below)
    Anchor.objects.create(page=other, target=top)

    check("pages", batch_size=1)

    Hold.objects.create(model="shapes.Page", key=below.pk, reason="evidence")

    assert preview(POLICIES["pages"]) == 0
    assert holds.reason_held(top)


def test_a_hold_tells_long_texts_apart_that_begin_alike():
    one, other = (Host.objects.create(name="a" * 100 + end, seen_at=OLD) for end in "bc")
    Port.objects.create(host=one)
    check("hosts")
    Hold.objects.create(model="shapes.Host", key=one.pk, reason="evidence")

    purge("hosts")

    assert list(Host.objects.all()) == [one]
    assert (holds.is_held(one), holds.is_held(other)) == (True, False)
