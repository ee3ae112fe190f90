"""The columns that a policy names, and what the models tell of them: may they be null, are they indexed?"""

from collections.abc import Collection, Iterator
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db.models import F, Model, UniqueConstraint
from django.db.models.functions import Coalesce


def along(model: type[Model], path: str) -> list[Any]:
    """The fields along a path such as ``conversation__updated_at``. Empty if it names no field."""
    found: list[Any] = []
    here: Any = model
    for name in path.split("__"):
        if here is None:
            return []
        try:
            field: Any = here._meta.pk if name == "pk" else here._meta.get_field(name)
        except FieldDoesNotExist:  # an annotation, a transform, or a mistake
            return []
        found.append(field)
        here = field.related_model if field.is_relation else None
    return found


def may_be_null(model: type[Model], expression: Any) -> bool:
    """Might the expression give no value for a row? True unless it is sure to give one."""
    if isinstance(expression, Coalesce):
        return all(may_be_null(model, one) for one in expression.get_source_expressions())
    if not isinstance(expression, F):
        return True
    fields = along(model, expression.name)  # type: ignore[attr-defined]
    return not fields or any(field.null for field in fields)


def leads_to_many(model: type[Model], path: str) -> bool:
    """Might the path give several values for a row?"""
    return any(
        field.is_relation and (field.one_to_many or field.many_to_many) for field in along(model, path)
    )


def indexes(model: type[Model]) -> Iterator[list[str]]:
    """The fields of each index of the table that the model declares, for all of its rows."""
    meta = model._meta
    for index in meta.indexes:
        if index.fields and not index.condition:
            yield [name.removeprefix("-") for name in index.fields]
    for one in meta.constraints:
        if isinstance(one, UniqueConstraint) and one.fields and not one.condition:
            yield list(one.fields)
    yield from map(list, meta.unique_together)
    fields: list[Any] = list(meta.local_fields)
    yield from ([field.name] for field in fields if field.db_index or field.unique)


def has_index(model: type[Model], first: Collection[str], then: str) -> bool:
    """Does an index of the table begin with the fields ``first``, in any order, followed by ``then``?"""
    names = len(first)
    return any({*one[:names]} == {*first} and then in one[names : names + 1] for one in indexes(model))
