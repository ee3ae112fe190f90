"""The ages of a table's rows, by a column that is a date or a moment: how many are older than some days."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone

from housekeeping.database.chosen import connection

# Days. Two and five years are the last ones.
OLDER_THAN = (30, 90, 180, 365, 730, 1825)


@dataclass(frozen=True)
class Column:
    """A column that is a date or a moment. ``name``: the field's. ``column``: in the database."""

    name: str
    column: str
    is_date: bool


@dataclass(frozen=True)
class Ages:
    """``known``: rows with a value in the column. ``older``: of these, for each of OLDER_THAN."""

    known: int
    older: tuple[int, ...]
    oldest: datetime | None
    newest: datetime | None
    is_estimate: bool


def quoted(name: str) -> str:
    """A name of the catalogue, in a statement with parameters.

    Django's own quote_name leaves quotes inside the name as they are.
    """
    return '"{}"'.format(name.replace('"', '""').replace("%", "%%"))


def cutoffs(column: Column, now: datetime) -> list[Any]:
    """For each of OLDER_THAN, the value that older rows are below, as the database takes it."""
    moments = [now - timedelta(days=days) for days in OLDER_THAN]
    if column.is_date:  # in TIME_ZONE, as Django compares a date with a moment
        zone = timezone.get_default_timezone()
        return [connection.ops.adapt_datefield_value(at.astimezone(zone).date()) for at in moments]
    return [connection.ops.adapt_datetimefield_value(at) for at in moments]


class Tally:
    """The SELECT list that counts the rows of ``picked`` and their ages in one pass."""

    def __init__(self, columns: Sequence[Column], now: datetime, *, end: str = "{}") -> None:
        """``end``: how the oldest and the newest value are written."""
        self.columns = columns
        self.params: list[Any] = []
        parts = ["count(*)"]
        for column in columns:
            # With the table: SQLite takes "a" for a text if there is no such column.
            name = f"picked.{quoted(column.column)}"
            parts += [f"count({name})", end.format(f"min({name})"), end.format(f"max({name})")]
            parts += [f"sum(CASE WHEN {name} < %s THEN 1 ELSE 0 END)"] * len(OLDER_THAN)
            self.params += cutoffs(column, now)
        self.sql = ", ".join(parts)

    def read(
        self, row: Sequence[Any], moment: Callable[[Any], datetime | None], rows: int | None = None
    ) -> dict[str, Ages]:
        """What was selected. ``rows``: the number of rows that the counted ones are a sample of."""
        counted = row[0] or 0
        factor = 1.0 if rows is None else rows / counted if counted else 0.0
        found = {}
        width = 3 + len(OLDER_THAN)
        for place, column in enumerate(self.columns):
            known, oldest, newest, *older = row[1 + place * width : 1 + (place + 1) * width]
            found[column.name] = Ages(
                known=round(known * factor),
                older=tuple(round((number or 0) * factor) for number in older),
                oldest=moment(oldest),
                newest=moment(newest),
                is_estimate=rows is not None,
            )
        return found


def of_epoch(seconds: float | None) -> datetime | None:
    """The moment; None for one that Python's calendar doesn't have, such as PostgreSQL's infinity."""
    try:
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None
