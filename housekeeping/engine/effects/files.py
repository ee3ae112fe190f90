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
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.db import OperationalError, ProgrammingError, models, transaction
from django.db.models import Model, Q, QuerySet

from housekeeping.database import clock, discreet, transient
from housekeeping.declared import registry
from housekeeping.declared.steps import TaskResult, no_checkpoint
from housekeeping.engine import cascade, packing
from housekeeping.models import FileToDelete, Run

logger = logging.getLogger(__name__)

AT_ONCE = 1_000  # notes that are read and compared with the rows that name files
UNDEFINED_TABLE = "42P01"  # https://www.postgresql.org/docs/current/errcodes-appendix.html
TOLD, TOLD_OF_EACH = 20, 300  # files that a result names, and characters of what the storage said of each
GIVE_UP = 3  # failures of one storage in a row, after which its other files wait for the next time


def fields_of(model: type[Model]) -> list[models.FileField]:
    """The columns of a model's own table that name files."""
    return [one for one in model._meta.local_concrete_fields if isinstance(one, models.FileField)]


def label_of(one: models.FileField) -> str:
    return f"{one.model._meta.label}.{one.name}"


def is_left_to_the_site(model: type[Model]) -> bool:
    """Whether a policy says that the site itself looks after the files of ``model``."""
    return any(
        policy.deletes_files is False
        and policy.known_model
        and model in ([policy.model] if policy.anonymises else cascade.tables(policy.model))
        for policy in registry.policies().values()
    )


@dataclass
class Notes:
    """Notes the files of rows that are deleted for ``policy``, to be deleted at ``due_at``.

    ``only``: the names of the fields that lose their files, if the rows stay.
    """

    policy: str
    due_at: datetime
    run_id: uuid.UUID | None = None
    only: Collection[str] | None = None
    made: list[FileToDelete] = field(default_factory=list)

    def take(self, model: type[Model], column: str, keys: Sequence[Any], also: packing.Also = None) -> int:
        """Note the files of the rows whose ``column`` is one of ``keys``. Call it before they go.

        Returns their number.
        """
        fields = [one for one in fields_of(model) if self.only is None or one.name in self.only]
        if not fields:
            return 0
        rows = packing.values_of(model, fields, column, keys, also)
        return self.add(
            {(label_of(one), row[at]) for row in rows for at, one in enumerate(fields) if row[at]}
        )

    def add(self, found: Collection[tuple[str, str]]) -> int:
        """``found``: the labels of fields, and the names of files. Returns their number."""
        same = {"policy": self.policy, "due_at": self.due_at, "run_id": self.run_id}
        made = [FileToDelete(field=label, name=name, **same) for label, name in sorted(found)]
        FileToDelete.objects.bulk_create(made, batch_size=500)
        self.made += made
        return len(found)


def due() -> QuerySet[FileToDelete]:
    """The files that are to go now: an undo that has begun in time may still put their rows back."""
    under_way = Run.objects.active().filter(undo_of__isnull=False).values("undo_of")
    files = FileToDelete.objects.filter(due_at__lte=clock.Now())
    return files.exclude(run_id__isnull=False, run_id__in=under_way)


def delete_due(
    checkpoint: Callable[[], None] = no_checkpoint,
    *,
    policy: str = "",
    count: Callable[[FileToDelete], None] = lambda note: None,
) -> TaskResult:
    """Delete the files that are due, or those of ``policy``. Storages that fail count as a failure.

    ``count`` is called for each file that went, in the transaction in which its note goes.
    """
    sweep, waiting = _Sweep(checkpoint, count), due()
    if policy:
        waiting = waiting.filter(policy=policy)
    # Those that were refused least often first: a few files that can never be deleted don't make all others
    # of their field wait. A note that is refused now comes again with its new number, and is skipped.
    attempts, pk = -1, 0
    while notes := list(
        waiting.filter(Q(attempts__gt=attempts) | Q(attempts=attempts, pk__gt=pk)).order_by("attempts", "pk")[
            :AT_ONCE
        ]
    ):
        attempts, pk = notes[-1].attempts, notes[-1].pk
        sweep.go_over([note for note in notes if note.pk not in sweep.refused])
    return sweep.result()


@dataclass
class _Sweep:
    checkpoint: Callable[[], None]
    count: Callable[[FileToDelete], None]
    counts: Counter[str] = field(default_factory=Counter)
    failures: dict[str, Exception] = field(default_factory=dict)  # by field, the newest
    failed: Counter[str] = field(default_factory=Counter)  # by field: files
    in_a_row: Counter[str] = field(default_factory=Counter)
    refused: set[int] = field(default_factory=set)  # notes whose number of attempts has grown
    told: dict[str, str] = field(default_factory=dict)  # the first of these, and why each is still there

    def __post_init__(self) -> None:
        self.naming = list(_naming())

    def go_over(self, notes: list[FileToDelete]) -> None:
        stays = self._named([note.name for note in notes])
        for note in notes:
            self.checkpoint()
            if note.name in stays:
                self.counts["files_still_named"] += 1
                FileToDelete.objects.filter(pk=note.pk).delete()
            elif self._delete(note):
                transient.transact(partial(self._settle, note))

    def _settle(self, note: FileToDelete) -> None:
        FileToDelete.objects.filter(pk=note.pk).delete()
        if _field(note.field):
            self.count(note)

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
        except FileNotFoundError:
            pass  # some storages say so; it went before its note did
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
        self.refused.add(note.pk)
        if len(self.told) < TOLD:
            tries = f" (tried {note.attempts + 1:,} times)" if note.attempts else ""
            self.told[str(note)] = text[:TOLD_OF_EACH] + tries
        FileToDelete.objects.filter(pk=note.pk).update(attempts=note.attempts + 1, error=text[:2_000])
        logger.warning("The file %s of %s could not be deleted: %s", note.name, note.field, text)

    def result(self) -> TaskResult:
        result = TaskResult(deleted_files=0, files_still_named=0, failed_files=self.failed.total())
        result |= self.counts
        if self.told:
            result["refused_files"] = self.told
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
    for model in apps.get_models(include_auto_created=True):
        if model._meta.proxy or model._meta.swapped or not fields_of(model):
            continue
        for alias in cascade.databases(model):
            rows: QuerySet[Any] = QuerySet(model, using=alias)
            if model._meta.managed or _is_there(rows):
                yield from ((rows, one.name) for one in fields_of(model))


def _is_there(rows: QuerySet[Any]) -> bool:
    """Whether there is a table: a model that is not managed may have none. Raises what else is wrong."""
    try:
        with transaction.atomic(using=rows.db):
            rows.exists()
    except (OperationalError, ProgrammingError) as error:
        is_missing = getattr(error.__cause__, "sqlstate", "") == UNDEFINED_TABLE or "no such table" in str(
            error
        )
        if not is_missing:
            raise
        return False
    return True


def _field(label: str) -> models.FileField | None:
    model, _, name = label.rpartition(".")
    try:
        one = apps.get_model(model)._meta.get_field(name)
    except (LookupError, ValueError, FieldDoesNotExist):
        return None
    return one if isinstance(one, models.FileField) else None
