"""The rows that go with some rows, as lines of JSON: read for an export, and again before they go."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import BooleanField, Case, Model, QuerySet, When

from housekeeping.database.chosen import connection
from housekeeping.engine import cascade, packing
from housekeeping.engine.cascade.closure import Row as Place
from housekeeping.engine.exports import values
from housekeeping.engine.exports.values import Field

AT_ONCE = 2_000  # keys in one query
MARK = 16  # bytes of a digest that tells whether a row has changed


def fields(model: type[Model]) -> list[Field]:
    """The columns of a table that are exported, its key first."""
    return packing.columns(model)


def mark(table: str, line: bytes) -> bytes:
    """What tells later whether a row is still the same."""
    return hashlib.blake2b(line, digest_size=MARK, key=hashlib.sha256(table.encode()).digest()).digest()


@dataclass(frozen=True)
class Table:
    """What an export has a file of: whole rows, or, of rows that stay, a key that a delete empties."""

    model: type[Model]
    emptied: cascade.Link | None = None

    @property
    def name(self) -> str:
        label = self.model._meta.label
        return f"{label}.{self.emptied.name}" if self.emptied else label

    @property
    def fields(self) -> list[Field]:
        """The columns that are exported, the key first."""
        return [packing.key_of(self.model), self.emptied.field] if self.emptied else fields(self.model)


class Reach:
    """The rows with the given keys, and, unless ``is_alone``, all rows that are deleted with them."""

    def __init__(
        self, model: type[Model], keys: Sequence[Any], *, is_alone: bool, is_locking: bool = False
    ) -> None:
        self.model, self.is_alone, self.is_locking = model, is_alone, is_locking
        self.closure = cascade.Closure(model, is_locking=is_locking, is_kept=True)
        if is_alone:
            self.closure.found[cascade.Node(model)] = dict.fromkeys(keys)
        else:
            self.closure.add(keys)
        self.met: dict[type[Model], set[Any]] = {}  # the keys of the rows that were read

    def tables(self) -> list[Table]:
        """First those of whole rows in the order of deletion, each after those whose rows refer to it."""
        leaves = dict.fromkeys(edge.model for edge, _ in self.closure.leaves)
        models = [*leaves, *(model for model in self.closure.order() if model not in leaves)]
        links = (
            [] if self.is_alone else [link for model in self.closure.rows for link in cascade.links(model)]
        )
        return [*map(Table, models), *(Table(link.model, link) for link in links if link.is_emptied)]

    def rows(self, table: Table) -> Iterator[tuple[tuple[Any, ...], bytes]]:
        """The rows of a table, each once, with its line of JSON. Call it in the order of the tables."""
        met = set[Any]() if table.emptied else self.met.setdefault(table.model, set())
        gone = self.met.get(table.model, ()) if table.emptied else ()
        for _, row, line in self._each(table):
            if row[0] not in met and row[0] not in gone:
                met.add(row[0])
                yield row, line

    def changed(self, table: Table, is_known: Callable[[bytes], bool]) -> set[Any]:
        """The given keys with a row of this table that is not as it was. In the order of the tables."""
        places, gone = [], self.met.get(table.model, ()) if table.emptied else ()
        for place, row, line in self._each(table):
            if not table.emptied:
                self.met.setdefault(table.model, set()).add(row[0])
            if row[0] not in gone and not is_known(mark(table.name, line)):
                places.append(place)
        return self.closure.roots_of(places)

    def _each(self, table: Table) -> Iterator[tuple[Place, tuple[Any, ...], bytes]]:
        """Each row, with a row of the closure that leads to it: itself, or the one that it refers to."""
        columns = table.fields
        names = [str(field.attname) for field in columns]
        nulls = {f"is_null_{at}": at for at, field in enumerate(columns) if values.may_be_either(field)}
        are_null = {name: _is_json_null(names[at]) for name, at in nulls.items()}
        for rows, place_of in self._queries(table):
            found = self._locked(rows).annotate(**are_null).values_list(*names, *are_null)
            for each in found.iterator(chunk_size=AT_ONCE):
                row = each[: len(names)]
                for at, is_null in zip(nulls.values(), each[len(names) :], strict=True):
                    row = (*row[:at], values.JSON_NULL, *row[at + 1 :]) if is_null else row
                yield place_of(dict(zip(names, row, strict=True))), row, values.line(columns, row)

    def _queries(self, table: Table) -> Iterator[tuple[QuerySet[Any], Callable[[dict[str, Any]], Place]]]:
        pk = str(packing.key_of(table.model).attname)
        if table.emptied:
            yield from self._along(
                table.emptied, table.emptied.values(self.closure.keys(table.emptied.owner))
            )
            return
        for keys in packing.parts(self.closure.keys(table.model), AT_ONCE):
            rows = cascade.rows_of(table.model).filter(packing.Among("pk", keys)).order_by()
            yield rows, lambda row: (table.model, row[pk])
        for edge, owners in self.closure.leaves:
            if edge.model is table.model:
                yield from self._along(edge, owners)

    def _along(
        self, edge: cascade.Edge, owners: Mapping[Any, Any]
    ) -> Iterator[tuple[QuerySet[Any], Callable[[dict[str, Any]], Place]]]:
        pk = str(packing.key_of(edge.model).attname)
        name = pk if edge.name == "pk" else edge.name
        for part in packing.parts(owners, AT_ONCE):
            yield edge.rows(part), lambda row: (edge.owner, owners[row[name]])

    def _locked(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        is_lockable = self.is_locking and connection.features.has_select_for_update
        return rows.select_for_update() if is_lockable else rows


def _is_json_null(name: str) -> Case:
    return Case(When(**{name: values.JSON_NULL}, then=True), default=False, output_field=BooleanField())
