"""How rows are read, deleted and put back: all SQL that one database writes and the other doesn't.

The database packs a batch into one text, as fetching rows into Python is what makes an
archive expensive: COPY on PostgreSQL, JSON on SQLite. Python only compresses it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import zstandard
from django.db import connection, models
from django.db.models import Func, Model

from housekeeping.models import Archive

# zstd's fastest level: three times as fast as zlib's, and a half smaller.
LEVEL = 1
BLOCK = 64 * 1024  # bytes that are compressed at a time


def among(column: str, keys: Sequence[Any]) -> tuple[str, list[Any]]:
    """The SQL condition that ``column`` is one of ``keys``, as one parameter of any length."""
    return matching(connection.ops.quote_name(column), keys)


def matching(name: str, keys: Sequence[Any]) -> tuple[str, list[Any]]:
    """The same for an expression in SQL."""
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
        where, keys = matching(name, self.keys)
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
        self.before = before
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
    """What a payload was before it was compressed. Raises ZstdError where it is not whole."""
    frame = zstandard.ZstdDecompressor().decompressobj()
    content = frame.decompress(bytes(payload))
    if not frame.eof:
        raise zstandard.ZstdError("it is cut short")
    if frame.unused_data:
        raise zstandard.ZstdError("something follows its end")
    return content


def unpacked_rows(packed: bytes) -> list[Any]:
    """Rows as SQLite packed them. A text that is no UTF-8, which SQLite lets in, keeps its bytes."""
    rows: list[Any] = json.loads(packed.decode(errors="surrogateescape"))
    return rows


def take(model: type[Model], column: str, keys: Sequence[Any], before: str) -> tuple[int, Packed]:
    """Delete the rows whose ``column`` is one of ``keys``. Returns their number, and them, packed.

    ``before`` is the chain of digests up to here.
    """
    where, values = among(column, keys)
    table, packed = quoted(model._meta.db_table), Packed(before)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            names = ", ".join(quoted(str(one.column)) for one in columns(model))
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
    table, name, packed = quoted(model._meta.db_table), quoted(str(column.column)), Packed(before)
    update = f"UPDATE {table} SET {name} = NULL WHERE {where}"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            key = quoted(str(key_of(model).column))
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
    name = quoted(str(column.column))
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


def from_json(column: models.Field[Any, Any]) -> Callable[[str], Any] | None:
    """What makes a value of the text that :func:`_sqlite_json` made of it."""
    return bytes.fromhex if _is_binary(column) else float if _is_real(column) else None


def fill(kept: Archive, payload: bytes) -> None:
    """Django's cursor writes a value into the text of the statement, and the server reads it out
    again: for a megabyte that takes seven times as long as sending it beside the statement."""
    with connection.cursor() as cursor, connection.wrap_database_errors:
        update = f"UPDATE {quoted(Archive._meta.db_table)} SET payload = %b WHERE id = %b"
        psycopg.Cursor(cursor.connection).execute(update, [payload, kept.pk])


def quoted(name: str) -> str:
    return connection.ops.quote_name(name)
