"""The page of tables, and the page of one table with a policy for it."""

import re

import pytest
from django.db import connection
from django.utils import timezone

from housekeeping.database.sizes import sqlite
from housekeeping.database.sizes.ages import quoted
from housekeeping.models import Gauge, TableSize
from housekeeping.reading.tables import listing, measuring
from tests import make
from tests.make import days

pytestmark = pytest.mark.django_db

TABLES = "/scheduler-admin/tables"
NOW = timezone.now()
MB = 1024**2


@pytest.fixture
def grown():
    """The messages have grown by half a megabyte a day, and so have the tallies, which no policy deletes."""
    make.conversation(age=days(100), messages=2)
    measuring.measure(NOW)
    for table in ("chat_chatmessage", "housekeeping_tally"):
        TableSize.objects.filter(table=table).update(bytes=10 * MB, index_bytes=4 * MB, rows=1_000)
        TableSize.objects.create(
            table=table, day=NOW - days(10), measured_at=NOW - days(10), bytes=5 * MB, rows=500
        )


def row_of(text, table):
    """What a row of the list says, without tags."""
    [row] = [row for row in re.findall(r'<tr class="task".*?</tr>', text, re.DOTALL) if f">{table}<" in row]
    return " ".join(re.sub(r"<[^>]+>", " ", row).replace("\xa0", " ").split())


def test_before_the_first_measurement_the_page_says_what_to_do(dashboard):
    text = dashboard.get(TABLES).text

    assert "Nothing has been measured yet" in text
    assert "python manage.py housekeeping_tables --measure" in text


def test_each_table_has_its_size_its_growth_and_its_policies(dashboard, grown):
    text = dashboard.get(TABLES, {"until": "20MB"}).text

    assert row_of(text, "chat_chatmessage") == (
        "chat_chatmessage chat.ChatMessage 10.0 MB +512.0 KB 1,000 20 messages"
    )
    assert row_of(text, "housekeeping_tally").endswith("10.0 MB +512.0 KB 1,000 20 no policy")
    assert row_of(text, "housekeeping_logline").endswith("– runs as related rows")  # growth is not known yet
    assert row_of(text, "django_migrations").startswith("django_migrations no model")


def test_bars_compare_with_the_largest_table(dashboard, grown):
    text = dashboard.get(TABLES).text

    [bar] = re.findall(r">chat_chatmessage<.*?(<svg.*?</svg>)", text, re.DOTALL)
    assert re.findall(r'x="([\d.]+)".*? width="([\d.]+)"', bar) == [("0", "60.0"), ("60.0", "40.0")]


@pytest.mark.parametrize("sort", listing.SORTS)
def test_the_list_is_sorted_as_asked(dashboard, grown, sort):
    text = dashboard.get(TABLES, {"sort": sort}).text

    assert f'<a href="?sort={sort}" aria-current="true">' in text
    names = re.findall(r'<th scope="row"><a [^>]*>(\w+)<', text)
    assert names == [card.name for card in listing.read(sort=sort).cards]


def test_a_size_that_can_t_be_read_is_told_beside_its_field(dashboard, grown):
    answer = dashboard.get(TABLES, {"until": "ten"})

    assert answer.status_code == 400
    assert "Write a size such as 500 MB, 10 GB or 2 TB." in answer.text
    assert 'value="ten"' in answer.text
    assert row_of(answer.text, "chat_user")


def test_a_table_has_facts_ages_and_a_block_to_paste(dashboard, grown):
    answer = dashboard.get(f"{TABLES}/chat_conversation", {"column": "created_at", "days": "90"})

    assert answer.status_code == 200
    for text in (
        "By <code>created_at</code>", "90 to 180 days", "<dt>chat.Conversation</dt><dd>1 row<",
        "<dt>chat.ChatMessage</dt><dd>2 rows<", "retention=timedelta(days=90)", "<code>chat/tasks.py</code>",
        "conversations deletes rows of this table already.",
    ):  # fmt: skip
        assert text in answer.text, text


def test_the_page_of_a_table_counts_no_large_table(dashboard, grown, django_assert_max_num_queries):
    TableSize.objects.filter(table="chat_chatmessage").update(rows=10_000_000)

    with django_assert_max_num_queries(14) as asked:
        answer = dashboard.get(f"{TABLES}/chat_chatmessage")

    assert answer.status_code == 200
    assert not [query["sql"] for query in asked if '"chat_chatmessage"' in query["sql"]]
    assert "estimated from the ages" in answer.text


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ({"days": "0"}, "Enter whole days, from 1 to 36,500."),
        ({"days": ""}, "Enter whole days, from 1 to 36,500."),
        ({"column": "title"}, "is not one of the columns created_at, last_message_at."),
    ],
)
def test_a_draft_that_can_t_be_made_is_told_beside_its_fields(dashboard, grown, query, problem):
    answer = dashboard.get(f"{TABLES}/chat_conversation", query)

    assert answer.status_code == 400
    assert problem in answer.text
    assert "Policy(" not in answer.text


def test_a_table_that_can_t_be_purged_says_why(dashboard, grown):
    text = dashboard.get(f"{TABLES}/django_migrations").text

    assert (
        "Housekeeping can&#x27;t purge this table:" in text or "Housekeeping can't purge this table:" in text
    )
    assert "No model of this project has this table." in text


def test_an_unknown_table_is_not_found(dashboard, grown):
    assert dashboard.get(f"{TABLES}/nope").status_code == 404


def test_a_table_that_could_not_be_measured_says_why(dashboard, grown):
    failed = {"chat_user": "", "chat_conversation": "Odd", "never_yet": "DataError: strange"}
    Gauge.objects.filter(name="tables").update(value={"failed": failed})

    text = dashboard.get(TABLES).text

    assert "not measured" in row_of(text, "chat_user")
    assert "<li>never_yet: DataError: strange</li>" in text
    assert "it took too long, or the table was locked" in dashboard.get(f"{TABLES}/chat_user").text
    assert "It could not be measured since: Odd" in dashboard.get(f"{TABLES}/chat_conversation").text


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL always tells the bytes")
def test_without_bytes_the_page_compares_rows(dashboard, monkeypatch):
    monkeypatch.setattr(sqlite, "_has_dbstat", lambda: False)
    make.message()
    measuring.measure(NOW)

    text = dashboard.get(TABLES).text

    assert row_of(text, "chat_chatmessage") == "chat_chatmessage chat.ChatMessage – – 1 messages"
    assert "Days until a size of" not in text
    assert dashboard.get(f"{TABLES}/chat_chatmessage").status_code == 200


def test_tables_of_any_name_are_shown(dashboard):
    names = ["a/b", "ä ö", 'x"y', "<b>", "a?b#c", "a\nb", "%41", "a%s"]
    make.message()
    measuring.measure(NOW)
    with connection.cursor() as cursor:
        for name in names:
            cursor.execute(f"CREATE TABLE {quoted(name)} (id int)", [])
    measuring.measure(NOW)

    text = dashboard.get(TABLES).text

    assert TableSize.objects.filter(table__in=names).count() == len(names)
    addresses = set(re.findall(rf'href="({TABLES}/[^"?]+)"', text))
    assert len(addresses) > len(names)
    for address in addresses:
        assert dashboard.get(address).status_code == 200, address


def test_ages_without_an_order_break_no_bar(dashboard, grown):
    odd = {"created_at": {"rows": 5, "older": {"30": 1, "90": 4}, "oldest": None, "newest": "x"}}
    TableSize.objects.filter(table="chat_conversation").update(ages=odd, rows=None)

    assert dashboard.get(f"{TABLES}/chat_conversation").status_code == 200
