"""Measuring the tables: a row per table and day, once an hour, whatever a table is like."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, connection
from django.utils import timezone

from housekeeping.database import sizes
from housekeeping.journal import tallies
from housekeeping.models import Gauge, TableSize
from housekeeping.reading.tables import measuring
from tests import make
from tests.make import days

pytestmark = pytest.mark.django_db

NOW = timezone.now()


def of(table="chat_chatmessage"):
    return TableSize.objects.filter(table=table).order_by("day")


def test_every_table_has_its_size_of_the_day_and_the_ages_of_its_rows():
    make.message(created_at=NOW - days(31))
    make.message()

    gauge = measuring.measure(NOW)

    [size] = of()
    assert (size.day, size.measured_at, size.rows) == (tallies.day_of(NOW), NOW, 2)
    assert size.bytes > 0
    assert size.ages["created_at"]["rows"] == 2
    assert size.ages["created_at"]["older"]["30"] == 1
    assert {"django_migrations", "zoo_animal_keepers", "housekeeping_run"} <= {
        one.table for one in TableSize.objects.all()
    }
    assert gauge.value["bytes"] > 0
    assert gauge.value["failed"] == {}


def test_a_day_has_one_row_and_only_the_newest_has_ages():
    make.message()
    measuring.measure(NOW - days(1))
    measuring.measure(NOW)
    make.message()

    measuring.measure(NOW + timedelta(seconds=1))

    before, last = of()
    assert (before.rows, before.ages) == (1, None)
    assert last.rows == 2
    assert last.ages["created_at"]["rows"] == 2


def test_tables_are_measured_at_once_and_then_once_an_hour():
    measuring.refresh(NOW)
    measuring.refresh(NOW + timedelta(minutes=59))
    assert {one.measured_at for one in of()} == {NOW}

    measuring.refresh(NOW + timedelta(minutes=60))

    assert Gauge.objects.get(name="tables").measured_at == NOW + timedelta(minutes=60)


def test_what_takes_long_is_measured_less_often():
    measuring.measure(NOW)
    Gauge.objects.filter(name="tables").update(took_ms=30 * 60_000)

    measuring.refresh(NOW + timedelta(hours=4, minutes=59))
    assert Gauge.objects.get(name="tables").measured_at == NOW
    measuring.refresh(NOW + timedelta(hours=5))

    assert Gauge.objects.get(name="tables").measured_at == NOW + timedelta(hours=5)


def test_of_several_consumers_one_measures(monkeypatch):
    measuring.measure(NOW)
    later, calls = NOW + timedelta(hours=2), []

    def measure(now):  # as slow as on a large database: the other consumer looks meanwhile
        calls.append(now)
        measuring.refresh(later)

    monkeypatch.setattr(measuring, "measure", measure)
    measuring.refresh(later)

    assert calls == [later]


def test_a_measurement_from_a_clock_that_was_ahead_stops_nothing():
    measuring.measure(NOW + days(900))

    measuring.refresh(NOW)

    assert Gauge.objects.get(name="tables").measured_at == NOW


def test_a_table_that_can_t_be_measured_is_named_and_the_others_are_measured(monkeypatch):
    measure = sizes.measure

    def measured(found, columns, now):
        if found.name == "chat_user":
            raise sizes.TooSlow
        if found.name == "chat_conversation":
            raise DatabaseError("permission denied")
        return measure(found, columns, now)

    monkeypatch.setattr(sizes, "measure", measured)

    gauge = measuring.measure(NOW)

    assert gauge.value["failed"] == {"chat_user": "", "chat_conversation": "DatabaseError: permission denied"}
    assert of().exists()
    assert not of("chat_user").exists()


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no schemas")
def test_a_table_in_a_schema_that_is_searched_has_the_name_that_its_model_gives_it(monkeypatch):
    monkeypatch.setattr(
        measuring.known, "models_by_table", lambda: {"public.chat_chatmessage": make.ChatMessage}
    )
    make.message()

    measuring.measure(NOW)

    assert of("public.chat_chatmessage").get().ages["created_at"]["rows"] == 1
