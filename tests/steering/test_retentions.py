from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from chat.models import Conversation
from housekeeping.declared import registry
from housekeeping.exceptions import BadRetention, UnknownPolicy
from housekeeping.journal.acts import Actor
from housekeeping.models import Act, PolicyState
from housekeeping.runs import control
from housekeeping.runs.work import execution
from housekeeping.steering import retentions
from tests import make
from tests.make import days

pytestmark = pytest.mark.django_db(transaction=True)

ADA = Actor("ada", "a test")


def carry_out(run):
    return execution.execute(execution.claim(run.pk, run.attempts))


def test_a_changed_retention_is_what_the_next_run_goes_by():
    goes, stays = make.conversation(age=days(15)), make.conversation(age=days(5))

    retentions.change("conversations", 10, by=ADA)
    run = carry_out(control.request("conversations", send=lambda run: None))

    assert list(Conversation.objects.all()) == [stays]
    assert not Conversation.objects.filter(pk=goes.pk).exists()
    receipt = run.receipt["conversations"]
    assert (receipt["retention_days"], receipt["declared_retention_days"]) == (10, 30)


def test_a_run_that_has_started_goes_by_the_retention_that_was():
    stays = make.conversation(age=days(15))
    make.conversation(age=days(40))
    run = control.request("conversations", send=lambda run: None)
    run = execution.execute(execution.claim(run.pk, 0), should_stop=lambda: True)

    retentions.change("conversations", 10, by=ADA)
    run = carry_out(run)

    assert run.result == {"deleted_conversations": 1}
    assert list(Conversation.objects.all()) == [stays]


def test_a_reset_brings_the_declared_retention_back_and_both_are_on_record():
    retentions.change("users", 60, by=ADA)
    retentions.reset("users", by=ADA)
    retentions.reset("users", by=ADA)

    assert registry.find_policy("users").retention_in_force() == days(7)
    assert [(act.what, act.details["after"], act.who) for act in Act.objects.order_by("pk")] == [
        ("change retention", {"retention_days": 60}, "ada"),
        ("reset retention", {"retention_days": 7}, "ada"),
    ]


@pytest.mark.parametrize("text", [0, -1, 36_501, "soon", "", None, True, 1.5, "7 days", "1_0", "+10", "١٠"])
def test_what_is_no_number_of_days_is_refused_and_nothing_changes(text):
    with pytest.raises(BadRetention, match="Enter whole days, from 1 to 36,500"):
        retentions.change("conversations", text, by=ADA)

    assert not PolicyState.objects.exists()
    assert not Act.objects.exists()


def test_a_policy_without_an_age_has_no_retention_to_change():
    with pytest.raises(BadRetention, match="regardless of age"):
        retentions.change("messages", 5, by=ADA)


def test_an_unknown_policy_is_named_with_those_that_there_are():
    with pytest.raises(UnknownPolicy, match="conversations, messages, users"):
        retentions.change("cats", 5)


def test_what_a_shorter_retention_hits_is_known_before_it_is_saved():
    for age in (5, 15, 40):
        make.conversation(age=days(age))

    effect = retentions.effect(registry.find_policy("conversations"), 10, timezone.now())

    assert (effect.rows, effect.rows_now, effect.rows_more, effect.is_shorter) == (2, 1, 1, True)
    assert not PolicyState.objects.exists()


def test_a_retention_below_a_policys_shortest_is_refused():
    policy = replace(registry.find_policy("users"), shortest_days=4)

    with pytest.raises(BadRetention, match="enter 4 or more"):
        retentions.parse_for(policy, "3")

    assert retentions.parse_for(policy, "4") == 4


@pytest.mark.parametrize(
    ("name", "least"), [("acts", 400), ("runs", 90), ("sign-ins", 90), ("failed-sign-ins", 90)]
)
def test_who_may_change_a_retention_can_not_wipe_the_record_of_who_did_what(name, least):
    with pytest.raises(BadRetention, match=f"enter {least} or more"):
        retentions.change(name, least - 1)

    assert retentions.change(name, least + 100).retention_in_force() == timedelta(days=least + 100)
