"""What ``manage.py check`` says of the ways to say what is expired."""

from datetime import timedelta

import pytest
from django.core.checks import run_checks

from chat.models import ChatMessage, Conversation
from housekeeping import ByOwner
from housekeeping.declared.policies import Policy
from housekeeping.engine import obstacles
from tests.make import days
from tests.zoo.models import Entry, Meal, Park

pytestmark = pytest.mark.django_db


def found(name):
    return [one for one in run_checks() if one.id == f"housekeeping.{name}"]


def test_an_age_that_leads_to_many_rows_is_an_error(add_task):
    policy = Policy("many", lambda cutoff: Conversation.objects.all(), age="messages__created_at")
    add_task("many", lambda purge: {}, policy=policy)

    [problem] = found("E003")
    assert problem.msg.startswith("The policy 'many' can't purge chat.Conversation: its age")


def test_an_age_of_another_row_wants_an_index_there(add_task):
    by_key = Policy("by_key", lambda cutoff: ChatMessage.objects.all(), age="conversation__last_message_at")
    by_name = Policy("by_name", lambda cutoff: Meal.objects.all(), age="animal__park__opened_at")
    for policy in (by_key, by_name):
        add_task(policy.name, lambda purge: {}, policy=policy)

    [warning] = found("W007")
    assert warning.msg == "The policy 'by_name' reads zoo.Park by opened_at, and no index serves that."
    assert warning.hint.startswith("Add models.Index(fields=['opened_at']) to its Meta")


def by_owner(owner="owner", kept="kept_days", age="written_at"):
    return Policy("x", lambda cutoff: Entry.objects.all(), age=age, retention_by=ByOwner(owner, kept))


@pytest.mark.parametrize(
    ("policy", "problem"),
    [
        (by_owner("nobody"), "'nobody' does not lead from a row to its owner"),
        (by_owner("kind"), "'kind' does not lead from a row to its owner"),
        (by_owner("line"), "'line' does not lead from a row to its owner"),
        (by_owner(kept="entries__kind"), "neither a number of days nor a duration: entries__kind"),
        (by_owner(kept="nope"), "asking for them raises FieldError"),
        (by_owner(age="pk"), "its age is not a moment"),
    ],
    ids=lambda one: "" if isinstance(one, Policy) else one,
)
def test_owners_whose_retention_can_t_be_read_are_an_error(policy, problem, add_task):
    add_task("x", lambda purge: {}, policy=policy)

    [error] = found("E003")
    assert problem in error.msg


def test_owners_whose_retention_can_be_read_are_none(add_task):
    add_task("x", lambda purge: {}, policy=by_owner())

    assert found("E003") == found("W007") == []


def test_a_budget_wants_an_index_of_the_age(add_task):
    for policy in (
        Policy("served", lambda cutoff: Entry.objects.all(), age="written_at", at_most=9),
        Policy("unserved", lambda cutoff: Park.objects.all(), age="opened_at", at_most=9),
    ):
        add_task(policy.name, lambda purge: {}, policy=policy)

    assert [one.msg for one in found("W007")] == [
        "The policy 'unserved' reads zoo.Park by opened_at, and no index serves that."
    ]


def newest(name, **fields):
    return Policy(name, lambda cutoff: Entry.objects.all(), keep_newest=2, **fields)


def test_the_newest_of_each_owner_want_an_index_of_owner_and_age(add_task):
    for policy in (
        newest("served", age="written_at", of_each="owner"),
        newest("unserved", age="written_at", of_each=("kind", "owner_id")),
    ):
        add_task(policy.name, lambda purge: {}, policy=policy)

    [warning] = found("W007")
    text = "The policy 'unserved' reads zoo.Entry by kind, owner, written_at, and no index serves that."
    assert warning.msg == text


@pytest.mark.parametrize(
    ("policy", "problem"),
    [
        (newest("x", age="written_at", of_each="nobody"), "of_each 'nobody' is not a column of it"),
        (newest("x", age="written_at", of_each="owner__kept_days"), "of_each 'owner__kept_days' is not"),
        (
            Policy("x", lambda cutoff: Park.objects.all(), keep_newest=2, of_each="name"),
            "its newest rows can't",
        ),
    ],
    ids=lambda one: getattr(one, "owner_names", ""),
)
def test_newest_rows_that_can_t_be_told_are_an_error(policy, problem, add_task):
    add_task("x", lambda purge: {}, policy=policy)

    [error] = found("E003")
    assert problem in error.msg


# --- Times that are none ----------------------------------------------------------------------


def kept_for(otherwise=None, **fields):
    by = ByOwner("owner", "kept_days", otherwise=otherwise) if otherwise is not None else None
    return Policy("x", lambda cutoff: Entry.objects.all(), age="written_at", retention_by=by, **fields)


@pytest.mark.parametrize(
    ("policy", "problem"),
    [
        (kept_for(retention=days(-3)), "retention is -3 days, 0:00:00, and can't be negative"),
        (kept_for(retention=days(1_000_000)), "can't be negative, or more than 700,000 days"),
        (kept_for(otherwise=30), "otherwise is 30, and has to be a timedelta"),
        (kept_for(otherwise=timedelta()), "otherwise is 0:00:00, and can't be zero or negative"),
        (kept_for(otherwise=days(-1)), "otherwise is -1 day, 0:00:00, and can't be zero or negative"),
        (kept_for(shortest_days=700_001), "shortest_days is 700001, and can't be more than 700,000"),
    ],
    ids=lambda one: "" if isinstance(one, Policy) else one,
)
def test_times_that_no_row_can_be_kept_for_are_an_error(policy, problem, add_task):
    add_task("x", lambda purge: {}, policy=policy)

    [error] = found("E003")
    assert error.msg.startswith("The policy 'x' can't purge zoo.Entry: ")
    assert problem in error.msg


def test_rows_that_are_distinct_by_a_column_are_an_error(add_task):
    policy = Policy("x", lambda cutoff: Entry.objects.distinct("owner"))
    add_task("x", lambda purge: {}, policy=policy)

    [error] = found("E003")
    assert "its rows are distinct by owner: each batch would pick others of them" in error.msg


@pytest.mark.parametrize(
    "fields",
    [
        {"at_most": "7"},
        {"keep_newest": "3", "of_each": "owner"},
        {"shortest_days": "7"},
        {"shortest_days": -7},
    ],
    ids=str,
)
def test_a_number_that_is_none_is_refused_in_words(fields):
    with pytest.raises(ValueError, match=f"{next(iter(fields))}, a (whole )?number of 0 or more"):
        Policy("x", lambda cutoff: Entry.objects.all(), age="written_at", **fields)


@pytest.mark.parametrize(
    "fields",
    [{"shortest_days": 0.5}, {"keep_newest": True, "of_each": "owner"}, {"retention": days(200_000)}],
    ids=str,
)
def test_a_number_of_another_kind_or_size_is_taken(fields):
    policy = Policy("x", lambda cutoff: Entry.objects.all(), age="written_at", **fields)

    assert obstacles.to(policy) == []


def test_a_number_of_days_as_the_retention_is_refused_before_a_page_computes_with_it():
    with pytest.raises(ValueError, match=r"'x' needs a timedelta as its retention.*: 365 is none"):
        Policy("x", lambda cutoff: Entry.objects.all(), retention=365)
