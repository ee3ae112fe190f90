"""Locks on rows: in which order they are taken, how long a statement waits, and who has them.

A transaction that locks a row before the rows below it, as a purge does, can't deadlock with a purge.
On SQLite writers take turns.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Model, QuerySet

from housekeeping.database.chosen import connection
from housekeeping.engine import cascade, packing
from housekeeping.engine.packing import quoted


def set_locally(settings: Mapping[str, str]) -> None:
    """Set PostgreSQL's settings until the transaction ends, such as timeouts. SQLite has none of them."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("".join(f"SET LOCAL {name} = '{value}';" for name, value in settings.items()))


def take_from_above(rows: QuerySet[Any]) -> None:
    """Lock ``rows`` and the rows that are deleted with them, each row before the rows below it.

    Call it first in the transaction that deletes them, since Django deletes the rows below a row
    first. The lowest tables are left out: a purge that wants their rows waits for the rows above.
    """
    if connection.features.has_select_for_update:
        keys = list(rows.values_list("pk", flat=True))
        if cascade.is_tree(rows.model):
            _take(rows.model, "pk", keys)
        else:
            there = cascade.rows_of(rows.model).filter(packing.Among("pk", keys)).order_by("pk")
            locked = list(there.select_for_update().values_list("pk", flat=True))
            cascade.Closure(rows.model, is_locking=True).add(locked)


def _take(model: type[Model], path: str, keys: Sequence[Any]) -> None:
    rows: QuerySet[Any] = QuerySet(model).filter(**{f"{path}__in": keys}).order_by("pk")
    locked = list(rows.select_for_update().values_list("pk", flat=True))
    for link in cascade.links(model):
        if locked and link.is_cascade and not cascade.is_leaf(link.model):
            _take(link.model, link.field.name, locked)


# --- For a batch of a purge: by key, as the database stores keys -------------------------------


def take_below(link: cascade.Link, keys: Sequence[Any]) -> list[Any]:
    """Lock the rows that refer to ``keys`` by the link. Returns their keys.

    A row that somebody adds below them meanwhile waits, instead of failing the batch at its commit.
    """
    lock = " FOR UPDATE" if connection.features.has_select_for_update else ""
    return _select(link, packing.key_column(link.model), link.column, keys, lock)


def exist(link: cascade.Link, keys: Sequence[Any]) -> bool:
    """Whether any row refers to one of ``keys`` by the link."""
    return bool(_select(link, packing.key_column(link.model), link.column, keys, " LIMIT 1"))


def above_locked_rows(model: type[Model], keys: Sequence[Any]) -> set[Any]:
    """Those of ``keys`` that have a row below them which another transaction has locked (PostgreSQL).

    Call it while the rows of ``keys`` are locked. It locks every free row below them, so that deleting
    the others waits for no row.
    """
    if not cascade.is_tree(model):
        return _above_locked_rows(model, keys)
    stored = packing.stored_keys(packing.key_of(model), keys)
    found = _in_tree(model, stored)
    return {key for key, as_stored in zip(keys, stored, strict=True) if as_stored in found}


def _above_locked_rows(model: type[Model], keys: Sequence[Any]) -> set[Any]:
    closure = cascade.Closure(model, is_kept=True)
    closure.add(keys)
    locked = list[Any]()
    for table, found in closure.rows.items():
        free = _free(cascade.rows_of(table).filter(packing.Among("pk", found)))
        locked += [(table, key) for key in found if key not in free]
        for link in cascade.links(table):
            if link.is_emptied:
                locked += _owners(link, link.values(found))
    for edge, values in closure.leaves:
        locked += _owners(edge, values)
    return closure.roots_of(locked) & set(keys)


def _free(rows: QuerySet[Any]) -> set[Any]:
    return set(rows.order_by().select_for_update(skip_locked=True).values_list("pk", flat=True))


def _owners(edge: cascade.Edge, values: Mapping[Any, Any]) -> list[tuple[type[Model], Any]]:
    """The owners of those rows of the edge that are locked."""
    rows = edge.rows(list(values))
    free = _free(rows)
    return [
        (edge.owner, values[value]) for value, key in rows.values_list(edge.name, "pk") if key not in free
    ]


def _in_tree(model: type[Model], keys: Sequence[Any]) -> set[Any]:
    """The same, with keys as the database stores them."""
    found: set[Any] = set()
    for link in cascade.links(model):
        if link.is_emptied or link.is_cascade:
            found |= _owners_of_locked(link, keys)
        if link.is_cascade and not cascade.is_leaf(link.model):
            key = packing.key_column(link.model)
            below = _in_tree(link.model, _select(link, key, link.column, keys))
            found |= set(_select(link, link.column, key, list(below))) if below else set()
    return found


def _owners_of_locked(link: cascade.Link, keys: Sequence[Any]) -> set[Any]:
    """The keys that the link's locked rows refer to."""
    # FOR UPDATE also for a row that only loses its reference: for PostgreSQL every column of a unique
    # index is a part of the key, even of an index that Django does not know.
    where, values = packing.among(quoted(link.column), keys)
    key, table = quoted(packing.key_column(link.model)), packing.table(link.model)
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH free AS MATERIALIZED"
            f" (SELECT {key} AS key FROM {table} WHERE {where} FOR UPDATE SKIP LOCKED)"
            f" SELECT DISTINCT {quoted(link.column)} FROM {table}"
            f" WHERE {where} AND NOT EXISTS (SELECT 1 FROM free WHERE free.key = {table}.{key})",
            [*values, *values],
        )
        return {row[0] for row in cursor.fetchall()}


def _select(link: cascade.Link, column: str, by: str, keys: Sequence[Any], more: str = "") -> list[Any]:
    """The values of ``column`` in the link's rows whose column ``by`` is one of ``keys``."""
    where, values = packing.among(quoted(by), keys)
    select = f"SELECT {quoted(column)} FROM {packing.table(link.model)}"
    with connection.cursor() as cursor:
        cursor.execute(f"{select} WHERE {where}{more}", values)
        return [row[0] for row in cursor.fetchall()]
