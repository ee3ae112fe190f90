"""Writes the rows that a purge is going to take, some thousands at a time, before it takes them."""

from __future__ import annotations

import logging
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from django.db import OperationalError
from django.db.models import Model
from django.utils import timezone

from housekeeping import __version__
from housekeeping.database import chosen, clock
from housekeeping.declared.policies import Policy
from housekeeping.engine.exports import kinds, rows, storing, values
from housekeeping.engine.exports.formats import FORMATS
from housekeeping.exceptions import ExportFailed
from housekeeping.models import Export

logger = logging.getLogger(__name__)

VERSION = 1  # of the manifest
FIRST = 1_000  # rows of the policy in the first export
LARGEST = 256_000_000  # bytes of a folder's rows before they are compressed: an import has them in memory


class Source(Protocol):
    """Gives keys of rows that are due, each with the number of rows that may be below it, or None."""

    @property
    def is_over(self) -> bool: ...

    def take(self, size: int) -> Mapping[Any, int | None]: ...


@dataclass
class Exported:
    """What tells whether rows are still as they were exported."""

    model: type[Model]
    is_alone: bool
    marks: set[bytes] = field(default_factory=set)
    seen: Counter[str] = field(default_factory=Counter)  # rows that were unchanged, by table

    def unchanged(self, keys: Sequence[Any]) -> list[Any]:
        """Those of ``keys`` whose rows, and all that go with them, are as exported. Locks them until the
        transaction ends."""
        reach = rows.Reach(self.model, keys, is_alone=self.is_alone, is_locking=True)
        changed: set[Any] = set()
        for table in reach.tables():
            changed |= reach.changed(table, self.marks.__contains__)
        if changed:  # count again, without those
            return self.unchanged([key for key in keys if key not in changed])
        self.seen = Counter({model._meta.label: len(met) for model, met in reach.met.items()})
        return list(keys)

    def check(self, gone: Mapping[str, int]) -> None:
        """Raises RowsAppeared if more rows have gone than were unchanged: no lock keeps others from adding
        rows below them that refer to them without a constraint, such as by a generic relation."""
        if more := Counter(gone) - self.seen:
            raise RowsAppeared(f"Rows were added meanwhile: {dict(more)}")


class RowsAppeared(OperationalError):
    """A batch would take rows that are in no export. It is tried again, as after other conflicts."""

    sqlstate = "40001"


class Exporting:
    """A source whose rows are exported before it gives them.

    ``exported`` is about the rows that were given last. Raises ExportFailed if the storage fails: then
    nothing more is given.
    """

    def __init__(
        self, policy: Policy, source: Source, *, run: uuid.UUID | None, checkpoint: Callable[[], None]
    ) -> None:
        assert policy.exports
        self.policy, self.export, self.source = policy, policy.exports, source
        self.is_alone = bool(policy.anonymises)  # what is below the rows stays
        self.run, self.checkpoint = run or uuid.uuid4(), checkpoint
        self.waiting: deque[tuple[Any, int | None]] = deque()
        self.size, self.bytes = min(FIRST, self.export.rows), 0
        self.exported = Exported(policy.model, self.is_alone)
        self._remove_abandoned()

    @property
    def is_over(self) -> bool:
        return self.source.is_over and not self.waiting

    def take(self, size: int) -> dict[Any, int | None]:
        if not self.waiting:
            self.waiting.extend(self.source.take(self.size).items())
            if self.waiting:
                with chosen.on(self.policy.database):
                    self._write([key for key, _ in self.waiting])
        return dict(self.waiting.popleft() for _ in range(min(size, len(self.waiting))))

    def _remove_abandoned(self) -> None:
        """Remove what a run that was killed has begun to write: a policy has one run at a time.

        What its storage does not delete waits for the next run: a bucket may keep all that is written, or be
        gone. Nothing reads these files.
        """
        for one in Export.objects.filter(policy=self.policy.name, state=Export.State.WRITING):
            try:
                storing.remove(one.storage, one.files)
            except ExportFailed as error:
                logger.warning("Files of an export that was not completed stay in %s: %s", one, error)
            else:
                one.delete()

    def _write(self, keys: list[Any]) -> None:
        reach = rows.Reach(self.policy.model, keys, is_alone=self.is_alone)
        self.exported, self.bytes = Exported(self.policy.model, self.is_alone), 0
        made = self._begin()

        def written(name: str) -> None:
            made.files = [*made.files, name]
            made.save(update_fields=["files"])

        folder = storing.Folder(self.export.storage, made.folder, written)
        reached = reach.tables()
        written_tables = (self._write_table(folder, reach, table) for table in reached)
        tables = [one for one in written_tables if one]
        made.manifest = self._manifest(made, tables) | {
            "content_types": kinds.names(one.fields for one in reached)
        }
        manifest = folder.put_manifest(made.manifest)
        made.rows = {one["model"]: one["rows"] for one in tables if not one["emptied"]}
        made.size = sum(one["bytes"] for one in [*tables, manifest])
        made.state, made.digest = Export.State.WRITTEN, manifest["sha256"]
        made.save()
        self._fit(len(keys), sum(made.rows.values()))

    def _begin(self) -> Export:
        now = clock.now()
        number = Export.objects.filter(run_id=self.run).count() + 1
        day = timezone.localdate(now, timezone.get_default_timezone())
        return Export.objects.create(
            run_id=self.run,
            policy=self.policy.name,
            model=self.policy.model._meta.label,
            storage=self.export.storage,
            is_erasable=self.export.is_erasable,
            folder=f"{self.policy.name}/{day}-{self.run}/{number:04}",
            made_at=now,
        )

    def _write_table(
        self, folder: storing.Folder, reach: rows.Reach, table: rows.Table
    ) -> dict[str, Any] | None:
        """Write the rows of one table. Returns what the manifest says of it; None if it has no rows."""
        counted = 0

        def marked() -> Iterator[tuple[tuple[Any, ...], bytes]]:
            nonlocal counted
            for row, line in reach.rows(table):
                if counted % rows.AT_ONCE == 0:
                    self.checkpoint()
                self.exported.marks.add(rows.mark(table.name, line))
                counted += 1
                self.bytes += len(line)
                yield row, line

        form = FORMATS[self.export.format]
        with folder.local() as file:
            form.write(file, table.fields, marked())
            if not counted:
                return None
            stored = folder.put(f"{table.name}.{form.suffix}", file)
        columns = [
            {"name": one.attname, "column": one.column, "type": values.kind_of(one)} for one in table.fields
        ]
        emptied = table.emptied.name if table.emptied else ""
        about = {"model": table.model._meta.label, "emptied": emptied}
        return {**about, **stored, "rows": counted, "columns": columns}

    def _manifest(self, made: Export, tables: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "version": VERSION,
            "made_by": f"django-housekeeping {__version__}",
            "made_at": made.made_at.isoformat(),
            "run": str(made.run_id),
            "policy": made.policy,
            "model": made.model,
            "database": chosen.alias(),
            "format": self.export.format,
            "tables": [{**one, "file": one["file"].rpartition("/")[2]} for one in tables],
        }

    def _fit(self, own: int, all_of_them: int) -> None:
        """How many of the policy's rows the next export takes, so that all rows together are about as many
        as asked for, and not too large."""
        each = max(all_of_them / own, 1)
        fitting = min(self.export.rows / each, LARGEST * own / max(self.bytes, 1), own * 10)
        self.size = int(max(fitting, 1))


def summary(run: uuid.UUID, policy: Policy) -> dict[str, Any]:
    """What a run has exported: the storage, and how many folders, rows and bytes."""
    written = Export.objects.filter(run_id=run, policy=policy.name, state=Export.State.WRITTEN)
    made = list(written.only("rows", "size"))
    return {
        "storage": policy.exports.storage if policy.exports else "",
        "folders": len(made),
        "rows": sum(sum(one.rows.values()) for one in made),
        "bytes": sum(one.size for one in made),
    }
