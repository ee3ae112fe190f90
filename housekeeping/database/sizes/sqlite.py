"""Sizes on SQLite.

With the virtual table dbstat, which most builds have, SQLite lists the pages of a table with the number of
its rows on each. Up to PAGES are read of a table or an index. If it has more, its rows are estimated from
their rowids, and its bytes from the rows per page of the part that was read. Without dbstat there are no
bytes per table, and up to ROWS are counted.

A reader keeps writers waiting in a database without WAL, so every statement here is short.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import DatabaseError
from django.utils.dateparse import parse_datetime

from housekeeping.database.chosen import connection
from housekeeping.database.sizes.ages import Ages, Column, Tally, quoted
from housekeeping.database.sizes.found import Found, Size, Space

PAGES = 25_000  # 100 MB with pages of 4 KB: a tenth of a second, once they are in memory
ROWS = 100_000  # so many are counted
SAMPLE = 2_000  # rows that the ages of a larger table are estimated from


@dataclass(frozen=True)
class Tree:
    """A table or an index, as far as its pages were read. ``cells``: rows or entries on these pages."""

    pages: int
    bytes: int
    cells: int
    unused: int
    is_whole: bool

    def bytes_for(self, cells: int) -> int:
        """The size of the whole tree if it has so many cells."""
        return round(self.bytes * self._times(cells))

    def unused_for(self, cells: int) -> int:
        return round(self.unused * self._times(cells))

    def _times(self, cells: int) -> float:
        return 1 if self.is_whole else max(cells / max(self.cells, 1), 1)


class Sizes:
    def tables(self) -> list[Found]:
        rows = _all(
            # Without virtual tables, which have no page of their own.
            "SELECT name, type, tbl_name FROM sqlite_master WHERE type IN ('table', 'index') AND rootpage > 0"
        )
        indexes: dict[str, list[str]] = {}
        for name, kind, table in rows:
            if kind == "index":
                indexes.setdefault(table, []).append(name)
        flags = {"has_dbstat": _has_dbstat()}
        return [
            Found(name, name, flags | {"indexes": indexes.get(name, [])})
            for name, kind, _table in sorted(rows)
            if kind == "table" and not name.startswith("sqlite_")
        ]

    def space(self) -> Space:
        [[pages, free, size]] = _all(
            "SELECT page_count, freelist_count, page_size"
            " FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()"
        )
        return Space(pages * size, free * size)

    def size(self, found: Found) -> Size:
        tree = _tree(found.name, is_table=True) if found.facts["has_dbstat"] else None
        rows, is_estimate = _rows(found.name, tree)
        if tree is None:
            return Size(rows=rows, is_estimate=is_estimate)
        trees = [_tree(name) for name in found.facts["indexes"]]
        in_indexes = sum(one.bytes_for(rows) for one in trees)
        return Size(
            rows=rows,
            is_estimate=is_estimate,
            bytes=tree.bytes_for(rows) + in_indexes,
            are_bytes_estimated=not all(one.is_whole for one in (tree, *trees)),
            index_bytes=in_indexes,
            bloat_bytes=sum(one.unused_for(rows) for one in (tree, *trees)),
        )

    def ages(self, found: Found, columns: Sequence[Column], now: datetime, rows: int) -> dict[str, Ages]:
        """Exact for a small table, otherwise from rows at even distances of their rowids."""
        name = quoted(found.name)
        tally = Tally(columns, now)
        if rows <= ROWS:
            [row] = _all(f"SELECT {tally.sql} FROM {name} AS picked", tally.params)
            return tally.read(row, _moment)
        if (ends := _rowids(found.name)) is None:
            return {}
        first, last = ends
        sql = (
            f"WITH RECURSIVE point(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM point WHERE n < {SAMPLE - 1})"
            f" SELECT {tally.sql} FROM point JOIN {name} AS picked ON picked._rowid_ ="
            f" (SELECT min(_rowid_) FROM {name} WHERE _rowid_ >= %s + n * %s / {SAMPLE - 1})"
        )
        [row] = _all(sql, [*tally.params, first, last - first])
        return tally.read(row, _moment, rows)


def _rows(table: str, tree: Tree | None) -> tuple[int, bool]:
    """The number of rows, and whether it is an estimate."""
    if tree is not None and tree.is_whole:
        return tree.cells, False
    name = quoted(table)
    [[counted]] = _all(f"SELECT count(*) FROM (SELECT 1 FROM {name} LIMIT {ROWS + 1})")
    if counted <= ROWS:
        return counted, False
    ends = _rowids(table)
    return (max(ends[1] - ends[0] + 1, counted) if ends else counted), True


def _rowids(table: str) -> tuple[int, int] | None:
    """The first and the last rowid; None for a table without rowids, or an empty one."""
    if not _has_rowids(table):
        return None
    name = quoted(table)
    # In subqueries, since SQLite finds one end in the tree at once, but scans the table for both.
    [ends] = _all(f"SELECT (SELECT min(_rowid_) FROM {name}), (SELECT max(_rowid_) FROM {name})")
    return None if None in ends else (ends[0], ends[1])


def _has_rowids(table: str) -> bool:
    try:
        _all(f"SELECT _rowid_ FROM {quoted(table)} LIMIT 0")
    except DatabaseError as error:
        if "no such column" not in str(error):
            raise
        return False  # WITHOUT ROWID
    return True


def _tree(name: str, *, is_table: bool = False) -> Tree:
    # The rows of a table are on its leaves. In an index, inner pages have entries, too.
    cells = "CASE pagetype WHEN 'leaf' THEN ncell END" if is_table and _has_rowids(name) else "ncell"
    [[pages, size, found, unused]] = _all(
        f"SELECT count(*), coalesce(sum(pgsize), 0), coalesce(sum({cells}), 0), coalesce(sum(unused), 0)"
        f" FROM (SELECT * FROM dbstat WHERE name = %s LIMIT {PAGES})",
        [name],
    )
    return Tree(pages, size, found, unused, is_whole=pages < PAGES)


def _has_dbstat() -> bool:
    try:
        _all("SELECT 1 FROM dbstat LIMIT 1")
    except DatabaseError as error:
        if "no such table" not in str(error):
            raise
        return False
    return True


def _moment(text: Any) -> datetime | None:
    """The moment that Django has stored as text. A date is its midnight; anything else is None."""
    try:
        found = parse_datetime(text if " " in text else f"{text} 00:00:00")
    except (TypeError, ValueError):
        return None
    return found.replace(tzinfo=UTC) if found and not found.tzinfo else found


def _all(sql: str, params: Sequence[Any] = ()) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, list(params))
        return list(cursor.fetchall())
