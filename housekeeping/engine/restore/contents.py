"""What one archive holds, and the table that it goes back into."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import zstandard
from django.apps import apps
from django.db import connection, models
from django.db.models import Model
from django.utils.functional import cached_property

from housekeeping.engine import archive, packing, verification
from housekeeping.engine.packing import quoted
from housekeeping.exceptions import NotPossible
from housekeeping.models import Archive


class Layout:
    """An archive's table and columns as they are now. Raises NotPossible where they are gone."""

    def __init__(self, kept: Archive) -> None:
        self.kept = kept
        if kept.vendor != connection.vendor:
            raise NotPossible(
                f"The archive was written by {kept.vendor}, and this database is {connection.vendor}."
            )
        try:
            self.model: type[Model] = apps.get_model(kept.model)
        except LookupError:
            raise NotPossible(f"The table of {kept.model} is not there any more.") from None
        self.label = label_of(self.model)
        now = {one.column: one for one in packing.columns(self.model)}
        self.names = [name for name, _ in kept.schema]
        gone = [name for name in self.names if name not in now]
        if gone:
            raise NotPossible(f"{kept.model} has lost the column {', '.join(gone)} since the purge.")
        self.fields = [now[name] for name in self.names]
        added = [one for name, one in now.items() if name not in self.names and not kept.emptied]
        self.added = [one for one in added if one.db_default is models.NOT_PROVIDED]
        self.table, self.key = packing.table(self.model), quoted(self.names[0])
        self.links = [
            (number, one, label_of(one.related_model))
            for number, one in enumerate(self.fields)
            if isinstance(one, models.ForeignKey)
        ]

    def fillings(self) -> list[Any]:
        return [self._filling(one) for one in self.added]

    def _filling(self, added: models.Field[Any, Any]) -> Any:
        """What a migration has put into the rows that were there as the column was added."""
        value = connection.schema_editor().effective_default(added)
        if value is None and not added.null:
            raise NotPossible(
                f"{self.kept.model} has a new column {added.column} since the purge,"
                " which has no default and can't be empty."
            )
        return value


class Contents(Layout):
    """One archive, verified and unpacked. Raises NotPossible where it is not what was written."""

    def __init__(self, kept: Archive) -> None:
        super().__init__(kept)
        try:
            self.packed, _ = verification.content(kept)
        except verification.Damaged as why:
            raise NotPossible(f"{kept.name}: {why}.") from None

    @cached_property
    def json_rows(self) -> list[Any]:
        """The rows that SQLite packed."""
        return packing.json_rows(self.packed)

    @property
    def name(self) -> str:
        """As the run's result calls it."""
        return f"{self.kept.model}.{self.kept.emptied}" if self.kept.emptied else self.kept.model

    def lines(self) -> Iterator[tuple[str, Any]]:
        """Each row with its key, as text."""
        is_copied = self.kept.vendor == "postgresql"
        for row in packing.copied_rows(self.packed) if is_copied else self.json_rows:
            yield packing.key_in(row), row

    def node(self, key: str) -> Any:
        """What stands for a row among those of its batch."""
        return (self.label, self.kept.emptied, key)

    def relatives(self, key: str, line: Any) -> Iterator[Any]:
        """The rows that a row refers to."""
        if self.kept.emptied:
            yield (self.label, "", key)
        values = packing.values_in(line)
        for number, _, label in self.links:
            yield (label, "", packing.text_of(values[number]))

    def copy(self, part: int, lines: list[Any]) -> bool:
        """Keep some of its rows as a part of the batch. False where there are none."""
        if lines:
            kept = Archive(
                run_id=self.kept.run_id,
                part=part,
                **{name: getattr(self.kept, name) for name in SAME},
            )
            self._fill(kept, lines)
        return bool(lines)

    def rewrite(self, lines: list[Any]) -> None:
        """Keep these of its rows, and no others."""
        Archive.objects.filter(pk=self.kept.pk).delete()
        kept = Archive(
            pk=self.kept.pk,
            run_id=self.kept.run_id,
            part=self.kept.part,
            **{name: getattr(self.kept, name) for name in SAME},
        )
        self._fill(kept, lines)

    def _fill(self, kept: Archive, lines: list[Any]) -> None:
        packed = packing.joined(lines, self.kept.vendor)
        kept.rows, kept.before = len(lines), verification.NOTHING
        kept.digest = archive.sealed(kept, archive.digest(kept.before, packed))
        archive.save(kept, zstandard.compress(packed, packing.LEVEL))


SAME = ["policy", "is_own", "model", "emptied", "schema", "vendor", "expires_at", "batch", "position"]


def label_of(model: Any) -> str:
    """A proxy's rows are its table's."""
    label: str = (model._meta.concrete_model or model)._meta.label
    return label
