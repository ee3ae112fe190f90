"""What ``manage.py check`` says of the ways to say what is expired."""

import pytest
from django.core.checks import run_checks

from chat.models import ChatMessage, Conversation
from housekeeping.declared.policies import Policy
from tests.zoo.models import Meal

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
