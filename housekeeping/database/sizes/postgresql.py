"""Sizes on PostgreSQL, from its statistics.

The bytes are those on disk at the moment. Rows of a table up to PAGES are counted. Those of a larger one are
the last ANALYZE's, plus and minus what was inserted and deleted since; a crash loses these counts, and then
they are its rows per page times the pages of now, as for the planner. If it was never analysed, SAMPLE pages
are read. Ages come from the histograms of ANALYZE, or from such a sample if too much has changed since.
Another user's tables have sizes and estimated rows, but their columns can't be read without the right to
SELECT.
"""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from housekeeping.database.chosen import connection
from housekeeping.database.sizes.ages import Ages, Column, Tally, cutoffs, of_epoch, quoted
from housekeeping.database.sizes.found import Found, Size, Space

PAGES = 1_000  # 8 MB: counted in some milliseconds
SAMPLE = 300  # pages
STALE = 0.1  # of the rows have changed since the last ANALYZE: its histograms are out of date

# A partition belongs to its topmost table, which has no pages of its own.
TABLES = """
SELECT root.oid, root.relname, schema.nspname, pg_table_is_visible(root.oid),
       has_table_privilege(root.oid, 'SELECT'), array_agg(part.oid)
FROM pg_class AS part
JOIN pg_class AS root ON root.oid = coalesce(pg_partition_root(part.oid), part.oid)
JOIN pg_namespace AS schema ON schema.oid = root.relnamespace
WHERE part.relkind IN ('r', 'p', 'm') AND part.relpersistence <> 't'
  AND schema.nspname NOT IN ('pg_catalog', 'information_schema') AND schema.nspname NOT LIKE 'pg\\_toast%%'
GROUP BY root.oid, root.relname, schema.nspname
ORDER BY schema.nspname, root.relname
"""
SIZE = """
SELECT coalesce(sum(pg_total_relation_size(part.oid)), 0)::bigint,
       coalesce(sum(pg_indexes_size(part.oid)), 0)::bigint,
       coalesce(sum(pg_total_relation_size(nullif(part.reltoastrelid, 0))), 0)::bigint,
       coalesce(sum(pg_relation_size(part.oid)), 0)::bigint,
       coalesce(min(part.reltuples) FILTER (WHERE part.relkind <> 'p'), 0)::float8,
       coalesce(sum(part.reltuples) FILTER (WHERE part.relkind <> 'p'), 0)::float8,
       coalesce(sum(part.relpages) FILTER (WHERE part.relkind <> 'p'), 0)::bigint,
       coalesce(sum(seen.n_dead_tup), 0)::bigint,
       coalesce(sum(seen.n_live_tup), 0)::bigint,
       coalesce(bool_and(coalesce(seen.last_analyze, seen.last_autoanalyze) IS NOT NULL)
                FILTER (WHERE part.relkind <> 'p'), false),
       coalesce(sum(seen.n_mod_since_analyze), 0)::bigint,
       current_setting('block_size')::int
FROM pg_class AS part LEFT JOIN pg_stat_all_tables AS seen ON seen.relid = part.oid
WHERE part.oid = ANY(%s)
"""
# The statistics of a table with partitions are those with "inherited". Its newest row wins.
STATISTICS = """
SELECT attname, null_frac,
       ARRAY(SELECT extract(epoch FROM at)::float8 FROM unnest(most_common_vals::text::timestamptz[]) AS at),
       most_common_freqs,
       ARRAY(SELECT extract(epoch FROM at)::float8 FROM unnest(histogram_bounds::text::timestamptz[]) AS at)
FROM pg_stats WHERE schemaname = %s AND tablename = %s AND attname = ANY(%s) ORDER BY inherited
"""


class Sizes:
    def tables(self) -> list[Found]:
        found = []
        for _oid, name, schema, is_visible, may_read, parts in _all(TABLES):
            facts = {"schema": schema, "table": name, "may_read": may_read, "parts": parts}
            qualified = f"{schema}.{name}"
            found.append(Found(name if is_visible else qualified, qualified, facts))
        return found

    def space(self) -> Space:
        [[size]] = _all("SELECT pg_database_size(current_database())")
        return Space(size)

    def size(self, found: Found) -> Size:
        [facts] = _all(SIZE, [found.facts["parts"]])
        total, indexes, toast, heap, least, tuples, analysed_pages, dead, live, has_counts, changed, page = (
            facts
        )
        pages = heap // page
        found.facts.update(pages=pages, is_stale=changed > STALE * live)
        is_small = pages <= PAGES and found.facts["may_read"]
        if is_small:
            [[rows]] = _all(f"SELECT count(*) FROM {_source(found)}")
        elif has_counts:
            rows = live
        elif least >= 0 and analysed_pages:
            rows = round(tuples / analysed_pages * pages)
        elif found.facts["may_read"]:
            [[counted]] = _all(f"SELECT count(*) FROM {_sample(found)}")
            rows = round(counted * max(pages / SAMPLE, 1))
        else:
            rows = live
        return Size(
            rows=rows,
            is_estimate=not is_small,
            bytes=total,
            index_bytes=indexes,
            toast_bytes=toast,
            dead_rows=dead,
            bloat_bytes=round(heap * dead / (rows + dead)) if dead else 0,
        )

    def ages(self, found: Found, columns: Sequence[Column], now: datetime, rows: int) -> dict[str, Ages]:
        is_small = found.facts["pages"] <= PAGES
        # A purge leaves the histogram as it was until the next ANALYZE, with all the rows that are gone.
        is_sampled = is_small or found.facts["is_stale"]
        known = {} if is_sampled else _from_statistics(found, columns, now, rows)
        rest = [column for column in columns if column.name not in known]
        if not rest or not found.facts["may_read"]:
            return known
        tally = Tally(rest, now, end="extract(epoch FROM {})::float8")
        [row] = _all(
            f"SELECT {tally.sql} FROM {_source(found) if is_small else _sample(found)}", tally.params
        )
        return known | tally.read(row, of_epoch, None if is_small else rows)


def _from_statistics(found: Found, columns: Sequence[Column], now: datetime, rows: int) -> dict[str, Ages]:
    by_column = {column.column: column for column in columns}
    statistics = _all(STATISTICS, [found.facts["schema"], found.facts["table"], list(by_column)])
    known: dict[str, Ages] = {}
    for attribute, null_share, common, shares, bounds in statistics:
        column = by_column[attribute]
        moments = sorted([*common, *bounds])
        if not moments:
            continue
        older = [
            _share_below(_epoch(at), common, shares or [], null_share, bounds) for at in cutoffs(column, now)
        ]
        known[column.name] = Ages(
            known=round(rows * (1 - null_share)),
            older=tuple(round(rows * share) for share in older),
            oldest=of_epoch(moments[0]),
            newest=of_epoch(moments[-1]),
            is_estimate=True,
        )
    return known


def _share_below(
    limit: float, common: Sequence[float], shares: Sequence[float], null_share: float, bounds: Sequence[float]
) -> float:
    """The share of all rows whose value is below ``limit``.

    ``bounds`` divides the rows without a common value into parts of equal size; inside a part, values are
    taken to be spread evenly.
    """
    below = sum(share for value, share in zip(common, shares, strict=False) if value < limit)
    rest = max(1 - null_share - sum(shares), 0)
    place = bisect_left(bounds, limit)
    if len(bounds) < 2 or place == 0:
        return below
    if place == len(bounds):
        return below + rest
    part = bounds[place] - bounds[place - 1]
    inside = (limit - bounds[place - 1]) / part if 0 < part < float("inf") else 0
    return below + rest * (place - 1 + inside) / (len(bounds) - 1)


def _epoch(at: Any) -> float:
    """Of a date or a moment, as the database takes it."""
    moment = at if isinstance(at, datetime) else datetime(at.year, at.month, at.day, tzinfo=UTC)
    return moment.timestamp()


def _source(found: Found) -> str:
    schema, table = (quoted(found.facts[name]) for name in ("schema", "table"))
    return f"{schema}.{table} AS picked"


def _sample(found: Found) -> str:
    """About SAMPLE pages of the table. The same pages each time, as long as the table does not change."""
    percent = min(SAMPLE / max(found.facts["pages"], 1) * 100, 100)
    return f"{_source(found)} TABLESAMPLE SYSTEM ({percent:.6f}) REPEATABLE (1)"


def _all(sql: str, params: Sequence[Any] = ()) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, list(params))  # even without any, so that %% is read as %
        return list(cursor.fetchall())
