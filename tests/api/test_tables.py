"""The tables over the API: what a consumer has measured, and a policy for one of them."""

import pytest
from django.db import connection
from django.utils import timezone

from housekeeping.models import Gauge, TableSize
from housekeeping.reading.tables import measuring
from tests import make
from tests.api.addresses import SCHEDULER
from tests.make import days

pytestmark = pytest.mark.django_db

NOW = timezone.now()


def asked(api, path="tables", **query):
    answer = api.get(f"{SCHEDULER}/{path}", query)
    assert answer.status_code == 200, answer.content
    return answer.json()


@pytest.fixture
def grown():
    """The table of messages has grown by half a megabyte and 10 rows a day for ten days."""
    make.message(created_at=NOW - days(400))
    make.message()
    measuring.measure(NOW)
    now = TableSize.objects.get(table="chat_chatmessage")
    now.bytes, now.rows = 10 * 1024**2, 100
    now.save()
    TableSize.objects.create(
        table="chat_chatmessage", day=NOW - days(10), measured_at=NOW - days(10), bytes=5 * 1024**2, rows=0
    )


def test_before_the_first_measurement_the_list_is_empty(api):
    assert asked(api) == {
        "measured_at": None, "bytes": None, "free_bytes": None, "bytes_per_day": None, "days_until": None,
        "failed": {}, "results": [],
        "databases": [
            {"database": "default", "bytes": None, "free_bytes": None, "bytes_per_day": None,
             "days_until": None, "failure": None},
        ],
    }  # fmt: skip


def test_every_table_with_its_growth_and_the_days_until_a_size(api, grown):
    found = asked(api, until="20 MB")

    first = found["results"][0]
    assert first.pop("measured_at") == found["measured_at"]
    tells = connection.vendor == "postgresql"
    assert {first.pop("toast_bytes") is not None, first.pop("dead_rows") is not None} == {tells}
    assert first.pop("index_bytes") > 0
    assert first.pop("bloat_bytes") >= 0
    assert first == {
        "table": "chat_chatmessage", "database": "default", "model": "chat.ChatMessage", "managed": True,
        "rows": 100, "rows_estimated": False, "bytes": 10 * 1024**2, "bytes_estimated": False,
        "bytes_per_day": 1024**2 // 2, "rows_per_day": 10,
        "days_until": 20, "failure": None, "url": "/api/admin/scheduler/tables/chat_chatmessage",
        "policies": [
            {"policy": "messages", "direct": True},
            {"policy": "conversations", "direct": False},
            {"policy": "users", "direct": False},
        ],
    }  # fmt: skip
    assert found["bytes_per_day"] == 1024**2 // 2


def test_a_table_that_could_not_be_measured_says_why(api, grown):
    Gauge.objects.filter(name="tables").update(
        value={"failed": {"chat_user": "", "chat_conversation": "DataError: odd"}}
    )

    found = asked(api)
    told = {one["table"]: one["failure"] for one in found["results"] if one["failure"]}

    assert told == {
        "chat_user": "It took too long, or it was locked.", "chat_conversation": "DataError: odd",
    }  # fmt: skip
    assert found["failed"] == told


def test_a_table_has_its_ages_its_history_and_a_policy(api, grown):
    found = asked(api, "tables/chat_chatmessage", retention_days=90)

    [ages] = found["ages"]
    assert (ages["column"], ages["rows"], ages["estimated"]) == ("created_at", 2, False)
    assert ages["older"] == {"30": 1, "90": 1, "180": 1, "365": 1, "730": 0, "1825": 0}
    assert [(one["bytes"], one["rows"]) for one in found["history"]] == [
        (5 * 1024**2, 0),
        (10 * 1024**2, 100),
    ]
    draft = found["draft"]
    assert 'old_chat_messages = Policy(\n    "old_chat_messages",' in draft.pop("code")
    assert draft == {
        "name": "old_chat_messages", "column": "created_at", "columns": ["created_at"], "retention_days": 90,
        "file": "chat/tasks.py", "rows": 1, "rows_estimated": False, "tables": {"chat.ChatMessage": 1},
        "obstacles": [], "advice": ["messages deletes rows of this table already."],
    }  # fmt: skip


def test_the_list_is_sorted_as_asked(api, grown):
    by_name = [one["table"] for one in asked(api, sort="name")["results"]]

    assert by_name == sorted(by_name)


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("tables", {"until": "ten"}, "until"),
        ("tables", {"until": ""}, "until"),
        ("tables", {"sort": "age"}, "sort"),
        ("tables", {"order": "rows"}, "order"),
        ("tables/chat_user", {"until": "1"}, "until"),
        ("tables/chat_user", {"column": "email"}, "column"),
        ("tables/chat_user", {"retention_days": "0"}, "retention_days"),
        ("tables/chat_user", {"retention_days": "1e2"}, "retention_days"),
    ],
)
def test_a_query_that_can_t_be_read_is_refused_with_its_field(api, grown, path, query, field):
    answer = api.get(f"{SCHEDULER}/{path}", query)

    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == [field]


def test_an_unknown_table_is_not_found(api, grown):
    answer = api.get(f"{SCHEDULER}/tables/nope")

    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_table")
