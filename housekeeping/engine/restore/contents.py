"""What one archive holds, and the table that it goes back into."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import zstandard
from django.apps import apps
from django.db import connections, models
from django.db.models import Model
from django.utils.functional import cached_property

from housekeeping.database.chosen import connection
from housekeeping.engine import archive, cascade, packing, unpacking, verification
from housekeeping.engine.packing import quoted
from housekeeping.exceptions import NotPossible
from housekeeping.models import Archive

# What the parts of an archive, and what is left of it, have in common with it.
SAME = [
    *("policy", "is_own", "model", "emptied", "schema", "vendor", "database"),
    *("expires_at", "batch", "position"),
]


class Layout:
    """An archive's table and columns as they are today. Raises NotPossible if they are gone.

    Use it while the archive's database is the chosen one.
    """

    def __init__(self, archived: Archive) -> None:
        self.archived = archived
        if archived.alias not in connections:
            raise NotPossible(f"There is no database {archived.alias!r} any more, which its rows came from.")
        if archived.vendor != connection.vendor:
            raise NotPossible(
                f"The archive was written by {archived.vendor}, and this database is {connection.vendor}."
            )
        try:
            self.model: type[Model] = apps.get_model(archived.model)
        except LookupError:
            raise NotPossible(f"The table of {archived.model} no longer exists.") from None
        self.label = label_of(self.model)
        today = {field.column: field for field in packing.columns(self.model)}
        self.names = archive.columns(archived)
        if gone := [name for name in self.names if name not in today]:
            raise NotPossible(f"{archived.model} has lost the column {', '.join(gone)} since the purge.")
        self.fields = [today[name] for name in self.names]
        added = [field for name, field in today.items() if name not in self.names and not archived.emptied]
        self.added = [field for field in added if field.db_default is models.NOT_PROVIDED]
        self.table, self.key = packing.table(self.model), quoted(self.names[0])
        self.links = [
            (at, field, place_of(field))
            for at, field in enumerate(self.fields)
            if isinstance(field, models.ForeignKey)
        ]
        # Generic relations by which rows of other tables take its rows along: the content type, and the key.
        self.generics = [
            (self.names.index(str(one.kind.column)), self.names.index(str(one.key.column)), one)
            for one in cascade.generics_to(self.model)
            if {one.kind.column, one.key.column} <= {*self.names}
        ]
        # Columns other than the key that foreign keys refer to.
        other = {link.field.target_field.column for link in cascade.links(self.model) if not link.is_to_key}
        self.referred = [(at, f"{self.label}.{name}") for at, name in enumerate(self.names) if name in other]

    def defaults(self) -> list[Any]:
        """The values of the columns that were added since, as a migration gave them to existing rows."""
        return [self._default(field) for field in self.added]

    def _default(self, added: models.Field[Any, Any]) -> Any:
        value = connection.schema_editor().effective_default(added)
        if value is None and not added.null:
            raise NotPossible(
                f"{self.archived.model} has a new column {added.column} since the purge,"
                " which has no default and can't be empty."
            )
        return value


class Contents(Layout):
    """One archive, verified and unpacked. Raises NotPossible if it is damaged."""

    def __init__(self, archived: Archive) -> None:
        super().__init__(archived)
        try:
            self.packed, _ = verification.content(archived)
        except verification.Damaged as why:
            raise NotPossible(f"{archived.name}: {why}.") from None

    @property
    def name(self) -> str:
        """The table, or the emptied column, as the run's result names it."""
        emptied = self.archived.emptied
        return f"{self.archived.model}.{emptied}" if emptied else self.archived.model

    @cached_property
    def json_rows(self) -> list[Any]:
        """The rows that SQLite packed."""
        return unpacking.json_rows(self.packed)

    def rows(self) -> Iterator[tuple[str, Any]]:
        """Each row, as it is packed, with its key as text."""
        is_copied = self.archived.vendor == "postgresql"
        rows = unpacking.copied_rows(self.packed) if is_copied else self.json_rows
        return unpacking.keyed(rows, self.archived.vendor)

    def row_keys(self) -> list[str]:
        return [key for key, _ in self.rows()]

    def add_absent(self, absent: dict[str, set[str]], rows: Iterable[tuple[str, Any]]) -> None:
        """Note what nothing may refer to: the keys of these rows, and their values that keys refer to."""
        for key, row in rows:
            absent[self.label].add(key)
            for at, place in self.referred:
                absent[place].add(unpacking.text_of(unpacking.values_in(row)[at]))

    def node(self, key: str) -> Any:
        """What identifies a row among the rows of its batch."""
        return (self.label, self.archived.emptied, key)

    def relatives(self, key: str, row: Any) -> Iterator[Any]:
        """The nodes of the rows that a row refers to."""
        if self.archived.emptied:
            yield (self.label, "", key)
        values = unpacking.values_in(row)
        for at, _, place in self.links:
            yield (place, "", unpacking.text_of(values[at]))

        for kind, key_at, generic in self.generics:
            if unpacking.text_of(values[kind]) == str(generic.content_type):
                yield (label_of(generic.owner), "", generic.owner_key(unpacking.text_of(values[key_at])))

    def other_nodes(self, row: Any) -> Iterator[Any]:
        """What other rows refer to a row by, apart from its key."""
        values = unpacking.values_in(row)
        for at, place in self.referred:
            yield (place, "", unpacking.text_of(values[at]))

    def archive_part(self, part: int, rows: list[Any]) -> bool:
        """Archive some of its rows as a part of the batch. False if there are none."""
        if rows:
            self._archive(rows, part=part)
        return bool(rows)

    def reduce_to(self, rows: list[Any]) -> None:
        """Archive these of its rows in its place."""
        archive.replace(self.archived, rows)

    def _archive(self, rows: list[Any], *, part: int) -> None:
        same = {name: getattr(self.archived, name) for name in SAME}
        made = Archive(run_id=self.archived.run_id, part=part, **same)
        packed = unpacking.joined(rows, self.archived.vendor)
        made.rows, made.before = len(rows), archive.NOTHING
        made.digest = archive.sealed(made, archive.digest(made.before, packed))
        archive.save(made, zstandard.compress(packed, packing.LEVEL))


def place_of(link: Any) -> str:
    """What a foreign key refers to: the keys of a model, by its label, or the values of another column."""
    label, target = label_of(link.related_model), link.target_field
    return label if target.primary_key else f"{label}.{target.column}"


def label_of(model: Any) -> str:
    """A model's label; for a proxy that of the model whose table it shares."""
    label: str = (model._meta.concrete_model or model)._meta.label
    return label
