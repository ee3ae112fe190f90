"""The progress of an undo: the rows that are back, that could not come back, and that are still to come."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q

Place = tuple[int, int]
"""A batch and its part; part 0 stands for a whole batch."""


def place(batch: int | None, part: int | None) -> Place:
    return batch or 0, part or 0


def still_to_come(at: Place | None) -> Q:
    """The archives that an undo has not come to yet, once it has put back ``at`` (None: nothing)."""
    return Q(batch__lt=at[0]) | Q(batch=at[0], part__gt=at[1]) if at else Q()


@dataclass
class Restored:
    """How many rows of each table came back, and how many did not, by the reason.

    ``absent``: by table, the keys of rows that did not come back. Rows that refer to one of them stay
    away too, even if another row has taken that key since. ``at``: the place put back last; the newest
    batch comes first.
    """

    rows: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    absent: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    archives: int = 0  # archives deleted, less those made
    at: Place | None = None

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Restored:
        """What earlier attempts have put back, without the keys that did not come back."""
        at = state.get("at")
        return cls(Counter(state.get("rows")), Counter(state.get("left")), at=tuple(at) if at else None)

    def as_state(self) -> dict[str, Any]:
        return {"rows": self.rows, "left": self.left, "at": self.at}

    def __add__(self, other: Restored) -> Restored:
        absent = {table: self.absent[table] | other.absent[table] for table in {*self.absent, *other.absent}}
        rows, left = Counter(self.rows), Counter(self.left)
        rows.update(other.rows)  # "+" would drop the tables with no row back
        left.update(other.left)
        return Restored(rows, left, defaultdict(set, absent), at=other.at or self.at)
