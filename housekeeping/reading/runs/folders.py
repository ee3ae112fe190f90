"""The folders of files that a run has written, and those that it has read: exports and imports."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from housekeeping.models import Export, Import, Run

MOST = 50  # folders that are listed


@dataclass(frozen=True)
class Folder:
    """``files``: the name, the rows and the bytes of each. ``problem``: why it could not be read."""

    storage: str
    name: str
    rows: int
    files: Sequence[tuple[str, int, int]] = ()
    is_complete: bool = True
    problem: str = ""


@dataclass(frozen=True)
class Folders:
    """The first of them, and how many there are."""

    shown: Sequence[Folder]
    total: int

    @property
    def more(self) -> int:
        return self.total - len(self.shown)


NONE = Folders([], 0)


def written(run: Run) -> Folders:
    """Those that the run has exported rows to, the first ones first."""
    made = Export.objects.filter(run_id=run.pk).order_by("made_at", "folder")
    return Folders([_written(one) for one in made[:MOST]], made.count())


def _written(made: Export) -> Folder:
    tables: list[dict[str, Any]] = (made.manifest or {}).get("tables", [])
    files = [(str(one["file"]), int(one["rows"]), int(one["bytes"])) for one in tables]
    is_complete = made.state != Export.State.WRITING
    return Folder(made.storage, made.folder, sum(made.rows.values()), files, is_complete)


def read(run: Run) -> Folders:
    """Those that the run was to put back rows from."""
    found = Import.objects.filter(run_id=run.pk).order_by("folder")
    shown = [
        Folder(one.storage, one.folder, sum(one.rows.values()), problem=one.error) for one in found[:MOST]
    ]
    return Folders(shown, found.count())
