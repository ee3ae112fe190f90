"""Put the rows of one archive back into their table.

The SQL here is composed of what a table refers to, and moves whole batches inside the database. As
model instances, rows would take many times as long.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import DataError, IntegrityError, connection, transaction
from django.db.models import Model

from housekeeping.database import clock
from housekeeping.engine import cascade, holds, packing
from housekeeping.engine.packing import quoted
from housekeeping.engine.restore.contents import Contents, label_of
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
    _enforced: dict[type[Model], dict[str, str]] = field(default_factory=dict)

    def enforced(self, model: type[Model]) -> dict[str, str]:
        """The columns of a table whose foreign keys the database enforces, each with its constraint."""
        if model not in self._enforced:
            with connection.cursor() as cursor:
                found = connection.introspection.get_constraints(cursor, model._meta.db_table)
            foreign_keys = {name: facts for name, facts in found.items() if facts["foreign_key"]}
            self._enforced[model] = {facts["columns"][0]: name for name, facts in foreign_keys.items()}
        return self._enforced[model]


class _NotWhole(Exception):
    """Not every row of an archive can come back as it is packed."""


class Insertion(Contents):
    """One archive on its way back into its table. ``done``: what earlier transactions have put back."""

    def __init__(self, archived: Archive, terms: Terms, done: Restored) -> None:
        super().__init__(archived)
        self.terms, self.done = terms, done
        # Of the same batch: archives of doubtful tables, which its own rows may refer to.
        self.beside: list[Insertion] = []

    @property
    def is_doubtful(self) -> bool:
        return self.label in self.terms.doubtful

    def put_back(self, more: Restored) -> None:
        """Insert its rows, or set its foreign keys again, and count them in ``more``."""
        with connection.cursor() as cursor:
            if not self._put_back_whole(cursor, more):
                self._stage(cursor)
                self._put_back_in_part(cursor, more)
                cursor.execute("DROP TABLE restoring")

    # --- All rows at once -----------------------------------------------------------------------

    def _put_back_whole(self, cursor: Any, more: Restored) -> bool:
        """Insert all of its rows as they are packed, or none of them. Returns whether they are back.

        A table in between, and RETURNING for each key, would take twice as long.
        """
        if self.archived.emptied:
            return False
        try:
            with transaction.atomic():
                self._insert_packed(cursor, more)
        except (_NotWhole, IntegrityError, DataError, UnicodeError):
            return False
        if self.archived.is_own:
            self._hold(cursor, self.row_keys())
        self._count(self.archived.rows, more)
        return True

    def _insert_packed(self, cursor: Any, more: Restored) -> None:
        if any(self._absent(label, more) or label in self.terms.doubtful for *_, label in self.links):
            raise _NotWhole
        if connection.vendor == "postgresql":
            self._copy(cursor)
        elif query := packing.query_of(self.packed, self.fields):
            cursor.execute(*self._insert(more, f"({query})", [self.packed]))
        else:
            raise _NotWhole
        if cursor.rowcount != self.archived.rows:
            raise _NotWhole

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

    def _stage(self, cursor: Any) -> None:
        """Unpack its rows into a temporary table, which has none of the constraints of the real one."""
        names = packing.names(self.fields)
        cursor.execute(f"CREATE TEMPORARY TABLE restoring AS SELECT {names} FROM {self.table} LIMIT 0")
        if connection.vendor == "postgresql":
            packing.copy_in(cursor, "restoring", self.fields, self.packed)
        elif query := packing.query_of(self.packed, self.fields):
            cursor.execute(f"INSERT INTO restoring ({names}) {query}", [self.packed])
        else:
            places = ", ".join(["%s"] * len(self.fields))
            rows = packing.as_stored(self.json_rows, self.fields)
            cursor.executemany(f"INSERT INTO restoring ({names}) VALUES ({places})", rows)

    def _put_back_in_part(self, cursor: Any, more: Restored) -> None:
        """Put back the rows that can come back, and leave the others in the archive."""
        query, values = self._relink(more) if self.archived.emptied else self._insert(more)
        cursor.execute(f"{query} RETURNING {self.table}.{self.key}", values)
        keys = [row[0] for row in cursor.fetchall()]
        if self.archived.is_own:
            self._hold(cursor, keys)
        self._count(len(keys), more)
        if len(keys) != self.archived.rows:
            self._leave_the_rest(cursor, {str(key) for key in keys}, more)

    def _count(self, rows: int, more: Restored) -> None:
        more.rows[self.name] += rows
        if rows == self.archived.rows:
            Archive.objects.filter(pk=self.archived.pk).delete()
            more.archives += 1

    def _insert(
        self, more: Restored, source: str = "restoring", packed: Sequence[Any] = ()
    ) -> tuple[str, list[Any]]:
        values = self.defaults()
        names = packing.names([*self.fields, *self.added])
        chosen = ", ".join([*(f"r.{packing.names([each])}" for each in self.fields), *["%s"] * len(values)])
        wheres, keys = self._wheres(more)
        query = f"INSERT INTO {self.table} ({names}) SELECT {chosen} FROM {source} r WHERE {wheres}"
        return f"{query} ON CONFLICT DO NOTHING", [*values, *packed, *keys]

    def _relink(self, more: Restored) -> tuple[str, list[Any]]:
        """Set an emptied foreign key again, where its row still exists and nobody has set another key."""
        name = quoted(self.names[1])
        wheres, values = self._wheres(more)
        for where, keys in self._no_stranger(self.names[0], self.model, more):
            wheres, values = f"{wheres} AND {where}", [*values, *keys]
        return (
            f"UPDATE {self.table} SET {name} = r.{name} FROM restoring r"
            f" WHERE {self.table}.{self.key} = r.{self.key} AND {self.table}.{name} IS NULL"
            f" AND {wheres}"
        ), values

    # --- Conditions on the rows that it refers to -----------------------------------------------

    def _wheres(self, more: Restored) -> tuple[str, list[Any]]:
        """Conditions: the rows that a row refers to exist, and are the same as before the purge."""
        wheres, values = ["true"], []
        for _, link, _ in self.links:
            name, target = packing.names([link]), link.related_model
            key = packing.names([link.target_field])
            there = f"EXISTS (SELECT 1 FROM {packing.table(target)} t WHERE t.{key} = r.{name})"
            if getattr(link, "db_constraint", True):  # without one, it may have referred to nothing before
                wheres.append(f"(r.{name} IS NULL OR {there})")
            for where, keys in self._no_stranger(str(link.column), target, more):
                wheres.append(where)
                values += keys
        return " AND ".join(wheres), values

    def _no_stranger(
        self, column: str, model: type[Model], more: Restored
    ) -> Iterator[tuple[str, list[Any]]]:
        """Conditions: the row of ``model`` that has the key in ``column`` is the one that had it before."""
        name, label = quoted(column), label_of(model)
        if absent := self._absent(label, more):
            among, keys = packing.among(f"CAST(r.{name} AS varchar)", sorted(absent))
            yield f"(r.{name} IS NULL OR NOT {among})", keys
        if label in self.terms.doubtful:
            among, keys = packing.among(f"CAST(r.{name} AS varchar)", self._back(column, model))
            yield f"(r.{name} IS NULL OR {among})", keys

    def _absent(self, label: str, more: Restored) -> set[str]:
        """The keys of rows that did not come back. A row that has such a key now is a stranger."""
        return self.done.absent.get(label, set()) | more.absent.get(label, set())

    def _back(self, column: str, model: type[Model]) -> list[str]:
        """The keys in ``column``, as the database writes them, of rows that an undo of this run put back.

        These are the rows of its own batch, and the rows that such an undo holds.
        """
        label, name = label_of(model), quoted(column)
        found = {key for other in self.beside if other.label == label for key in other.row_keys()}
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT DISTINCT r.{name}, CAST(r.{name} AS varchar) FROM restoring r")
            texts = {cascade.written_key(model, key): text for key, text in cursor if text}
        made = Hold.objects.filter(undo__undo_of=self.terms.purged)
        back = cascade.rows_of(model).filter(holds.named_by(model, made))
        keys = back.filter(pk__in=list(texts)).values_list("pk", flat=True)
        return sorted(found.union(texts[str(key)] for key in keys))

    # --- What comes with it ---------------------------------------------------------------------

    def _hold(self, cursor: Any, keys: list[Any]) -> None:
        """Hold these rows, by one statement: as model instances, holds took longer than the rows."""
        hold = Hold(
            model=self.archived.model,
            until=self.terms.held_until,
            reason=f"Put back by the undo of run {self.archived.run_id}",
            made_by=self.terms.run.requested_by,
            made_at=clock.roughly(),
            undo=self.terms.run,
        )
        fields = [each for each in Hold._meta.concrete_fields if each.name not in ("id", "key")]
        values = [each.get_db_prep_save(getattr(hold, each.attname), connection) for each in fields]
        each_key, written = packing.table_of([cascade.written_key(self.model, key) for key in keys])
        cursor.execute(
            f"INSERT INTO {packing.table(Hold)} ({packing.names(fields)}, {quoted('key')})"
            f" SELECT {', '.join(['%s'] * len(values))}, keys.* FROM {each_key} AS keys",
            [*values, written],
        )

    def _leave_the_rest(self, cursor: Any, back: set[str], more: Restored) -> None:
        """Count the rows that could not come back, and leave them in the archive for another try."""
        there = f"EXISTS (SELECT 1 FROM {self.table} t WHERE t.{self.key} = r.{self.key})"
        taken = self._staged(cursor, there) - back
        whole = self._staged(cursor, *self._wheres(more))
        rest = [(key, row) for key, row in self.rows() if key not in back]
        for key, _ in rest:
            if not self.archived.emptied:
                more.absent[self.label].add(key)
            more.left[f"{self.name}: {self._reason(key, taken, whole)}"] += 1
        if back:
            self.reduce_to([row for _, row in rest])

    def _staged(self, cursor: Any, where: str, values: Sequence[Any] = ()) -> set[str]:
        cursor.execute(f"SELECT r.{self.key} FROM restoring r WHERE {where}", values)
        return {str(row[0]) for row in cursor.fetchall()}

    def _reason(self, key: str, taken: set[str], whole: set[str]) -> str:
        if self.archived.emptied:
            return "its row is gone, or was set to another since"
        if key in taken:
            return "its key is taken by another row"
        if key not in whole:
            return "the row that it refers to is gone" + (", or not intact" if self.terms.doubtful else "")
        return "a unique value of it is taken by another row"
