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


def test_a_model_that_inherits_reaches_the_tables_of_its_parents_and_of_their_children():
    class Base(Table):
        pass

    class Child(Base):
        pass

    class Sibling(Base):
        pass

    assert [cascade.problems(one) for one in (Base, Child)] == [[], []]
    assert cascade.tables(Base) == [Base, Child, Sibling]
    assert cascade.tables(Child) == [Child, Base, Sibling]


def test_a_generic_relation_that_nobody_can_follow_is_refused():
    class Base(Table):
        content_type = models.ForeignKey(ContentType, models.CASCADE)
        object_id = models.FloatField()
        of = GenericForeignKey()

    class Tag(Base):
        pass

    class Root(Table):
        tags = GenericRelation(Base)
        others = GenericRelation(Tag)

    assert cascade.problems(Root)[0] == "zoo.Root.tags refers to keys by a FloatField"
    assert "zoo.Root.others leads to a table that inherits its columns from another one" in cascade.problems(
        Root
    )


def test_two_generic_relations_may_have_the_same_key():
    """As those of Wagtail's pages to the states of their workflow: by the page, and by its own type."""

    class State(Table):
        kind = models.ForeignKey(ContentType, models.CASCADE, related_name="+")
        base = models.ForeignKey(ContentType, models.CASCADE, related_name="+")
        object_id = models.TextField()

    class Root(Table):
        states = GenericRelation(State, content_type_field="kind")
        of_base = GenericRelation(State, content_type_field="base")

    assert [one.kind.name for one in cascade.generics_to(State)] == ["kind", "base"]


# Of Django 6.1.
OF_THE_DATABASE = [
    (getattr(models, name), options)
    for name, options in {
        "DB_CASCADE": {},
        "DB_SET_NULL": {"null": True},
        "DB_SET_DEFAULT": {"db_default": 1},
    }.items()
    if hasattr(models, name)
]


def my_own(collector, field, sub_objs, using):
    """Some on_delete of a project."""


@pytest.mark.parametrize(
    ("on_delete", "options"),
    [
        (models.DO_NOTHING, {}),
        (models.SET_DEFAULT, {"default": 1}),
        (models.SET(1), {}),
        (models.CASCADE, {"db_constraint": False}),
        *OF_THE_DATABASE,
        (my_own, {}),
    ],
    ids=lambda one: getattr(one, "__name__", str(one)),
)
def test_any_on_delete_is_accepted(on_delete, options):
    assert cascade.problems(leaf(on_delete, **options)) == []


def test_a_key_that_can_get_no_other_value_is_refused():
    assert cascade.problems(leaf(models.SET_DEFAULT)) == ["zoo.Leaf.root has no default, and can't be empty"]


def test_a_loose_key_is_not_followed():
    """The history tables of django-simple-history have such keys: they outlive the rows they refer to."""
    root = leaf(models.DO_NOTHING, db_constraint=False)

    assert (cascade.problems(root), cascade.links(root)) == ([], [])


def test_a_longer_circle_is_followed_from_wherever_it_is_entered():
    class Root(Table):
        pass

    class Left(Table):
        root = models.ForeignKey(Root, models.CASCADE)
        right = models.ForeignKey("Right", models.CASCADE)

    class Right(Table):
        left = models.ForeignKey(Left, models.CASCADE)

    assert [cascade.problems(one) for one in (Root, Left, Right)] == [[], [], []]
    assert [cascade.tables(one) for one in (Root, Left, Right)] == [
        [Root, Left, Right],
        [Left, Right],
        [Right, Left],
    ]
    assert not any(cascade.is_tree(one) for one in (Root, Left, Right))


def test_a_circle_above_is_no_circle():
    class Folder(Table):
        parent = models.ForeignKey("self", models.CASCADE, null=True)

    class Page(Table):
        folder = models.ForeignKey(Folder, models.CASCADE)

    assert cascade.problems(Page) == []
    assert cascade.is_tree(Page)


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
        models.DecimalField(primary_key=True, max_digits=5, decimal_places=2),
    ],
    ids=lambda key: type(key).__name__,
)
def test_a_key_that_a_hold_can_not_name_is_refused(key):
    assert cascade.problems(root_with_key(key)) == [
        "zoo.Root has a key that is neither a whole number, a UUID, a date nor a text"
    ]


def test_a_key_of_several_columns_is_refused():
    class Root(Table):
        pk = models.CompositePrimaryKey("left", "right")
        left = models.IntegerField()
        right = models.IntegerField()

    assert cascade.problems(Root) == [
        "zoo.Root has a key of several columns, and a hold and an archive name a row by one"
    ]


@pytest.mark.django_db
def test_the_check_names_the_policy_and_holds_for_upkeep_too():
    root = leaf(models.SET_DEFAULT)
    policy = Policy("roots", rows=lambda cutoff: root._base_manager.all(), is_upkeep=True)

    registry.task(policy=policy)(lambda purge: {})
    errors = [error for error in run_checks() if error.id == "housekeeping.E003"]
    del registry.TASKS["roots"]

    assert [error.msg for error in errors] == [
        "The policy 'roots' can't purge zoo.Root: zoo.Leaf.root has no default, and can't be empty."
    ]


def test_the_tables_of_a_cascade_are_named_once_each():
    assert cascade.tables(User)[:3] == [User, *cascade.tables(User)[1:3]]
    assert {Conversation, ChatMessage, User.groups.through} < set(cascade.tables(User))
    assert len(cascade.tables(Park)) == len(set(cascade.tables(Park)))
    assert Animal.keepers.through in cascade.tables(Keeper)
