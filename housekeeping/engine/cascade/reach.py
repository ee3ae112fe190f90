"""Conditions on rows from which a walk along the cascade leads somewhere, where no lookup path can tell.

The database walks: a recursive query starts at the row, and goes down to all rows that would be deleted
with it, and then, if asked, up to all rows that would take one of these along. Rows are named by the number
of their table and by their key, as a hold writes it, so that a circle ends where a row comes again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import models, transaction
from django.db.models import Func, Model, Q, QuerySet

from housekeeping.database import chosen
from housekeeping.database.chosen import connection
from housekeeping.engine.cascade.above import into, is_tree_both_ways, leads_to
from housekeeping.engine.cascade.edges import Link, value_field
from housekeeping.engine.cascade.graph import Ascent, Edge, Generic, Node
from housekeeping.engine.packing import key_of, pairs, quoted, table

SQL = tuple[str, list[Any]]


@dataclass(frozen=True)
class Step:
    """From a row of the table with the number ``at`` to rows of another one.

    ``select``: takes the first row's key, and returns the key of the others, their tables and a condition.
    """

    at: int
    to: int
    select: Callable[[str], tuple[str, str, str]]


@dataclass
class Way:
    """A part of the graph, each node with a number, and the steps between them."""

    steps: list[Step] = field(default_factory=list)
    numbers: dict[Any, int] = field(default_factory=dict)

    def number(self, node: Any) -> int:
        return self.numbers.setdefault(node, len(self.numbers))


def down(top: Node, is_wanted: Callable[[Node], bool]) -> Way:
    """The way from rows of ``top`` down, as far as it leads to nodes that are wanted."""
    steps: dict[Node, list[tuple[Edge, Node]]] = {}
    waiting = [top]
    while waiting:
        node = waiting.pop()
        if node not in steps:
            steps[node] = list(node.edges())
            waiting += [below for _, below in steps[node]]
    useful = {node for node in steps if is_wanted(node)}
    while more := {node for node, found in steps.items() if useful & {below for _, below in found}} - useful:
        useful |= more
    way = Way()
    way.number(top)
    for node, found in steps.items():
        for edge, below in found:
            if below in useful:
                way.steps.append(Step(way.number(node), way.number(below), _down(edge)))
    return way


def _down(edge: Edge) -> Callable[[str], tuple[str, str, str]]:
    owner, pk = key_of(edge.owner), key_of(edge.model)
    rows, key_in_owner = f"{table(edge.model)} c", f"o.{_name(owner)}"
    if isinstance(edge, Ascent):
        part = _text(f"o.{_name(edge.field)}", pk)
        return lambda key: (part, f"{table(edge.owner)} o", f"{key_in_owner} = {_typed(key, owner)}")
    found, mine = _text(f"c.{_name(pk)}", pk), f"c.{quoted(edge.column)}"
    if isinstance(edge, Generic):
        kind = f"c.{_name(edge.kind)} = {edge.content_type or 0}"
        return lambda key: (found, rows, f"{kind} AND {mine} = {_as_object_id(key, edge)}")
    if edge.is_to_key:
        return lambda key: (found, rows, f"{mine} = {_typed(key, owner)}")
    both = f"{table(edge.owner)} o JOIN {rows} ON {mine} = o.{_name(edge.field.target_field)}"
    return lambda key: (found, both, f"{key_in_owner} = {_typed(key, owner)}")


def up(way: Way, is_wanted: Callable[[type[Model]], bool]) -> Way:
    """The way from all rows that ``way`` leads to, up to wanted tables: over rows that take them along."""
    above = Way(numbers=way.numbers)
    waiting, done = list(way.numbers), set[Any]()
    while waiting:
        node = waiting.pop()
        if node in done:
            continue
        done.add(node)
        for edge in into(node.model):
            if leads_to(edge.owner, is_wanted):
                waiting.append(Node(edge.owner))
                above.steps.append(Step(above.number(node), above.number(Node(edge.owner)), _up(edge)))
    return above


def _up(edge: Edge) -> Callable[[str], tuple[str, str, str]]:
    owner, pk = key_of(edge.owner), key_of(edge.model)
    rows, key_in_row = f"{table(edge.model)} c", f"c.{_name(pk)}"
    if isinstance(edge, Ascent):
        whole = _text(f"o.{_name(owner)}", owner)
        part = f"o.{_name(edge.field)}"
        return lambda key: (whole, f"{table(edge.owner)} o", f"{part} = {_typed(key, pk)}")
    mine = f"c.{quoted(edge.column)}"
    if isinstance(edge, Generic):
        kind = f"c.{_name(edge.kind)} = {edge.content_type or 0}"
        is_key = _is_key(mine, edge)
        return lambda key: (
            _text(mine, edge.key),
            rows,
            f"{kind} AND {key_in_row} = {_typed(key, pk)}{is_key}",
        )
    if edge.is_to_key:
        found = _text(mine, owner)
        return lambda key: (found, rows, f"{key_in_row} = {_typed(key, pk)} AND {mine} IS NOT NULL")
    found = _text(f"o.{_name(owner)}", owner)
    both = f"{rows} JOIN {table(edge.owner)} o ON {mine} = o.{_name(edge.field.target_field)}"
    return lambda key: (found, both, f"{key_in_row} = {_typed(key, pk)}")


def _is_key(mine: str, generic: Generic) -> str:
    """A text that is no key of the owner's type would stop PostgreSQL at the next step."""
    pattern = PATTERNS.get(_kind(value_field(key_of(generic.owner))))
    is_text = isinstance(value_field(generic.key), models.CharField | models.TextField)
    return f" AND {mine} ~ '{pattern}'" if pattern and is_text and connection.vendor == "postgresql" else ""


PATTERNS = {"number": "^-?[0-9]{1,18}$", "uuid": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"}


def _kind(field: Any) -> str:
    if isinstance(field, models.IntegerField):
        return "number"
    return "uuid" if isinstance(field, models.UUIDField) else ""


# --- Keys as text, and back ---------------------------------------------------------------------


def _name(field: models.Field[Any, Any]) -> str:
    return quoted(str(field.column))


def _is_split(field: Any) -> bool:
    """Whether the database stores a UUID as 32 digits; a hold has them in groups, as Python writes them."""
    return isinstance(value_field(field), models.UUIDField) and not connection.features.has_native_uuid_field


def _text(expression: str, key: models.Field[Any, Any]) -> str:
    """A key the way that a hold writes it."""
    if not _is_split(key):
        return f"CAST({expression} AS text)"
    parts = [f"substr({expression}, {start}, {size})" for start, size in UUID_PARTS]
    return " || '-' || ".join(parts)


# Where 32 digits stand that are written in groups.
UUID_PARTS = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))


def _typed(text: str, key: models.Field[Any, Any]) -> str:
    """A key, given as a hold writes it, the way that the database stores it."""
    if _is_split(key):
        return f"replace({text}, '-', '')"
    if isinstance(value_field(key), models.DateField) and connection.vendor == "sqlite":
        return text  # stored as a text: CAST would make a number of it
    return f"CAST({text} AS {value_field(key).rel_db_type(connection)})"


def _as_object_id(text: str, generic: Generic) -> str:
    field = value_field(generic.key)
    is_text = isinstance(field, models.CharField | models.TextField)
    return f"CAST({text} AS text)" if is_text else _typed(text, generic.key)


# --- The condition ------------------------------------------------------------------------------


class Reaches(Func):
    """Whether the walk from a row leads to a row for which one of ``ends`` is true.

    ``ends``: queries that may ask the tables ``down`` and ``up``, with the columns n and key.
    """

    output_field = models.BooleanField()

    def __init__(self, model: type[Model], ways: Sequence[Way], ends: Iterable[SQL]) -> None:
        super().__init__("pk")
        self.model, self.ways, self.ends = model, ways, list(ends)

    def as_sql(self, compiler: Any, connection: Any, **_: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        [pk] = self.source_expressions
        key, values = compiler.compile(pk)
        with chosen.on(connection.alias):
            start = f"SELECT 0, {_text(key, key_of(self.model))}"
            sql, params = query((start, list(values)), self.ways, self.ends)
        return f"EXISTS ({sql})", params


@contextmanager
def walking(model: type[Model]) -> Iterator[None]:
    """Keep PostgreSQL from compiling a query that walks: it expects too many rows, and takes seconds."""
    if connection.vendor != "postgresql" or is_tree_both_ways(model):
        yield
        return
    with transaction.atomic(using=chosen.alias()), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('jit', 'off', true)")  # until the transaction ends
        yield


def query(start: SQL, ways: Sequence[Way], ends: Sequence[SQL]) -> SQL:
    """``start`` selects the rows to start at. The ways are walked one after the other: down, then up."""
    parts, (first, params) = [], start
    for name, way in zip(("down", "up"), ways, strict=False):
        parts.append(_recursive(name, way, first))
        first = f"SELECT n, key FROM {name}"
    ended = " UNION ALL ".join(sql for sql, _ in ends)
    params = [*params, *(value for _, values in ends for value in values)]
    return f"WITH RECURSIVE {', '.join(parts)} {ended}", params


def rows(queryset: QuerySet[Any]) -> SQL:
    """The rows of a queryset, to start at."""
    key = key_of(queryset.model)
    sql, values = queryset.order_by().values("pk").query.get_compiler(connection=connection).as_sql()
    named = f"WITH start(key) AS ({sql}) SELECT key FROM start"
    return f"SELECT 0, {_text('r.key', key)} FROM ({named}) r", list(values)


def _recursive(name: str, way: Way, first: str) -> str:
    """A table of all rows that the way leads to. PostgreSQL lets a query refer to itself only once."""
    if not way.steps:
        return f"{name}(n, key) AS ({first})"
    selects = []
    for step in way.steps:
        if connection.vendor == "postgresql":
            # CASE: a key of another table may be none of this one's type.
            key, rows, where = step.select(f"CASE WHEN {name}.n = {step.at} THEN {name}.key END")
            selects.append(f"SELECT {step.to}, {key} FROM {rows} WHERE {name}.n = {step.at} AND {where}")
        else:
            key, rows, where = step.select(f"{name}.key")
            source = f"{name} CROSS JOIN {rows}"
            selects.append(f"SELECT {step.to}, {key} FROM {source} WHERE {name}.n = {step.at} AND {where}")
    if connection.vendor == "postgresql":
        found = f"{name} CROSS JOIN LATERAL ({' UNION ALL '.join(selects)}) s(n, key)"
        return f"{name}(n, key) AS ({first} UNION SELECT s.n, s.key FROM {found})"
    return f"{name}(n, key) AS ({' UNION '.join([first, *selects])})"


def refers(way: Way, node: Node, link: Link) -> SQL:
    """An end: a row that the way has reached at ``node`` is one that the link refers to."""
    key, owner = f"CASE WHEN down.n = {way.numbers[node]} THEN down.key END", key_of(link.owner)
    rows = f"{table(link.model)} c ON c.{quoted(link.column)} = {_typed(key, owner)}"
    if not link.is_to_key:
        target = f"o.{quoted(str(link.field.target_field.column))}"
        rows = (
            f"{table(link.owner)} o ON o.{_name(owner)} = {_typed(key, owner)}"
            f" JOIN {table(link.model)} c ON c.{quoted(link.column)} = {target}"
        )
    return f"SELECT 1 FROM down JOIN {rows} WHERE down.n = {way.numbers[node]}", []


def is_row(way: Way, node: Node, key: str) -> SQL:
    """An end: the way has reached the row of ``node`` with this key, written as a hold writes it."""
    return f"SELECT 1 FROM down WHERE down.n = {way.numbers[node]} AND down.key = %s", [key]


def is_named(
    way: Way, is_wanted: Callable[[type[Model]], bool], those: QuerySet[Any] | Sequence[tuple[str, str]]
) -> SQL:
    """An end: the way up has reached a row that one of ``those``, with a model and a key, names.

    ``those``: a query of the same database, or what was read from another one.
    """
    labels = {number: node.model._meta.label for node, number in way.numbers.items() if is_wanted(node.model)}
    case = " ".join(f"WHEN {number} THEN %s" for number in labels)
    if not isinstance(those, QuerySet):
        sql, values = pairs(those)
        found = f"(CASE up.n {case} END, up.key) IN (SELECT h.model, h.key FROM ({sql}) h)"
        return f"SELECT up.n, up.key FROM up WHERE {found}", [*labels.values(), *values]
    sql, values = those.query.get_compiler(connection=connection).as_sql()
    found = f"SELECT 1 FROM ({sql}) h WHERE h.key = up.key AND h.model = CASE up.n {case} END LIMIT 1"
    # As a value: one look into the index for each row. A join may read all holds for each of them.
    return f"SELECT up.n, up.key FROM up WHERE ({found}) = 1", [*values, *labels.values()]


def condition(model: type[Model], ways: Sequence[Way], ends: Sequence[SQL]) -> Q:
    return Q(Reaches(model, ways, ends)) if ends else Q(pk__in=[])
