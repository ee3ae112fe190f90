"""The rows that go with some rows, found level by level by their keys, each once."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Iterable
from typing import Any

from django.db.models import Count, Model

from housekeeping.engine.cascade.edges import links
from housekeeping.engine.cascade.graph import Edge, Node, generics, is_leaf

Row = tuple[type[Model], Any]
"""A table and a key."""


class Closure:
    """The rows of ``model`` that are added, and the rows below them.

    Rows of leaves, the lowest tables, are not read: ``leaves`` has the values that they refer with.
    ``is_locking``: lock each row before the rows below it, so that a row that somebody adds meanwhile
    waits. ``is_kept``: keep which row was reached from which.
    """

    def __init__(self, model: type[Model], *, is_locking: bool = False, is_kept: bool = False) -> None:
        self.model, self.is_locking, self.is_kept = model, is_locking, is_kept
        self.found: dict[Node, dict[Any, None]] = {Node(model): {}}
        self.leaves: list[tuple[Edge, dict[Any, Any]]] = []
        self.reached_from: dict[Row, list[Row]] = {}

    def add(self, keys: Iterable[Any]) -> None:
        top = Node(self.model)
        waiting = deque([(top, self._new(top, keys))])
        while waiting:
            node, keys = waiting.popleft()
            for edge, below in node.edges() if keys else ():
                if new := self._new(below, self._below(edge, keys)):
                    waiting.append((below, new))

    def _new(self, node: Node, keys: Iterable[Any]) -> list[Any]:
        there = self.found.setdefault(node, {})
        whole = self.found.get(Node(node.model), {})
        new = dict.fromkeys(key for key in keys if key not in there and key not in whole)
        there |= new
        return list(new)

    def _below(self, edge: Edge, keys: Collection[Any]) -> list[Any]:
        values = edge.values(list(keys))
        if not values:
            return []
        if is_leaf(edge.model):
            self.leaves.append((edge, values))
            return []
        rows = edge.rows(list(values))
        pairs = list((rows.select_for_update() if self.is_locking else rows).values_list(edge.name, "pk"))
        if self.is_kept:
            for value, key in pairs:
                self.reached_from.setdefault((edge.model, key), []).append((edge.owner, values[value]))
        return [key for _, key in pairs]

    @property
    def rows(self) -> dict[type[Model], list[Any]]:
        """The keys by table."""
        found: dict[type[Model], dict[Any, None]] = {}
        for node, keys in self.found.items():
            found[node.model] = found.get(node.model, {}) | keys
        return {model: list(keys) for model, keys in found.items() if keys}

    def keys(self, model: type[Model]) -> list[Any]:
        return self.rows.get(model, [])

    def order(self) -> list[type[Model]]:
        """The tables of its rows, each after those that refer to it; in a circle, in any order."""
        there, found = self.rows, dict[type[Model], None]()
        for model in there:
            self._visit(model, there, found, set())
        return list(found)

    def _visit(self, model: Any, there: Collection[Any], found: dict[Any, None], above: set[Any]) -> None:
        if model in found or model in above:
            return
        above.add(model)
        edges: list[Edge] = [*links(model), *generics(model)]
        for edge in edges:
            if edge.model in there:
                self._visit(edge.model, there, found, above)
        found[model] = None

    # --- For each of the rows that were added ---------------------------------------------------

    def roots_of(self, rows: Iterable[Row]) -> set[Any]:
        """The keys of ``model`` from which one of ``rows`` is reached. Needs ``is_kept``."""
        found, waiting = set[Row](), list(rows)
        while waiting:
            row = waiting.pop()
            if row not in found:
                found.add(row)
                waiting += self.reached_from.get(row, ())
        return {key for model, key in found if model is self.model}

    def weights(self, keys: Collection[Any]) -> Counter[str]:
        """How many rows are below each of ``keys``, in all tables together. Needs ``is_kept``.

        Each row has one bit for each key that it is below of: sets of keys would take up much more memory.
        """
        masks = self._masks(keys)
        rows: Counter[int] = Counter(masks.values())
        for edge, values in self.leaves:
            below = edge.rows(list(values)).values_list(edge.name).annotate(rows=Count("pk"))
            for value, number in below:
                rows[masks[edge.owner, values[value]]] += number
        found = Counter({str(key): -1 for key in keys})  # the row itself is not below it
        ordered = list(keys)
        for mask, number in rows.items():
            while mask:
                lowest = mask & -mask
                found[str(ordered[lowest.bit_length() - 1])] += number
                mask ^= lowest
        return found

    def _masks(self, keys: Collection[Any]) -> dict[Row, int]:
        masks = dict.fromkeys(((model, key) for model, some in self.rows.items() for key in some), 0)
        below: dict[Row, list[Row]] = {}
        for row, owners in self.reached_from.items():
            for owner in owners:
                below.setdefault(owner, []).append(row)
        waiting = deque[Row]()
        for at, key in enumerate(keys):
            masks[self.model, key] |= 1 << at
            waiting.append((self.model, key))
        while waiting:
            owner = waiting.popleft()
            for row in below.get(owner, ()):
                if masks[owner] & ~masks[row]:
                    masks[row] |= masks[owner]
                    waiting.append(row)
        return masks
