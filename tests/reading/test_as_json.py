"""Objects of JSON are written as they are declared."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from django.utils import timezone

from housekeeping.reading.as_json.fields import (
    GIVEN,
    STORED,
    AnyObject,
    Day,
    Id,
    Many,
    Map,
    Moment,
    Object,
    One,
    Stored,
    Text,
    Whole,
)

KEY = UUID("8f1c0000-0000-4000-8000-000000000000")
MOMENT = datetime(2025, 12, 17, 2, tzinfo=UTC)


@dataclass
class Ship:
    name: str = "Ada"
    flag: str = ""
    key: UUID | None = None
    sails_at: datetime | None = None
    built: date = date(1815, 12, 10)
    tender: "Ship | None" = None
    ports: tuple[str, ...] = ()
    log: tuple[datetime, ...] = ()


class Small(Object[Ship]):
    name = Text()


class Large(Small):
    flag = Text(nullable=True)
    key = Id(nullable=True)
    sails_at = Moment(nullable=True)
    built = Day()
    tender = One(Small, nullable=True)
    of_tender = Text(lambda ship: ship.tender.name if ship.tender else None, nullable=True)
    ports = Many(Text())
    log = Many(Moment())


def test_what_is_absent_is_null():
    assert Large.of(Ship()) == {
        "name": "Ada",
        "flag": None,
        "key": None,
        "sails_at": None,
        "built": "1815-12-10",
        "tender": None,
        "of_tender": None,
        "ports": [],
        "log": [],
    }


def test_what_is_no_json_is_written_as_text_lists_and_objects():
    ship = Ship(flag="DE", key=KEY, sails_at=MOMENT, tender=Ship("Eve"), ports=("Kiel",), log=(MOMENT,))

    facts = Large.of(ship)

    assert (facts["flag"], facts["key"]) == ("DE", str(KEY))
    assert facts["sails_at"] == facts["log"][0] == "2025-12-17T02:00:00+00:00"
    assert (facts["tender"], facts["of_tender"], facts["ports"]) == ({"name": "Eve"}, "Eve", ["Kiel"])


def test_moments_are_in_the_zone_of_the_site(settings):
    settings.TIME_ZONE = "Asia/Tokyo"

    with timezone.override("America/New_York"):  # for a visitor
        facts = Large.of(Ship(sails_at=MOMENT, log=(MOMENT,)))

    assert facts["sails_at"] == facts["log"][0] == "2025-12-17T11:00:00+09:00"


def test_fields_are_written_in_the_order_declared_with_those_inherited_first():
    assert list(Large.of(Ship())) == list(Large.declared)
    assert list(Large.declared)[:2] == ["name", "flag"]


class Berth(Object[Ship]):
    ship = Text("name")
    number = Whole(GIVEN)
    tender = Text("tender.name", help="Of its tender.")
    pilot = Text(lambda ship: ship.flag or None, optional=True)
    cargo = AnyObject(GIVEN, optional=True)


def test_a_value_that_is_given_stands_in_its_place():
    facts = Berth.of(Ship(tender=Ship("Eve")), number=7)

    assert list(facts.items()) == [("ship", "Ada"), ("number", 7), ("tender", "Eve")]


def test_what_is_optional_is_there_where_it_is_something():
    facts = Berth.of(Ship(tender=Ship(), flag="Mary"), number=7, cargo=None)

    assert (facts["pilot"], facts["cargo"]) == ("Mary", None)


def test_a_value_that_should_be_given_is_missed():
    with pytest.raises(TypeError, match="number"):
        Berth.of(Ship(tender=Ship()))


@dataclass
class Crate:
    value: dict[str, int]
    packed_at: datetime = MOMENT


class Contents(Stored[Crate]):
    stored = "value"
    apples = Whole(STORED)
    by_sort = Map(Whole(), STORED)
    packed_at = Moment()


def test_what_is_stored_as_json_is_passed_on_whatever_version_stored_it():
    assert Contents.of(Crate({"pears": 3})) == {"pears": 3, "packed_at": "2025-12-17T02:00:00+00:00"}
