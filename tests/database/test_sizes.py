"""Sizes and ages of tables: exact for small ones, estimated for large ones, on both databases."""

from datetime import timedelta

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from chat.models import ChatMessage
from housekeeping.database import sizes
from housekeeping.database.sizes import Column, postgresql, sqlite
from housekeeping.database.sizes.ages import OLDER_THAN
from tests import make
from tests.make import days
from tests.zoo.models import Animal

pytestmark = pytest.mark.django_db(transaction=True)

CREATED = Column("created_at", "created_at", is_date=False)
ON_POSTGRES = pytest.mark.skipif("connection.vendor != 'postgresql'")
ON_SQLITE = pytest.mark.skipif("connection.vendor != 'sqlite'")


def found(name):
    return next(one for one in sizes.tables() if one.name == name)


def measured(name, *columns):
    return sizes.measure(found(name), columns, timezone.now())


def execute(*statements):
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@pytest.fixture
def small(monkeypatch):
    """Hardly anything counts as a small table, so that estimates can be tried with few rows."""
    monkeypatch.setattr(sqlite, "PAGES", 8)
    monkeypatch.setattr(sqlite, "ROWS", 100)
    monkeypatch.setattr(postgresql, "PAGES", 1)


def messages(number):
    """So many messages, one each hour, with some text."""
    now = timezone.now()
    ChatMessage.objects.bulk_create(
        [
            ChatMessage(role="user", content="word " * 40, created_at=now - timedelta(hours=hours, minutes=5))
            for hours in range(number)
        ],
        batch_size=500,
    )
    count_changes()


def count_changes():
    """Let PostgreSQL count what this session has inserted and deleted, which it does when it is idle."""
    if connection.vendor == "postgresql":
        execute("SELECT pg_stat_force_next_flush()")


def test_a_small_table_is_counted_with_its_bytes_and_ages():
    for age in (1, 31, 100, 400, 2000):
        make.message(created_at=timezone.now() - days(age))

    size = measured("chat_chatmessage", CREATED)

    assert (size.rows, size.is_estimate, size.are_bytes_estimated) == (5, False, False)
    assert size.bytes > size.index_bytes > 0
    ages = size.ages["created_at"]
    assert dict(zip(OLDER_THAN, ages.older, strict=True)) == {30: 4, 90: 3, 180: 2, 365: 2, 730: 1, 1825: 1}
    assert (ages.known, ages.is_estimate) == (5, False)
    assert timezone.now() - ages.oldest > days(1999)
    assert timezone.now() - ages.newest < days(2)


def test_dates_and_empty_values_are_counted_as_django_compares_them(settings):
    settings.TIME_ZONE = "Asia/Tokyo"
    today = timezone.localdate(timezone.now(), timezone.get_default_timezone())
    for born in (today, today - days(30), today - days(31), None):
        Animal.objects.create(born=born)

    ages = measured("zoo_animal", Column("born", "born", is_date=True)).ages["born"]

    cutoff = timezone.now() - days(30)
    assert ages.older[0] == Animal.objects.filter(born__lt=cutoff).count() == 1
    assert ages.known == 3
    assert ages.oldest.date() == today - days(31)


def test_an_empty_table_has_no_ages():
    size = measured("chat_chatmessage", CREATED)

    assert (size.rows, size.is_estimate, size.ages) == (0, False, {})


def test_a_column_that_the_table_lacks_costs_the_ages_and_not_the_size():
    make.message()

    size = measured("chat_chatmessage", Column("gone_at", "gone_at", is_date=False))

    assert (size.rows, size.ages) == (1, {})


def test_a_large_table_is_estimated(small):
    messages(3_000)
    if connection.vendor == "postgresql":
        execute("ANALYZE chat_chatmessage")

    size = measured("chat_chatmessage", CREATED)

    assert size.is_estimate
    assert size.rows == pytest.approx(3_000, rel=0.1)
    ages = size.ages["created_at"]
    assert ages.is_estimate
    assert ages.older[:3] == pytest.approx((3_000 - 720, 3_000 - 2_160, 0), rel=0.1, abs=100)
    assert timezone.now() - ages.oldest == pytest.approx(timedelta(hours=3_000), abs=days(6))


def test_every_table_is_listed_and_no_table_of_the_database():
    names = {one.name for one in sizes.tables()}

    assert {"chat_user", "zoo_animal_keepers", "django_migrations"} <= names
    assert not {name for name in names if name.startswith(("sqlite_", "pg_"))}


def test_the_database_has_a_size():
    assert sizes.space().bytes > 100_000


@pytest.mark.parametrize("name", ['x"y', "a%s", "100%", "Mixed Case"])
def test_a_table_of_any_name_is_measured(name):
    quoted = '"{}"'.format(name.replace('"', '""'))
    execute(f"CREATE TABLE {quoted} (at timestamp)", f"INSERT INTO {quoted} VALUES ('2020-01-01 00:00:00')")
    try:
        size = measured(name, Column("at", "at", is_date=False))
    finally:
        execute(f"DROP TABLE {quoted}")

    assert (size.rows, size.ages["at"].older[0]) == (1, 1)


# --- PostgreSQL -------------------------------------------------------------------------------


@ON_POSTGRES
def test_a_table_that_was_never_analysed_is_estimated_from_a_sample(small):
    messages(3_000)
    execute(
        "SELECT pg_stat_reset_single_table_counters('chat_chatmessage'::regclass)",
        "DELETE FROM pg_statistic WHERE starelid = 'chat_chatmessage'::regclass",
        "UPDATE pg_class SET reltuples = -1, relpages = 0 WHERE oid = 'chat_chatmessage'::regclass",
    )

    size = measured("chat_chatmessage", CREATED)

    assert size.is_estimate
    assert size.rows == pytest.approx(3_000, rel=0.2)
    assert size.ages["created_at"].older[0] == pytest.approx(3_000 - 720, rel=0.2)


@ON_POSTGRES
def test_rows_and_ages_follow_a_purge_before_the_next_analyze(small):
    messages(3_000)
    execute("ANALYZE chat_chatmessage")
    execute("DELETE FROM chat_chatmessage WHERE created_at < now() - interval '30 days'")
    count_changes()

    size = measured("chat_chatmessage", CREATED)

    assert size.is_estimate
    assert size.rows == pytest.approx(720, abs=2)
    assert size.ages["created_at"].older[0] == pytest.approx(0, abs=2)


@ON_POSTGRES
def test_deleted_rows_and_long_values_are_told():
    messages(200)
    make.message(content="".join(map(chr, range(48, 122))) * 3_000)
    execute("DELETE FROM chat_chatmessage WHERE id % 2 = 0")
    count_changes()

    size = measured("chat_chatmessage")

    assert size.toast_bytes > 0
    assert size.dead_rows >= 100
    assert size.bloat_bytes > 0


@ON_POSTGRES
def test_partitions_count_as_one_table_and_other_schemas_are_named():
    execute(
        "CREATE SCHEMA attic",
        "CREATE TABLE attic.boxes (id int, made_at timestamptz) PARTITION BY RANGE (id)",
        "CREATE TABLE attic.boxes_1 PARTITION OF attic.boxes FOR VALUES FROM (0) TO (10)",
        "CREATE TABLE attic.boxes_2 PARTITION OF attic.boxes FOR VALUES FROM (10) TO (20)",
        "INSERT INTO attic.boxes SELECT n, now() - interval '40 days' FROM generate_series(0, 19) AS n",
    )
    try:
        size = measured("attic.boxes", Column("made_at", "made_at", is_date=False))
        names = [one.name for one in sizes.tables() if "boxes" in one.name]
    finally:
        execute("DROP SCHEMA attic CASCADE")

    assert names == ["attic.boxes"]
    assert (size.rows, size.ages["made_at"].older[0]) == (20, 20)
    assert size.bytes >= 2 * 8192


@ON_POSTGRES
def test_moments_beyond_the_calendar_are_counted_and_not_shown():
    execute(
        "CREATE TABLE ends (at timestamptz)",
        "INSERT INTO ends VALUES ('infinity'), ('-infinity'), ('4713-01-01 BC'), (now())",
    )
    try:
        ages = measured("ends", Column("at", "at", is_date=False)).ages["at"]
    finally:
        execute("DROP TABLE ends")

    assert (ages.known, ages.older[0], ages.oldest, ages.newest) == (4, 2, None, None)


@ON_POSTGRES
def test_a_user_without_the_right_to_read_a_table_learns_its_size():
    messages(50)
    execute("ANALYZE chat_chatmessage", "CREATE ROLE clerk")
    try:
        execute("SET ROLE clerk")
        size = measured("chat_chatmessage", CREATED)
    finally:
        execute("RESET ROLE", "DROP ROLE clerk")

    assert (size.rows, size.is_estimate, size.ages) == (50, True, {})
    assert size.bytes > 0


@ON_POSTGRES
def test_a_locked_table_is_given_up_after_the_limit(monkeypatch):
    monkeypatch.setattr(sizes, "SECONDS", 0.3)
    table = found("chat_chatmessage")
    with psycopg.connect(**connection.get_connection_params()) as another:
        another.execute("LOCK TABLE chat_chatmessage IN ACCESS EXCLUSIVE MODE")

        with pytest.raises(sizes.TooSlow):
            sizes.measure(table, [], timezone.now())


# --- SQLite -----------------------------------------------------------------------------------


@ON_SQLITE
def test_without_dbstat_rows_are_counted_and_there_are_no_bytes(monkeypatch):
    make.message()
    table = found("chat_chatmessage")
    table.facts["has_dbstat"] = False

    size = sizes.measure(table, [CREATED], timezone.now())

    assert (size.rows, size.is_estimate, size.bytes, size.index_bytes) == (1, False, None, None)
    assert size.ages["created_at"].known == 1


@ON_SQLITE
def test_a_table_without_rowids_and_a_virtual_one_do_no_harm(small):
    execute(
        "CREATE TABLE pairs (a TEXT PRIMARY KEY, at TEXT) WITHOUT ROWID",
        "INSERT INTO pairs WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 5000)"
        " SELECT printf('%050d', n), '2020-01-01 00:00:00' FROM s",
        "CREATE VIRTUAL TABLE words USING fts5(word)",
    )
    try:
        size = measured("pairs", Column("at", "at", is_date=False))
        names = {one.name for one in sizes.tables()}
    finally:
        execute("DROP TABLE pairs", "DROP TABLE words")

    assert (size.is_estimate, size.ages) == (True, {})
    assert size.rows >= 100
    assert "words" not in names
    assert "words_content" in names


@ON_SQLITE
def test_the_size_of_a_large_table_is_estimated_from_a_part_of_its_pages(small, monkeypatch):
    messages(3_000)
    whole = measured("chat_chatmessage")
    monkeypatch.setattr(sqlite, "PAGES", 100_000)

    exact = measured("chat_chatmessage")

    assert (whole.are_bytes_estimated, exact.are_bytes_estimated) == (True, False)
    assert whole.bytes == pytest.approx(exact.bytes, rel=0.15)
    assert exact.rows == 3_000
