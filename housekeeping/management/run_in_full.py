"""One run for ``housekeeping_runs show``: its facts line by line, its plan and its receipt as tables."""

import json
from collections.abc import Iterator
from typing import Any

from housekeeping.database import stored
from housekeeping.management.base import OperatorCommand, plain
from housekeeping.management.tables import Cell, number, right
from housekeeping.models import Run
from housekeeping.reading import as_json, ends, words
from housekeeping.reading.runs import folders

# Printed as tables, or at the end.
APART = ("plan", "receipt", "traceback")
THEN = {
    "anonymise": "made anonymous, not deleted",
    "import": "read from exports, not deleted: an undo puts them back",
}


def write(run: Run, command: OperatorCommand) -> None:
    facts = as_json.run_in_full(run)
    for name, value in facts.items():
        if value is not None and name not in APART:
            shown = json.dumps(value) if isinstance(value, dict) else value
            command.stdout.write(f"{name + ':':<17} {shown}")
    for policy, seen in facts["plan"].items():
        _write(command, f"plan of {policy}", seen, seen["tables"])
        if seen["sample"]:
            command.stdout.write("")
            command.print_table(("oldest rows", "since", "text"), map(_row, seen["sample"]))
    for policy, removed in facts["receipt"].items():
        _write(command, f"receipt of {policy}", removed, removed["rows"])
    _write_folders(command, "exported to", folders.written(run))
    _write_folders(command, "read from", folders.read(run))
    if run.traceback:
        command.stdout.write(f"\n{run.traceback}")


def _write_folders(command: OperatorCommand, title: str, found: folders.Folders) -> None:
    rows = [
        [
            f"{one.storage}: {one.name}",
            one.problem or (words.rows(one.rows) if one.is_complete else "not complete"),
        ]
        for one in found.shown
    ]
    if rows:
        command.stdout.write("")
        command.print_table((title, ""), rows)
    if found.more:
        command.stdout.write(f"and {found.more:,} more")


def _write(command: OperatorCommand, title: str, facts: dict[str, Any], tables: dict[str, int]) -> None:
    """The rows by table, those that stay by reason, and what is known of them all."""
    rows: list[list[Cell]] = [[table, number(count)] for table, count in tables.items()]
    stays = facts.get("held_back", {}).items()
    rows += [[f"stays: {reason}", number(count)] for reason, count in stays if count]
    command.stdout.write("")
    command.print_table((title, right("rows")), rows)
    for line in _lines(facts):
        command.stdout.write(line)
    for name in ("warning", "stopped"):
        if facts.get(name):
            command.stdout.write(command.style.WARNING(str(facts[name])))
    if spared := words.in_use(facts.get("in_use", 0)):
        command.stdout.write(command.style.WARNING(spared.strip()))


def _lines(facts: dict[str, Any]) -> Iterator[str]:
    if cutoff := stored.moment(facts.get("cutoff")):
        days = facts.get("retention_days")
        if spread := facts.get("retention_range"):
            yield f"as of {plain(cutoff)} (kept for {words.kept(spread)})"
        else:
            yield f"older than {plain(cutoff)}" + ("" if days is None else f" (kept for {days} days)")
    oldest, newest = stored.moment(facts.get("oldest")), stored.moment(facts.get("newest"))
    if oldest and newest:
        yield f"from {plain(oldest)} to {plain(newest)}"
    if facts.get("usual") is not None:
        yield f"usual for a run: {_count(facts['usual'])} rows"
    if told := THEN.get(str(facts.get("then"))):
        yield told
    if facts.get("files"):
        yield f"files: {_count(facts['files'])}, deleted when the undo window closes"
    if isinstance(exported := facts.get("exports"), dict):
        rows, folders = (_count(exported.get(name)) for name in ("rows", "folders"))
        yield f"exported before: {rows} rows to {exported.get('storage')} (folders: {folders})"
    if facts.get("planned") is not None:
        yield f"of the plan: {_count(facts['planned'])}, {_count(facts.get('left', 0))} skipped"
    if facts.get("digest"):
        yield f"{ends.told(facts, 'SHA-256 of the deleted rows')}: {facts['digest']}"


def _count(value: Any) -> str:
    """Another version of the app may have stored something else than a number."""
    return f"{value:,}" if isinstance(value, int) else str(value)


def _row(row: dict[str, Any]) -> list[Cell]:
    since = stored.moment(row.get("age_from"))
    text = row.get("text")
    return [str(row.get("key")), plain(since) if since else "-", "gone" if text is None else str(text)]
