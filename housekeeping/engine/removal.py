"""Removes rows by their keys, together with the rows below them: the one cascade of purges and erasures.

Call it in a transaction in which the rows themselves are locked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Model

from housekeeping.engine import archive, cascade, locks, packing
from housekeeping.engine.archive import Archiver
from housekeeping.engine.effects.files import Notes
from housekeeping.exceptions import RowsStayed


@dataclass
class Batch:
    """What one transaction removed: the keys of the policy's own rows, and the number of rows by table.

    ``in_use``: how many of the policy's own rows it spared because they, or rows below them, were locked.
    ``files``: how many files of the rows were noted, to be deleted later, and ``notes`` of them.
    """

    keys: list[Any] = field(default_factory=list)
    rows: Counter[str] = field(default_factory=Counter)
    digest: str = ""
    archives: int = 0
    in_use: int = 0
    files: int = 0
    notes: Notes | None = None


@dataclass
class Removal:
    """Removes rows as a part of ``batch``, and counts them there.

    Without ``archiver``, no copy is kept. Without ``notes``, the files of the rows stay.
    """

    batch: Batch
    archiver: Archiver | None = None
    notes: Notes | None = None

    def __post_init__(self) -> None:
        self.batch.notes = self.notes

    def reach(self, model: type[Model], keys: Sequence[Any]) -> list[Any]:
        """Find the rows below those with these keys, and lock them. Returns the keys of ``model`` among them.

        Of a tree of foreign keys, they are found as they are deleted: it needs to know none of their keys.
        """
        self.model, self.keys, self.closure = model, keys, None
        if cascade.is_tree(model):
            return []
        self.closure = cascade.Closure(model, is_locking=True)
        self.closure.add(keys)
        return list(self.closure.rows[model])

    def remove(self) -> None:
        """Delete the rows that were given to :meth:`reach`, and all rows below them.

        Raises RowsStayed if the database keeps some of the former.
        """
        label = self.model._meta.label
        before = self.batch.rows[label]
        if self.closure:
            self._remove_closure(self.closure)
        else:
            key = packing.key_of(self.model)
            self._remove_tree(self.model, packing.stored_keys(key, self.keys))
        if (stayed := len(self.keys) - (self.batch.rows[label] - before)) > 0:
            raise RowsStayed(label, stayed)

    def _remove_tree(self, model: type[Model], keys: Sequence[Any]) -> None:
        """Delete rows by key, as the database stores keys: children before parents."""
        for link in cascade.links(model):
            if link.is_emptied:
                self._empty(link, keys)
            elif link.is_cascade and cascade.is_leaf(link.model):
                self._delete(link.model, link.column, keys)
            elif link.is_cascade:
                children = locks.take_below(link, keys)
                if children:
                    self._remove_tree(link.model, children)
        self._delete(model, packing.key_column(model), keys)

    def _remove_closure(self, closure: cascade.Closure) -> None:
        """Empty what refers to the rows, delete the leaves, then table by table, children before parents.

        Parents of a circle may go before their children: the database looks at the end, or after the
        statement, whether a key refers to nothing.
        """
        rows = closure.rows
        for model, keys in rows.items():
            for link in cascade.links(model):
                if link.is_emptied:
                    self._empty(link, packing.stored_keys(link.field, list(link.values(keys))))
        for edge, values in closure.leaves:
            field: Any = edge.model._meta.get_field(edge.name)
            stored = packing.stored_keys(field, list(values))
            self._delete(edge.model, str(field.column), stored, edge.also)
        for model in closure.order():
            key = packing.key_of(model)
            self._delete(model, str(key.column), packing.stored_keys(key, rows[model]))

    def _delete(
        self, model: type[Model], column: str, keys: Sequence[Any], also: packing.Also = None
    ) -> None:
        if self.notes:
            self.batch.files += self.notes.take(model, column, keys, also)
        if self.archiver:
            rows, packed = packing.take(model, column, keys, self.batch.digest, also)
            self._archive(model, rows, packed)
        else:
            rows = packing.delete(model, column, keys, also)
            facts = (column, keys, also) if also else (column, keys)
            self.batch.digest = archive.digest(self.batch.digest, repr(facts).encode())
        if rows:
            self.batch.rows[model._meta.label] += rows

    def _empty(self, link: cascade.Link, keys: Sequence[Any]) -> None:
        fallback = None
        if callable(link.fallback) and not locks.exist(link, keys):
            return
        if (key := link.take_fallback()) is not None:
            [fallback] = packing.stored_keys(link.field, [key])
        rows, packed = packing.empty(link.model, link.field, keys, fallback, self.batch.digest)
        if self.archiver:
            self._archive(link.model, rows, packed, emptied=link.column, fallback=fallback)

    def _archive(
        self, model: type[Model], rows: int, packed: packing.Packed, emptied: str = "", fallback: Any = None
    ) -> None:
        assert self.archiver
        if rows:
            self.archiver.add(model, packed, rows, emptied, fallback)
            self.batch.digest = packed.digest
            self.batch.archives += 1
