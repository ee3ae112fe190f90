"""The tables as they were measured last, with their growth. Only saved rows are read.

Growth is the difference between the newest measurement and the oldest one of the last GROWTH_DAYS, divided
by the time between them. It is known once this time is a day. A purge counts like any other change: a table
that is purged as fast as it is filled does not grow.
"""

import math
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Max, Model, Q
from django.utils.translation import gettext

from housekeeping.database import stored
from housekeeping.exceptions import BadSize, UnknownTable
from housekeeping.journal import tallies
from housekeeping.models import Gauge, TableSize
from housekeeping.reading.tables import known
from housekeeping.reading.tables.known import Cover
from housekeeping.reading.tables.measuring import GAUGE

GROWTH_DAYS = 30
SORTS = ("size", "growth", "rows", "name")
UNITS = {"B": 0, "KB": 1, "MB": 2, "GB": 3, "TB": 4}
SIZE = r"[1-9][0-9]{0,5}(\.[0-9]{1,3})?\s?[KMGTkmgt]?[Bb]"  # how a size is written
FAR_DAYS = 36_500  # later is never


@dataclass(frozen=True)
class Growth:
    """Per day. ``bytes``: None if the database does not tell them."""

    bytes: float | None
    rows: float | None
    days: float


@dataclass(frozen=True)
class TableCard:
    size: TableSize
    model: type[Model] | None
    covers: list[Cover]
    growth: Growth | None
    history: list[int]  # bytes by day, or rows without bytes
    failure: str | None = None  # why it was not measured this time; None if it was
    until: int | None = None

    @property
    def name(self) -> str:
        return self.size.table

    @property
    def database(self) -> str:
        return known.database_of(self.name)

    @property
    def label(self) -> str | None:
        """``chat.Conversation``; None for a table that no model has."""
        return self.model._meta.label if self.model else None

    @property
    def is_managed(self) -> bool:
        return self.model is not None and self.model._meta.managed

    @property
    def bytes_per_day(self) -> int | None:
        return None if self.growth is None or self.growth.bytes is None else round(self.growth.bytes)

    @property
    def rows_per_day(self) -> int | None:
        return None if self.growth is None or self.growth.rows is None else round(self.growth.rows)

    @property
    def is_growing(self) -> bool:
        return (self.bytes_per_day or 0) > 0 or (self.rows_per_day or 0) > 0

    @property
    def wants_policy(self) -> bool:
        """It grows, and no policy deletes from it."""
        return self.is_growing and not self.covers

    @property
    def days_until(self) -> int | None:
        """Until it has ``until`` bytes; None if it does not grow, or not within a century."""
        return days_until(self.until, self.size.bytes, self.growth)

    @property
    def ages(self) -> dict[str, dict[str, Any]]:
        return self.size.ages or {}


@dataclass(frozen=True)
class Database:
    """A whole database. ``bytes``, ``free_bytes``: None if not known. ``growth``: of all its tables together.

    ``uncovered``: its growing tables without a policy. ``failure``: why it could not be measured this time;
    None if it was.
    """

    alias: str = DEFAULT_DB_ALIAS
    bytes: int | None = None
    free_bytes: int | None = None
    growth: Growth | None = None
    uncovered: int = 0
    until: int | None = None
    failure: str | None = None

    @property
    def bytes_per_day(self) -> int | None:
        return None if self.growth is None or self.growth.bytes is None else round(self.growth.bytes)

    @property
    def days_until(self) -> int | None:
        """Until it has ``until`` bytes."""
        return days_until(self.until, self.bytes, self.growth)


@dataclass(frozen=True)
class Listing:
    """All tables. ``measured_at`` is None before the first measurement.

    ``databases``: that of our own tables first. ``failed``: the tables that could not be measured, each with
    the reason; empty if it took too long.
    """

    cards: list[TableCard]
    databases: list[Database]
    measured_at: datetime | None = None
    until: int | None = None
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def unmeasured(self) -> dict[str, str]:
        """Of ``failed``: those that have never been measured, so that they have no card."""
        there = {card.name for card in self.cards}
        return {name: text for name, text in self.failed.items() if name not in there}

    @property
    def own(self) -> Database:
        """The database of our own tables."""
        return self.databases[0]

    @property
    def largest(self) -> int:
        """Of the sizes that bars compare: bytes, or rows without bytes."""
        return max((weight(card) for card in self.cards), default=0)


def read(*, sort: str = "size", until: int | None = None) -> Listing:
    """Every table that was there at the last measurement. ``sort``: one of SORTS, the most first."""
    last = Gauge.objects.filter(name=GAUGE).first()
    if last is None:
        return Listing([], [Database(until=until)], until=until)
    cards = _cards(_newest(last), last, until)
    return Listing(
        sorted(cards, key=_KEYS[sort]), _databases(last, cards, until), last.measured_at, until, _failed(last)
    )


def card(name: str, *, until: int | None = None) -> TableCard:
    """Raises UnknownTable."""
    found = next((one for one in read(until=until).cards if one.name == name), None)
    if found is None:
        raise UnknownTable(name)
    return found


def newest() -> list[TableSize]:
    """The last size of each table, for a caller that needs no more."""
    last = Gauge.objects.filter(name=GAUGE).first()
    return sorted(_newest(last), key=lambda size: size.table) if last else []


def sizes_of(name: str) -> list[TableSize]:
    """All measurements of a table, oldest first."""
    return list(TableSize.objects.filter(table=name).order_by("day").defer("ages"))


def parse_size(text: str) -> int:
    """A size in bytes that a person wrote: ``10GB``, ``1.5 TB``. A KB has 1,024 bytes. Raises BadSize."""
    text = text.strip()
    if not re.fullmatch(SIZE, text, re.ASCII):
        raise BadSize(gettext("Write a size such as 500 MB, 10 GB or 2 TB."))
    number = text.rstrip("KMGTkmgtBb ")
    return int(float(number) * 1024 ** UNITS[text[len(number) :].strip().upper()])


def weight(card: TableCard) -> int:
    return (card.size.rows if card.size.bytes is None else card.size.bytes) or 0


def days_until(until: int | None, size: int | None, growth: Growth | None) -> int | None:
    if until is None or size is None:
        return None
    if size >= until:
        return 0
    if growth is None or not growth.bytes or growth.bytes < 0:
        return None
    days = math.ceil((until - size) / growth.bytes)
    return days if days <= FAR_DAYS else None


_KEYS: Mapping[str, Any] = {
    "size": lambda card: (-weight(card), card.name),
    "growth": lambda card: (-(card.bytes_per_day or 0), -(card.rows_per_day or 0), -weight(card), card.name),
    "rows": lambda card: (-(card.size.rows or 0), card.name),
    "name": lambda card: card.name,
}


def _newest(last: Gauge) -> list[TableSize]:
    """The measured tables, and the last sizes of those that could not be measured this time."""
    earlier = TableSize.objects.filter(table__in=list(_failed(last))).order_by("day")
    rows = [*earlier, *_unreachable(last), *TableSize.objects.filter(measured_at=last.measured_at)]
    return list({row.table: row for row in rows}.values())


def _unreachable(last: Gauge) -> list[TableSize]:
    """The last sizes of the tables in databases that could not be reached this time."""
    found: list[TableSize] = []
    for alias, facts in _others(last).items():
        if _error(facts) is not None:
            theirs = TableSize.objects.filter(table__startswith=known.name_of(alias, ""))
            if last_day := theirs.aggregate(last=Max("day"))["last"]:
                # Not by the moment: a table that was locked then has been measured before.
                found += theirs.filter(day__gte=last_day - timedelta(days=1)).order_by("day")
    return found


def _cards(rows: list[TableSize], last: Gauge, until: int | None) -> list[TableCard]:
    models, covers, past = known.models_by_table(), known.covers(), _past(rows)
    failed, others, found = _failed(last), _others(last), []
    for row in rows:
        growth, history = _growth(past[row.table], row)
        failure = failed.get(row.table, _error(others.get(known.database_of(row.table), {})))
        model, policies = models.get(row.table), covers.get(row.table, [])
        found.append(TableCard(row, model, policies, growth, history, failure, until))
    return found


def _databases(last: Gauge, cards: list[TableCard], until: int | None) -> list[Database]:
    def database(alias: str, facts: Mapping[str, Any]) -> Database:
        theirs = [card for card in cards if card.database == alias]
        return Database(
            alias,
            bytes=_count(facts.get("bytes")),
            free_bytes=_count(facts.get("free_bytes")),
            growth=_together(theirs),
            uncovered=sum(card.wants_policy for card in theirs),
            until=until,
            failure=_error(facts),
        )

    return [
        database(DEFAULT_DB_ALIAS, _value(last)),
        *(database(alias, facts) for alias, facts in _others(last).items()),
    ]


Past = tuple[datetime, int | None, int | None]  # when, bytes, rows


def _past(rows: list[TableSize]) -> Mapping[str, list[Past]]:
    """The measurements of the last GROWTH_DAYS, by table, oldest first."""
    past: dict[str, list[Past]] = defaultdict(list)
    if rows:
        newest = max(row.measured_at for row in rows)
        first = tallies.day_of(newest - timedelta(days=GROWTH_DAYS))
        found = TableSize.objects.filter(Q(day__gte=first) & Q(measured_at__lte=newest)).order_by("day")
        for table, at, size, count in found.values_list("table", "measured_at", "bytes", "rows"):
            past[table].append((at, size, count))
    return past


def _growth(past: list[Past], row: TableSize) -> tuple[Growth | None, list[int]]:
    has_bytes = row.bytes is not None
    history = [(size if has_bytes else rows) or 0 for _at, size, rows in past]
    if not past:
        return None, history
    at, size, rows = past[0]
    days = (row.measured_at - at) / timedelta(days=1)
    if days < 1:
        return None, history
    return Growth(_per_day(size, row.bytes, days), _per_day(rows, row.rows, days), days), history


def _per_day(before: int | None, now: int | None, days: float) -> float | None:
    return None if before is None or now is None else (now - before) / days


def _together(cards: list[TableCard]) -> Growth | None:
    known_ones = [card.growth for card in cards if card.growth]
    if not known_ones:
        return None
    sizes = [growth.bytes for growth in known_ones if growth.bytes is not None]
    rows = [growth.rows for growth in known_ones if growth.rows is not None]
    longest = max(growth.days for growth in known_ones)
    return Growth(sum(sizes) if sizes else None, sum(rows) if rows else None, longest)


def _value(gauge: Gauge) -> dict[str, Any]:
    return gauge.value if isinstance(gauge.value, dict) else {}


def _others(gauge: Gauge) -> dict[str, dict[str, Any]]:
    """The databases besides our own: the size of each, or under ``error`` why it could not be measured."""
    others = _value(gauge).get("databases")
    found = others.items() if isinstance(others, dict) else ()
    return {alias: facts for alias, facts in found if isinstance(facts, dict)}


def _error(facts: Mapping[str, Any]) -> str | None:
    error = facts.get("error")
    return error if isinstance(error, str) else None


def _failed(gauge: Gauge) -> dict[str, str]:
    """The tables that could not be measured, each with the reason; empty if it took too long."""
    failed = _value(gauge).get("failed")
    found = failed.items() if isinstance(failed, dict) else ()
    return {name: text for name, text in found if isinstance(text, str)}


def _count(value: Any) -> int | None:
    return value if stored.is_count(value) else None
