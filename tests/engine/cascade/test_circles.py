"""Trees, and tables that refer to each other: foreign keys that lead back to where they start."""

import pytest

from housekeeping.engine import cascade, holds
from housekeeping.engine.purge import preview, purge_batches
from housekeeping.models import Hold
from tests.shapes.models import Comment, Like, Medal, Quote, Sailor, Ship, Stage
from tests.shapes.tasks import POLICIES, check, purge, undo
from tests.shapes.worlds import AS_OF, MONTH, OLD

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("shapes")]


@pytest.fixture
def tree():
    """An old comment with young ones below it, one of them in another old one's tree; and a young tree."""
    first, second = (Comment.objects.create(id=number, written_at=OLD) for number in (1, 2))
    reply = Comment.objects.create(id=3, parent=first, slug="three")
    deep = Comment.objects.create(id=4, parent=reply, written_at=OLD)
    young = Comment.objects.create(id=5)
    Comment.objects.create(id=6, parent=young)
    itself = Comment.objects.create(id=7, written_at=OLD)
    Comment.objects.filter(pk=itself.pk).update(parent=itself)
    for comment in (first, deep, second, young, itself):
        Like.objects.create(comment=comment)
    return {"first": first, "second": second, "reply": reply, "deep": deep, "young": young}


@pytest.mark.parametrize("size", [1, 2, 100])
def test_a_tree_goes_with_its_root_and_comes_back(tree, size):
    run = check("comments", batch_size=size)

    assert run.result == {"gone": 4}
    assert run.receipt["comments"]["rows"] == {"shapes.Comment": 5, "shapes.Like": 4}


def test_a_row_in_the_middle_takes_along_what_is_below_it(tree):
    Comment.objects.filter(pk=3).update(written_at=OLD)
    Comment.objects.filter(pk__in=[1, 2, 4]).update(written_at=AS_OF)

    assert check("comments").result == {"gone": 2}


@pytest.mark.parametrize("place", ["first", "reply", "deep"])
def test_a_protected_row_keeps_the_rows_above_it(tree, place):
    Quote.objects.create(comment=tree[place])

    check("comments")


@pytest.mark.parametrize(
    ("place", "kept"), [("first", {1, 3, 4}), ("reply", {1, 3, 4}), ("deep", {1, 3, 4}), ("second", {2})]
)
def test_a_hold_keeps_all_rows_above_and_below(tree, place, kept):
    Hold.objects.create(model="shapes.Comment", key=tree[place].pk, reason="A dispute")

    assert preview(POLICIES["comments"]) == 4 - len(kept & {1, 2, 4})
    purge("comments")

    assert set(Comment.objects.values_list("pk", flat=True)) == kept | {5, 6}
    assert [holds.is_held(comment) for comment in Comment.objects.filter(pk__in=kept)] == [True] * len(kept)
    assert not holds.is_held(tree["young"])
    assert len(holds.active_on(Comment.objects.all())) == 1


def test_a_hold_on_a_leaf_keeps_the_tree(tree):
    like = Like.objects.get(comment=tree["deep"])
    Hold.objects.create(model="shapes.Like", key=like.pk, reason="A dispute")

    purge("comments")

    assert set(Comment.objects.values_list("pk", flat=True)) == {1, 3, 4, 5, 6}


def test_a_plan_spares_a_tree_that_has_grown_since(tree):
    weights = cascade.weights(Comment, [1, 2, 4, 7])
    assert weights == {"1": 4, "2": 1, "4": 1, "7": 1}
    Comment.objects.create(id=8, parent=tree["deep"])

    plan = [(int(key), rows) for key, rows in weights.items()]
    batches = list(purge_batches(POLICIES["comments"], cutoff=AS_OF - MONTH, plan=plan))

    assert [batch.keys for batch in batches] == [[2, 7]]


def test_of_a_tree_no_row_comes_back_without_the_row_above_it(tree):
    run = purge("comments")
    Comment.objects.create(id=8, slug="three")

    undone = undo(run)

    assert set(Comment.objects.values_list("pk", flat=True)) == {1, 2, 5, 6, 7, 8}
    assert undone.result["restored"] == {"shapes.Comment": 3, "shapes.Like": 3}
    assert undone.result["not_restored"] == {
        "shapes.Comment: a unique value of it is taken by another row": 1,
        "shapes.Comment: the row that it refers to is gone": 1,
        "shapes.Like: the row that it refers to is gone": 1,
    }
    Comment.objects.filter(id=8).delete()
    assert undo(run).result["not_restored"] == {}
    assert set(Comment.objects.values_list("pk", flat=True)) == {1, 2, 3, 4, 5, 6, 7}


def test_below_a_stranger_nothing_comes_back(tree):
    run = purge("comments")
    Comment.objects.create(id=1)

    undone = undo(run)

    assert undone.result["not_restored"] == {
        "shapes.Comment: its key is taken by another row": 1,
        "shapes.Comment: the row that it refers to is gone": 2,
        "shapes.Like: the row that it refers to is gone": 2,
    }


@pytest.fixture
def crews():
    """Two ships whose captains belong to them, and one whose captain belongs to the first."""
    ships = [Ship.objects.create(id=number, built_at=OLD) for number in (1, 2, 3)]
    for ship, of in zip(ships, [ships[0], ships[1], ships[0]], strict=True):
        ship.captain = Sailor.objects.create(ship=of)
        ship.save()
        Medal.objects.create(sailor=ship.captain)
    Ship.objects.filter(pk=3).update(built_at=AS_OF)
    return ships


@pytest.mark.parametrize("size", [1, 100])
def test_rows_of_two_tables_that_refer_to_each_other_go_together(crews, size):
    run = check("ships", batch_size=size)

    assert run.receipt["ships"]["rows"] == {"shapes.Ship": 3, "shapes.Sailor": 3, "shapes.Medal": 3}


def test_of_two_tables_only_what_fits_comes_back(crews):
    run = purge("ships")
    Ship.objects.create(id=2)

    undone = undo(run)

    assert undone.result["restored"] == {"shapes.Ship": 2, "shapes.Sailor": 2, "shapes.Medal": 2}
    Ship.objects.filter(pk=2).delete()
    assert undo(run).result["restored"] == {"shapes.Ship": 1, "shapes.Sailor": 1, "shapes.Medal": 1}


def test_what_loses_its_protection_in_a_run_goes_in_the_next_one():
    """Otherwise the run would delete more than its preview counted."""
    stages = [Stage.objects.create(built_at=OLD)]
    for _ in range(5):
        stages.append(Stage.objects.create(before=stages[-1], built_at=OLD))

    for left in (5, 4, 3, 2, 1, 0):
        assert preview(POLICIES["stages"]) == 1
        assert purge("stages").result == {"gone": 1}
        assert Stage.objects.count() == left
