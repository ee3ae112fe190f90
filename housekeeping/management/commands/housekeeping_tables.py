"""What grows: the tables of the database, and a policy for one of them."""

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.template.defaultfilters import filesizeformat

from housekeeping.database import clock, stored
from housekeeping.database.sizes import OLDER_THAN
from housekeeping.management.base import OperatorCommand, plain
from housekeeping.management.tables import Cell, right
from housekeeping.reading import as_json
from housekeeping.reading.tables import drafts, listing, measuring
from housekeeping.reading.tables.drafts import Draft
from housekeeping.reading.tables.listing import Database, Growth, Listing, TableCard
from housekeeping.steering import retentions

HEAD = ("table", "rows", "size", "a day", "until", "policies")
NEVER = "Nothing has been measured yet: a consumer measures once an hour, and --measure does it now."


class Command(OperatorCommand):
    help = (
        "Lists every table of the database with its rows, its size, its growth and the policies that delete"
        " from it, as measured last. ~ marks an estimate, ! a growing table without a policy."
        " With a table: the ages of its rows, and a policy for it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("table", nargs="?", help="only this one, in full")
        parser.add_argument("--measure", action="store_true", help="measure all tables first")
        parser.add_argument("--sort", choices=listing.SORTS, default="size", help="the most first")
        parser.add_argument("--until", metavar="SIZE", help="also the days until this size, such as 10GB")
        parser.add_argument("--policy", action="store_true", help="print a policy for the table's tasks.py")
        parser.add_argument("--column", help="the date that its age counts from")
        parser.add_argument("--days", help="its retention")
        parser.add_argument("--json", action="store_true", help="as the API")

    def handle(self, *args: Any, table: str | None, **options: Any) -> None:
        until = None if options["until"] is None else listing.parse_size(options["until"])
        if not table and (options["policy"] or options["column"] or options["days"]):
            raise CommandError("Name the table that the policy is for.", returncode=2)
        if options["measure"]:
            measuring.measure(clock.now())
        if table:
            self._show(listing.card(table, until=until), options)
        else:
            self._list(listing.read(sort=options["sort"], until=until), options)

    def _list(self, found: Listing, options: dict[str, Any]) -> None:
        if options["json"]:
            self.print_json(as_json.Tables.of(found))
            return
        if found.measured_at is None:
            self.stdout.write(NEVER)
            return
        self.print_table(_cells(HEAD), [_cells(_line(card)) for card in found.cards])
        told = [_whole(database, is_one=len(found.databases) == 1) for database in found.databases]
        self.stdout.write("\n" + "\n".join([*told, f"Measured at {plain(found.measured_at)}."]))

    def _show(self, card: TableCard, options: dict[str, Any]) -> None:
        days = None if options["days"] is None else retentions.parse(options["days"])
        draft = drafts.draft(card, column=options["column"], days=days)
        if options["json"]:
            self.print_json(as_json.table_in_full(card, draft))
        elif options["policy"]:
            self._print(draft)
        else:
            for line in _facts(card):
                self.stdout.write(line)

    def _print(self, draft: Draft) -> None:
        """The block alone on the standard output, so that it can be appended to a file."""
        if not draft.code:
            raise CommandError(" ".join(draft.obstacles))
        self.stdout.write(draft.code.rstrip("\n"))
        where = draft.file or "the tasks.py of one of your apps"
        notes = [f"This belongs in {where}.", _effect(draft), *draft.advice]
        self.stderr.write("\n".join(f"# {note}" for note in notes), self.style.NOTICE)


def _whole(database: Database, *, is_one: bool) -> str:
    name = "the database" if is_one else f"the database {database.alias}"
    if database.failure is not None:
        return f"{name[0].upper()}{name[1:]} could not be measured: {database.failure}"
    free = f", {_bytes(database.free_bytes)} of it free" if database.free_bytes else ""
    until = _until(database.days_until, database.until)
    return f"{_bytes(database.bytes)} in {name}{free}; {_growth(database.growth)} a day{until}."


def _line(card: TableCard) -> tuple[str, ...]:
    return (
        f"{card.name} !" if card.wants_policy else card.name,
        _rows(card.size.rows, is_estimate=card.size.is_estimate),
        f"{'~' if card.size.are_bytes_estimated else ''}{_bytes(card.size.bytes)}",
        _growth(card.growth),
        _days(card),
        ", ".join(cover.policy if cover.is_direct else f"({cover.policy})" for cover in card.covers),
    )


def _cells(line: tuple[str, ...]) -> list[Cell]:
    name, *numbers, policies = line
    return [name, *map(right, numbers), policies]


def _days(card: TableCard) -> str:
    if card.until is None:
        return ""
    if card.days_until is None:
        return "never" if card.growth else "-"
    return f"{card.days_until:,} days"


def _facts(card: TableCard) -> list[str]:
    size = card.size
    lines = [
        f"{card.name} ({card.label or 'no model has it'})",
        f"rows: {_rows(size.rows, is_estimate=size.is_estimate)}",
        f"size: {_bytes(size.bytes)}, of which indexes {_bytes(size.index_bytes)}"
        + (f", TOAST {_bytes(size.toast_bytes)}" if size.toast_bytes is not None else ""),
        f"bloat: {_bytes(size.bloat_bytes)}"
        + (f", {size.dead_rows:,} dead rows" if size.dead_rows is not None else ""),
        f"growth: {_growth(card.growth)} a day{_until(card.days_until, card.until)}"
        if card.growth
        else "growth: known after a day",
        f"policies: {_line(card)[-1] or 'none'}",
    ]
    for column, ages in card.ages.items():
        mark = "~" if ages["is_estimate"] else ""
        spread = ", ".join(f"{mark}{ages['older'].get(str(days), 0):,} ({days} d)" for days in OLDER_THAN)
        oldest = stored.moment(ages["oldest"])
        since = f"; since {oldest:%Y-%m-%d}" if oldest else ""
        lines.append(f"older by {column}: {spread}{since}")
    return [*lines, f"measured at {plain(size.measured_at)}"]


def _effect(draft: Draft) -> str:
    if draft.tables is None:
        return "Its first run has not been counted: try it with a dry run."
    about = "about " if draft.is_estimate else ""
    told = [
        f"{about}{rows:,} row{'' if rows == 1 else 's'} of {table}" for table, rows in draft.tables.items()
    ]
    return f"Its first run would delete {', '.join(told)}."


def _rows(rows: int | None, *, is_estimate: bool) -> str:
    return "-" if rows is None else f"{'~' if is_estimate else ''}{rows:,}"


def _bytes(size: int | None) -> str:
    return "-" if size is None else filesizeformat(size).replace("\xa0", " ")


def _growth(growth: Growth | None) -> str:
    """In bytes, or in rows where the database does not tell the bytes."""
    if growth is None:
        return "-"
    number, text = growth.bytes, _bytes(abs(round(growth.bytes or 0)))
    if number is None:
        number, text = growth.rows, f"{abs(round(growth.rows or 0)):,} rows"
    return "-" if number is None else f"{'-' if number < 0 else '+'}{text}"


def _until(days: int | None, until: int | None) -> str:
    if until is None:
        return ""
    return f", {_bytes(until)} in {'no time soon' if days is None else f'{days:,} days'}"
