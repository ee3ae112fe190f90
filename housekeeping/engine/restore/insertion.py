"""Put the rows of one archive back into their table."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db import DataError, IntegrityError, connection, transaction
from django.db.models import Model

from housekeeping.database import clock
from housekeeping.engine import cascade, holds, packing
from housekeeping.engine.packing import quoted
from housekeeping.engine.restore.contents import Contents, label_of
from housekeeping.models import Archive, Hold

if TYPE_CHECKING:
    from housekeeping.engine.restore.undo import Undo

Place = tuple[int, int]
"""A batch and its part, 0 for a whole batch."""


@dataclass
class Restored:
    """How many rows of each table came back, and which did not, with the reason.

    ``absent``: by table, keys that did not come back: a row that refers to one of them stays away,
    too, whatever has taken that key since. ``at``: the newest batch is put back first; this is the
    one that was put back last.
    """

    rows: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    absent: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    archives: int = 0  # that are gone, less those that have come
    at: Place | None = None

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Restored:
        """What earlier attempts have put back, without the keys that did not come back."""
        at = state.get("at")
        return cls(Counter(state.get("rows")), Counter(state.get("left")), at=tuple(at) if at else None)

    def as_state(self) -> dict[str, Any]:
        return {"rows": self.rows, "left": self.left, "at": self.at}

    def __add__(self, other: Restored) -> Restored:
        absent = {table: self.absent[table] | other.absent[table] for table in {*self.absent, *other.absent}}
        rows, left = Counter(self.rows), Counter(self.left)
        rows.update(other.rows)  # "+" would drop the tables of which nothing came back
        left.update(other.left)
        return Restored(rows, left, defaultdict(set, absent), at=other.at or self.at)


class _NotWhole(Exception):
    """Not all rows of an archive can come back as they are packed."""


class Insertion(Contents):
    """One archive on its way back into its table."""

    def __init__(self, kept: Archive, undo: Undo, done: Restored) -> None:
        super().__init__(kept)
        self.undo, self.done = undo, done
        self.beside: list[Insertion] = []  # of its batch, with rows that one of its own may refer to

    def put_back(self, more: Restored) -> None:
        """Insert its rows, or set its keys again, and count them in ``more``."""
        with connection.cursor() as cursor:
            if not self._put_back_whole(cursor, more):
                self._stage(cursor)
                self._put_back_in_part(cursor, more)
                cursor.execute("DROP TABLE restoring")

    def _put_back_whole(self, cursor: Any, more: Restored) -> bool:
        """Insert all of its rows as they are packed, or none of them. Returns whether they are back.

        A table between, and to be told each key that has come back, would take twice as long.
        """
        if self.kept.emptied:
            return False
        try:
            with transaction.atomic():
                self._insert_packed(cursor, more)
        except (_NotWhole, IntegrityError, DataError, UnicodeError):
            return False
        if self.kept.is_own:
            self._hold(cursor, [key for key, _ in self.lines()])
        self._count(self.kept.rows, more)
        return True

    def _insert_packed(self, cursor: Any, more: Restored) -> None:
        if any(self._absent(label, more) or label in self.undo.doubtful for *_, label in self.links):
            raise _NotWhole
        if connection.vendor == "postgresql":
            self._copy(cursor)
        elif query := packing.query_of(self.packed, self.fields):
            cursor.execute(*self._insert(more, f"({query})", [self.packed]))
        else:
            raise _NotWhole
        if cursor.rowcount != self.kept.rows:
            raise _NotWhole

    def _copy(self, cursor: Any) -> None:
        """Where the database looks after the foreign keys, it refuses a row that refers to nothing."""
        enforced = self.undo.enforced(self.model)
        referring = {one.column for _, one, _ in self.links if getattr(one, "db_constraint", True)}
        if self.added or not referring <= enforced.keys():
            raise _NotWhole
        if enforced:
            names = ", ".join(quoted(name) for name in enforced.values())
            cursor.execute(f"SET CONSTRAINTS {names} IMMEDIATE")
        packing.copy_in(cursor, self.table, self.fields, self.packed)

    def _put_back_in_part(self, cursor: Any, more: Restored) -> None:
        """Put back what can come back, and keep the rest."""
        query, values = self._relink(more) if self.kept.emptied else self._insert(more)
        cursor.execute(f"{query} RETURNING {self.table}.{self.key}", values)
        keys = [row[0] for row in cursor.fetchall()]
        if self.kept.is_own:
            self._hold(cursor, keys)
        self._count(len(keys), more)
        if len(keys) != self.kept.rows:
            self._keep_the_rest(cursor, {str(key) for key in keys}, more)

    def _count(self, rows: int, more: Restored) -> None:
        more.rows[self.name] += rows
        if rows == self.kept.rows:
            Archive.objects.filter(pk=self.kept.pk).delete()
            more.archives += 1

    def _stage(self, cursor: Any) -> None:
        """A temporary table with the chunk's rows, without the constraints of the real one."""
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

    def _insert(
        self, more: Restored, source: str = "restoring", packed: Sequence[Any] = ()
    ) -> tuple[str, list[Any]]:
        values = self.fillings()
        names = packing.names([*self.fields, *self.added])
        chosen = ", ".join([*(f"r.{quoted(str(one.column))}" for one in self.fields), *["%s"] * len(values)])
        wheres, keys = self._wheres(more)
        query = f"INSERT INTO {self.table} ({names}) SELECT {chosen} FROM {source} r WHERE {wheres}"
        return f"{query} ON CONFLICT DO NOTHING", [*values, *packed, *keys]

    def _wheres(self, more: Restored) -> tuple[str, list[Any]]:
        """What a row refers to is there, and is what it was."""
        wheres, values = ["true"], []
        for _, one, _ in self.links:
            name, target = quoted(str(one.column)), one.related_model
            key = quoted(str(one.target_field.column))
            there = f"EXISTS (SELECT 1 FROM {packing.table(target)} t WHERE t.{key} = r.{name})"
            if getattr(one, "db_constraint", True):  # else it may have referred to nothing before
                wheres.append(f"(r.{name} IS NULL OR {there})")
            for where, keys in self._no_stranger(str(one.column), target, more):
                wheres.append(where)
                values += keys
        return " AND ".join(wheres), values

    def _no_stranger(
        self, column: str, model: type[Model], more: Restored
    ) -> Iterator[tuple[str, list[Any]]]:
        """Conditions: what has the key in ``column`` now is the row of ``model`` that had it before."""
        name, label = quoted(column), label_of(model)
        if absent := self._absent(label, more):
            among, keys = packing.among(f"CAST(r.{name} AS varchar)", sorted(absent))
            yield f"(r.{name} IS NULL OR NOT {among})", keys
        if label in self.undo.doubtful:
            among, keys = packing.among(f"CAST(r.{name} AS varchar)", self._back(column, model))
            yield f"(r.{name} IS NULL OR {among})", keys

    def _absent(self, label: str, more: Restored) -> set[str]:
        """The keys of rows that are not back: who has one of them now is a stranger."""
        return self.done.absent.get(label, set()) | more.absent.get(label, set())

    def _back(self, column: str, model: type[Model]) -> list[str]:
        """The keys in ``column`` of rows of ``model`` that an undo of this run has put back, as the
        database writes them: the batch's own rows, and rows that such an undo holds."""
        label, name = label_of(model), quoted(column)
        found = {key for chunk in self.beside if chunk.label == label for key, _ in chunk.lines()}
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT DISTINCT r.{name}, CAST(r.{name} AS varchar) FROM restoring r")
            texts = {cascade.written_key(model, key): text for key, text in cursor if text}
        made = Hold.objects.filter(undo__undo_of=self.undo.purged)
        back = cascade.rows_of(model).filter(holds.named_by(model, made))
        keys = back.filter(pk__in=list(texts)).values_list("pk", flat=True)
        return sorted(found.union(texts[str(key)] for key in keys))

    def _relink(self, more: Restored) -> tuple[str, list[Any]]:
        """Set a foreign key again that was emptied, where its row is there and nobody else set it."""
        name = quoted(self.names[1])
        wheres, values = self._wheres(more)
        for where, keys in self._no_stranger(self.names[0], self.model, more):
            wheres, values = f"{wheres} AND {where}", [*values, *keys]
        return (
            f"UPDATE {self.table} SET {name} = r.{name} FROM restoring r"
            f" WHERE {self.table}.{self.key} = r.{self.key} AND {self.table}.{name} IS NULL"
            f" AND {wheres}"
        ), values

    def _hold(self, cursor: Any, keys: list[Any]) -> None:
        """In one statement: as objects, holds took longer than the rows themselves."""
        hold = Hold(
            model=self.kept.model,
            until=self.undo.held_until,
            reason=f"Put back by the undo of run {self.kept.run_id}",
            made_by=self.undo.run.requested_by,
            made_at=clock.roughly(),
            undo=self.undo.run,
        )
        fields = [one for one in Hold._meta.concrete_fields if one.name not in ("id", "key")]
        values = [one.get_db_prep_save(getattr(hold, one.attname), connection) for one in fields]
        each, written = packing.table_of([cascade.written_key(self.model, key) for key in keys])
        cursor.execute(
            f"INSERT INTO {packing.table(Hold)} ({packing.names(fields)}, {quoted('key')})"
            f" SELECT {', '.join(['%s'] * len(values))}, keys.* FROM {each} AS keys",
            [*values, written],
        )

    def _keep_the_rest(self, cursor: Any, back: set[str], more: Restored) -> None:
        """Report what could not come back, and keep it for another try."""
        cursor.execute(
            f"SELECT r.{self.key} FROM restoring r"
            f" WHERE EXISTS (SELECT 1 FROM {self.table} t WHERE t.{self.key} = r.{self.key})"
        )
        taken = {str(row[0]) for row in cursor.fetchall()} - back
        wheres, values = self._wheres(more)
        cursor.execute(f"SELECT r.{self.key} FROM restoring r WHERE {wheres}", values)
        whole = {str(row[0]) for row in cursor.fetchall()}
        rest = [(key, line) for key, line in self.lines() if key not in back]
        for key, _ in rest:
            if not self.kept.emptied:
                more.absent[self.label].add(key)
            more.left[f"{self.name}: {self._reason(key, taken, whole)}"] += 1
        if back:
            self.rewrite([line for _, line in rest])

    def _reason(self, key: str, taken: set[str], whole: set[str]) -> str:
        if self.kept.emptied:
            return "its row is gone, or was set to another since"
        if key in taken:
            return "its key is taken by another row"
        if key not in whole:
            return "what it belongs to is gone" + (", or not intact" if self.undo.doubtful else "")
        return "a unique value of it is taken by another row"
