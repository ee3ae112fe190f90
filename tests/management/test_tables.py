"""Tables of the commands: on terminals of any width, with and without colour, and in pipes."""

import re

from housekeeping.management import tables
from housekeeping.management.tables import number, state, table

LONG = "The disk is full and nobody has looked at it for a week. " * 4


def drawn(rows, *, width=None, has_colour=False, monkeypatch=None, heads=("id", "status", "error")):
    if width:
        monkeypatch.setenv("COLUMNS", str(width))
    return "\n".join(tables.drawn(table(heads, rows), is_terminal=bool(width), has_colour=has_colour))


def test_elsewhere_each_row_is_one_line_however_long():
    rows = [["1" * 36, state("failed"), LONG * 50], ["2" * 36, state("held"), ""]]

    head, first, second = drawn(rows).splitlines()

    assert head == f"{'id':<36}  status  error"
    assert first == f"{'1' * 36}  failed  {LONG * 50}".rstrip()
    assert second == f"{'2' * 36}  held"


def test_numbers_stand_on_the_right_and_wide_characters_count_twice():
    rows = [["猫猫", number(5)], ["dog", number(1234)], ["", number(None)]]

    assert drawn(rows, heads=("who", tables.right("rows"))).splitlines() == [
        "who    rows",
        "猫猫      5",
        "dog   1,234",
        "          -",
    ]


def test_a_narrow_terminal_wraps_the_last_column_alone(monkeypatch):
    printed = drawn([["1" * 36, state("failed"), LONG]], width=80, monkeypatch=monkeypatch)

    lines = printed.splitlines()
    assert len(lines) > 3
    assert max(map(len, lines)) <= 80
    assert lines[1].startswith(f"{'1' * 36}  failed  The disk")


def test_an_id_is_not_cut_on_a_terminal_that_is_narrower_still(monkeypatch):
    printed = drawn([["1" * 36, state("failed"), LONG]], width=20, monkeypatch=monkeypatch)

    assert "1" * 36 in printed


def test_a_state_has_its_colour():
    coloured = drawn([["1", state("failed"), ""]], has_colour=True)

    assert "\x1b[31mfailed" in coloured
    assert re.sub(r"\x1b\[\d+m", "", coloured).split() == ["id", "status", "error", "1", "failed"]


def test_stored_text_does_not_steer_the_terminal():
    assert "\\x1b[2J\\nred [bold]x[/bold] :smile:" in drawn(
        [["1", "", "\x1b[2J\nred [bold]x[/bold] :smile:"]]
    )
