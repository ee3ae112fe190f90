"""Archives as they are read by an erasure: rows with their keys and with the keys that they refer to."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.models import Model, QuerySet
from django.utils.translation import gettext

from housekeeping.database import chosen
from housekeeping.declared import registry
from housekeeping.engine import archive, cascade, packing, unpacking, verification
from housekeeping.exceptions import NotPossible
from housekeeping.models import Archive

NULL = b"\\N"  # how COPY writes it


class Reading:
    """One archive, verified and unpacked. Raises NotPossible if it is damaged."""

    def __init__(self, archived: Archive) -> None:
        self.archived = archived
        try:
            self.packed, _ = verification.content(archived)
            is_copied = archived.vendor == "postgresql"
            self.rows: list[Any] = (unpacking.copied_rows if is_copied else unpacking.json_rows)(self.packed)
        except (verification.Damaged, ValueError) as why:
            problem = gettext(
                "An archive of run %(run)s is damaged and can't be searched (%(archive)s: %(why)s). It"
                " expires on %(day)s."
            )
            facts = {"run": archived.run_id, "archive": archived.name, "why": why}
            raise NotPossible(problem % {**facts, "day": f"{archived.expires_at:%Y-%m-%d}"}) from None
        self.columns = archive.columns(archived)
        self.model = model_of(archived.model)

    @property
    def label(self) -> str:
        return self.archived.model

    @property
    def emptied(self) -> str:
        """The key that was emptied in its rows, if it holds nothing else of them."""
        return "" if self.archived.is_counted else self.archived.emptied

    @property
    def fields(self) -> list[models.Field[Any, Any]]:
        """The model's fields whose columns were archived."""
        return (
            [one for one in packing.columns(self.model) if one.column in self.columns] if self.model else []
        )

    @property
    def alias(self) -> str:
        """The database that its rows came from, which may be gone."""
        return self.archived.alias

    @property
    def database(self) -> str:
        """The same; the default one if it is not configured any more."""
        return self.alias if self.alias in connections else DEFAULT_DB_ALIAS

    def place(self, name: str) -> str:
        """Where ``Found`` has the keys and values of rows in the database that these came from.

        Tables of two databases may have rows with the same key, of two people.
        """
        return f"{self.alias}:{name}" if self.model in self._elsewhere else name

    def place_of(self, model: type[Model]) -> str:
        """Where ``Found`` has the keys of rows of another model that these rows name."""
        label = model._meta.label
        return f"{self.alias}:{label}" if model in self._elsewhere else label

    @cached_property
    def _elsewhere(self) -> set[Any]:
        """The models with another table, in this database, that a policy names with using()."""
        known = [policy for policy in registry.policies().values() if policy.known_model]
        there = [policy.model for policy in known if policy.database == self.alias]
        models = {model for top in there for model in cascade.tables(top)}
        return {model for model in models if chosen.home(model) != self.alias}

    def at(self, column: str) -> int:
        return self.columns.index(column)

    def values(self, row: Any) -> list[Any]:
        return unpacking.values_in(row)

    def value(self, row: Any, at: int) -> str | None:
        """A value of a row as text; None for NULL."""
        value = self.values(row)[at]
        return None if value is None or value == NULL else unpacking.text_of(value)

    def key(self, row: Any) -> str:
        """As a hold writes it."""
        return written(self.model, self.value(row, 0)) if self.model else str(self.value(row, 0))

    def is_nobodys(self, key: str) -> bool:
        """Is a row that was theirs, and is not known to be by now, still there?"""
        return False

    def with_value(self, row: Any, at: int, text: str | None) -> Any:
        """The row with another value in one of its columns: NULL, or a text without special characters."""
        values = list(unpacking.values_in(row))
        if isinstance(row, bytes):
            values[at] = NULL if text is None else text.encode()
            return b"\t".join(values) + b"\n"
        values[at] = text
        return values


def model_of(label: str) -> type[Model] | None:
    try:
        return apps.get_model(label)
    except (LookupError, ValueError):
        return None


def written(model: type[Model], value: str | None) -> str:
    """A key as a hold writes it; empty if the text is none."""
    try:
        return "" if value is None else cascade.written_key(model, value)
    except ValidationError:
        return ""


def readings(model: type[Model]) -> Iterator[Reading]:
    """The archives with whole rows of ``model``, one at a time."""
    for pk in list(archives_of(model)):
        if read := reading(pk):
            yield read


def archives_of(model: type[Model]) -> QuerySet[Archive, int]:
    """The keys of the archives with whole rows of ``model``."""
    those = Archive.objects.filter(model=model._meta.label, emptied="")
    return those.order_by("pk").values_list("pk", flat=True)


def changed_archives_of(model: type[Model]) -> QuerySet[Archive, int]:
    """The keys of the archives with values that rows of ``model`` had before they were made anonymous."""
    those = Archive.objects.filter(model=model._meta.label, is_own=True).exclude(emptied="")
    return those.order_by("pk").values_list("pk", flat=True)


def reading(pk: int) -> Reading | None:
    """The archive; None if it is gone by now. Raises NotPossible if it is damaged."""
    archived = Archive.objects.filter(pk=pk).first()
    return Reading(archived) if archived else None
