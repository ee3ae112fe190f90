"""Put back rows that refer to each other in a circle: none of them can be inserted before the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import transaction

from housekeeping.database import chosen
from housekeeping.database.chosen import connection
from housekeeping.engine import cascade, packing
from housekeeping.engine.restore.contents import label_of
from housekeeping.engine.restore.insertion import KEY_TAKEN, VALUE_TAKEN, Insertion
from housekeeping.engine.restore.progress import Restored


def tied(insertions: Sequence[Insertion]) -> list[list[Insertion]]:
    """The archives of a batch in the order in which they are put back, those of a circle together.

    A circle: rows of one of them go with rows that are in itself, or in one that is put back after it.
    """
    whole = [each for each in insertions if not each.archived.emptied]
    places = {each.label: number for number, each in enumerate(whole)}
    ends = [max([number, *_targets(each, places)]) for number, each in enumerate(whole)]
    groups: list[list[Insertion]] = []
    open_until = -1
    for number, each in enumerate(whole):
        if number <= open_until:
            groups[-1].append(each)
        else:
            groups.append([each])
        open_until = max(open_until, ends[number])
    return [*groups, *([each] for each in insertions if each.archived.emptied)]


def _targets(insertion: Insertion, places: dict[str, int]) -> list[int]:
    return [places[label] for label in _tying(insertion) if label in places]


def _tying(insertion: Insertion) -> list[str]:
    """The tables that its rows go with, and whose rows go with its rows."""
    links = [cascade.Link(insertion.model, link) for _, link, _ in insertion.links]
    owners = [link.owner for link in links if link.is_cascade]
    owners += [generic.owner for *_, generic in insertion.generics]
    below = cascade.tables(insertion.model) if owners else []
    return [label_of(owner) for owner in owners if owner in below]


def is_circle(insertions: Sequence[Insertion]) -> bool:
    first = insertions[0]
    return len(insertions) > 1 or (not first.archived.emptied and first.label in _tying(first))


class Knot:
    """The archives of a circle in one batch."""

    def __init__(self, insertions: Sequence[Insertion]) -> None:
        self.insertions = insertions
        self.left: dict[Insertion, dict[str, str]] = {each: {} for each in insertions}

    def put_back(self, more: Restored) -> None:
        """Put back the rows that can come back together, and count them in ``more``."""
        with connection.cursor() as cursor:
            if len(self.insertions) == 1 and self.insertions[0].put_back_whole(cursor, more):
                return
            self._let_constraints_wait(cursor)
            for number, each in enumerate(self.insertions):
                each.circle = self.insertions
                each.staged = f"restoring_{number}"
                each.stage(cursor)
                self._index(cursor, each)
                self._leave(each, self._with_a_taken_key(cursor, each), KEY_TAKEN, more)
            while not self._insert(cursor, more):
                pass
            for each in self.insertions:
                each.finish(cursor, self.left[each], more)
                cursor.execute(f"DROP TABLE {each.staged}")

    def _let_constraints_wait(self, cursor: Any) -> None:
        """An archive that was put back before in this transaction may have made them immediate."""
        if connection.vendor == "postgresql":
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")

    def _index(self, cursor: Any, each: Insertion) -> None:
        """Each row looks for the row that it refers to: without an index, it would read all of them."""
        for at in (0, *(at for at, _ in each.referred)):
            column = packing.quoted(each.names[at])
            cursor.execute(f"CREATE INDEX {each.staged}_{at} ON {each.staged} ({column})")
            if connection.vendor == "postgresql":
                cursor.execute(f"ANALYZE {each.staged}")

    def _insert(self, cursor: Any, more: Restored) -> bool:
        """Insert what refers to nothing that is missing. Returns whether all of it is in.

        A row whose unique value is taken does not get in, and those below it must not either: then none
        does, and the next try is without them.
        """
        while sum(self._without_owner(cursor, each, more) for each in self.insertions):
            pass
        refused: dict[Insertion, set[Any]] = {}
        with transaction.atomic(using=chosen.alias()):
            for each in self.insertions:
                inserted = each.insert_staged(cursor)
                if missing := each.staged_keys(cursor) - inserted:
                    refused[each] = missing
            if refused:
                transaction.set_rollback(True, using=chosen.alias())
        for each, keys in refused.items():
            where, values = packing.among(each.key, sorted(keys))
            cursor.execute(f"DELETE FROM {each.staged} WHERE {where}", values)
            self._leave(each, {str(key) for key in keys}, VALUE_TAKEN, more)
        return not refused

    def _with_a_taken_key(self, cursor: Any, each: Insertion) -> set[str]:
        there = f"EXISTS (SELECT 1 FROM {each.table} t WHERE t.{each.key} = {each.staged}.{each.key})"
        cursor.execute(f"DELETE FROM {each.staged} WHERE {there} RETURNING {each.key}")
        return {str(row[0]) for row in cursor.fetchall()}

    def _without_owner(self, cursor: Any, each: Insertion, more: Restored) -> int:
        """Leave the rows that refer to nothing, or to a stranger. Returns how many."""
        wheres, values = each.wheres(more)
        select = f"SELECT r.{each.key} FROM {each.staged} r WHERE {wheres}"
        cursor.execute(
            f"DELETE FROM {each.staged} WHERE {each.key} NOT IN ({select}) RETURNING {each.key}", values
        )
        gone = {str(row[0]) for row in cursor.fetchall()}
        self._leave(each, gone, each.gone, more)
        return len(gone)

    def _leave(self, each: Insertion, keys: set[str], why: str, more: Restored) -> None:
        if keys:
            self.left[each] |= dict.fromkeys(keys, why)
            each.add_absent(more.absent, ((key, row) for key, row in each.rows() if key in keys))
