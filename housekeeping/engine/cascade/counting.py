"""How many rows are below a row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Count, Model, Q

from housekeeping.engine.cascade.closure import Closure
from housekeeping.engine.cascade.edges import rows_of
from housekeeping.engine.cascade.graph import is_tree, nodes
from housekeeping.engine.cascade.paths import walk


class Below:
    """Counts the rows below rows whose keys are added bit by bit, each row once.

    ``rows``: by table. In a circle, rows of the model itself may be among them, but none that was added.
    """

    def __init__(self, model: type[Model]) -> None:
        self.rows: Counter[str] = Counter()
        self._way = _ByPath(model, self.rows) if is_tree(model) else _ByKey(model, self.rows)

    def add(self, keys: Sequence[Any]) -> None:
        self._way.add(keys)


class _ByPath:
    def __init__(self, model: type[Model], rows: Counter[str]) -> None:
        self.rows, self.paths = rows, paths(model)
        self.rows.update({table._meta.label: 0 for table in self.paths})
        # Two paths may lead to the same row, with keys of two calls.
        self.met: dict[type[Model], set[Any]] = {
            table: set() for table, paths in self.paths.items() if len(paths) > 1
        }

    def add(self, keys: Sequence[Any]) -> None:
        for table, paths in self.paths.items():
            reached = reduce(or_, (Q(**{f"{path}__in": keys}) for path in paths))
            rows = rows_of(table).filter(reached)
            if table in self.met:
                self.met[table].update(rows.values_list("pk", flat=True))
                self.rows[table._meta.label] = len(self.met[table])
            else:
                self.rows[table._meta.label] += rows.count()


def paths(model: type[Model]) -> dict[type[Model], list[str]]:
    """The lookup paths that lead to rows of ``model`` from each table below it, if it is a tree."""
    found: dict[type[Model], list[str]] = {}
    for link, path in walk(model):
        if link.is_cascade:
            found.setdefault(link.model, []).append(path)
    return found


class _ByKey:
    def __init__(self, model: type[Model], rows: Counter[str]) -> None:
        self.model, self.rows = model, rows
        below = nodes(model)
        self.ways = Counter(edge.model for node in below for edge, _ in node.edges())
        self.rows.update({table._meta.label: 0 for table in self.ways})
        # Of a table that only one way leads to, no row is met again with keys of another call.
        self.is_met_once = not self.ways[model] and all(self.ways[node.model] < 2 for node in below)
        self.closure = Closure(model)
        self.met: dict[type[Model], set[Any]] = {
            table: set() for table, ways in self.ways.items() if ways > 1
        }
        self.added: set[Any] = set()

    def add(self, keys: Sequence[Any]) -> None:
        if self.is_met_once:
            self.closure = Closure(self.model)
        else:
            self.added.update(keys)
        self.closure.leaves.clear()
        self.closure.add(keys)
        for table, found in self.closure.rows.items():
            label, number = table._meta.label, len(found)
            if self.is_met_once and table is not self.model:
                self.rows[label] += number
            elif not self.is_met_once:
                self.rows[label] = number
        if self.ways[self.model]:
            self.rows[self.model._meta.label] = len({*self.closure.rows[self.model]} - self.added)
        else:
            del self.rows[self.model._meta.label]
        for edge, values in self.closure.leaves:
            self._count_leaf(edge.model, edge.rows(list(values)))

    def _count_leaf(self, table: type[Model], rows: Any) -> None:
        if self.ways[table] == 1:
            self.rows[table._meta.label] += rows.count()
        else:
            self.met[table].update(rows.values_list("pk", flat=True))
            self.rows[table._meta.label] = len(self.met[table])


AT_ONCE = 200  # keys: each row below them has a bit for each


def weights(model: type[Model], keys: Sequence[Any]) -> Counter[str]:
    """How many rows are below each of ``keys``, in all tables together. The result has keys as text."""
    if is_tree(model):
        return _weights_by_path(model, keys)
    found: Counter[str] = Counter()
    for at in range(0, len(keys), AT_ONCE):
        closure, some = Closure(model, is_kept=True), keys[at : at + AT_ONCE]
        closure.add(some)
        found.update(closure.weights(some))
    return found


def _weights_by_path(model: type[Model], keys: Sequence[Any]) -> Counter[str]:
    found: Counter[str] = Counter()
    for link, path in walk(model):
        if link.is_cascade:
            below = rows_of(link.model).filter(**{f"{path}__in": keys}).order_by()
            for key, rows in below.values_list(path).annotate(rows=Count("pk")):
                found[str(key)] += rows
    return found
