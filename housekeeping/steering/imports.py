"""Imports: one run reads exported rows, and an undo of that run puts them back, also years later."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from housekeeping import conf, run_context
from housekeeping.database import clock
from housekeeping.database.transactions import writing
from housekeeping.declared.steps import no_checkpoint
from housekeeping.engine.exports import importing, storing
from housekeeping.exceptions import ClaimLost, ExportFailed, NotMigrated, each
from housekeeping.journal import acts
from housekeeping.journal.acts import Actor
from housekeeping.models import Export, Import, Run
from housekeeping.runs.work.attempts import own

TASK = "imports"


def folders(storage: str, name: str) -> list[str]:
    """The exports in a folder of a storage: the folder itself, or those below it, the oldest first.

    Raises ExportFailed if there is none.
    """
    found = sorted(_folders(storage, name.strip("/")))
    if not found:
        raise ExportFailed(
            f"There is no {storing.MANIFEST} in the folder {name!r} of the storage {storage!r}."
        )
    return found


def _folders(storage: str, name: str) -> Iterator[str]:
    directories, files = storing.listed(storage, name)
    if storing.MANIFEST in files:
        yield name
    for directory in directories:
        yield from _folders(storage, f"{name}/{directory}" if name else directory)


def of_run(start: str) -> list[tuple[str, str]]:
    """The storages and folders of the exports that a run has written, by its id or the beginning of it.

    The run itself may be gone. Empty if there is none, or if several ids begin like that.
    """
    written = Export.objects.exclude(state=Export.State.WRITING)
    ids = [
        one
        for one in written.order_by().values_list("run_id", flat=True).distinct()
        if f"{one}".startswith(start)
    ]
    found = written.filter(run_id__in=ids) if len(ids) == 1 else written.none()
    return list(found.order_by("made_at", "folder").values_list("storage", "folder"))


def store(places: list[tuple[str, str]], *, by: Actor | None, run: Run | None = None) -> list[Import]:
    """Store a request for each of these exports: storages and folders.

    Only ``run`` reads them, or a retry of it; if None, the next run does.
    """
    with writing():
        made = [
            Import.objects.create(
                storage=storage,
                folder=folder,
                requested_by=by.name if by else "",
                requested_at=clock.now(),
                run_id=run.pk if run else None,
            )
            for storage, folder in places
        ]
        for one in made:
            acts.record(by, "import", str(one))
    return made


def carry_out_open(checkpoint: Callable[[], None] = no_checkpoint) -> dict[str, Any]:
    """Archive the rows of the exports that were requested of the run under way. Returns how many rows of how
    many.

    Raises the first error after all have had their turn.
    """
    run_id, _ = run_context.current()
    _start_over()
    counted: Counter[str] = Counter()
    met: set[bytes] = set()
    # Not those of other runs: what was cancelled must not come back with what is asked for next.
    Import.objects.filter(ended_at=None, run_id=None).update(run_id=run_id)
    waiting = sorted(Import.objects.filter(ended_at=None, run_id=run_id), key=_age)

    def carry_out(numbered: tuple[int, Import]) -> None:
        batch, one = numbered
        counted.update(_carry_out(one, batch, met, checkpoint))

    # The newest first: a row that several exports have is as the newest has it, after which it was deleted.
    each(reversed(list(enumerate(waiting, 1))), carry_out)
    return {"read_exports": counted["exports"], "read_rows": counted["rows"]}


def _start_over() -> None:
    """Forget what an earlier attempt has read: nothing tells which rows it has met, nor how its batches were
    numbered. A retry reads all that the failed run was to read."""
    run_id, _ = run_context.current()
    run = Run.objects.filter(pk=run_id).first() if run_id else None
    if run is None:  # called in a shell
        return
    again = Import.objects.filter(run_id__in=[run.pk, *_retried(run)])
    if again.exists():
        with writing():
            run.archives.all().delete()
            again.update(ended_at=None, run_id=run.pk, rows={}, error="")
            if not own(run).update(receipt={}, archives_kept=None):
                raise ClaimLost


def _retried(run: Run) -> Iterator[Any]:
    """The runs that it retries: one of them may have been cancelled before it began."""
    while run.retry_of:
        run = run.retry_of
        yield run.pk


def _age(one: Import) -> tuple[str, str]:
    """Sorts imports by the age of their exports: a folder's name has the day, and not the order within it."""
    try:
        return importing.manifest(storing.Folder(one.storage, one.folder))["made_at"], one.folder
    except ExportFailed:
        return "", one.folder  # it fails again when its turn has come


def _carry_out(one: Import, batch: int, met: set[bytes], checkpoint: Callable[[], None]) -> dict[str, int]:
    run_id, _ = run_context.current()
    try:
        found = importing.Import(one.storage, one.folder, checkpoint)
        with writing():
            rows = _archive(one, found, batch, met)
    except (ExportFailed, NotMigrated) as error:
        Import.objects.filter(pk=one.pk).update(ended_at=clock.now(), run_id=run_id, error=str(error))
        raise
    return {"exports": 1, "rows": rows}


def _archive(one: Import, found: importing.Import, batch: int, met: set[bytes]) -> int:
    run_id, _ = run_context.current()
    run = Run.objects.select_for_update().get(pk=str(run_id))
    expires_at = run.archives_expire_at or clock.now() + timedelta(days=conf.UNDO_DAYS or 1)
    receipt = importing.archived(found, run, batch, expires_at, met)
    archives = run.archives.count()
    if not own(run).update(receipt=receipt, archives_kept=archives, archives_expire_at=expires_at):
        raise ClaimLost
    rows = {table["model"]: int(table["rows"]) for table in found.facts["tables"] if not table["emptied"]}
    Import.objects.filter(pk=one.pk).update(ended_at=clock.now(), run_id=run.pk, rows=rows)
    return sum(rows.values())
