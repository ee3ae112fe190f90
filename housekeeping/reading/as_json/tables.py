"""The tables of the databases as JSON, and the policy that is drafted for one."""

from housekeeping import models
from housekeeping.database import stored
from housekeeping.reading.as_json.fields import (
    GIVEN,
    Address,
    Day,
    Facts,
    Flag,
    Many,
    Map,
    Moment,
    Object,
    One,
    Text,
    Whole,
)
from housekeeping.reading.tables import listing
from housekeeping.reading.tables.drafts import Draft
from housekeeping.reading.tables.known import Cover
from housekeeping.reading.tables.listing import Database, Listing, TableCard


def _why(failure: str) -> str:
    return failure or "It took too long, or it was locked."


class ColumnAges(Object[tuple[str, Facts]]):
    """How old the rows are by one column."""

    column = Text(lambda pair: pair[0])
    rows = Whole(lambda pair: pair[1]["rows"], help="Rows that have a value in it.")
    older = Map(Whole(), lambda pair: pair[1]["older"], help="How many are older than so many days.")
    oldest = Moment(lambda pair: stored.moment(pair[1]["oldest"]), nullable=True)
    newest = Moment(lambda pair: stored.moment(pair[1]["newest"]), nullable=True)
    estimated = Flag(lambda pair: pair[1]["is_estimate"])


class Covering(Object[Cover]):
    """A policy that deletes from the table."""

    policy = Text()
    direct = Flag("is_direct", help="false: rows go with rows of another table, which they refer to.")


class Table(Object[TableCard]):
    """A table, as it was measured last."""

    table = Text("name", help="With its database before a colon, if that is not the default one.")
    database = Text(help="Its alias in DATABASES.")
    model = Text("label", nullable=True, help="null: no model of the project has it.")
    managed = Flag("is_managed")
    rows = Whole("size.rows", nullable=True)
    rows_estimated = Flag("size.is_estimate")
    bytes = Whole("size.bytes", nullable=True, help="With indexes and TOAST; null: not known.")
    bytes_estimated = Flag("size.are_bytes_estimated")
    index_bytes = Whole("size.index_bytes", nullable=True)
    toast_bytes = Whole("size.toast_bytes", nullable=True, help="PostgreSQL's storage of long values.")
    dead_rows = Whole("size.dead_rows", nullable=True, help="Whose space is not reused yet (PostgreSQL).")
    bloat_bytes = Whole("size.bloat_bytes", nullable=True, help="Space inside the table without rows.")
    bytes_per_day = Whole(nullable=True, help="Growth over up to 30 days; null: known after a day.")
    rows_per_day = Whole(nullable=True)
    days_until = Whole(
        nullable=True,
        help="Until it has the size that ?until= gives; null: never, or growth is not known yet.",
    )
    policies = Many(Covering, "covers", help="The policies that delete from it.")
    measured_at = Moment("size.measured_at")
    failure = Text(
        lambda card: None if card.failure is None else _why(card.failure),
        nullable=True,
        help="Why it could not be measured since.",
    )
    url = Address("table", "name")


class DatabaseSize(Object[Database]):
    """A whole database."""

    database = Text("alias", help="Its alias in DATABASES.")
    bytes = Whole(nullable=True, help="Its size on disk.")
    free_bytes = Whole(nullable=True, help="The part of it that is free for new rows (SQLite).")
    bytes_per_day = Whole(nullable=True)
    days_until = Whole(nullable=True)
    failure = Text(nullable=True, help="Why it could not be measured this time.")


class Tables(Object[Listing]):
    """The databases, and their tables. Nothing is measured for it: a consumer measures once an hour.

    What is told of a whole database here is told of the default one; ``databases`` has them all.
    """

    measured_at = Moment(nullable=True, help="null: no consumer has measured the tables yet.")
    bytes = Whole("own.bytes", nullable=True, help="The size of the database on disk.")
    free_bytes = Whole(
        "own.free_bytes", nullable=True, help="The part of it that is free for new rows (SQLite)."
    )
    bytes_per_day = Whole("own.bytes_per_day", nullable=True)
    days_until = Whole("own.days_until", nullable=True)
    databases = Many(DatabaseSize, help="The default one first.")
    failed = Map(
        Text(),
        lambda found: {name: _why(text) for name, text in found.failed.items()},
        help="Tables that could not be measured this time, each with the reason.",
    )
    results = Many(Table, "cards")


class PolicyDraft(Object[Draft]):
    """A policy for the table, and what its first run would delete."""

    name = Text(nullable=True)
    column = Text(nullable=True, help="The column that a row's age counts from.")
    columns = Many(Text(), help="The columns to choose from.")
    retention_days = Whole("days")
    code = Text(nullable=True, help="The block for a tasks.py; null if the table can't be purged.")
    file = Text(nullable=True, help="Where it belongs; null: any tasks.py of yours.")
    rows = Whole(nullable=True, help="Rows of the table that the first run would delete.")
    rows_estimated = Flag("is_estimate")
    tables = Map(Whole(), nullable=True, help="These and related rows, by table; null: not counted.")
    obstacles = Many(Text(), help="Why the table can't be purged.")
    advice = Many(Text())


class SizeOfDay(Object[models.TableSize]):
    """The size of a table on one day."""

    day = Day(help="In TIME_ZONE.")
    rows = Whole(nullable=True)
    bytes = Whole(nullable=True)


class TableInFull(Table):
    """A table with the ages of its rows, its history, and a policy for it."""

    ages = Many(ColumnAges, lambda card: card.ages.items())
    draft = One(PolicyDraft, GIVEN)
    history = Many(SizeOfDay, GIVEN, help="One for each day that it was measured, oldest first.")


def table_in_full(card: TableCard, draft: Draft) -> Facts:
    days = [SizeOfDay.of(size) for size in listing.sizes_of(card.name)]
    return TableInFull.of(card, draft=PolicyDraft.of(draft), history=days)
