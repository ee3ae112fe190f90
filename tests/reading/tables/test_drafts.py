"""Write a policy for this: the block, its names, and what it would delete."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.db import models
from django.test.utils import isolate_apps
from django.utils import timezone

from chat.models import ChatMessage, Conversation, User
from housekeeping.declared.policies import Policy
from housekeeping.exceptions import BadColumn
from housekeeping.models import PolicyState, TableSize
from housekeeping.reading.tables import drafts, known
from housekeeping.reading.tables.listing import TableCard
from tests import make
from tests.make import days
from tests.zoo.models import Animal, Keeper, Meal, Passport

pytestmark = pytest.mark.django_db

NOW = timezone.now()


def card(model, *, rows=10, **ages):
    """A table's card. ``ages``: by column, its rows and how many are older than so many days."""
    stored = {
        name: {"rows": number, "older": {str(age): older for age, older in spread.items()}}
        for name, (number, spread) in ages.items()
    }
    name = model._meta.db_table if model else "nobodys"
    row = TableSize(table=name, day=NOW, measured_at=NOW, rows=rows, bytes=8192, ages=stored)
    return TableCard(row, model, known.covers().get(name, []), None, [])


def test_the_block_is_one_that_people_would_write():
    made = drafts.draft(card(ChatMessage, created_at=(10, {30: 5, 90: 2})))

    assert (
        made.code
        == '''\
from datetime import timedelta

from chat.models import ChatMessage
from housekeeping import Cron, Policy, Purge, purge, scheduled, task

old_chat_messages = Policy(
    "old_chat_messages",
    rows=lambda cutoff: ChatMessage.objects.filter(created_at__lt=cutoff),
    retention=timedelta(days=90),
    age="created_at",
)


@scheduled("old_chat_messages", "Nightly cleanup of old chat messages", Cron(hour=3, minute=15))
@task(policy=old_chat_messages, done="Old chat messages deleted")
def delete_old_chat_messages(purge: Purge = purge) -> dict[str, int]:
    """Delete rows of chat.ChatMessage whose created_at is more than 90 days ago."""
    return {"deleted_chat_messages": purge(old_chat_messages)}
'''
    )
    assert made.file == "chat/tasks.py"
    assert made.obstacles == ()


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (ChatMessage, "created_at"),
        (User, "date_joined"),
        (LogEntry, "action_time"),
        (Keeper, "hired_at"),
        (Session, "expire_date"),
        (Conversation, "created_at"),
    ],
)
def test_the_age_is_the_likeliest_of_the_dates(model, expected):
    assert drafts.draft(card(model)).column == expected


@pytest.mark.parametrize(
    ("older", "expected"),
    [({30: 9, 90: 8, 180: 7, 365: 6, 730: 5}, 365), ({30: 9, 90: 8}, 90), ({30: 1}, 30), ({}, 365)],
)
def test_the_retention_follows_from_the_ages(older, expected):
    assert drafts.draft(card(ChatMessage, created_at=(10, older))).days == expected


def test_column_and_days_can_be_chosen():
    made = drafts.draft(card(Conversation), column="last_message_at", days=45)

    assert "filter(last_message_at__lt=cutoff)" in made.code
    assert "timedelta(days=45)" in made.code
    with pytest.raises(BadColumn, match="'title' is not one of the columns created_at, last_message_at"):
        drafts.draft(card(Conversation), column="title")


def test_names_are_free_also_of_what_operators_left_behind(add_task):
    add_task("old_chat_messages", lambda: None)
    assert drafts.draft(card(ChatMessage)).name == "old_chat_chat_messages"

    PolicyState.objects.create(name="old_chat_chat_messages", retention_days=1, changed_at=NOW)

    assert drafts.draft(card(ChatMessage)).name == "old_chat_messages_2"


def test_a_name_that_its_module_has_is_not_taken(monkeypatch):
    monkeypatch.setattr("chat.tasks.delete_old_chat_messages", lambda: None, raising=False)

    assert drafts.draft(card(ChatMessage)).name == "old_chat_chat_messages"


def test_a_model_with_the_name_of_an_import_gets_another_one():
    with isolate_apps("chat", attr_name="apps"):

        class Policy(models.Model):
            made_at = models.DateTimeField()

            class Meta:
                app_label = "chat"

        code = drafts._code("old_policies", Policy, "default", "made_at", 30)

    assert 'PolicyModel = apps.get_model("chat", "Policy")' in code
    assert "rows=lambda cutoff: PolicyModel.objects.filter" in code
    compile(code, "tasks.py", "exec")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Entry", "entries"),
        ("Day", "days"),
        ("Address", "addresses"),
        ("Box", "boxes"),
        ("HTTPLog", "http_logs"),
    ],
)
def test_the_plural_of_a_model(name, expected):
    assert drafts._plural(type(name, (), {})) == expected


def test_a_small_table_is_previewed_by_the_engine():
    make.conversation(age=days(100), messages=3)
    make.conversation(age=days(10), messages=1)

    made = drafts.draft(card(Conversation), days=90)

    assert (made.tables, made.is_estimate) == ({"chat.Conversation": 1, "chat.ChatMessage": 3}, False)


@pytest.mark.parametrize(("asked", "expected"), [(30, 6_000), (60, 4_000), (90, 2_000), (4_000, 0)])
def test_a_large_table_is_not_counted_but_estimated_from_its_ages(
    asked, expected, django_assert_max_num_queries
):
    big = card(ChatMessage, rows=100_000, created_at=(10_000, {30: 6_000, 90: 2_000}))
    make.message()

    with django_assert_max_num_queries(3):  # the names that operators left behind
        made = drafts.draft(big, days=asked)

    assert (made.tables, made.is_estimate) == ({"chat.ChatMessage": expected}, True)


def test_without_ages_a_large_table_has_no_preview():
    made = drafts.draft(card(ChatMessage, rows=100_000))

    assert (made.rows, made.is_estimate) == (None, False)
    assert made.code


def test_a_table_that_can_t_be_purged_has_the_reasons_of_the_check_and_no_block():
    no_model = drafts.draft(card(None))
    no_date = drafts.draft(card(Meal))
    many = drafts.draft(card(Animal.keepers.through))

    assert no_model.obstacles == ["No model of this project has this table."]
    assert no_date.obstacles == ["zoo.Meal has no column that is a date."]
    assert many.obstacles == ["zoo.Animal_keepers has no column that is a date."]
    assert {no_model.code, no_date.code, many.code} == {""}
    assert drafts.draft(card(Passport)).obstacles == ["zoo.Passport has no column that is a date."]


def test_an_unmanaged_model_has_the_check_s_reason():
    with isolate_apps("tests.zoo"):

        class View(models.Model):
            made_at = models.DateTimeField()

            class Meta:
                app_label = "zoo"
                managed = False

        unmanaged = drafts.draft(card(View))

    assert unmanaged.obstacles == [
        "zoo.View: zoo.View is not managed by Django: it may have columns that the model does not name"
    ]
    assert unmanaged.code == ""


def test_advice_is_about_the_index_the_brake_and_other_policies(settings):
    settings.HOUSEKEEPING_BRAKE_ROWS = 1
    make.conversation(age=days(100))
    PolicyState.objects.all().delete()

    made = drafts.draft(card(Conversation, rows=1), days=90)
    entries = drafts.draft(card(LogEntry))

    assert made.advice == [
        "The brake will hold the first run, as it deletes most of the table: look at it, then approve.",
        "conversations deletes rows of this table already.",
    ]
    assert entries.advice == [
        "Add an index on action_time: the purge walks along it.",
        'There is a recipe for this app: HOUSEKEEPING_RECIPES = ["admin_log"].',
    ]


def test_the_previewed_policy_is_the_declared_one():
    made = drafts.draft(card(ChatMessage), days=45)
    declared: dict = {"__name__": "a_test"}
    source = made.code.partition("@scheduled")[0]

    exec(compile(source, "tasks.py", "exec"), declared)

    policy = declared["old_chat_messages"]
    assert isinstance(policy, Policy)
    assert (policy.name, policy.age, policy.retention) == (made.name, "created_at", timedelta(days=45))
