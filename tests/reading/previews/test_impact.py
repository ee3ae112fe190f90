import time
from datetime import timedelta

import pytest
from django.db.models.expressions import RawSQL

from chat.models import Conversation
from chat.tasks import never_verified_users, old_conversations, orphaned_messages
from housekeeping.declared.policies import Policy
from housekeeping.reading.previews import impact
from housekeeping.steering import retentions
from tests import make
from tests.make import days

pytestmark = pytest.mark.django_db

# Counts to a thousand million, which takes minutes.
ENDLESS = """(WITH RECURSIVE counted(number) AS (
    SELECT 1 UNION ALL SELECT number + 1 FROM counted WHERE number < 1000000000
) SELECT count(*) FROM counted)"""
slow = Policy(
    "slow",
    rows=lambda cutoff: Conversation.objects.annotate(n=RawSQL(ENDLESS, ())).filter(n__gt=0),
    retention=timedelta(days=30),
    age="created_at",
)


def test_it_counts_what_is_eligible_now_with_related_rows():
    make.conversation(age=days(25), messages=3)
    assert impact.of([old_conversations])[0].rows == 0

    retentions.change("conversations", 20)
    [counted] = impact.of([old_conversations])

    assert counted.tables == {"chat.Conversation": 1, "chat.ChatMessage": 3}
    assert (counted.rows, counted.retention_days) == (1, 20)


def test_several_policies_are_counted_together_and_each_once():
    make.conversation(age=days(31), messages=2)
    make.message()
    make.visitor(age=days(8))

    counted = impact.of([old_conversations, orphaned_messages, never_verified_users, old_conversations])

    assert [one.policy.name for one in counted] == ["conversations", "messages", "users"]
    tables = {table: rows for table, rows in (impact.together(counted) or {}).items() if rows}
    assert tables == {"chat.Conversation": 1, "chat.ChatMessage": 3, "chat.User": 1}


def test_a_count_that_takes_too_long_is_given_up_and_leaves_the_connection_as_it_was():
    make.conversation(age=days(31))
    began = time.monotonic()

    counted = impact.of([slow, old_conversations], seconds=0.3)

    assert time.monotonic() - began < 5
    assert [one.tables for one in counted] == [None, None]  # the time was for both
    assert impact.together(counted) is None
    assert impact.of([old_conversations])[0].rows == 1


def test_an_error_that_is_not_the_time_limit_s_is_told_and_the_others_are_counted():
    broken = Policy("broken", rows=lambda cutoff: Conversation.objects.extra(where=["no_such_column = 1"]))

    failed, counted = impact.of([broken, old_conversations])

    assert failed.tables is None
    assert failed.error.startswith("The rows of the policy broken can't be counted: ")
    assert "no_such_column" in failed.error
    assert (counted.rows, counted.error) == (0, "")
