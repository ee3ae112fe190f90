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


@dataclass
class Batch:
    """What one transaction removed: the keys of the policy's own rows, and the number of rows by table.

    ``in_use``: how many of the policy's own rows it spared because they, or rows below them, were locked.
    ``files``: how many files of the rows were noted, to be deleted later.
    """

    keys: list[Any] = field(default_factory=list)
    rows: Counter[str] = field(default_factory=Counter)
    digest: str = ""
    archives: int = 0
    in_use: int = 0
    files: int = 0


@dataclass
class Removal:
    """Removes rows as a part of ``batch``, and counts them there.

    Without ``archiver``, no copy is kept. Without ``notes``, the files of the rows stay.
    """

    batch: Batch
    archiver: Archiver | None = None
    notes: Notes | None = None

    def remove(self, model: type[Model], keys: Sequence[Any]) -> None:
        """Delete rows by key, as the database stores keys: children before parents."""
        for link in cascade.links(model):
            if link.is_emptied:
                self._empty(link, keys)
            elif link.is_cascade and cascade.is_leaf(link.model):
                self._delete(link.model, link.column, keys)
            elif link.is_cascade:
                children = locks.take_below(link, keys)
                if children:
                    self.remove(link.model, children)
        self._delete(model, packing.key_column(model), keys)

    def _delete(self, model: type[Model], column: str, keys: Sequence[Any]) -> None:
        if self.notes:
            self.batch.files += self.notes.take(model, column, keys)
        if self.archiver:
            rows, packed = packing.take(model, column, keys, self.batch.digest)
            self._archive(model, rows, packed)
        else:
            rows = packing.delete(model, column, keys)
            self.batch.digest = archive.digest(self.batch.digest, repr((column, keys)).encode())
        if rows:
            self.batch.rows[model._meta.label] += rows

    def _empty(self, link: cascade.Link, keys: Sequence[Any]) -> None:
        rows, packed = packing.empty(link.model, link.field, keys, None, self.batch.digest)
        if self.archiver:
            self._archive(link.model, rows, packed, emptied=link.column)

    def _archive(self, model: type[Model], rows: int, packed: packing.Packed, emptied: str = "") -> None:
        assert self.archiver
        if rows:
            self.archiver.add(model, packed, rows, emptied)
            self.batch.digest = packed.digest
            self.batch.archives += 1
