"""The SQL that reads, deletes and puts back rows by the thousand, and the text they are packed in.

The database packs a batch into one text: COPY on PostgreSQL, JSON on SQLite. Python only compresses
it. Fetching the rows into Python would make an archive expensive.

All SQL that differs between the databases is here, except that of locks (``locks.py``, and the one
lock of ``holds.py``). Names of tables and columns are quoted, and every value is a parameter.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any
from uuid import UUID

import zstandard
from django.db import models
from django.db.models import Func, Model

from housekeeping.database import chosen
from housekeeping.database.chosen import connection
from housekeeping.engine import unpacking
from housekeeping.models import Archive, Handover

# zstd's fastest level: three times as fast as zlib's, and half the size.
LEVEL = 1
INSERTED_AT_ONCE = 1_000  # rows
BLOCK = 64 * 1024  # bytes that are compressed at a time
SMALL = 512 * 1024  # bytes that take no longer to compress than a thread may take to start

# --- Names ------------------------------------------------------------------------------------


def quoted(name: str) -> str:
    found: str = connection.ops.quote_name(name)
    return found


def table(model: type[Model]) -> str:
    return quoted(model._meta.db_table)


def names(fields: Iterable[models.Field[Any, Any]]) -> str:
    return ", ".join(quoted(str(field.column)) for field in fields)


def columns(model: type[Model]) -> list[models.Field[Any, Any]]:
    """The columns that hold a row's data, its key first."""
    stored = [field for field in model._meta.local_concrete_fields if not getattr(field, "generated", False)]
    return sorted(stored, key=lambda field: not field.primary_key)


def key_of(model: type[Model]) -> models.Field[Any, Any]:
    key = model._meta.pk
    assert key is not None
    return key


def key_column(model: type[Model]) -> str:
    return str(key_of(model).column)


# --- Rows by their keys -----------------------------------------------------------------------


def stored_keys(key: models.Field[Any, Any], keys: Sequence[Any]) -> list[Any]:
    """``keys`` as the database stores them: SQLite stores a UUID as text, for example."""
    if isinstance(key, models.IntegerField):
        return list(keys)
    return [key.get_db_prep_value(one, connection) for one in keys]


def among(expression: str, keys: Sequence[Any]) -> tuple[str, list[Any]]:
    """The condition that an SQL expression is one of ``keys``, as stored, and its parameters.

    The keys are one parameter: a list of thousands takes longer to parse than its rows take to delete.
    """
    if connection.vendor == "postgresql":
        if keys and all(type(key) is int for key in keys):
            # As one text, which the server parses: psycopg would convert a list key by key, in Python.
            return f"{expression} = ANY(%s::bigint[])", [f"{{{','.join(map(str, keys))}}}"]
        if keys and all(type(key) is UUID for key in keys):
            return f"{expression} = ANY(%s::uuid[])", [f"{{{','.join(map(str, keys))}}}"]
        return f"{expression} = ANY(%s)", [list(keys)]
    text = json.dumps(list(keys))
    if "\\u0000" in text:  # json_each ends a text at a NUL, and would give another row's key
        return f"{expression} IN ({', '.join(['%s'] * len(keys))})", list(keys)
    return f"{expression} IN (SELECT value FROM json_each(%s))", [text]


def parts(keys: Iterable[Any], size: int = 1_000) -> Iterator[list[Any]]:
    """The keys, so many at a time: for queries whose other conditions are not one parameter."""
    ordered = list(keys)
    return (ordered[at : at + size] for at in range(0, len(ordered), size))


class Among(Func):
    """The same condition for a queryset: its field is one of ``keys``."""

    output_field = models.BooleanField()

    def __init__(self, field: str, keys: Sequence[Any]) -> None:
        super().__init__(field)
        self.keys = keys

    def as_sql(self, compiler: Any, connection: Any, **_: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        [field] = self.source_expressions
        expression, values = compiler.compile(field)
        with chosen.on(connection.alias):
            where, keys = among(expression, stored_keys(field.output_field, self.keys))
        return where, [*values, *keys]


Also = tuple[str, Any] | None
"""A column and the value that it must have, too."""


def _where(column: str, keys: Sequence[Any], also: Also) -> tuple[str, list[Any]]:
    where, values = among(quoted(column), keys)
    return (f"{where} AND {quoted(also[0])} = %s", [*values, also[1]]) if also else (where, values)


def delete(model: type[Model], column: str, keys: Sequence[Any], also: Also = None) -> int:
    """Delete the rows whose ``column`` is one of ``keys``, and archive nothing. Returns their number."""
    where, values = _where(column, keys, also)
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {table(model)} WHERE {where}", values)
        rows: int = cursor.rowcount
    return rows


def values_of(
    model: type[Model],
    fields: Sequence[models.Field[Any, Any]],
    column: str,
    keys: Sequence[Any],
    also: Also = None,
) -> list[tuple[Any, ...]]:
    """The values of ``fields`` in the rows whose ``column`` is one of ``keys``."""
    where, values = _where(column, keys, also)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {names(fields)} FROM {table(model)} WHERE {where}", values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


# --- Out of their table -----------------------------------------------------------------------


class Packed:
    """Rows as the database packed them: compressed as they come, and added to the chain of digests."""

    def __init__(self, before: str) -> None:
        self.before = before
        self._zip = zstandard.ZstdCompressor(LEVEL).compressobj()
        self._hash = hashlib.sha256(bytes.fromhex(before))
        self._parts: list[bytes] = []

    def add(self, packed: bytes) -> None:
        self._hash.update(packed)
        self._parts.append(self._zip.compress(packed))

    def payload(self) -> bytes:
        """All of it, compressed. Call it once, at the end."""
        return b"".join([*self._parts, self._zip.flush()])

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()


def take(
    model: type[Model], column: str, keys: Sequence[Any], before: str, also: Also = None
) -> tuple[int, Packed]:
    """Delete the rows whose ``column`` is one of ``keys``. Returns their number and the packed rows.

    ``before`` is the chain of digests so far.
    """
    where, values = _where(column, keys, also)
    statement, packed = f"DELETE FROM {table(model)} WHERE {where}", Packed(before)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            _copy_out(cursor, f"{statement} RETURNING {names(columns(model))}", values, packed)
        else:
            rows = _read(cursor, table(model), columns(model), where, values)
            _compress_beside(cursor, statement, values, packed, rows)
        return cursor.rowcount, packed


def empty(
    model: type[Model], column: models.Field[Any, Any], keys: Sequence[Any], fallback: Any, before: str
) -> tuple[int, Packed]:
    """Set a foreign key to ``fallback``, as the database stores it, where it is one of ``keys``.

    Returns how many, and the packed values.
    """
    name, packed = quoted(str(column.column)), Packed(before)
    where, values = among(name, keys)
    statement, fields = f"UPDATE {table(model)} SET {name} = %s WHERE {where}", [key_of(model), column]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            select = f"SELECT {names(fields)} FROM {table(model)} WHERE {where}"
            _copy_out(cursor, select, values, packed)
            cursor.execute(statement, [fallback, *values])
        else:
            rows = _read(cursor, table(model), fields, where, values)
            _compress_beside(cursor, statement, [fallback, *values], packed, rows)
        return cursor.rowcount, packed


def read(
    model: type[Model], fields: Sequence[models.Field[Any, Any]], keys: Sequence[Any]
) -> dict[Any, list[Any]]:
    """The values of ``fields`` in the rows with these keys, as the database packs them, by packed key."""
    where, values = among(quoted(key_column(model)), keys)
    fields = [key_of(model), *fields]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            copy = f"COPY (SELECT {names(fields)} FROM {table(model)} WHERE {where}) TO STDOUT"
            with connection.wrap_database_errors, cursor.cursor.copy(copy, values) as copied:
                rows = [unpacking.values_in(bytes(row)) for row in copied]
        else:
            rows = unpacking.json_rows(_read(cursor, table(model), fields, where, values))
    return {row[0]: row[1:] for row in rows}


def _copy_out(cursor: Any, query: str, values: list[Any], packed: Packed) -> None:
    # psycopg's own cursor: Django's passes no parameters on where DEBUG is on, and turns no errors of a
    # copy into its own.
    with connection.wrap_database_errors, cursor.cursor.copy(f"COPY ({query}) TO STDOUT", values) as rows:
        # One row comes at a time, and the server carries on while a few hundred are compressed.
        waiting, size = [], 0
        for row in rows:
            waiting.append(row)
            size += len(row)
            if size >= BLOCK:
                packed.add(b"".join(waiting))
                waiting, size = [], 0
        packed.add(b"".join(waiting))


def packed_anew(
    model: type[Model], fields: Sequence[models.Field[Any, Any]], rows: Iterable[Sequence[Any]], before: str
) -> tuple[int, Packed]:
    """Pack rows that are in no table. ``rows``: their values as models have them. Returns their number, too.

    The database packs them, in a temporary table, so that they look as if they had been in their table.
    """
    into, packed, number = quoted("housekeeping_packing"), Packed(before), 0
    marks = ", ".join(["%s"] * len(fields))
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE {into} AS SELECT {names(fields)} FROM {table(model)} LIMIT 0")
        stored = (
            [field.get_db_prep_save(value, connection) for field, value in zip(fields, row, strict=True)]
            for row in rows
        )
        while some := list(islice(stored, INSERTED_AT_ONCE)):
            cursor.executemany(f"INSERT INTO {into} VALUES ({marks})", some)
            number += len(some)
        if connection.vendor == "postgresql":
            _copy_out(cursor, f"SELECT * FROM {into}", [], packed)
        else:
            packed.add(_read(cursor, into, list(fields), "true", []))
        cursor.execute(f"DROP TABLE {into}")
    return number, packed


def _read(cursor: Any, source: str, fields: list[Any], where: str, values: list[Any]) -> bytes:
    row = ", ".join(_as_json(field) for field in fields)
    # As bytes: Python would keep one more copy of a text.
    packed = f"CAST(json_group_array(json_array({row})) AS BLOB)"
    cursor.execute(f"SELECT {packed} FROM {source} WHERE {where}", values)
    rows: bytes = cursor.fetchone()[0]
    return rows


def _compress_beside(cursor: Any, statement: str, values: list[Any], packed: Packed, rows: bytes) -> None:
    """Compress while SQLite works, as neither needs Python's lock meanwhile. Raises what either raises."""
    if len(rows) < SMALL:
        cursor.execute(statement, values)
        packed.add(rows)
        return
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(packed.add, rows)
        cursor.execute(statement, values)
        done.result()


def _as_json(column: models.Field[Any, Any]) -> str:
    name = quoted(str(column.column))
    if _is_binary(column):
        return f"CASE WHEN {name} IS NULL THEN NULL ELSE hex({name}) END"
    if _is_real(column):
        # JSON would round to 15 digits and has no infinity. A double needs 17 digits, and SQLite
        # sometimes gets the last ones wrong: ask for more, and let Python round.
        return f"CASE typeof({name}) WHEN 'real' THEN printf('%%!.20g', {name}) ELSE {name} END"
    return name


def _is_binary(column: models.Field[Any, Any]) -> bool:
    return "blob" in str(column.db_type(connection)).lower()


def _is_real(column: models.Field[Any, Any]) -> bool:
    return any(word in str(column.db_type(connection)).lower() for word in ("real", "decimal", "double"))


def insert(row: Archive | Handover, payload: bytes) -> None:
    """Insert a row of ours in a chosen PostgreSQL, with its payload as a parameter that is sent separately.

    Django's cursor would write it into the text of the statement, and the server would parse it there:
    for a megabyte that takes seven times as long.
    """
    import psycopg  # a project on SQLite need not have it

    row.payload = payload
    fields = [field for field in row._meta.concrete_fields if not field.primary_key or row.pk]
    values = [
        payload if field.name == "payload" else field.get_db_prep_save(field.pre_save(row, True), connection)
        for field in fields
    ]
    places = ", ".join("%b" if field.name == "payload" else "%s" for field in fields)
    with connection.cursor() as cursor, connection.wrap_database_errors:
        into = f"INSERT INTO {table(type(row))} ({names(fields)}) VALUES ({places})"
        psycopg.Cursor(cursor.connection).execute(into, values)


# --- Back into a table ------------------------------------------------------------------------


def copy_in(cursor: Any, into: str, fields: Sequence[models.Field[Any, Any]], packed: bytes) -> None:
    """Insert rows that PostgreSQL packed into the table ``into``."""
    with (
        connection.wrap_database_errors,
        cursor.cursor.copy(f"COPY {into} ({names(fields)}) FROM STDIN") as rows,
    ):
        rows.write(packed)


def query_of(packed: bytes, fields: Sequence[models.Field[Any, Any]]) -> str | None:
    """A query for rows that SQLite packed, with ``packed`` as its parameter.

    None where Python has to unpack them: a value is not what JSON made of it, or has a NUL.
    """
    if b"\\u0000" in packed or any(map(_from_json, fields)):  # json_each ends a text at a NUL
        return None
    values = [f"json_extract(value, '$[{at}]') AS {names([field])}" for at, field in enumerate(fields)]
    # The parameter is bytes: SQLite accepts texts that Python can't represent.
    return f"SELECT {', '.join(values)} FROM json_each(CAST(%s AS TEXT))"


def as_stored(rows: list[Any], fields: Sequence[models.Field[Any, Any]]) -> list[Any]:
    """Rows that Python has unpacked, with their values as SQLite stores them."""
    converted = [(at, convert) for at, field in enumerate(fields) if (convert := _from_json(field))]
    if not converted:
        return rows
    rows = [list(row) for row in rows]
    for row in rows:
        for at, convert in converted:
            row[at] = convert(row[at]) if isinstance(row[at], str) else row[at]
    return rows


def _from_json(column: models.Field[Any, Any]) -> Callable[[str], Any] | None:
    """A function that converts the text that :func:`_as_json` made of a value back to that value."""
    return bytes.fromhex if _is_binary(column) else float if _is_real(column) else None


def table_of(texts: list[str]) -> tuple[str, Any]:
    """A table of one column that holds ``texts``: its SQL, and its one parameter."""
    if connection.vendor == "postgresql":
        return "unnest(%s::text[])", texts
    return "(SELECT value FROM json_each(%s))", json.dumps(texts)


def pairs(texts: Sequence[tuple[str, str]]) -> tuple[str, list[Any]]:
    """A query for pairs of texts, as the columns model and key, and its parameters."""
    if connection.vendor == "postgresql":
        models, keys = [one for one, _ in texts], [one for _, one in texts]
        return "SELECT * FROM unnest(%s::text[], %s::text[]) AS pair(model, key)", [models, keys]
    each = "json_extract(value, '$[0]') AS model, json_extract(value, '$[1]') AS key"
    return f"SELECT {each} FROM json_each(%s)", [json.dumps(texts)]
