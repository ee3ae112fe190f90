"""What refers to a table: foreign keys, and what a delete does to the rows that have them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.db.models import NOT_PROVIDED, Model, QuerySet, Value

from housekeeping.database import chosen
from housekeeping.engine.packing import Among


@dataclass(frozen=True)
class Link:
    """A foreign key to a model, and the model that has the key."""

    model: type[Model]
    field: models.ForeignKey[Any, Any]

    @property
    def column(self) -> str:
        return str(self.field.column)

    @property
    def owner(self) -> type[Model]:
        """The model that the key refers to."""
        return concrete(self.field.remote_field.model)

    @property
    def is_to_key(self) -> bool:
        """Whether it refers to the primary key, and not to another unique column."""
        return self.field.target_field == self.owner._meta.pk

    @property
    def place(self) -> str:
        """What it refers to: the keys of a model, by its label, or the values of another column of it."""
        label = self.owner._meta.label
        return label if self.is_to_key else f"{label}.{self.field.target_field.column}"

    # --- The rows that have the key, by the keys of its owners ---

    @property
    def name(self) -> str:
        """The attribute of a row that has the key."""
        return self.field.attname

    @property
    def also(self) -> tuple[str, Any] | None:
        """A column and the value that it must have, too."""
        return None

    def values(self, keys: Sequence[Any]) -> dict[Any, Any]:
        """The values that refer to these owners, each with the owner's key."""
        if self.is_to_key:
            return {key: key for key in keys}
        target = self.field.target_field.attname
        owners = rows_of(self.owner).filter(Among("pk", keys), **{f"{target}__isnull": False})
        return dict(owners.order_by().values_list(target, "pk"))

    def rows(self, values: Sequence[Any]) -> QuerySet[Any]:
        return rows_of(self.model).filter(Among(self.name, values)).order_by()

    @property
    def on_delete(self) -> Any:
        return self.field.remote_field.on_delete

    @property
    def is_cascade(self) -> bool:
        return self.on_delete in CASCADE

    @property
    def is_emptied(self) -> bool:
        """Whether the key gets another value: NULL, or a default."""
        return self.on_delete in (*SET_NULL, *SET_DEFAULT) or _is_set(self.on_delete)

    @property
    def protects(self) -> bool:
        """Whether a row stays because this key refers to it. With DO_NOTHING, the database refuses.

        A function of the project decides row by row, and a preview can't ask it.
        """
        return not (self.is_cascade or self.is_emptied)

    @property
    def decides_itself(self) -> bool:
        """Whether a function of the project decides what becomes of the rows that have the key."""
        return self.protects and self.on_delete not in (models.PROTECT, models.RESTRICT, models.DO_NOTHING)

    @property
    def fallback(self) -> Any:
        """What an emptied key gets instead: a key, a row, NULL, or a function that returns one of them."""
        if self.on_delete in SET_NULL:
            return None
        if _is_set(self.on_delete):
            return self.on_delete.deconstruct()[1][0]
        is_of_database = self.on_delete in DB_SET_DEFAULT or self.field.default is NOT_PROVIDED
        default = self.field.db_default if is_of_database else self.field.default
        given: Any = default.value if isinstance(default, Value) else default
        return None if given is NOT_PROVIDED else given

    def take_fallback(self) -> Any:
        """The key, or NULL. Call it only if there are rows: a function may make the row that it names."""
        value: Any = self.fallback
        value = value() if callable(value) else value
        return getattr(value, self.field.target_field.attname) if isinstance(value, Model) else value


def _of_django(name: str) -> list[Any]:
    """What this Django calls so. Django 6.1 lets the database carry out an on_delete."""
    return [getattr(models, name)] if hasattr(models, name) else []


CASCADE = [models.CASCADE, *_of_django("DB_CASCADE")]
SET_NULL = [models.SET_NULL, *_of_django("DB_SET_NULL")]
DB_SET_DEFAULT = _of_django("DB_SET_DEFAULT")
SET_DEFAULT = [models.SET_DEFAULT, *DB_SET_DEFAULT]


def _is_set(on_delete: Any) -> bool:
    """Whether it is what ``SET(…)`` returns."""
    described: Any = getattr(on_delete, "deconstruct", None)
    return bool(described) and described()[0] == "django.db.models.SET"


def concrete(model: Any) -> type[Model]:
    """The model whose table it is, for a proxy."""
    found: type[Model] = model._meta.concrete_model or model
    return found


def rows_of(model: type[Model]) -> QuerySet[Any]:
    """All rows of ``model`` in the chosen database, which purges write to: never read from a replica."""
    return QuerySet(model, using=chosen.alias())


def links(model: type[Model]) -> list[Link]:
    """Every foreign key that refers to the table of ``model``, including those of hidden many-to-many tables.

    Loose keys are left out: Django and the database allow them to refer to a row that is gone.
    """
    relations: list[Any] = list(model._meta.get_fields(include_hidden=True))
    return [
        Link(relation.related_model, relation.field)
        for relation in relations
        if (relation.one_to_many or relation.one_to_one)
        and relation.auto_created
        and not relation.concrete
        and concrete(relation.model) is concrete(model)  # and not one of its parents
        and not relation.related_model._meta.proxy
        and not _is_loose(relation.field)
    ]


def _is_loose(key: models.ForeignKey[Any, Any]) -> bool:
    return key.remote_field.on_delete is models.DO_NOTHING and not getattr(key, "db_constraint", True)


def value_field(field: Any) -> Any:
    """The field whose values a column holds: for a foreign key, the field at the end of the chain."""
    while isinstance(field, models.ForeignKey):
        field = field.target_field
    return field


def written_key(model: type[Model], key: Any) -> str:
    """A key, given as the database stores it, the way that a hold writes it."""
    return str(value_field(model._meta.pk).to_python(key))
