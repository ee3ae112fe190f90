"""Ends: what becomes of the expired rows of a policy. A policy that names none deletes them."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import BooleanField, DateField, DateTimeField, Expression, Model, Q, QuerySet, TextField
from django.db.models.functions import Concat
from django.db.models.functions.text import ConcatPair
from django.utils import timezone

NONE = Q(pk__in=[])


@dataclass(frozen=True, eq=False)
class Anonymise:
    """Rows stay, and get other values: see :func:`anonymise`."""

    values: Mapping[str, Any]
    done: str | Q | None = None

    def assigned(self, model: type[Model], moment: datetime) -> dict[str, Any]:
        """By column, what a run at ``moment`` sets it to; the column of ``done``, too."""
        values = {name: as_text(value) for name, value in self.values.items()}
        if not isinstance(self.done, str):
            return values
        field = model._meta.get_field(self.done)
        mark: Any = True
        if isinstance(field, DateTimeField):
            mark = moment
        elif isinstance(field, DateField):
            mark = timezone.localdate(moment, timezone.get_default_timezone())
        return {**values, self.done: mark}

    def is_done(self, model: type[Model]) -> Q:
        """The rows that are done; none if the policy does not tell."""
        if self.done is None:
            return NONE
        if isinstance(self.done, Q):
            return self.done
        if isinstance(model._meta.get_field(self.done), BooleanField):
            return Q(**{self.done: True})
        return Q(**{f"{self.done}__isnull": False})

    def still_to_do(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Those of ``rows`` that are not done."""
        return rows if self.done is None else rows.exclude(self.is_done(rows.model))


def as_text(value: Any) -> Any:
    """A value whose concatenations are texts, even of a number: Django asks to tell that of each of them."""
    if not isinstance(value, Expression):
        return value
    value = deepcopy(value)
    for part in value.flatten():
        if isinstance(part, Concat | ConcatPair) and "output_field" not in vars(part):
            part.output_field = TextField()
    return value


def anonymise(values: Mapping[str, Any], *, done: str | Q | None = None) -> Anonymise:
    """For ``Policy(then=…)``: expired rows stay, and get other values in some of their columns.

    ``values``: by column, a constant, an expression such as ``Concat``, or None to empty it. ``done``
    tells which rows have got them, and are no longer due. It is a column of the model, which is set as
    well: an empty date gets the time of the run, a boolean True. Or it is a condition on the new values.
    """
    return Anonymise(dict(values), done)


FORMATS = ("jsonl", "parquet")


@dataclass(frozen=True)
class Export:
    """Rows are written to files of a storage before anything else becomes of them.

    ``storage``: its name in ``STORAGES``. ``format``: "jsonl" (gzip), or "parquet", which needs pyarrow.
    ``rows``: about how many rows, of all tables together, a folder of files has. ``is_erasable``: whether
    erasing a person rewrites the files.
    """

    storage: str
    format: str = "jsonl"
    rows: int = 100_000
    is_erasable: bool = True

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise ValueError(f"export(format={self.format!r}): it is one of {', '.join(FORMATS)}.")
        if self.rows < 1:
            raise ValueError(f"export(rows={self.rows}): it is a number from 1.")


def export(storage: str, format: str = "jsonl", *, rows: int = 100_000, is_erasable: bool = True) -> Export:
    """For ``Policy(then=…)``: expired rows are written to the storage, and then deleted: :class:`Export`."""
    return Export(storage, format, rows, is_erasable)


End = Anonymise | Export
