"""No title and no name outlives its row in what we keep of a preview."""

from importlib import import_module

import pytest
from django.apps import apps
from django.core import serializers
from django.db import connection

from chat.models import Conversation
from housekeeping.models import Archive, Run
from housekeeping.reading import gauges
from housekeeping.reading.previews.samples import Texts
from housekeeping.runs import control
from housekeeping.runs.work import execution
from tests import make
from tests.make import days

pytestmark = pytest.mark.django_db(transaction=True)


def carried_out(task="conversations", **fields):
    run = execution.execute(execution.claim(make.run(task, **fields).pk, 0))
    run.refresh_from_db()
    return run


def kept_by_us():
    """All that our own tables hold, as text; archives hold the rows themselves, until they expire."""
    models = set(apps.get_app_config("housekeeping").get_models()) - {Archive}
    return "".join(serializers.serialize("json", model._base_manager.all()) for model in models)


def test_neither_a_preview_nor_a_purge_keeps_the_words_of_rows(settings):
    settings.HOUSEKEEPING_BRAKE_ROWS = 1
    settings.HOUSEKEEPING_BRAKE_SHARE = 0.1
    make.conversation(age=days(31), title="Xylophone lessons", messages=1)
    make.message(content="Xylophone repairs")
    make.visitor(age=days(8), username="xylophonist", email="xylophonist@example.com")

    carried_out("all", dry_run=True)
    held = carried_out("all")
    assert held.status == "held"
    control.approve(held, send=lambda run: None)
    done = execution.execute(execution.claim(held.pk, held.attempts))
    gauges.measure("backlog:conversations")

    assert (done.status, done.done) == ("succeeded", 3)
    assert "xylophon" not in kept_by_us().lower()


def test_words_are_those_of_the_row_now_and_gone_with_it():
    made = make.conversation(age=days(31), title="The oldest")
    plan = carried_out(dry_run=True).plan

    Conversation.objects.update(title="Renamed")
    renamed = Texts([plan]).added_to(plan)["conversations"]["sample"]
    made.delete()
    gone = Texts([plan]).added_to(plan)["conversations"]["sample"]

    assert [row["text"] for row in renamed] == ["Renamed"]
    assert gone == [{**renamed[0], "text": None}]


def test_many_plans_are_asked_about_in_one_query_for_each_policy(django_assert_num_queries):
    make.conversation(age=days(31))
    make.message()
    plans = [carried_out(task, dry_run=True).plan for task in ("conversations", "messages", "all") * 3]

    with django_assert_num_queries(2):
        Texts(plans)


def test_a_plan_of_a_policy_or_a_key_that_is_known_no_more_has_no_words():
    row = {"key": "not a number", "age_from": None}
    plan = {name: {"rows": 1, "tables": {}, "sample": [row]} for name in ("forgotten", "conversations")}

    shown = Texts([plan]).added_to(plan)

    assert [facts["sample"] for facts in shown.values()] == [[{**row, "text": None}]] * 2


def test_the_migration_takes_the_words_out_of_stored_plans_and_leaves_the_rest():
    row = {"key": "1", "text": "The oldest", "age_from": "2026-01-01T00:00:00+00:00"}
    facts = {"rows": 1, "tables": {"chat.Conversation": 1}}
    stored = make.run(plan={"conversations": facts | {"sample": [row]}})
    others = [
        make.run("users", status="failed", plan=plan)
        for plan in ({}, {"users": {"rows": 0, "tables": {}, "sample": []}})
    ]
    strip = import_module("housekeeping.migrations.0013_words_of_plans").strip

    with connection.schema_editor() as editor:
        strip(apps, editor)

    del row["text"]
    stored.refresh_from_db()
    assert stored.plan == {"conversations": facts | {"sample": [row]}}
    assert [run.plan for run in Run.objects.filter(task="users").order_by("requested_at")] == [
        run.plan for run in others
    ]
