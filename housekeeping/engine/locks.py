"""Locks on rows: in which order they are taken, and who has them (PostgreSQL).

Whoever locks a row before what hangs from it, as a purge does, can't be in a deadlock with one.
On SQLite writers take turns.
"""

from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.db.models import Model, QuerySet

from housekeeping.engine import cascade, packing


def take_from_above(rows: QuerySet[Any]) -> None:
    """Lock ``rows`` and what goes with them, a row before what hangs from it.

    To be called in the transaction that deletes them, before it does: Django deletes what
    hangs from a row first. The lowest tables are left out, since whoever wants their rows
    for a purge waits for those above.
    """
    if connection.features.has_select_for_update:
        _take(rows.model, "pk", list(rows.values_list("pk", flat=True)))


def _take(model: type[Model], path: str, keys: Sequence[Any]) -> None:
    rows: QuerySet[Any] = QuerySet(model).filter(**{f"{path}__in": keys}).order_by("pk")
    locked = list(rows.select_for_update().values_list("pk", flat=True))
    for link in cascade.links(model):
        if locked and link.is_cascade and not cascade.is_leaf(link.model) and link.model is not model:
            _take(link.model, link.field.name, locked)


def above_locked_rows(model: type[Model], keys: Sequence[Any]) -> set[Any]:
    """Those of ``keys`` that a row hangs from which another transaction has locked.

    To be called under the lock of the rows of ``keys``, as the database holds them. Locks
    all that hangs from them and is free, so that a delete of the others waits for no row.
    """
    found: set[Any] = set()
    for link in cascade.links(model):
        if link.is_emptied or link.is_cascade:
            found |= _owners_of_locked(link, keys)
        if link.is_cascade and not cascade.is_leaf(link.model):
            below = above_locked_rows(link.model, _select(link, _key(link), _column(link), keys))
            found |= set(_select(link, _column(link), _key(link), list(below))) if below else set()
    return found


def _owners_of_locked(link: cascade.Link, keys: Sequence[Any]) -> set[Any]:
    """What the link's rows refer to, of those rows that can't be locked."""
    # FOR UPDATE also for a row that only loses its reference: PostgreSQL takes every column of a unique
    # index for a part of the key, those of an index that Django doesn't know of, too.
    where, values = packing.among(_column(link), keys)
    key, table, owner = _quoted(_key(link)), _table(link), _quoted(_column(link))
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH free AS MATERIALIZED"
            f" (SELECT {key} AS key FROM {table} WHERE {where} FOR UPDATE SKIP LOCKED)"
            f" SELECT DISTINCT {owner} FROM {table}"
            f" WHERE {where} AND NOT EXISTS (SELECT 1 FROM free WHERE free.key = {table}.{key})",
            [*values, *values],
        )
        return {row[0] for row in cursor.fetchall()}


def _select(link: cascade.Link, column: str, by: str, values: Sequence[Any]) -> list[Any]:
    where, keys = packing.among(by, values)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT DISTINCT {_quoted(column)} FROM {_table(link)} WHERE {where}", keys)
        return [row[0] for row in cursor.fetchall()]


def _key(link: cascade.Link) -> str:
    return str(packing.key_of(link.model).column)


def _column(link: cascade.Link) -> str:
    return str(link.field.column)


def _table(link: cascade.Link) -> str:
    return _quoted(link.model._meta.db_table)


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)
