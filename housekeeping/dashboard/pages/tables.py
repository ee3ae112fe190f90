"""The page of tables, and the page of one table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy

from housekeeping.dashboard.parts import charts
from housekeeping.database.sizes import OLDER_THAN
from housekeeping.exceptions import BadColumn, BadRetention, BadSize
from housekeeping.reading.tables import drafts, listing
from housekeeping.reading.tables.drafts import Draft
from housekeeping.reading.tables.listing import Listing, TableCard
from housekeeping.steering import retentions

SORTS = {
    "size": gettext_lazy("Size"),
    "growth": gettext_lazy("Growth"),
    "rows": gettext_lazy("Rows"),
    "name": gettext_lazy("Name"),
}
MANY = 10  # tables from which on the list can be filtered
# The ages between two of OLDER_THAN, the youngest first, and those without a date.
SPANS = [
    gettext_lazy("up to 30 days"),
    gettext_lazy("30 to 90 days"),
    gettext_lazy("90 to 180 days"),
    gettext_lazy("180 days to 1 year"),
    gettext_lazy("1 to 2 years"),
    gettext_lazy("2 to 5 years"),
    gettext_lazy("over 5 years"),
    gettext_lazy("no date"),
]


@dataclass(frozen=True)
class Row:
    """A table with its bar, in percent of the largest: its rows, and its indexes behind them."""

    card: TableCard
    rows_width: float
    index_width: float

    @property
    def width(self) -> float:
        return self.rows_width + self.index_width


@dataclass(frozen=True)
class TablesPage:
    listing: Listing
    rows: list[Row]
    sort: str
    until: str  # as it was written
    problem: str

    @property
    def is_filtered(self) -> bool:
        return len(self.rows) > MANY

    @property
    def has_bytes(self) -> bool:
        return any(row.card.size.bytes is not None for row in self.rows)

    @property
    def has_several(self) -> bool:
        """Are there several databases?"""
        return len(self.listing.databases) > 1


def read(query: Mapping[str, str]) -> TablesPage:
    sort = query.get("sort", "size")
    sort = sort if sort in listing.SORTS else "size"
    until, problem = _until(query)
    found = listing.read(sort=sort, until=until)
    rows = [_row(card, found.largest) for card in found.cards]
    return TablesPage(found, rows, sort, query.get("until", ""), problem)


def _until(query: Mapping[str, str]) -> tuple[int | None, str]:
    """The size that is asked for, and what is wrong with it."""
    text = query.get("until", "").strip()
    try:
        return (listing.parse_size(text) if text else None), ""
    except BadSize as error:
        return None, str(error)


def _row(card: TableCard, largest: int) -> Row:
    size, indexes = listing.weight(card), card.size.index_bytes or 0
    if not largest:
        return Row(card, 0, 0)
    return Row(card, round((size - indexes) / largest * 100, 2), round(indexes / largest * 100, 2))


# --- One table --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Span:
    """The rows of one span of ages, and its part of a bar, in percent."""

    number: int
    label: Any
    rows: int
    x: float
    width: float


@dataclass(frozen=True)
class Ages:
    column: str
    facts: dict[str, Any]
    spans: list[Span]


@dataclass(frozen=True)
class TablePage:
    card: TableCard
    ages: list[Ages]
    charts: list[charts.Chart]
    draft: Draft
    column: str  # as they were asked for
    days: str
    problem: str


def read_one(name: str, query: Mapping[str, str]) -> TablePage:
    """Raises UnknownTable."""
    card = listing.card(name)
    column, days, problem = query.get("column"), query.get("days"), ""
    try:
        retention = None if days is None else retentions.parse(days)
        draft = drafts.draft(card, column=column, days=retention)
    except (BadColumn, BadRetention) as error:
        draft, problem = drafts.draft(card), str(error)
    return TablePage(
        card,
        [_ages(card, name, facts) for name, facts in card.ages.items()],
        charts.of_table(listing.sizes_of(name)),
        draft,
        column or draft.column,
        days if days is not None else str(draft.days),
        problem,
    )


def _ages(card: TableCard, column: str, facts: dict[str, Any]) -> Ages:
    rows, older = facts["rows"], [facts["older"].get(str(days), 0) for days in OLDER_THAN]
    without = max((card.size.rows or 0) - rows, 0)
    counts = [max(more - less, 0) for more, less in zip([rows, *older], [*older, 0], strict=True)] + [without]
    total, x, spans = sum(counts) or 1, 0.0, []
    for number, (label, count) in enumerate(zip(SPANS, counts, strict=True)):
        width = count / total * 100
        spans.append(Span(number, label, count, round(x, 2), round(width, 2)))
        x += width
    return Ages(column, facts, spans)
