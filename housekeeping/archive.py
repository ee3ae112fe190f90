"""Keep what a purge removes, and put it back.

What it promises:

- What is archived is what is deleted: the same statement reads and deletes on PostgreSQL,
  the same write transaction on SQLite; and it is committed with the delete or not at all.
- Rows come back as the database stored them, every column and key. An undo is one
  transaction: all tables or nothing.
- A row comes back only if its key and its unique values are free, and what it refers to is
  there. One that can't come back stays in the archive until that expires, for another try.
- Memory is bounded by a batch.

The database packs a batch into one text, as fetching rows into Python is what makes an
archive dear: COPY on PostgreSQL, JSON on SQLite. Python only compresses it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg
import zstandard
from django.apps import apps
from django.db import connection, models, transaction
from django.db.models import Func, Model, Sum
from django.utils import timezone
from django.utils.translation import gettext

from housekeeping import cascade
from housekeeping.exceptions import NotPossible
from housekeeping.models import Archive, Hold, Run
from housekeeping.policies import Policy

# zstd's fastest level: three times as fast as zlib's, and a half smaller.
LEVEL = 1
BLOCK = 64 * 1024  # bytes that are compressed at a time


def among(column: str, keys: Sequence[Any]) -> tuple[str, list[Any]]:
    """The SQL condition that ``column`` is one of ``keys``, as one parameter of any length."""
    return _among(connection.ops.quote_name(column), keys)


def _among(name: str, keys: Sequence[Any]) -> tuple[str, list[Any]]:
    if connection.vendor == "postgresql":
        if keys and all(type(key) is int for key in keys):
            # Read by the database: a list is taken to pieces in Python, key by key.
            return f"{name} = ANY(%s::bigint[])", [f"{{{','.join(map(str, keys))}}}"]
        return f"{name} = ANY(%s)", [list(keys)]
    text = json.dumps(list(keys))
    if "\\u0000" in text:  # json_each ends a text there, and would give another row's key
        return f"{name} IN ({', '.join(['%s'] * len(keys))})", list(keys)
    return f"{name} IN (SELECT value FROM json_each(%s))", [text]


class Among(Func):
    """The same for a queryset. A list of thousands of parameters takes longer to read than
    its rows take to delete."""

    output_field = models.BooleanField()

    def __init__(self, field: str, keys: Sequence[Any]) -> None:
        super().__init__(field)
        self.keys = keys

    def as_sql(self, compiler: Any, connection: Any, **_: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        name, values = compiler.compile(self.source_expressions[0])
        where, keys = _among(name, self.keys)
        return where, [*values, *keys]


def stored_keys(model: type[Model], keys: Sequence[Any]) -> list[Any]:
    """Keys as the database holds them: SQLite stores a UUID as text, for example."""
    key = key_of(model)
    if isinstance(key, models.IntegerField):
        return list(keys)
    return [key.get_db_prep_value(one, connection) for one in keys]


def key_of(model: type[Model]) -> models.Field[Any, Any]:
    key = model._meta.pk
    assert key is not None
    return key


def columns(model: type[Model]) -> list[models.Field[Any, Any]]:
    """The columns that hold a row's data, its key first."""
    stored = [one for one in model._meta.local_concrete_fields if not getattr(one, "generated", False)]
    return sorted(stored, key=lambda one: not one.primary_key)


class Packed:
    """Rows as the database packed them, compressed as they come, and the chain of digests
    with them."""

    def __init__(self, before: str) -> None:
        self._zip, self._hash = (
            zstandard.ZstdCompressor(LEVEL).compressobj(),
            hashlib.sha256(bytes.fromhex(before)),
        )
        self._parts: list[bytes] = []

    def add(self, packed: bytes) -> None:
        self._hash.update(packed)
        self._parts.append(self._zip.compress(packed))

    def payload(self) -> bytes:
        """All of it, compressed; to be asked once."""
        return b"".join([*self._parts, self._zip.flush()])

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()


def unpacked(payload: bytes | memoryview) -> bytes:
    """What a payload was before it was compressed."""
    return zstandard.ZstdDecompressor().decompressobj().decompress(bytes(payload))


def take(model: type[Model], column: str, keys: Sequence[Any], before: str) -> tuple[int, Packed]:
    """Delete the rows whose ``column`` is one of ``keys``. Returns their number, and them, packed.

    ``before`` is the chain of digests up to here.
    """
    where, values = among(column, keys)
    table, packed = _quoted(model._meta.db_table), Packed(before)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            names = ", ".join(_quoted(str(one.column)) for one in columns(model))
            _copy_out(cursor, f"DELETE FROM {table} WHERE {where} RETURNING {names}", values, packed)
            return cursor.rowcount, packed
        rows = _read(cursor, table, columns(model), where, values)
        _beside(cursor, f"DELETE FROM {table} WHERE {where}", values, packed, rows)
        return cursor.rowcount, packed


def empty(
    model: type[Model], column: models.Field[Any, Any], keys: Sequence[Any], before: str
) -> tuple[int, Packed]:
    """Set a foreign key to NULL where it is one of ``keys``. Returns how many, and what they were."""
    where, values = among(str(column.column), keys)
    table, name, packed = _quoted(model._meta.db_table), _quoted(str(column.column)), Packed(before)
    update = f"UPDATE {table} SET {name} = NULL WHERE {where}"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            key = _quoted(str(key_of(model).column))
            _copy_out(cursor, f"SELECT {key}, {name} FROM {table} WHERE {where}", values, packed)
            cursor.execute(update, values)
        else:
            rows = _read(cursor, table, [key_of(model), column], where, values)
            _beside(cursor, update, values, packed, rows)
        return cursor.rowcount, packed


def _read(cursor: Any, table: str, fields: list[Any], where: str, values: list[Any]) -> bytes:
    row = ", ".join(_sqlite_json(one) for one in fields)
    # As bytes: of a text, Python would keep one copy more.
    packed = f"CAST(json_group_array(json_array({row})) AS BLOB)"
    cursor.execute(f"SELECT {packed} FROM {table} WHERE {where}", values)
    rows: bytes = cursor.fetchone()[0]
    return rows


def _beside(cursor: Any, statement: str, values: list[Any], packed: Packed, rows: bytes) -> None:
    """Compress while SQLite works: neither needs Python's lock meanwhile. Raises what either does."""
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(packed.add, rows)
        cursor.execute(statement, values)
        done.result()


def _copy_out(cursor: Any, query: str, values: list[Any], packed: Packed) -> None:
    # psycopg's own method: its errors become Django's as those of execute() do.
    with connection.wrap_database_errors, cursor.copy(f"COPY ({query}) TO STDOUT", values) as rows:
        # A row comes at a time, and the server goes on while some hundred are compressed.
        waiting, size = [], 0
        for row in rows:
            waiting.append(row)
            size += len(row)
            if size >= BLOCK:
                packed.add(b"".join(waiting))
                waiting, size = [], 0
        packed.add(b"".join(waiting))


def _sqlite_json(column: models.Field[Any, Any]) -> str:
    name = _quoted(str(column.column))
    if _is_binary(column):
        return f"CASE WHEN {name} IS NULL THEN NULL ELSE hex({name}) END"
    if _is_real(column):
        # JSON would round to 15 digits, and has no infinity. A double needs 17; SQLite's last
        # ones are wrong now and then, so that more are asked for and Python rounds.
        return f"CASE typeof({name}) WHEN 'real' THEN printf('%%!.20g', {name}) ELSE {name} END"
    return name


def _is_binary(column: models.Field[Any, Any]) -> bool:
    return "blob" in str(column.db_type(connection)).lower()


def _is_real(column: models.Field[Any, Any]) -> bool:
    return any(word in str(column.db_type(connection)).lower() for word in ("real", "decimal", "double"))


def _from_json(column: models.Field[Any, Any]) -> Callable[[str], Any] | None:
    """What makes a value of the text that :func:`_sqlite_json` made of it."""
    return bytes.fromhex if _is_binary(column) else float if _is_real(column) else None


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)


# --- Keeping ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Archiver:
    """Writes what batches of one run removed; its rows expire at ``expires_at``."""

    run: Run
    policy: Policy
    expires_at: datetime

    def keep(self, model: type[Model], packed: Packed, rows: int, emptied: str = "") -> None:
        payload = packed.payload()
        fields = columns(model)
        if emptied:
            fields = [fields[0], *(one for one in fields if one.column == emptied)]
        kept = Archive.objects.create(
            run=self.run,
            policy=self.policy.name,
            is_own=model is self.policy.model and not emptied,
            model=model._meta.label,
            emptied=emptied,
            schema=[[one.column, one.db_type(connection)] for one in fields],
            vendor=connection.vendor,
            rows=rows,
            payload=b"" if connection.vendor == "postgresql" else payload,
            size=len(payload),
            expires_at=self.expires_at,
        )
        if connection.vendor == "postgresql":
            _fill(kept, payload)


def _fill(kept: Archive, payload: bytes) -> None:
    """Django's cursor writes a value into the text of the statement, and the server reads it out
    again: for a megabyte that takes seven times as long as sending it beside the statement."""
    with connection.cursor() as cursor, connection.wrap_database_errors:
        update = f"UPDATE {_quoted(Archive._meta.db_table)} SET payload = %b WHERE id = %b"
        psycopg.Cursor(cursor.connection).execute(update, [payload, kept.pk])


def digest(before: str, packed: bytes) -> str:
    """A chain of SHA-256: each link covers all that was removed up to it."""
    return hashlib.sha256(bytes.fromhex(before) + packed).hexdigest()


def size() -> int:
    """Bytes that all archives take up."""
    return Archive.objects.aggregate(size=Sum("size"))["size"] or 0


# --- Putting back -----------------------------------------------------------------------------


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
        now = {one.column: one for one in columns(self.model)}
        self.names = [name for name, _ in kept.schema]
        gone = [name for name in self.names if name not in now]
        if gone:
            raise NotPossible(f"{kept.model} has lost the column {', '.join(gone)} since the purge.")
        self.fields = [now[name] for name in self.names]
        self.added = [one for name, one in now.items() if name not in self.names and not kept.emptied]
        self.table, self.key = _quoted(self.model._meta.db_table), _quoted(self.names[0])

    def put_back(self) -> None:
        packed = unpacked(self.kept.payload)
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
        names = ", ".join(_quoted(name) for name in self.names)
        cursor.execute(f"CREATE TEMPORARY TABLE restoring AS SELECT {names} FROM {self.table} LIMIT 0")
        if connection.vendor == "postgresql":
            with connection.wrap_database_errors, cursor.copy(f"COPY restoring ({names}) FROM STDIN") as rows:
                rows.write(packed)
            return
        made = [(number, make) for number, one in enumerate(self.fields) if (make := _from_json(one))]
        rows = json.loads(packed)
        for row in rows if made else ():
            for number, make in made:
                row[number] = make(row[number]) if isinstance(row[number], str) else row[number]
        places = ", ".join(["%s"] * len(self.names))
        cursor.executemany(f"INSERT INTO restoring ({names}) VALUES ({places})", rows)

    def _insert(self, cursor: Any) -> set[str]:
        added = [one for one in self.added if one.db_default is models.NOT_PROVIDED]
        values = [self._filling(one) for one in added]
        names = ", ".join(_quoted(str(one.column)) for one in [*self.fields, *added])
        chosen = ", ".join([*(f"r.{_quoted(str(one.column))}" for one in self.fields), *["%s"] * len(values)])
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
            name, target = _quoted(str(one.column)), one.related_model
            key = _quoted(str(one.target_field.column))
            there = f"EXISTS (SELECT 1 FROM {_quoted(target._meta.db_table)} t WHERE t.{key} = r.{name})"
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
        name = _quoted(self.names[1])
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
        self.kept.payload = zstandard.compress(left, LEVEL)
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
