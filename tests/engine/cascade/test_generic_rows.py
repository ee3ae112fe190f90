"""Rows that name a row by its content type and key, where the site declares that they go with it."""

import pytest
from django.contrib.auth.models import Group
from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.core.checks import run_checks
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.test.utils import isolate_apps

from housekeeping import generic_rows
from housekeeping.engine import cascade, holds
from housekeeping.engine.purge import due
from housekeeping.models import Hold
from tests.shapes.models import Comment, Like, Lock, Note, Place, Restaurant, Sailor, Ship, Tag, Vote
from tests.shapes.tasks import POLICIES, check, generic_as_before, purge, undo
from tests.shapes.worlds import AS_OF, MONTH, OLD


@pytest.fixture(autouse=True)
def _tasks(shapes):
    with generic_as_before():
        yield


@pytest.fixture
def comments(db):
    """Two old comments and a young one, each with a like; a tag with a vote names each of these rows."""
    found = [Comment.objects.create(id=number, written_at=OLD) for number in (1, 2)]
    found.append(Comment.objects.create(id=3))
    for comment in found:
        Like.objects.create(id=comment.pk + 10, comment=comment)
        for row in (comment, *comment.like_set.all()):
            Vote.objects.create(tag=Tag.objects.create(of=row))
        Note.objects.create(of=comment)
    return found


def test_what_names_a_row_stays_unless_the_site_says_otherwise(comments):
    run = check("comments")

    assert run.receipt["comments"]["rows"] == {"shapes.Comment": 2, "shapes.Like": 2}


@pytest.mark.parametrize("size", [1, 100])
def test_what_names_a_row_goes_with_it_and_comes_back(comments, size):
    generic_rows(Tag, of=[Comment, Like])
    generic_rows(Note, of=[Comment])

    run = check("comments", batch_size=size)

    assert run.receipt["comments"]["rows"] == {
        "shapes.Comment": 2, "shapes.Like": 2, "shapes.Tag": 4, "shapes.Vote": 4, "shapes.Note": 2,
    }  # fmt: skip


def test_only_what_names_a_row_of_these_models_goes(comments):
    generic_rows(Tag, of=[Like])

    run = check("comments")

    assert run.receipt["comments"]["rows"]["shapes.Tag"] == 2


def test_what_it_protects_stays_with_what_it_names(comments):
    generic_rows(Tag, of=[Comment])
    Lock.objects.create(tag=Tag.objects.get(object_id="1"))

    assert check("comments").result == {"gone": 1}


def test_a_hold_is_found_in_both_directions(comments):
    generic_rows(Tag, of=[Comment])
    tag = Tag.objects.get(object_id="1")
    Hold.objects.create(model="shapes.Tag", key=tag.pk, reason="A dispute")

    assert list(due(POLICIES["comments"], cutoff=AS_OF - MONTH)) == [comments[1]]
    Hold.objects.update(model="shapes.Comment", key="1")
    assert holds.is_held(tag)


def test_nothing_is_attached_to_a_stranger_that_has_taken_the_key(comments):
    generic_rows(Tag, of=[Comment])
    run = purge("comments")
    Comment.objects.create(id=1)

    assert undo(run).result["not_restored"]["shapes.Tag: the row that it refers to is gone"] == 1


def test_a_key_is_found_whatever_it_is(db):
    """UUIDs, in a column of texts."""
    generic_rows(Tag, of=[Sailor])
    ship = Ship.objects.create(built_at=OLD)
    Tag.objects.create(of=Sailor.objects.create(ship=ship))

    assert check("ships").receipt["ships"]["rows"]["shapes.Tag"] == 1


def test_models_that_inherit_are_meant_too():
    generic_rows(Note, of=[Place])

    assert Note in cascade.tables(Restaurant)


def test_a_generic_relation_that_a_model_has_is_not_followed_twice():
    generic_rows(Tag, of=[Place])

    assert [one.owner for one in cascade.generics_to(Tag)].count(Place) == 1


def test_a_log_without_a_generic_foreign_key_has_the_usual_names():
    admin = pytest.importorskip("django.contrib.admin.models")
    generic_rows(admin.LogEntry, of=[Group])

    [link] = [one for one in cascade.generics_to(admin.LogEntry) if one.owner is Group]

    assert (link.column, link.kind.column) == ("object_id", "content_type_id")
    assert not cascade.is_tree(Group)


def test_the_check_asks_for_an_index():
    generic_rows(Tag, of=[Comment])  # which has one
    generic_rows(Note, of=[Comment])

    assert [one.msg for one in run_checks() if one.id == "housekeeping.W007" and "'comments'" in one.msg] == [
        "The policy 'comments' reads shapes.Note by kind, number, and no index serves that."
    ]


def test_what_tells_no_rows_is_refused():
    with pytest.raises(TypeError, match="of= needs models"):
        generic_rows(Tag, of=[])
    with pytest.raises(TypeError, match="'tag' has to refer to ContentType"):
        generic_rows(Vote, of=[Comment], content_type="tag", object_id="id")
    with pytest.raises(FieldDoesNotExist):
        generic_rows(Vote, of=[Comment])


@isolate_apps("tests.zoo")
def test_columns_that_nobody_can_follow_are_refused():
    class Base(models.Model):
        content_type = models.ForeignKey(ContentType, models.CASCADE)
        object_id = models.FloatField()
        of = GenericForeignKey()

        class Meta:
            app_label = "zoo"

    class Child(Base):
        class Meta:
            app_label = "zoo"

    class Root(models.Model):
        class Meta:
            app_label = "zoo"

    generic_rows(Child, of=[Root])

    assert cascade.problems(Root)[:2] == [
        "zoo.Child: its table inherits its columns from another one",
        "zoo.Child refers to keys by a FloatField",
    ]
