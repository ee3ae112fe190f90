import pytest
from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from django.contrib.contenttypes.models import ContentType
from django.core.checks import run_checks
from django.db import models
from django.test.utils import isolate_apps

from chat.models import ChatMessage, Conversation, User
from housekeeping.declared import registry
from housekeeping.declared.policies import Policy
from housekeeping.engine import cascade
from tests.zoo.models import Animal, Keeper, OldPark, Park
from tests.zoo.tasks import declared


@pytest.fixture(autouse=True)
def _apps():
    """Models that a test declares are gone after it."""
    with isolate_apps("tests.zoo"):
        yield


class Table(models.Model):
    class Meta:
        abstract = True
        app_label = "zoo"


def leaf(on_delete, **options):
    """A table to purge, and one that hangs from it so."""

    class Root(Table):
        code = models.CharField(max_length=9, unique=True, default="")

    class Leaf(Table):
        root = models.ForeignKey(Root, on_delete, **options)

    return Root


def root_with_key(key):
    class Root(Table):
        code = key

    return Root


@pytest.mark.django_db  # from Django 6.1 on, its own check asks the database
def test_what_the_site_and_the_zoo_delete_can_be_put_back():
    with declared():
        assert [error for error in run_checks() if error.id == "housekeeping.E003"] == []


def test_a_table_that_inherits_from_another_is_refused():
    class Base(Table):
        pass

    class Child(Base):
        pass

    assert cascade.problems(Child) == ["zoo.Child inherits from another table"]
    assert "zoo.Child inherits from another table" in cascade.problems(Base)


def test_a_generic_relation_is_refused():
    class Tag(Table):
        content_type = models.ForeignKey(ContentType, models.CASCADE)
        object_id = models.BigIntegerField()
        of = GenericForeignKey()

    class Root(Table):
        tags = GenericRelation(Tag)

    assert cascade.problems(Root) == ["zoo.Root has a generic relation"]


@pytest.mark.parametrize(
    ("on_delete", "options"),
    [
        (models.DO_NOTHING, {}),
        (models.SET_DEFAULT, {"default": 1}),
        (models.SET(1), {}),
    ],
    ids=["DO_NOTHING", "SET_DEFAULT", "SET(...)"],
)
def test_any_other_on_delete_is_refused(on_delete, options):
    assert cascade.problems(leaf(on_delete, **options)) == ["zoo.Leaf.root has another on_delete"]


@pytest.mark.parametrize(
    "on_delete",
    [models.CASCADE, models.SET_NULL, models.PROTECT],
    ids=["CASCADE", "SET_NULL", "PROTECT"],
)
def test_a_key_to_another_column_is_refused(on_delete):
    root = leaf(on_delete, to_field="code", null=True)

    assert cascade.problems(root) == ["zoo.Leaf.root refers to another column than the key"]


def test_a_key_without_a_constraint_is_refused():
    root = leaf(models.CASCADE, db_constraint=False)

    assert cascade.problems(root) == ["zoo.Leaf.root has no constraint in the database"]


def test_a_loose_key_is_not_followed():
    """The history tables of django-simple-history have such keys: they outlive the rows they refer to."""
    root = leaf(models.DO_NOTHING, db_constraint=False)

    assert (cascade.problems(root), cascade.links(root)) == ([], [])


def test_a_table_whose_rows_go_with_rows_of_their_own_is_refused():
    class Root(Table):
        parent = models.ForeignKey("self", models.CASCADE, null=True)

    assert cascade.problems(Root) == ["zoo.Root.parent closes a circle: zoo.Root goes with its own rows"]


def test_a_longer_circle_is_refused_from_wherever_it_is_entered():
    class Root(Table):
        pass

    class Left(Table):
        root = models.ForeignKey(Root, models.CASCADE)
        right = models.ForeignKey("Right", models.CASCADE)

    class Right(Table):
        left = models.ForeignKey(Left, models.CASCADE)

    circle = "closes a circle: zoo.Left goes with its own rows"
    assert cascade.problems(Root) == [f"zoo.Left.right {circle}"]
    assert cascade.problems(Left) == [f"zoo.Left.right {circle}"]


def test_a_circle_above_is_no_circle():
    class Folder(Table):
        parent = models.ForeignKey("self", models.CASCADE, null=True)

    class Page(Table):
        folder = models.ForeignKey(Folder, models.CASCADE)

    assert cascade.problems(Page) == []


def test_a_table_that_django_does_not_manage_is_refused():
    class Root(Table):
        class Meta(Table.Meta):
            managed = False

    assert cascade.problems(Root) == [
        "zoo.Root is not managed by Django: it may have columns that the model does not name"
    ]


def test_a_proxy_is_its_table():
    assert Policy("old", rows=lambda cutoff: OldPark.objects.all()).model is Park


@pytest.mark.parametrize(
    "key",
    [
        models.FloatField(primary_key=True),
        models.DateTimeField(primary_key=True),
        models.BinaryField(primary_key=True),
        models.TextField(primary_key=True),
        models.CharField(primary_key=True, max_length=101),
    ],
    ids=lambda key: type(key).__name__,
)
def test_a_key_that_a_hold_can_not_name_is_refused(key):
    assert cascade.problems(root_with_key(key)) == [
        "zoo.Root has a key that is neither a whole number nor a UUID nor a text of at most 100 characters"
    ]


def test_a_key_of_several_columns_is_refused():
    class Root(Table):
        pk = models.CompositePrimaryKey("left", "right")
        left = models.IntegerField()
        right = models.IntegerField()

    assert len(cascade.problems(Root)) == 1


@pytest.mark.django_db
def test_the_check_names_the_policy_and_holds_for_upkeep_too():
    root = leaf(models.DO_NOTHING)
    policy = Policy("roots", rows=lambda cutoff: root._base_manager.all(), is_upkeep=True)

    registry.task(policy=policy)(lambda purge: {})
    errors = [error for error in run_checks() if error.id == "housekeeping.E003"]
    del registry.TASKS["roots"]

    assert [error.msg for error in errors] == [
        "The policy 'roots' can't purge zoo.Root: zoo.Leaf.root has another on_delete."
    ]


def test_the_tables_of_a_cascade_are_named_once_each():
    assert cascade.tables(User)[:3] == [User, *cascade.tables(User)[1:3]]
    assert {Conversation, ChatMessage, User.groups.through} < set(cascade.tables(User))
    assert len(cascade.tables(Park)) == len(set(cascade.tables(Park)))
    assert Animal.keepers.through in cascade.tables(Keeper)
