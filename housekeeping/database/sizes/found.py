"""What is found about a table."""

from dataclasses import dataclass, field
from typing import Any

from housekeeping.database.sizes.ages import Ages


@dataclass(frozen=True)
class Found:
    """A table in the database's catalogue.

    ``name``: as a statement of this connection names it: with its schema only if that is not searched.
    ``qualified``: always with its schema. ``facts``: what its database's module needs to measure it.
    """

    name: str
    qualified: str
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Size:
    """How large a table is. None: the database doesn't tell it.

    ``rows``: estimated if ``is_estimate``. ``bytes``: with indexes and TOAST, estimated if
    ``are_bytes_estimated``. ``dead_rows``: deleted and updated rows whose space is not reused yet.
    ``bloat_bytes``: space inside the table that holds no row. ``ages``: by column.
    """

    rows: int | None = None
    is_estimate: bool = False
    bytes: int | None = None
    are_bytes_estimated: bool = False
    index_bytes: int | None = None
    toast_bytes: int | None = None
    dead_rows: int | None = None
    bloat_bytes: int | None = None
    ages: dict[str, Ages] = field(default_factory=dict)


@dataclass(frozen=True)
class Space:
    """The database's size on disk, and the part of it that is free for new rows (None: not known)."""

    bytes: int
    free_bytes: int | None = None
