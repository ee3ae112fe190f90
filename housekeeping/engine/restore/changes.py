"""Set back the values of rows that stayed and were changed, value by value.

A value is set back only if the row still has the one that the run gave it. A column that somebody has
changed since keeps what it has, and its row stays in the archive.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from copy import copy
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Field

from housekeeping.database import chosen
from housekeeping.database.chosen import connection
from housekeeping.engine import cascade, packing
from housekeeping.engine.ends.values import check_deferred
from housekeeping.engine.restore.contents import place_of
from housekeeping.engine.restore.insertion import ROW_GONE, VALUE_TAKEN, Insertion
from housekeeping.engine.restore.progress import Restored

# What becomes of a value: it is there already, is set back, or stays away as another was set, or as the row
# that it refers to is gone.
THERE, BACK, OTHER, DANGLING = range(4)


class Change(Insertion):
    """One archive of changed rows. Staged, they have their new values as well, as ``=0``, ``=1``, …"""

    @property
    def name(self) -> str:
        return self.archived.model

    def put_back(self, more: Restored) -> None:
        """Set its values back, and count the rows that have all of theirs in ``more``."""
        with connection.cursor() as cursor:
            self.stage(cursor)
            why, back = self._set_back(cursor, self._states(cursor, more))
            cursor.execute(f"DROP TABLE {self.staged}")
            self._hold(back)
        self.held = [cascade.written_key(self.model, key) for key in back]
        self._settle(why, more)

    # --- Read -----------------------------------------------------------------------------------

    @property
    def changed(self) -> list[Field[Any, Any]]:
        return self.fields[1:]

    def _columns(self) -> Iterator[tuple[Field[Any, Any], Field[Any, Any]]]:
        """Each changed column, and the staged one with the value that it got."""
        for number, field in enumerate(self.changed):
            got = copy(field)
            got.column = f"={number}"
            yield field, got

    def stage(self, cursor: Any) -> None:
        names = [packing.names(self.fields)]
        names += [f"{packing.names([field])} AS {packing.names([got])}" for field, got in self._columns()]
        cursor.execute(
            f"CREATE TEMPORARY TABLE {self.staged} AS SELECT {', '.join(names)} FROM {self.table} LIMIT 0"
        )
        self.unpack(cursor, [*self.fields, *(got for _, got in self._columns())])

    def _states(self, cursor: Any, more: Restored) -> dict[Any, tuple[int, ...] | None]:
        """By key, as the database has it, what becomes of each value. None: the row is gone."""
        if connection.features.has_select_for_update:
            cursor.execute(
                f"SELECT 1 FROM {self.table} t WHERE {self.key} IN (SELECT {self.key} FROM {self.staged})"
                " FOR UPDATE"
            )
        cases, values = [f"r.{self.key}", f"t.{self.key}"], list[Any]()
        for field, got in self._columns():
            name = packing.names([field])
            is_whole, parameters = self._may_refer(field, more)
            cases.append(
                f"CASE WHEN {_same(f't.{name}', f'r.{name}')} THEN {THERE}"
                f" WHEN NOT ({_same(f't.{name}', f'r.{packing.names([got])}')}) THEN {OTHER}"
                f" WHEN {is_whole} THEN {BACK} ELSE {DANGLING} END"
            )
            values += parameters
        cursor.execute(
            f"SELECT {', '.join(cases)} FROM {self.staged} r"
            f" LEFT JOIN {self.table} t ON t.{self.key} = r.{self.key}",
            values,
        )
        return {key: None if here is None else tuple(states) for key, here, *states in cursor.fetchall()}

    def _may_refer(self, field: Field[Any, Any], more: Restored) -> tuple[str, list[Any]]:
        """The condition that an old value refers to the same row as before, where it is a foreign key."""
        wheres, values = ["true"], list[Any]()
        for link in (link for _, link, _ in self.links if link is field):
            name, target = packing.names([link]), link.related_model
            key = packing.names([link.target_field])
            if getattr(link, "db_constraint", True):
                there = f"EXISTS (SELECT 1 FROM {packing.table(target)} o WHERE o.{key} = r.{name})"
                wheres.append(f"(r.{name} IS NULL OR {there})")
            for where, keys in self.no_stranger(str(link.column), target, place_of(link), more):
                wheres.append(where)
                values += keys
        return " AND ".join(wheres), values

    # --- Write ----------------------------------------------------------------------------------

    def _set_back(
        self, cursor: Any, states: dict[Any, tuple[int, ...] | None]
    ) -> tuple[dict[str, str], list[Any]]:
        """By key as text, why rows did not get all of their values; and the keys of those that got some."""
        why = {str(key): ROW_GONE for key, found in states.items() if found is None}
        alike: dict[tuple[int, ...], list[Any]] = defaultdict(list)
        for key, found in states.items():
            if found is not None:
                alike[tuple(max(BACK, state) for state in found)].append(key)
        back: list[Any] = []
        for kinds, keys in alike.items():
            fields = [field for field, kind in zip(self.changed, kinds, strict=True) if kind == BACK]
            refused = self._update(cursor, fields, keys) if fields else keys
            if fields:
                why |= {str(key): VALUE_TAKEN for key in refused}
                back += [key for key in keys if key not in {*refused}]
            if reason := self._reason_of(kinds):
                why |= {str(key): reason for key in keys}
        return why, back

    def _reason_of(self, kinds: Sequence[int]) -> str:
        def names(kind: int) -> str:
            return ", ".join(self.names[at] for at, one in enumerate(kinds, 1) if one == kind)

        told = []
        if others := names(OTHER):
            told.append(f"{others} was set to another since")
        if dangling := names(DANGLING):
            told.append(f"the row that {dangling} refers to is gone")
        return "; ".join(told)

    def _update(self, cursor: Any, fields: Sequence[Field[Any, Any]], keys: list[Any]) -> list[Any]:
        """Set these columns of these rows. Returns the keys of rows with a unique value that is taken.

        Rows may wait for each other: one has a value now that another one had before.
        """
        left = self._halve(cursor, fields, keys)
        while left and left != (again := self._halve(cursor, fields, left)):
            left = again
        return left

    def _halve(self, cursor: Any, fields: Sequence[Field[Any, Any]], keys: list[Any]) -> list[Any]:
        try:
            with transaction.atomic(using=chosen.alias()):
                self._update_all(cursor, fields, keys)
        except IntegrityError:
            if len(keys) == 1:
                return keys
            half = len(keys) // 2
            first = self._halve(cursor, fields, keys[:half])
            return [*first, *self._halve(cursor, fields, keys[half:])]
        return []

    def _update_all(self, cursor: Any, fields: Sequence[Field[Any, Any]], keys: list[Any]) -> None:
        among, values = packing.among(f"r.{self.key}", keys)
        sets = ", ".join(f"{packing.names([field])} = r.{packing.names([field])}" for field in fields)
        cursor.execute(
            f"UPDATE {self.table} SET {sets} FROM {self.staged} r"
            f" WHERE {self.table}.{self.key} = r.{self.key} AND {among}",
            values,
        )
        check_deferred(self.model)

    def _settle(self, why: dict[str, str], more: Restored) -> None:
        """Count the rows, and let the archive hold those that did not get all of their values."""
        rest = [(key, row) for key, row in self.rows() if key in why]
        self._count(self.archived.rows - len(rest), more)
        for key, _ in rest:
            more.left[f"{self.name}: {why[key]}"] += 1
        if rest and len(rest) < self.archived.rows:
            self.stayed = [key for key, _ in rest]
            self.reduce_to([row for _, row in rest])


def _same(one: str, other: str) -> str:
    """Whether two values are the same, also to a column that takes other texts for the same.

    PostgreSQL compares them as texts: not every type has an equality.
    """
    if connection.vendor == "postgresql":
        return f'CAST({one} AS text) COLLATE "C" IS NOT DISTINCT FROM CAST({other} AS text)'
    return f"{one} IS {other} COLLATE BINARY"
