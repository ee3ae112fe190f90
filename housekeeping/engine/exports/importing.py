"""Puts exports back: their rows become archives of a run, which an undo of that run puts back.

So an import has what an undo has: rows that are there already stay as they are, each row that can't come
back is named with its reason, and it can be stopped and gone on with.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from django.apps import apps
from django.db import connections, transaction
from django.db.models import ForeignKey, Model

from housekeeping.database import chosen
from housekeeping.engine import archive, cascade, packing
from housekeeping.engine.apart import handover
from housekeeping.engine.archive import Archiver
from housekeeping.engine.exports import kinds, reading, rows, storing
from housekeeping.engine.exports.exporting import VERSION
from housekeeping.engine.exports.formats import FORMATS, Row
from housekeeping.exceptions import ExportFailed
from housekeeping.models import Export, Run

PIECE = 64_000_000  # characters of values in one archive: neither database has room for a gigabyte in a value


class Import:
    """One folder of an export in a storage, verified: its manifest is complete, and its files are intact.

    Raises ExportFailed, with the file's name and the reason, for one that is not, and for rows that this
    site has no place for; NotMigrated if their database lacks the table that an undo needs there.
    """

    def __init__(self, alias: str, folder: str, checkpoint: Callable[[], None]) -> None:
        self.folder = storing.Folder(alias, folder)
        self.facts = manifest(self.folder)
        self.policy, self.model = str(self.facts["policy"]), str(self.facts["model"])
        _model(self.model)
        self.database = reading.database_of(self.facts)
        if self.database not in connections:
            raise ExportFailed(f"This site has no database {self.database!r}, which the rows came from.")
        handover.check_table(self.database)
        form = str(self.facts["format"])
        # Read here, as no storage is asked in the transaction that archives them.
        self.tables = [
            (table, reading.rows_in(self.folder, form, table, self._columns(table)[1], checkpoint))
            for table in self.facts["tables"]
        ]
        if not Export.objects.filter(storage=alias, folder=folder).exists():
            self._take_kinds_of_this_site()

    def _take_kinds_of_this_site(self) -> None:
        """Another site has other numbers for its content types: rows would name a row of another table."""
        there = self.facts.get("content_types", {})
        with chosen.on(self.database):
            self.tables = [
                (table, kinds.as_here(self._columns(table)[1], read, there)) for table, read in self.tables
            ]

    def _columns(self, table: dict[str, Any]) -> tuple[type[Model], list[Any]]:
        """The model of a table, and its fields whose values were exported, the key first."""
        model = _model(table["model"])
        today = {field.attname: field for field in packing.columns(model)}
        names = [column["name"] for column in table["columns"]]
        if gone := [name for name in names if name not in today]:
            raise ExportFailed(f"{table['model']} has no column {', '.join(gone)} any more.")
        if names[:1] != list(today)[:1]:
            raise ExportFailed(f"The key of {table['model']} is another column than when it was exported.")
        return model, [today[name] for name in names]

    def archive(self, archiver: Archiver, before: str, met: set[bytes]) -> tuple[Counter[str], str]:
        """Archive its rows as one batch. ``before``: the chain of digests so far. ``met``: marks of rows that
        were archived from a newer export. Returns the rows by table, and the chain of digests."""
        counted: Counter[str] = Counter()
        archiver.position = 0
        tables = [(table, self._new(table, read, met)) for table, read in self.tables]
        for table, found in tables:
            for at, fallback in self._emptied(table).items():
                before = self._archive_emptied(archiver, table, found, at, fallback, before)
        for table, found in tables:
            if table["emptied"] or not found:
                continue
            model, fields = self._columns(table)
            emptied = self._emptied(table)
            whole = (tuple(emptied.get(at, value) for at, value in enumerate(row)) for row in found)
            for piece in _pieces(whole):
                number, packed = packing.packed_anew(model, fields, piece, before)
                archiver.add_columns(model, packed, number, fields, is_own=table["model"] == self.model)
                counted[table["model"]] += number
                before = packed.digest
        return counted, before

    def _new(self, table: dict[str, Any], read: list[Row], met: set[bytes]) -> list[Row]:
        """The rows of a file that were not met before."""
        name, found = f"{table['model']}.{table['emptied']}", []
        for row in read:
            mark = rows.mark(name, repr(row[0]).encode())
            if mark not in met:
                met.add(mark)
                found.append(row)
        return found

    def _emptied(self, table: dict[str, Any]) -> dict[int, Any]:
        """The places of keys that a delete has emptied, or would have, each with what they got instead.

        As after a purge, their rows come back without them: the rows that they refer to may come later.
        """
        model, fields = self._columns(table)
        if table["emptied"]:
            return {1: cascade.Link(model, fields[1]).take_fallback()}
        tables = {one["model"] for one in self.facts["tables"]}
        links = [
            (at, cascade.Link(model, field))
            for at, field in enumerate(fields)
            if isinstance(field, ForeignKey)
        ]
        return {
            at: None if link.field.null else link.take_fallback()
            for at, link in links
            if link.is_emptied and link.owner._meta.label in tables
        }

    def _archive_emptied(
        self, archiver: Archiver, table: dict[str, Any], rows: list[Row], at: int, fallback: Any, before: str
    ) -> str:
        model, fields = self._columns(table)
        values = [(row[0], row[at]) for row in rows if row[at] is not None and row[at] != fallback]
        if not values:
            return before
        number, packed = packing.packed_anew(model, [fields[0], fields[at]], values, before)
        stored = None if fallback is None else packing.stored_keys(fields[at], [fallback])[0]
        archiver.add(model, packed, number, emptied=str(fields[at].column), fallback=stored)
        return packed.digest


def _model(label: str) -> type[Model]:
    try:
        return apps.get_model(label)
    except (LookupError, ValueError):
        raise ExportFailed(f"This site has no model {label}.") from None


def _pieces(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """The rows, so many at a time that the database can pack them into one value."""
    piece, size = list[Row](), 0
    for row in rows:
        piece.append(row)
        size += sum(len(str(value)) for value in row)
        if size >= PIECE:
            yield piece
            piece, size = [], 0
    if piece:
        yield piece


def manifest(folder: storing.Folder) -> dict[str, Any]:
    """What its manifest says. Raises ExportFailed if it is not complete, or not what was written."""
    name = f"{folder.name}/{storing.MANIFEST}"
    text = folder.content(name)
    known = Export.objects.filter(storage=folder.alias, folder=folder.name).first()
    if known and known.state != Export.State.WRITTEN:
        raise ExportFailed(f"{name} is not complete: a run or an erasure works on it, or has failed.")
    if known and known.digest and hashlib.sha256(text).hexdigest() != known.digest:
        raise ExportFailed(f"{name} is not the manifest that was written.")
    try:
        facts = json.loads(text)
        version = facts["version"]
    except (ValueError, TypeError, KeyError) as error:
        raise ExportFailed(f"{name} is not a manifest ({type(error).__name__}: {error}).") from None
    if version != VERSION:
        raise ExportFailed(f"{name} has the version {version}; this one reads {VERSION}.")
    if wrong := sorted(_wrong(facts)):
        raise ExportFailed(
            f"{name} is not a manifest: {', '.join(wrong)} is missing, or not what it should be."
        )
    found: dict[str, Any] = facts
    return found


TEXTS, TEXTS_OF_TABLE = (
    ("made_at", "policy", "model", "format", "run"),
    ("model", "emptied", "file", "sha256"),
)
OF_MANIFEST: Mapping[str, type] = {**dict.fromkeys(TEXTS, str), "tables": list}
OF_TABLE: Mapping[str, type] = {
    **dict.fromkeys(TEXTS_OF_TABLE, str),
    "bytes": int,
    "rows": int,
    "columns": list,
}


def _wrong(facts: dict[str, Any]) -> Iterator[str]:
    """What a manifest should say and does not."""
    yield from _missing(facts, OF_MANIFEST)
    if facts.get("format") not in tuple(FORMATS):
        yield "format"
    if not isinstance(facts.get("content_types", {}), dict):
        yield "content_types"
    for table in facts["tables"] if isinstance(facts.get("tables"), list) else ():
        yield from (f"{name} of a table" for name in _missing(table, OF_TABLE))
        columns = table.get("columns") if isinstance(table, dict) else None
        for column in columns if isinstance(columns, list) else ():
            yield from (f"{name} of a column" for name in _missing(column, {"name": str}))


def _missing(facts: Any, kinds: Mapping[str, type]) -> Iterator[str]:
    for name, kind in kinds.items():
        if not (isinstance(facts, dict) and isinstance(facts.get(name), kind)):
            yield name


def archived(found: Import, run: Run, batch: int, expires_at: datetime, met: set[bytes]) -> dict[str, Any]:
    """Archive an import as this batch of ``run``. Returns the run's receipt with it. In a transaction.

    An undo puts back the batches with higher numbers first, so these are of the later exports.
    """
    begun: dict[str, Any] = {"model": found.model, "then": "import", "rows": {}, "digest": archive.NOTHING}
    facts = run.receipt.get(found.policy) or begun
    archiver = Archiver(run, found.policy, _model(found.model), expires_at, batch)
    with chosen.on(found.database), transaction.atomic(using=found.database):
        counted, digest = found.archive(archiver, facts["digest"], met)
    return {
        **run.receipt,
        found.policy: {**facts, "rows": dict(Counter(facts["rows"]) + counted), "digest": digest},
    }
