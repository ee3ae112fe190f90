"""Put back what a purge removed.

What it promises:

- Rows come back as the database stored them, every column and key. An undo is one
  transaction: all tables or nothing.
- A row comes back only if its key and its unique values are free, and what it refers to is
  there. One that can't come back stays in the archive until that expires, for another try.
- Memory is bounded by a batch.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import zstandard
from django.apps import apps
from django.db import connection, models, transaction
from django.db.models import Model
from django.utils import timezone
from django.utils.translation import gettext

from housekeeping import archive, cascade
from housekeeping.archive import quoted
from housekeeping.exceptions import NotPossible
from housekeeping.models import Archive, Hold, Run


@dataclass
class Restored:
    """How many rows of each table came back, and which did not, with the reason."""

    rows: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    left: dict[str, dict[str, int]] = field(default_factory=dict)
    # Keys that a stranger has taken: what hung from the row of that key is not the stranger's.
    strangers: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def leave(self, model: str, reason: str) -> None:
        reasons = self.left.setdefault(model, {})
        reasons[reason] = reasons.get(reason, 0) + 1


def check_window(run: Run) -> None:
    """Raises NotPossible where a part of what the run removed has expired: half would come back."""
    if run.archives.filter(expires_at__lte=timezone.now()).exists():
        raise NotPossible(
            gettext("The undo window of this run has closed: a part of what it removed has expired.")
        )


def restore(
    run: Run, *, undo: Run, held_until: datetime, checkpoint: Callable[[], None] = lambda: None
) -> Restored:
    """Put back all that ``run`` removed and that is not back yet, in one transaction.

    The policies' own rows are held until ``held_until``, so that the next night's run does
    not purge them again. Raises NotPossible where the archive can't be read any more; then
    nothing has changed. ``checkpoint`` is called between batches; what it raises undoes all.
    """
    done = Restored()
    check_window(run)
    with transaction.atomic():
        # Newest first: what was deleted last is what the rest hangs from.
        for pk in run.archives.order_by("-pk").values_list("pk", flat=True):
            checkpoint()
            _Chunk(Archive.objects.get(pk=pk), undo, done, held_until).put_back()
    return done


class _Chunk:
    """One archive, on its way back into its table."""

    def __init__(self, kept: Archive, undo: Run, done: Restored, held_until: datetime) -> None:
        self.kept, self.undo, self.done, self.held_until = kept, undo, done, held_until
        if kept.vendor != connection.vendor:
            raise NotPossible(
                f"The archive was written by {kept.vendor}, and this database is {connection.vendor}."
            )
        try:
            self.model: type[Model] = apps.get_model(kept.model)
        except LookupError:
            raise NotPossible(f"The table of {kept.model} is not there any more.") from None
        now = {one.column: one for one in archive.columns(self.model)}
        self.names = [name for name, _ in kept.schema]
        gone = [name for name in self.names if name not in now]
        if gone:
            raise NotPossible(f"{kept.model} has lost the column {', '.join(gone)} since the purge.")
        self.fields = [now[name] for name in self.names]
        self.added = [one for name, one in now.items() if name not in self.names and not kept.emptied]
        self.table, self.key = quoted(self.model._meta.db_table), quoted(self.names[0])

    def put_back(self) -> None:
        packed = archive.unpacked(self.kept.payload)
        with connection.cursor() as cursor:
            self._stage(cursor, packed)
            back = self._relink(cursor) if self.kept.emptied else self._insert(cursor)
            label = f"{self.kept.model}.{self.kept.emptied}" if self.kept.emptied else self.kept.model
            self.done.rows[label] += len(back)
            if len(back) == self.kept.rows:
                self.kept.delete()
            else:
                self._keep_the_rest(cursor, packed, back, label)
            cursor.execute("DROP TABLE restoring")

    def _stage(self, cursor: Any, packed: bytes) -> None:
        """A temporary table with the chunk's rows, without the constraints of the real one."""
        names = ", ".join(quoted(name) for name in self.names)
        cursor.execute(f"CREATE TEMPORARY TABLE restoring AS SELECT {names} FROM {self.table} LIMIT 0")
        if connection.vendor == "postgresql":
            with connection.wrap_database_errors, cursor.copy(f"COPY restoring ({names}) FROM STDIN") as rows:
                rows.write(packed)
            return
        made = [(number, make) for number, one in enumerate(self.fields) if (make := archive.from_json(one))]
        rows = json.loads(packed)
        for row in rows if made else ():
            for number, make in made:
                row[number] = make(row[number]) if isinstance(row[number], str) else row[number]
        places = ", ".join(["%s"] * len(self.names))
        cursor.executemany(f"INSERT INTO restoring ({names}) VALUES ({places})", rows)

    def _insert(self, cursor: Any) -> set[str]:
        added = [one for one in self.added if one.db_default is models.NOT_PROVIDED]
        values = [self._filling(one) for one in added]
        names = ", ".join(quoted(str(one.column)) for one in [*self.fields, *added])
        chosen = ", ".join([*(f"r.{quoted(str(one.column))}" for one in self.fields), *["%s"] * len(values)])
        wheres, more = self._wheres()
        cursor.execute(
            f"INSERT INTO {self.table} ({names}) SELECT {chosen} FROM restoring r WHERE {wheres}"
            f" ON CONFLICT DO NOTHING RETURNING {self.key}",
            [*values, *more],
        )
        back = [row[0] for row in cursor.fetchall()]
        if self.kept.is_own:
            self._hold(back)
        return {str(key) for key in back}

    def _filling(self, added: models.Field[Any, Any]) -> Any:
        """What a migration has put into the rows that were there as the column was added."""
        value = connection.schema_editor().effective_default(added)
        if value is None and not added.null:
            raise NotPossible(
                f"{self.kept.model} has a new column {added.column} since the purge,"
                " which has no default and can't be empty."
            )
        return value

    def _wheres(self) -> tuple[str, list[Any]]:
        """What a row refers to is there, and is what it was."""
        wheres, values = ["true"], []
        for one in self.fields:
            if not isinstance(one, models.ForeignKey):
                continue
            name, target = quoted(str(one.column)), one.related_model
            key = quoted(str(one.target_field.column))
            there = f"EXISTS (SELECT 1 FROM {quoted(target._meta.db_table)} t WHERE t.{key} = r.{name})"
            if getattr(one, "db_constraint", True):  # else it may have referred to nothing before
                wheres.append(f"(r.{name} IS NULL OR {there})")
            strangers = self.done.strangers.get((target._meta.concrete_model or target)._meta.label)
            if strangers:
                cast = f"CAST(r.{name} AS varchar)"
                places = ", ".join(["%s"] * len(strangers))
                wheres.append(f"(r.{name} IS NULL OR {cast} NOT IN ({places}))")
                values += sorted(strangers)
        return " AND ".join(wheres), values

    def _relink(self, cursor: Any) -> set[str]:
        """Set a foreign key again that was emptied, where its row is there and nobody else set it."""
        name = quoted(self.names[1])
        wheres, values = self._wheres()
        cursor.execute(
            f"UPDATE {self.table} SET {name} = r.{name} FROM restoring r"
            f" WHERE {self.table}.{self.key} = r.{self.key} AND {self.table}.{name} IS NULL"
            f" AND {wheres} RETURNING {self.table}.{self.key}",
            values,
        )
        return {str(row[0]) for row in cursor.fetchall()}

    def _hold(self, keys: list[Any]) -> None:
        reason = f"Put back by the undo of run {self.kept.run_id}"
        Hold.objects.bulk_create(
            [
                Hold(
                    model=self.kept.model,
                    key=cascade.written_key(self.model, key),
                    until=self.held_until,
                    reason=reason,
                    made_by=self.undo.requested_by,
                    undo=self.undo,
                )
                for key in keys
            ],
            batch_size=1000,
        )

    def _keep_the_rest(self, cursor: Any, packed: bytes, back: set[str], label: str) -> None:
        """Report what could not come back, and keep it for another try."""
        cursor.execute(
            f"SELECT r.{self.key} FROM restoring r"
            f" WHERE EXISTS (SELECT 1 FROM {self.table} t WHERE t.{self.key} = r.{self.key})"
        )
        taken = {str(row[0]) for row in cursor.fetchall()} - back
        wheres, values = self._wheres()
        cursor.execute(f"SELECT r.{self.key} FROM restoring r WHERE {wheres}", values)
        whole = {str(row[0]) for row in cursor.fetchall()}
        rest = [(key, line) for key, line in self._lines(packed) if key not in back]
        for key, _ in rest:
            if self.kept.emptied:
                self.done.leave(label, "its row is gone, or was set to another since")
            elif key in taken:
                self.done.strangers[self.kept.model].add(key)
                self.done.leave(label, "its key is taken by another row")
            elif key not in whole:
                self.done.leave(label, "what it belongs to is gone")
            else:
                self.done.leave(label, "a unique value of it is taken by another row")
        left = self._joined([line for _, line in rest])
        self.kept.payload = zstandard.compress(left, archive.LEVEL)
        self.kept.rows, self.kept.size = len(rest), len(self.kept.payload)
        self.kept.save(update_fields=["payload", "rows", "size"])

    def _lines(self, packed: bytes) -> list[tuple[str, Any]]:
        """Each row with its key, as text."""
        if self.kept.vendor == "postgresql":
            lines = packed.splitlines(keepends=True)
            return [(_copied(line.rstrip(b"\n").split(b"\t", 1)[0]), line) for line in lines]
        return [(str(row[0]), row) for row in json.loads(packed)]

    def _joined(self, lines: list[Any]) -> bytes:
        if self.kept.vendor == "postgresql":
            return b"".join(lines)
        return json.dumps(lines, ensure_ascii=False, separators=(",", ":")).encode()


# How COPY writes what would end a column or a row; a backslash stands for itself.
COPIED = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


def _copied(text: bytes) -> str:
    """A text as it was before COPY wrote it."""
    return re.sub(rb"\\(.)", lambda found: COPIED.get(found[1], found[1]), text).decode()
