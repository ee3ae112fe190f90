"""The examples of the description name what the project declares."""

from datetime import timedelta

import pytest
from django.utils import translation

from chat.models import ChatMessage
from housekeeping.api.description import examples
from housekeeping.api.description.shapes import serializer_of
from housekeeping.declared import registry
from housekeeping.declared.policies import Policy
from housekeeping.reading import as_json


@pytest.fixture
def tasks(monkeypatch):
    """Only the app's own tasks are declared, until the test declares others."""
    own = {name: registry.TASKS[name] for name in ("history", "verification")}
    monkeypatch.setattr(registry.TASKS, "known", own)
    return own


def declare(name, rows):
    registry.task(policy=Policy(name, rows, timedelta(days=30), "created_at"))(lambda purge: {})


def test_they_name_the_tasks_and_the_models_of_the_project(tasks):
    declare("old_messages", lambda cutoff: ChatMessage.objects.filter(created_at__lt=cutoff))

    assert examples.trigger_bodies() == {
        "Only show what would be deleted": {"task": "old_messages", "dry_run": True},
        "Don't wait": {"task": "old_messages", "wait": 0},
    }
    assert {body["model"] for body in examples.hold_bodies().values()} == {"chat.ChatMessage"}


def test_they_name_the_app_s_own_tasks_where_the_project_has_none(tasks):
    assert {body["task"] for body in examples.trigger_bodies().values()} == {"history", "verification"}


def test_a_policy_that_raises_an_error_does_not_break_them(tasks):
    declare("broken", lambda cutoff: ChatMessage.objects.filter(no_such_field__lt=cutoff))

    assert {body["model"] for body in examples.hold_bodies().values()} == {"app_label.Model"}


def test_the_labels_of_statistics_are_described_in_the_language_of_the_description():
    described = serializer_of(as_json.Statistics)().fields["total_users"]

    with translation.override("de"):
        assert str(described.help_text) == "Aktive Benutzer"
    with translation.override("en"):
        assert str(described.help_text) == "Active users"
