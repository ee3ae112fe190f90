"""The tables of a second database: measured where they are, and listed beside those of the default one."""

from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import OperationalError, connections
from django.utils import timezone

from chat.models import ChatMessage
from housekeeping import Policy
from housekeeping.declared import databases
from housekeeping.models import TableSize
from housekeeping.reading.tables import drafts, known, listing, measuring
from tests.make import ago, days
from tests.zoo import tasks
from tests.zoo.models import Park, Photo

pytestmark = pytest.mark.django_db(transaction=True)

NOW = timezone.now()
PARKS = "other:zoo_park"


@pytest.fixture
def parks(zoo_apart):
    """Two parks in the second database, one of them old. The default database has an empty table of parks."""
    for age in (900, 1):
        Park.objects.create(name=f"park of {age} days", opened_at=ago(days=age))


def names():
    return {card.name for card in listing.read().cards}


@contextmanager
def unreachable():
    """Nothing answers in the second database. Yields how often it was asked."""
    asked = []

    def refuse(execute, sql, *facts):
        asked.append(sql)
        raise OperationalError("connection refused")

    with connections["other"].execute_wrapper(refuse):
        yield asked


def test_each_database_is_measured_with_the_ages_of_its_rows(parks):
    measuring.measure(NOW)

    found = listing.read()
    card = listing.card(PARKS)
    assert [one.alias for one in found.databases] == ["default", "other"]
    assert all(one.bytes > 0 for one in found.databases)
    assert (card.database, card.model, card.size.rows) == ("other", Park, 2)
    assert card.ages["opened_at"]["older"]["730"] == 1
    assert listing.card("zoo_park").size.rows == 0
    ours = {name for name in names() if name.startswith("other:housekeeping_")}
    assert ours == {"other:housekeeping_handover"}  # the others stay empty there


def test_the_policies_of_a_table_are_those_of_its_database(parks):
    with tasks.declared():
        measuring.measure(NOW)

        assert "parks" in [cover.policy for cover in listing.card(PARKS).covers]
        assert listing.card("zoo_park").covers == []


def test_a_policy_for_rows_of_a_database_that_using_has_named(other, add_task):
    policy = Policy("apart", lambda cutoff: Park.objects.using("other"), days(30))
    add_task("apart", lambda purge: {}, policy=policy)

    assert databases.written() == ["default", "other"]
    assert [cover.policy for cover in known.covers()[PARKS]] == ["apart"]
    assert "zoo_park" not in known.covers()


def test_only_a_models_own_databases_show_its_table_as_its_own(parks, settings, monkeypatch):
    monkeypatch.setattr("tests.other_database.Zoo.allow_migrate", only_the_zoo, raising=False)

    found = known.models_by_table()

    assert found[PARKS] is Park
    assert "zoo_park" not in found
    assert "other:chat_chatmessage" not in found


def test_a_model_that_is_migrated_elsewhere_is_known_where_its_rows_are_written(parks, monkeypatch):
    monkeypatch.setattr(
        "tests.other_database.Zoo.allow_migrate", lambda *facts, **hints: False, raising=False
    )

    found = known.models_by_table()

    assert found[PARKS] is Park
    assert found["chat_chatmessage"] is ChatMessage


def test_a_database_of_another_vendor_is_left_out(parks, monkeypatch):
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(connections["other"], "vendor", "oracle")
        measuring.measure(NOW)

    assert [one.alias for one in listing.read().databases] == ["default"]


def test_a_table_that_was_locked_before_the_outage_keeps_its_last_size_too(parks):
    measuring.measure(NOW - days(1))
    TableSize.objects.exclude(table=PARKS).update(measured_at=NOW - timedelta(hours=20))
    with unreachable():
        measuring.measure(NOW)
        found = {card.name: card.size.rows for card in listing.read().cards}

    assert found[PARKS] == 2
    assert "other:zoo_animal" in found


def only_the_zoo(router, db, app_label, **hints):
    return (db == "other") == (app_label == "zoo")


def test_a_drafted_policy_deletes_from_where_the_router_writes(parks):
    measuring.measure(NOW)

    draft = drafts.draft(listing.card(PARKS), days=365)

    assert "Park.objects.filter(opened_at" in draft.code
    assert draft.tables["zoo.Park"] == 1


def test_a_drafted_policy_names_the_database_of_its_table_if_no_router_does(other, add_task):
    policy = Policy("apart", lambda cutoff: Photo.objects.using("other"), days(30))
    add_task("apart", lambda purge: {}, policy=policy)
    for age, database in [(900, other), (1, other), (900, "default"), (800, "default")]:
        Photo.objects.using(database).create(taken_at=ago(days=age))
    measuring.measure(NOW)

    draft = drafts.draft(listing.card("other:zoo_photo"), days=365)

    assert 'Photo.objects.using("other").filter(taken_at' in draft.code
    assert draft.tables == {"zoo.Photo": 1}


def test_a_database_that_can_not_be_reached_keeps_its_last_sizes_and_is_named(parks):
    measuring.measure(NOW - days(1))

    with unreachable():
        measuring.measure(NOW)
        found = listing.read()

    [own, other] = found.databases
    by_name = {card.name: card for card in found.cards}
    assert (own.failure, other.failure) == (None, "OperationalError: connection refused")
    assert (by_name[PARKS].size.rows, by_name[PARKS].failure) == (2, "OperationalError: connection refused")
    assert (by_name["zoo_park"].size.measured_at, by_name["zoo_park"].failure) == (NOW, None)

    measuring.measure(NOW + timedelta(hours=1))

    assert [one.failure for one in listing.read().databases] == [None, None]
    assert listing.card(PARKS).failure is None


def test_a_database_that_has_never_been_reached_has_no_tables_but_a_reason(parks):
    with unreachable():
        measuring.measure(NOW)

    assert listing.read().databases[1].failure == "OperationalError: connection refused"
    assert not TableSize.objects.filter(table__startswith="other:").exists()


def test_a_connection_that_breaks_is_not_tried_again_for_each_table(parks, monkeypatch):
    """Each try may last as long as the timeout of a connection."""
    measuring.measure(NOW - days(1))
    apart = connections["other"]
    monkeypatch.setattr(apart, "is_usable", lambda: False)
    asked = []

    def break_at_the_first_table(execute, sql, *facts):
        if "zoo_animal" in sql or "pg_total_relation_size" in sql:
            asked.append(sql)
            raise OperationalError("the connection is lost")
        return execute(sql, *facts)

    with apart.execute_wrapper(break_at_the_first_table):
        measuring.measure(NOW)

    assert listing.read().databases[1].failure == "OperationalError: the connection is lost"
    assert len(asked) == 1


def test_a_name_with_a_colon_is_no_database():
    assert known.database_of("a:b") == "default"
    assert known.database_of(PARKS) == "default"  # there is no such database in this test
