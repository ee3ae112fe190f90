"""Exports: the rows of the person in files of a storage, and new files without them.

The new files are written and compared first. Then our row of the export names them, in the transaction that
counts what went, and only then the manifest in the storage is replaced and the old files are deleted. A
crash leaves an export that is marked, and the next attempt ends what it has begun.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from django.db.models import Model

from housekeeping.database import chosen, transient
from housekeeping.engine import cascade, packing
from housekeeping.engine.exports import storing, values
from housekeeping.engine.exports.formats import FORMATS, Format
from housekeeping.engine.exports.reading import database_of, rows_in
from housekeeping.erasure.copies import files
from housekeeping.erasure.copies.reading import Reading, model_of
from housekeeping.erasure.copies.theirs import Without
from housekeeping.exceptions import ExportFailed, NotPossible
from housekeeping.models import Export, Run

PATIENCE = 60.0  # seconds
Table = dict[str, Any]
"""What a manifest says of one file."""


class ExportReading(Reading):
    """One file of an export. Raises NotPossible if it can't be read, or is not what was written."""

    def __init__(self, export: Export, table: Table) -> None:
        self.export, self.table = export, table
        self.model = model_of(table["model"])
        self.columns = [str(one["column"]) for one in table["columns"]]
        self.exported = self._fields()
        try:
            folder = storing.Folder(export.storage, export.folder)
            self.rows = rows_in(folder, (export.manifest or {})["format"], table, self.exported)
        except ExportFailed as error:
            raise NotPossible(str(error)) from error

    def _fields(self) -> list[Any]:
        """The model's fields, or some of the same kind for those that the model has lost."""
        today = {field.attname: field for field in packing.columns(self.model)} if self.model else {}
        return [
            today.get(one["name"]) or values.lost(one["name"], one["type"]) for one in self.table["columns"]
        ]

    @property
    def label(self) -> str:
        return str(self.table["model"])

    @property
    def alias(self) -> str:
        return database_of(self.export.manifest or {})

    @property
    def emptied(self) -> str:
        return self.columns[1] if self.table["emptied"] else ""

    def values(self, row: Any) -> list[Any]:
        return list(row)

    def value(self, row: Any, at: int) -> str | None:
        value = values.as_json(self.exported[at], row[at])
        return None if value is None else str(value)

    def is_nobodys(self, key: str) -> bool:
        """It was made anonymous after the export."""
        if self.model is None or self.label != self.export.model:
            return False
        return cascade.rows_of(self.model).filter(pk=key).exists()

    def with_value(self, row: Any, at: int, text: str | None) -> Any:
        value = None if text is None else values.from_json(self.exported[at], text)
        return (*row[:at], value, *row[at + 1 :])


def _reached() -> Iterator[Export]:
    """The exports that an erasure reaches."""
    for pk in list(
        Export.objects.filter(is_erasable=True).order_by("made_at", "pk").values_list("pk", flat=True)
    ):
        if export := Export.objects.filter(pk=pk).exclude(state=Export.State.WRITING).first():
            yield export


def _tables(export: Export) -> list[Table]:
    found: list[Table] = (export.manifest or {}).get("tables", [])
    return found


def _format(export: Export) -> Format:
    return FORMATS[(export.manifest or {})["format"]]


def readings(model: type[Model]) -> Iterator[ExportReading]:
    """The files with whole rows of ``model``, one at a time."""
    for export in _reached():
        for table in _tables(export):
            if table["model"] == model._meta.label and not table["emptied"]:
                yield ExportReading(export, table)


def check(checkpoint: Callable[[], None]) -> None:
    """Raises NotPossible for the first export that can't be read: it can't be searched. And for the files of
    a run that was killed, if they can't be removed."""
    _at_work()
    for export in _reached():
        for table in _tables(export):
            checkpoint()
            ExportReading(export, table)


def _wait_until_written(checkpoint: Callable[[], None]) -> None:
    """Wait for exports that may have read rows of the person before these were deleted.

    Raises NotPossible if they take too long. What a run that was killed has left is removed.
    """
    until = time.monotonic() + PATIENCE
    while at_work := _at_work():
        if time.monotonic() > until:
            raise NotPossible(
                f"The run {min(map(str, at_work))} is exporting rows: try again once it is done."
            )
        checkpoint()
        time.sleep(1)


def _at_work() -> set[uuid.UUID]:
    """The runs that are exporting rows. Removes what others have begun to write, and have left."""
    unfinished = list(Export.objects.filter(state=Export.State.WRITING, is_erasable=True))
    active = Run.objects.active().filter(pk__in={one.run_id for one in unfinished})
    at_work = set(active.values_list("pk", flat=True))
    for one in unfinished:
        if one.run_id not in at_work:
            try:
                storing.remove(one.storage, one.files)
            except ExportFailed as error:
                raise NotPossible(str(error)) from error
            one.delete()
    return at_work


class Rewriting:
    """Rewrites the exports that hold rows of the person. ``count`` is called with the number of removed rows
    and values, and the export, in the transaction from which on our row of it names the new files.

    Raises NotPossible where a storage fails.
    """

    def __init__(self, without: Without, count: Callable[[Counter[str], Export], None]) -> None:
        self.without, self.count = without, count

    def carry_out(self, checkpoint: Callable[[], None]) -> None:
        _wait_until_written(checkpoint)
        for export in _reached():
            try:
                if export.state == Export.State.REWRITTEN:
                    self._settle(export)
                self._rewrite(export, checkpoint)
            except ExportFailed as error:
                raise NotPossible(str(error)) from error

    def _rewrite(self, export: Export, checkpoint: Callable[[], None]) -> None:
        manifest = export.manifest or {}
        gone: Counter[str] = Counter()
        tables, removed = [], list[tuple[ExportReading, list[Any], list[Any]]]()
        for table in _tables(export):
            checkpoint()
            if not self.without.may_concern(table["model"]):
                tables.append(table)
                continue
            read = ExportReading(export, table)
            with chosen.on(read.database):
                stay, more, theirs = self.without.rows(read)
            if more:
                gone += more
                removed.append((read, theirs, stay))
                table = self._write(export, read, stay)
            if table:
                tables.append(table)
        if gone:
            self._replace(export, {**manifest, "tables": tables}, gone, removed)
            self._settle(export)

    def _write(self, export: Export, read: ExportReading, stay: list[Any]) -> Table:
        """A new file for the rows that stay; nothing if none does."""
        if not stay:
            return {}

        def written(name: str) -> None:
            export.files = [*export.files, name]
            Export.objects.filter(pk=export.pk).update(files=export.files)

        form = _format(export)
        folder = storing.Folder(export.storage, export.folder, written)
        lines = ((row, values.line(read.exported, row)) for row in stay)
        with folder.local() as file:
            form.write(file, read.exported, lines)
            name = f"{export.rewritten + 1}.{read.table['file']}"
            stored = folder.put(name, file)
        return {**read.table, **stored, "file": stored["file"].rpartition("/")[2], "rows": len(stay)}

    def _replace(
        self,
        export: Export,
        manifest: dict[str, Any],
        gone: Counter[str],
        removed: list[tuple[ExportReading, list[Any], list[Any]]],
    ) -> None:
        export.manifest, export.state = manifest, Export.State.REWRITTEN
        export.rewritten += 1
        export.rows = {one["model"]: one["rows"] for one in manifest["tables"] if not one["emptied"]}

        def work() -> None:
            fields = ["manifest", "state", "rewritten", "rows"]
            export.save(update_fields=fields)
            for read, theirs, _ in removed:
                files.note_exported(read, theirs)
            self.count(gone, export)

        transient.transact(work)

    def _settle(self, export: Export) -> None:
        """Let the storage have what our row names, and nothing else."""
        manifest = export.manifest or {}
        folder = storing.Folder(export.storage, export.folder)
        named = {f"{export.folder}/{one['file']}" for one in manifest["tables"]}
        storing.remove(export.storage, [name for name in export.files if name not in named])
        stored = folder.put_manifest(manifest)
        export.state, export.digest = Export.State.WRITTEN, stored["sha256"]
        export.files = [*sorted(named), stored["file"]]
        export.size = stored["bytes"] + sum(one["bytes"] for one in manifest["tables"])
        export.save(update_fields=["state", "digest", "files", "size"])
