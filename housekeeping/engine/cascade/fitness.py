"""Why rows of a model can't be purged, or could not be put back afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib.contenttypes.fields import GenericRelation
from django.db import models, router
from django.db.models import Model, QuerySet
from django.db.models.base import ModelState
from django.db.models.expressions import Combinable

from housekeeping.database import chosen
from housekeeping.engine.cascade.edges import Link, links, value_field
from housekeeping.engine.cascade.graph import Generic, generics, tables


def elsewhere(rows: QuerySet[Any]) -> list[str]:
    """A sentence for each table with rows below ``rows`` that is written to another database than these.

    A router may read from a replica: only the database for writes counts. Rows below those of ``using()``
    are in the same database, as for Django's own ``delete()``, unless a router has another answer.
    """
    model = rows.model._meta.concrete_model or rows.model
    home = chosen.of(rows)
    below = dict.fromkeys([*tables(model)[1:], *(link.model for link in _links(model))])
    hints = {"instance": _row_in(home, model)} if rows._db else {}  # type: ignore[attr-defined]
    written = {table: router.db_for_write(table, **hints) for table in below}
    return [
        f"{table._meta.label} is written to the database {alias!r}, and {model._meta.label} to {home!r}"
        for table, alias in written.items()
        if alias != home
    ]


def _row_in(alias: str, model: type[Model]) -> Model:
    """For routers, which get the row that a write starts at: as yet without any value."""
    row: Model = model.__new__(model)
    row._state = ModelState()
    row._state.db = alias
    return row


def _links(model: type[Model]) -> list[Link]:
    return [link for table in tables(model) for link in links(table)]


def problems(model: type[Model]) -> list[str]:
    """Why rows of ``model`` can't be purged and put back unchanged; empty if they can."""
    found = [problem for table in tables(model) for problem in _problems_of(table)]
    for link in _links(model):
        if link.is_emptied:
            found += _problems_of_fallback(link, f"{link.model._meta.label}.{link.field.name}")
    return list(dict.fromkeys(found))


SEVERAL = "has a key of several columns, and a hold and an archive name a row by one"
NOT_PLAIN = "has a key that is neither a whole number, a UUID, a date nor a text"


def _problems_of(table: type[Model]) -> Iterator[str]:
    label = table._meta.label
    for generic in generics(table):
        yield from _problems_of_generic(generic)
    for private in table._meta.private_fields:
        if hasattr(private, "bulk_related_objects") and not isinstance(private, GenericRelation):
            yield f"{label}.{private.name} decides by itself which rows go along"
    if not table._meta.managed:
        yield f"{label} is not managed by Django: it may have columns that the model does not name"
    yield from key_problems(table)


def key_problems(table: type[Model]) -> list[str]:
    """Why its rows can't be named by their keys; empty if they can."""
    if isinstance(table._meta.pk, models.CompositePrimaryKey):
        return [f"{table._meta.label} {SEVERAL}"]
    return [] if _is_plain(table) else [f"{table._meta.label} {NOT_PLAIN}"]


def _problems_of_generic(generic: Generic) -> Iterator[str]:
    label = generic.model._meta.label
    name = f"{generic.owner._meta.label}.{generic.field.name}" if generic.field.name else ""
    here = generic.model._meta.local_concrete_fields
    if generic.key not in here or generic.kind not in here:
        inherits = "inherits its columns from another one"
        yield f"{name} leads to a table that {inherits}" if name else f"{label}: its table {inherits}"
    if not any(isinstance(value_field(generic.key), kind) for kind in COMPARABLE):
        yield f"{name or label} refers to keys by a {type(value_field(generic.key)).__name__}"


# The columns that a generic relation may have keys in.
COMPARABLE = (models.IntegerField, models.UUIDField, models.CharField, models.TextField)


def _problems_of_fallback(link: Link, name: str) -> Iterator[str]:
    yield from key_problems(link.model)
    if isinstance(link.fallback, Combinable):
        yield f"{name} has a default that is computed by the database"
    elif link.fallback is None and not link.field.null:
        yield f"{name} has no default, and can't be empty"


def _is_plain(table: type[Model]) -> bool:
    """Whether a hold can name its key, and every database writes the key alike."""
    key = value_field(table._meta.pk)
    if isinstance(key, models.DateTimeField):  # a date, to Python
        return False
    return isinstance(key, PLAIN)


PLAIN = (models.IntegerField, models.UUIDField, models.DateField, models.CharField, models.TextField)
