"""Put the rows of one archive back into their table.

The SQL here is composed of what a table refers to, and moves whole batches inside the database. As
model instances, rows would take many times as long.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import DataError, IntegrityError, transaction
from django.db.models import Field, Model

from housekeeping.database import chosen
from housekeeping.database.chosen import connection
from housekeeping.engine import archive, cascade, holds, packing
from housekeeping.engine.packing import quoted
from housekeeping.engine.restore.contents import Contents, label_of
from housekeeping.engine.restore.holding import hold
from housekeeping.engine.restore.progress import Restored
from housekeeping.models import Archive, Hold, Run


@dataclass
class Terms:
    """What an undo has to know for every row: ``run`` undoes ``purged``, and holds rows ``held_until``.

    ``doubtful``: the tables of which a damaged archive held unknown keys.
    """

    purged: Run
    run: Run
    held_until: datetime
    doubtful: set[str]
    _enforced: dict[tuple[str, type[Model]], dict[str, str]] = field(default_factory=dict)

    def enforced(self, model: type[Model]) -> dict[str, str]:
        """The columns of a table whose foreign keys the database enforces, each with its constraint."""
        at = chosen.alias(), model
        if at not in self._enforced:
            with connection.cursor() as cursor:
                found = connection.introspection.get_constraints(cursor, model._meta.db_table)
            foreign_keys = {name: facts for name, facts in found.items() if facts["foreign_key"]}
            self._enforced[at] = {facts["columns"][0]: name for name, facts in foreign_keys.items()}
        return self._enforced[at]


KEY_TAKEN = "its key is taken by another row"
VALUE_TAKEN = "a unique value of it is taken by another row"
ROW_GONE = "its row is gone"
GONE = "the row that it refers to is gone"


class _NotWhole(Exception):
    """Not every row of an archive can come back as it is packed."""


class Insertion(Contents):
    """One archive on its way back into its table. ``done``: what earlier transactions have put back."""

    def __init__(self, archived: Archive, terms: Terms, done: Restored) -> None:
        super().__init__(archived)
        self.terms, self.done = terms, done
        # The keys that stay archived, once it is dealt with; None if all of them do.
        self.stayed: list[str] | None = None
        # The keys of rows that it holds; None if that is all that did not stay, or none of them.
        self.held: list[str] | None = None
        # Of the same batch: archives of doubtful tables, which its own rows may refer to.
        self.beside: list[Insertion] = []
        # The temporary table for rows that may not come back, and the archives that refer to it in a circle.
        self.staged = "restoring"
        self.circle: Sequence[Insertion] = ()

    @property
    def is_doubtful(self) -> bool:
        return self.label in self.terms.doubtful

    def put_back(self, more: Restored) -> None:
        """Insert its rows, or set its foreign keys again, and count them in ``more``."""
        with connection.cursor() as cursor:
            if not self.put_back_whole(cursor, more):
                self.stage(cursor)
                self._put_back_in_part(cursor, more)
                cursor.execute("DROP TABLE restoring")

    # --- All rows at once -----------------------------------------------------------------------

    def put_back_whole(self, cursor: Any, more: Restored) -> bool:
        """Insert all of its rows as they are packed, or none of them. Returns whether they are back.

        A table in between, and RETURNING for each key, would take twice as long.
        """
        if self.archived.emptied:
            return False
        try:
            with transaction.atomic(using=chosen.alias()):
                self._insert_packed(cursor, more)
        except (_NotWhole, IntegrityError, DataError, UnicodeError):
            return False
        if self.archived.is_own:
            self._hold(self.row_keys())
        self._count(self.archived.rows, more)
        return True

    def _insert_packed(self, cursor: Any, more: Restored) -> None:
        owners = [label_of(generic.owner) for *_, generic in self.generics]
        places = [*(place for *_, place in self.links), *owners]
        if any(self._absent(place, more) for place in places) or self._may_refer_to_doubtful(owners):
            raise _NotWhole
        if connection.vendor == "postgresql":
            self._copy(cursor)
        elif query := packing.query_of(self.packed, self.fields):
            cursor.execute(*self._insert(more, f"({query})", [self.packed]))
        else:
            raise _NotWhole
        if cursor.rowcount != self.archived.rows:
            raise _NotWhole

    def _may_refer_to_doubtful(self, owners: Sequence[str]) -> bool:
        referred = [label_of(link.related_model) for _, link, _ in self.links]
        return not self.terms.doubtful.isdisjoint([*referred, *owners])

    def _copy(self, cursor: Any) -> None:
        """If the database enforces all foreign keys, let it refuse a row that refers to nothing."""
        enforced = self.terms.enforced(self.model)
        referring = {field.column for _, field, _ in self.links if getattr(field, "db_constraint", True)}
        if self.added or not referring <= enforced.keys():
            raise _NotWhole
        if enforced:
            names = ", ".join(quoted(name) for name in enforced.values())
            cursor.execute(f"SET CONSTRAINTS {names} IMMEDIATE")
        packing.copy_in(cursor, self.table, self.fields, self.packed)

    # --- Those that can come back ---------------------------------------------------------------

    def stage(self, cursor: Any) -> None:
        """Unpack its rows into a temporary table, which has none of the constraints of the real one."""
        names, into = packing.names(self.fields), self.staged
        cursor.execute(f"CREATE TEMPORARY TABLE {into} AS SELECT {names} FROM {self.table} LIMIT 0")
        self.unpack(cursor, self.fields)

    def unpack(self, cursor: Any, fields: Sequence[Field[Any, Any]]) -> None:
        """Insert its rows, which have ``fields``, into the temporary table."""
        names, into = packing.names(fields), self.staged
        if connection.vendor == "postgresql":
            packing.copy_in(cursor, into, fields, self.packed)
        elif query := packing.query_of(self.packed, fields):
            cursor.execute(f"INSERT INTO {into} ({names}) {query}", [self.packed])
        else:
            places = ", ".join(["%s"] * len(fields))
            rows = packing.as_stored(self.json_rows, fields)
            cursor.executemany(f"INSERT INTO {into} ({names}) VALUES ({places})", rows)

    def _put_back_in_part(self, cursor: Any, more: Restored) -> None:
        """Put back the rows that can come back, and leave the others in the archive."""
        query, values = self._relink(more) if self.archived.emptied else self._insert(more)
        cursor.execute(f"{query} RETURNING {self.table}.{self.key}", values)
        keys = [row[0] for row in cursor.fetchall()]
        if self.archived.is_own:
            self._hold(keys)
        self._count(len(keys), more)
        if len(keys) != self.archived.rows:
            self._leave_the_rest(cursor, {str(key) for key in keys}, more)

    def _count(self, rows: int, more: Restored) -> None:
        more.rows[self.name] += rows
        if rows == self.archived.rows:
            self.stayed = []
            Archive.objects.filter(pk=self.archived.pk).delete()
            more.archives += 1

    def _insert(
        self, more: Restored | None, source: str = "restoring", packed: Sequence[Any] = ()
    ) -> tuple[str, list[Any]]:
        values = self.defaults()
        names = packing.names([*self.fields, *self.added])
        columns = [*(f"r.{packing.names([each])}" for each in self.fields), *["%s"] * len(values)]
        select = f"SELECT {', '.join(columns)} FROM {source} r"
        wheres, keys = self.wheres(more) if more else ("true", [])
        query = f"INSERT INTO {self.table} ({names}) {select} WHERE {wheres}"
        return f"{query} ON CONFLICT DO NOTHING", [*values, *packed, *keys]

    def _relink(self, more: Restored) -> tuple[str, list[Any]]:
        """Set an emptied foreign key again, where its row still exists and nobody has set another key."""
        name, fallback = quoted(self.names[1]), archive.fallback(self.archived)
        is_ours, ours = f"{self.table}.{name} IS NULL", list[Any]()
        if fallback is not None:
            key = cascade.value_field(self.fields[1]).to_python(fallback)
            is_ours, ours = f"{self.table}.{name} = %s", packing.stored_keys(self.fields[1], [key])
        wheres, values = self.wheres(more)
        for where, keys in self.no_stranger(self.names[0], self.model, self.label, more):
            wheres, values = f"{wheres} AND {where}", [*values, *keys]
        return (
            f"UPDATE {self.table} SET {name} = r.{name} FROM restoring r"
            f" WHERE {self.table}.{self.key} = r.{self.key} AND {is_ours} AND {wheres}"
        ), [*ours, *values]

    # --- In a circle (knots.py) -----------------------------------------------------------------

    def insert_staged(self, cursor: Any) -> set[Any]:
        """Insert all staged rows whose key and unique values are free. Returns the keys."""
        query, values = self._insert(None, self.staged)
        cursor.execute(f"{query} RETURNING {self.table}.{self.key}", values)
        return {row[0] for row in cursor.fetchall()}

    def staged_keys(self, cursor: Any) -> set[Any]:
        cursor.execute(f"SELECT {self.key} FROM {self.staged}")
        return {row[0] for row in cursor.fetchall()}

    def finish(self, cursor: Any, left: Mapping[str, str], more: Restored) -> None:
        """Count the rows that came back, hold them, and leave the others in the archive: ``left`` has why."""
        keys = list(self.staged_keys(cursor))
        if self.archived.is_own:
            self._hold(keys)
        self._count(len(keys), more)
        for why in left.values():
            more.left[f"{self.name}: {why}"] += 1
        if keys and left:
            self.stayed = list(left)
            self.reduce_to([row for key, row in self.rows() if key in left])

    # --- Conditions on the rows that it refers to -----------------------------------------------

    def wheres(self, more: Restored) -> tuple[str, list[Any]]:
        """Conditions: the rows that a row refers to exist, and are the same as before the purge."""
        wheres, values = ["true"], []
        for _, link, place in self.links:
            name, target = packing.names([link]), link.related_model
            key = packing.names([link.target_field])
            there = f"EXISTS (SELECT 1 FROM {packing.table(target)} t WHERE t.{key} = r.{name})"
            for beside in self.circle:
                if beside.label == label_of(target):
                    there += f" OR EXISTS (SELECT 1 FROM {beside.staged} t WHERE t.{key} = r.{name})"
            if getattr(link, "db_constraint", True):  # without one, it may have referred to nothing before
                wheres.append(f"(r.{name} IS NULL OR {there})")
            for where, keys in self.no_stranger(str(link.column), target, place, more):
                wheres.append(where)
                values += keys
        for where, keys in self._no_stranger_named(more):
            wheres.append(where)
            values += keys
        return " AND ".join(wheres), values

    def _no_stranger_named(self, more: Restored) -> Iterator[tuple[str, list[Any]]]:
        """The same for the rows that a row names by a content type and a key.

        Nothing but the cascade looks after such keys: they may name a row that was gone before.
        """
        for kind, at, generic in self.generics:
            label = label_of(generic.owner)
            is_named = (
                f"r.{quoted(self.names[kind])} = {generic.content_type or 0} AND r.{quoted(self.names[at])}"
            )
            if absent := self._absent(label, more):
                stored = [value for key in sorted(absent) if (value := generic.stored(key)) is not None]
                among, keys = packing.among(f"r.{quoted(self.names[at])}", stored)
                yield f"NOT ({is_named} IS NOT NULL AND {among})", keys
            if label in self.terms.doubtful:
                beside = [key for other in self.beside if other.label == label for key in other.row_keys()]
                stored = [value for key in sorted(beside) if (value := generic.stored(key)) is not None]
                among, keys = packing.among(f"r.{quoted(self.names[at])}", stored)
                yield f"NOT ({is_named} IS NOT NULL AND NOT {among})", keys

    def no_stranger(
        self, column: str, model: type[Model], place: str, more: Restored
    ) -> Iterator[tuple[str, list[Any]]]:
        """Conditions: the row of ``model`` that ``column`` refers to at ``place`` is the one from before."""
        name = quoted(column)
        if absent := self._absent(place, more):
            among, keys = packing.among(f"CAST(r.{name} AS varchar)", sorted(absent))
            yield f"(r.{name} IS NULL OR NOT {among})", keys
        if label_of(model) in self.terms.doubtful:
            back = self._back(column, model) if place == label_of(model) else self._back_beside(place)
            among, keys = packing.among(f"CAST(r.{name} AS varchar)", back)
            yield f"(r.{name} IS NULL OR {among})", keys

    def _absent(self, place: str, more: Restored) -> set[str]:
        """The keys of rows that did not come back. A row that has such a key now is a stranger."""
        return self.done.absent.get(place, set()) | more.absent.get(place, set())

    def _back(self, column: str, model: type[Model]) -> list[str]:
        """The keys in ``column``, as the database writes them, of rows that an undo of this run put back.

        These are the rows of its own batch, and the rows that such an undo holds.
        """
        label, name = label_of(model), quoted(column)
        found = {key for other in self.beside if other.label == label for key in other.row_keys()}
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT DISTINCT r.{name}, CAST(r.{name} AS varchar) FROM {self.staged} r")
            texts = {cascade.written_key(model, key): text for key, text in cursor if text}
        made = Hold.objects.filter(undo__undo_of=self.terms.purged)
        back = cascade.rows_of(model).filter(holds.named_by(model, made))
        keys = back.filter(pk__in=list(texts)).values_list("pk", flat=True)
        return sorted(found.union(texts[str(key)] for key in keys))

    def _back_beside(self, place: str) -> list[str]:
        """The values of another column than the key, in rows of its own batch."""
        nodes = [node for other in self.beside for _, row in other.rows() for node in other.other_nodes(row)]
        return sorted({value for where, _, value in nodes if where == place})

    # --- What comes with it ---------------------------------------------------------------------

    def _hold(self, keys: Sequence[Any]) -> None:
        terms = self.terms
        hold(self.model, self.archived, keys, undo=terms.run, until=terms.held_until)

    def _leave_the_rest(self, cursor: Any, back: set[str], more: Restored) -> None:
        """Count the rows that could not come back, and leave them in the archive for another try."""
        there = f"EXISTS (SELECT 1 FROM {self.table} t WHERE t.{self.key} = r.{self.key})"
        taken = self._staged(cursor, there) - back
        whole = self._staged(cursor, *self.wheres(more))
        rest = [(key, row) for key, row in self.rows() if key not in back]
        if not self.archived.emptied:
            self.add_absent(more.absent, rest)
        for key, _ in rest:
            more.left[f"{self.name}: {self._reason(key, taken, whole)}"] += 1
        if back:
            self.stayed = [key for key, _ in rest]
            self.reduce_to([row for _, row in rest])

    def _staged(self, cursor: Any, where: str, values: Sequence[Any] = ()) -> set[str]:
        cursor.execute(f"SELECT r.{self.key} FROM {self.staged} r WHERE {where}", values)
        return {str(row[0]) for row in cursor.fetchall()}

    def _reason(self, key: str, taken: set[str], whole: set[str]) -> str:
        if self.archived.emptied:
            return "its row is gone, or was set to another since"
        if key in taken:
            return KEY_TAKEN
        return VALUE_TAKEN if key in whole else self.gone

    @property
    def gone(self) -> str:
        return GONE + (", or not intact" if self.terms.doubtful else "")
