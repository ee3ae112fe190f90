"""Tables on a terminal: as wide as it is, in colour. Elsewhere plain text: one line a row, nothing cut."""

import shutil
from collections.abc import Iterable, Sequence
from io import StringIO

from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

Cell = str | Text

WIDEST = 100_000  # characters: rich needs some width where there is no terminal
NARROW = 24  # the last column is not wrapped into less
STYLES = {
    "running": "cyan",
    "alive": "green",
    "intact": "green",
    "succeeded": "green",
    "held": "yellow",
    "missed": "yellow",
    "paused": "yellow",
    "failed": "red",
    "damaged": "red",
}


def state(word: str, mark: str = "") -> Text:
    """A cell with a state, such as a run's status, in its colour. ``mark``: what is added to it."""
    return Text(word + mark, style=STYLES.get(word, ""))


def number(value: int | None) -> Text:
    """A cell with a number, on the right of its column."""
    return Text("-" if value is None else f"{value:,}", justify="right")


def right(text: str) -> Text:
    return Text(text, justify="right")


def table(heads: Sequence[Cell], rows: Iterable[Sequence[Cell]]) -> Table:
    """Only the last column is wrapped on a narrow terminal: ids and times stay whole."""
    cells = [[_cell(each) for each in row] for row in rows]
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for place, head in enumerate(heads):
        widths = [cell_len(row[place].plain) for row in cells]
        is_last = place == len(heads) - 1
        least = max([cell_len(str(head)), *widths])
        made.add_column(
            _cell(head),
            no_wrap=not is_last,
            overflow="fold",
            min_width=min(least, NARROW) if is_last else least,
        )
    for row in cells:
        made.add_row(*row)
    return made


def drawn(made: Table, *, is_terminal: bool, has_colour: bool) -> list[str]:
    """Its lines."""
    console = Console(
        file=StringIO(),
        width=shutil.get_terminal_size().columns if is_terminal else WIDEST,
        color_system="standard" if has_colour else None,
        force_terminal=has_colour,
        no_color=not has_colour,
    )
    if not is_terminal:
        console.width = max(Measurement.get(console, console.options, made).maximum, 1)
    with console.capture() as captured:
        console.print(made, crop=False)
    return [line.rstrip() for line in captured.get().splitlines()]


def _cell(content: Cell) -> Text:
    """Text that was stored, such as an error or a reason, must not steer the terminal."""
    made = content if isinstance(content, Text) else Text(content)
    made.plain = printable(made.plain)
    return made


def printable(text: str) -> str:
    """Line breaks, escape sequences and what else no terminal draws, as Python writes them."""
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape", "backslashreplace").decode()
        for one in text
    )
