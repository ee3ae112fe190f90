"""What ``check`` refuses of policies that make rows anonymous, each with one message."""

import pytest
from django.contrib.auth.models import Permission
from django.core.checks import run_checks
from django.db.models import Count, F, Q, Value
from django.db.models.functions import Concat, Upper

from housekeeping import Policy, anonymise
from housekeeping.engine.ends import problems
from housekeeping.engine.purge import purge
from housekeeping.exceptions import EndRefused
from tests.make import ago
from tests.shapes.models import Badge, Restaurant
from tests.zoo.models import Animal, Keeper, Park, Photo

pytestmark = pytest.mark.django_db

DONE = Q(is_tame=True)


def policy(values, model=Animal, done=DONE, **options):
    then = anonymise(values, done=done)
    return Policy("unknown", lambda cutoff: model.objects.all(), then=then, **options)


def found(policy, add_task):
    add_task("unknown", lambda purge: {}, policy=policy)
    return [one.msg for one in run_checks() if one.id == "housekeeping.E020"]


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({}, "it sets no column"),
        ({"nmae": ""}, "'nmae' is not a column of it"),
        ({"keepers": None}, "'keepers' is not a column of it"),
        ({"meal": None}, "'meal' is not a column of it"),
        ({"id": 1}, "id is its key, which can't be changed"),
        ({"doubled": 1}, "doubled is computed by the database"),
        ({"seen_at": None}, "seen_at can't be empty: give it a value"),
        ({"order": Value(None)}, "order can't be empty: give it a value"),
        ({"order": 2**63}, "order can't be 9223372036854775808: Ensure this value is less than or equal to"),
        ({"order": "many"}, "order can't be 'many'"),
        ({"tag": "x"}, "tag would be the same in every row, and is unique: build it from the key"),
        ({"tag": Upper(Value("x"))}, "tag would be the same in every row, and is unique"),
        ({"guide": "Ada"}, "guide can't be 'Ada'"),
        ({"guide": Keeper(id=1)}, "guide needs a key, not a row"),
        ({"born": "soon"}, "born can't be 'soon'"),
        ({"number": F("park__name")}, "the value of number can't be computed: Joined field references"),
        ({"number": F("nothing")}, "the value of number can't be computed: Cannot resolve keyword"),
        ({"number": Count("pk")}, "the value of number can't be computed"),
    ],
)
def test_a_value_that_a_column_can_not_have_is_an_error(values, problem, add_task):
    [error] = found(policy(values), add_task)
    assert error.startswith("The policy 'unknown' can't make rows of zoo.Animal anonymous: ")
    assert problem in error


def test_a_text_that_is_too_long_is_an_error(add_task):
    [error] = found(policy({"name": "x" * 101, "opened_at": ago()}, Park, Q(name="x")), add_task)[:1]
    assert "Ensure this value has at most 100 characters" in error


@pytest.mark.parametrize(
    "values",
    [
        {"tag": None},
        {"tag": Concat(Value("gone-"), "pk", Value("-"), Upper("house_id"))},
        {"order": F("order") + 1, "number": Value(3), "weight": "1.5", "length": 1, "facts": {"is": "gone"}},
        {"guide": None, "park_id": None, "chip": b"", "born": "2020-02-29", "is_tame": True},
    ],
)
def test_a_value_that_a_column_can_have_is_none(values, add_task):
    assert found(policy(values), add_task) == []


@pytest.mark.parametrize(
    ("done", "problem"),
    [
        (None, "it does not tell which rows are done, so every run would change them again: name a column"),
        ("nothing", "done can't be set: 'nothing' is not a column of it"),
        ("tag", "done='tag' is neither a boolean nor a date that may be empty"),
        ("seen_at", "done='seen_at' is neither a boolean nor a date that may be empty"),
        ("number", "done sets number, and so does its value: leave one of them out"),
        (Q(nothing=1), "its condition done can't be used: Cannot resolve keyword"),
    ],
)
def test_a_policy_tells_which_rows_are_done(done, problem, add_task):
    [error] = found(policy({"number": 0}, done=done), add_task)
    assert problem in error


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"on_deleted": print}, "on_deleted is called for rows that are deleted, and its rows stay"),
        ({"send_signals": True}, "send_signals sends what Django sends for rows that are deleted"),
        ({"at_most": 9}, "at_most lets rows go until the table is small enough"),
        ({"keep_newest": 2, "of_each": "number"}, "keep_newest counts rows by number, which would change"),
    ],
)
def test_what_makes_no_sense_for_rows_that_stay_is_an_error(options, problem, add_task):
    [error] = found(policy({"number": 0}, **options), add_task)
    assert problem in error


def test_what_check_refuses_is_not_carried_out_either():
    Animal.objects.create(number=1)
    with pytest.raises(EndRefused, match="it does not tell which rows are done"):
        purge(policy({"number": 0}, done=None))
    assert Animal.objects.get().number == 1


def test_columns_that_others_refer_to_or_that_a_parent_has_are_an_error():
    badges = problems(policy({"code": Concat(Value("x"), "pk")}, Badge, Q(code="x")))
    assert "code is what shapes.Scan.badge refers to its rows by" in badges
    inherited = problems(policy({"opened_at": ago()}, Restaurant, Q(stars=0)))
    assert inherited == [
        "opened_at is a column of its parent shapes.Place: a policy for shapes.Place can change it"
    ]


def test_a_part_of_a_unique_constraint_that_would_be_the_same_everywhere_is_an_error(add_task):
    [error] = found(policy({"codename": ""}, Permission, Q(codename="")), add_task)
    assert "codename would be the same in every row, and is unique together with content_type" in error


def test_policies_say_what_becomes_of_the_files_that_are_named_no_longer(add_task):
    add_task("unknown", lambda purge: {}, policy=policy({"file": ""}, Photo, Q(file="")))
    [warning] = [one.msg for one in run_checks() if one.id == "housekeeping.W006"]
    assert warning == (
        "The policy 'unknown' changes rows of zoo.Photo, and does not say whether their files go, too (file)."
    )
