"""Files: what file fields of deleted rows name goes, once the rows can't be put back any more.

Guarantees:

- A file is noted in the transaction that deletes its row. No crash loses the note, and a batch that is
  rolled back leaves none.
- No file goes before the undo window of its row is closed, or while an undo of its run is at work.
- A file stays if any row names it then, in whatever table: a row that was put back, or another one. It
  also stays while a row that named it can still be put back.
- A note goes after its file. A kill between the two asks the storage once more, which is no error. A
  storage that fails keeps the note for the next time.
"""

from __future__ import annotations

import logging
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.db import connections, models, router
from django.db.models import Model, QuerySet

from housekeeping.database import clock, discreet
from housekeeping.declared.steps import TaskResult, no_checkpoint
from housekeeping.engine import packing
from housekeeping.models import FileToDelete, Run

logger = logging.getLogger(__name__)

AT_ONCE = 1_000  # notes that are read and compared with the rows that name files
GIVE_UP = 3  # failures of one storage in a row, after which its other files wait for the next time


def fields_of(model: type[Model]) -> list[models.FileField]:
    """The columns of a model's own table that name files."""
    return [one for one in model._meta.local_concrete_fields if isinstance(one, models.FileField)]


def label_of(one: models.FileField) -> str:
    return f"{one.model._meta.label}.{one.name}"


@dataclass
class Notes:
    """Notes the files of the rows that a policy deletes, to be deleted at ``due_at``."""

    policy: str
    due_at: datetime
    run_id: uuid.UUID | None = None

    def take(self, model: type[Model], column: str, keys: Sequence[Any]) -> int:
        """Note the files of the rows whose ``column`` is one of ``keys``. Call it before they go.

        Returns their number.
        """
        fields = fields_of(model)
        if not fields:
            return 0
        rows = packing.values_of(model, fields, column, keys)
        found = {(label_of(one), row[at]) for row in rows for at, one in enumerate(fields) if row[at]}
        same = {"policy": self.policy, "due_at": self.due_at, "run_id": self.run_id}
        FileToDelete.objects.bulk_create(
            [FileToDelete(field=label, name=name, **same) for label, name in sorted(found)], batch_size=500
        )
        return len(found)


def due() -> QuerySet[FileToDelete]:
    """The files that are to go now: an undo that has begun in time may still put their rows back."""
    under_way = Run.objects.active().filter(undo_of__isnull=False).values("undo_of")
    files = FileToDelete.objects.filter(due_at__lte=clock.Now())
    return files.exclude(run_id__isnull=False, run_id__in=under_way)


def delete_due(checkpoint: Callable[[], None] = no_checkpoint) -> TaskResult:
    """Delete the files that are due. Storages that fail count as a failure of the task."""
    sweep = _Sweep(checkpoint)
    last = 0
    while notes := list(due().filter(pk__gt=last).order_by("pk")[:AT_ONCE]):
        sweep.go_over(notes)
        last = notes[-1].pk
    return sweep.result()


@dataclass
class _Sweep:
    checkpoint: Callable[[], None]
    counts: Counter[str] = field(default_factory=Counter)
    failures: dict[str, Exception] = field(default_factory=dict)  # by field, the newest
    failed: Counter[str] = field(default_factory=Counter)  # by field: files
    in_a_row: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.naming = list(_naming())

    def go_over(self, notes: list[FileToDelete]) -> None:
        stays = self._named([note.name for note in notes])
        for note in notes:
            self.checkpoint()
            if note.name in stays:
                self.counts["files_still_named"] += 1
            elif not self._delete(note):
                continue
            FileToDelete.objects.filter(pk=note.pk).delete()

    def _named(self, names: list[str]) -> set[str]:
        """Those of ``names`` that a row names, or that a row named which can still be put back."""
        later = FileToDelete.objects.filter(due_at__gt=clock.Now(), name__in=names)
        found = set(later.values_list("name", flat=True))
        for rows, name in self.naming:
            found.update(rows.filter(**{f"{name}__in": names}).order_by().values_list(name, flat=True))
        return found

    def _delete(self, note: FileToDelete) -> bool:
        """Whether the note is done with: its file is gone, or nobody knows its storage any more."""
        one = _field(note.field)
        if one is None:
            self.counts["files_of_unknown_fields"] += 1
            logger.warning("The file %s stays: the field %s no longer exists.", note.name, note.field)
            return True
        if self.in_a_row[note.field] >= GIVE_UP:
            self.failed[note.field] += 1
            return False
        try:
            one.storage.delete(note.name)
        except Exception as error:  # a storage may raise anything
            discreet.clean(error)
            self._fail(note, error)
            return False
        self.in_a_row[note.field] = 0
        self.counts["deleted_files"] += 1
        return True

    def _fail(self, note: FileToDelete, error: Exception) -> None:
        self.in_a_row[note.field] += 1
        self.failed[note.field] += 1
        self.failures[note.field] = error
        text = f"{type(error).__name__}: {error}"
        FileToDelete.objects.filter(pk=note.pk).update(attempts=note.attempts + 1, error=text[:2_000])
        logger.warning("The file %s of %s could not be deleted: %s", note.name, note.field, text)

    def result(self) -> TaskResult:
        result = TaskResult(deleted_files=0, files_still_named=0, failed_files=self.failed.total())
        result |= self.counts
        result.failures = [
            StorageFailed(
                f"The storage of {label} did not delete {self.failed[label]:,} of its files. The next run"
                f" tries again ({type(error).__name__}: {error})."
            )
            for label, error in self.failures.items()
        ]
        return result


class StorageFailed(Exception):
    """A storage could not delete files; the text says whose, and why."""


def _naming() -> Iterator[tuple[QuerySet[Any], str]]:
    """All rows of each table that may name files, read from where they are written, and the field."""
    tables: dict[str, set[str]] = {}
    for model in apps.get_models(include_auto_created=True):
        if model._meta.proxy or model._meta.swapped:
            continue
        for one in fields_of(model):
            alias = router.db_for_write(model)
            if alias not in tables:
                tables[alias] = set(connections[alias].introspection.table_names(include_views=True))
            if model._meta.db_table in tables[alias]:  # a model that is not managed may have no table
                yield QuerySet(model, using=alias), one.name


def _field(label: str) -> models.FileField | None:
    model, _, name = label.rpartition(".")
    try:
        one = apps.get_model(model)._meta.get_field(name)
    except (LookupError, ValueError, FieldDoesNotExist):
        return None
    return one if isinstance(one, models.FileField) else None
