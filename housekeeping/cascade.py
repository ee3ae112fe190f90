"""What hangs from a row: which tables Django's foreign keys reach from a model, and how."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.contenttypes.fields import GenericRelation
from django.db import models
from django.db.models import Count, Exists, Model, OuterRef, Q, QuerySet


@dataclass(frozen=True)
class Link:
    """A foreign key to a model, and the table that has it."""

    model: type[Model]
    field: models.ForeignKey[Any, Any]

    @property
    def on_delete(self) -> Any:
        return self.field.remote_field.on_delete

    @property
    def is_cascade(self) -> bool:
        return self.on_delete is models.CASCADE

    @property
    def is_emptied(self) -> bool:
        return self.on_delete is models.SET_NULL

    @property
    def protects(self) -> bool:
        return self.on_delete in (models.PROTECT, models.RESTRICT)


def links(model: type[Model]) -> list[Link]:
    """Every foreign key that points at ``model``, those of hidden many-to-many tables, too."""
    relations: list[Any] = list(model._meta.get_fields(include_hidden=True))
    return [
        Link(relation.related_model, relation.field)
        for relation in relations
        if (relation.one_to_many or relation.one_to_one)
        and relation.auto_created
        and not relation.concrete
        and not relation.related_model._meta.proxy
    ]


def is_leaf(model: type[Model]) -> bool:
    """Nothing hangs from its rows."""
    return not links(model)


def walk(model: type[Model], prefix: str = "", seen: tuple[Any, ...] = ()) -> Iterator[tuple[Link, str]]:
    """Each link that a delete of ``model``'s rows follows, with the query path back to them.

    A link that leads to a table already on its path is given, and not followed again.
    """
    for link in links(model):
        path = f"{link.field.name}__{prefix}" if prefix else link.field.name
        yield link, path
        if link.is_cascade and link.model not in (*seen, model):
            yield from walk(link.model, path, (*seen, model))


def tables(model: type[Model]) -> list[type[Model]]:
    """The model, and every model whose rows go with its rows."""
    return list(dict.fromkeys([model, *(link.model for link, _ in walk(model) if link.is_cascade)]))


def counts(model: type[Model], rows: QuerySet[Any]) -> dict[str, int]:
    """How many rows of each table would go with ``rows`` of ``model``, those included."""
    paths: dict[type[Model], Q] = {}
    for link, path in walk(model):
        if link.is_cascade:
            reached = Q(**{f"{path}__in": rows.order_by().values("pk")})
            paths[link.model] = paths.get(link.model, Q()) | reached
    found = {model._meta.label: rows.order_by().count()}
    # A row that two paths lead to is counted once: foreign keys lead to one row each.
    return found | {
        table._meta.label: table._base_manager.filter(reached).count() for table, reached in paths.items()
    }


def weights(model: type[Model], keys: Sequence[Any]) -> Counter[str]:
    """How many rows hang from each of ``keys`` (as text), in all tables together."""
    found: Counter[str] = Counter()
    for link, path in walk(model):
        if link.is_cascade:
            below = link.model._base_manager.filter(**{f"{path}__in": keys}).order_by()
            for key, rows in below.values_list(path).annotate(rows=Count("pk")):
                found[str(key)] += rows
    return found


def protected(model: type[Model]) -> Q:
    """The rows of ``model`` that another row forbids to delete (PROTECT, RESTRICT)."""
    condition = Q(pk__in=[])
    for link, path in walk(model):
        if link.protects:
            condition |= Q(Exists(link.model._base_manager.filter(**{path: OuterRef("pk")})))
    return condition


def problems(model: type[Model]) -> list[str]:
    """Why rows of ``model`` can't be archived and put back as they were; empty if they can."""
    found = []
    for table in tables(model):
        if table._meta.parents:
            found.append(f"{table._meta.label} inherits from another table")
        if any(isinstance(field, GenericRelation) for field in table._meta.private_fields):
            found.append(f"{table._meta.label} has a generic relation")
    for link, _ in walk(model):
        if not (link.is_cascade or link.is_emptied or link.protects):
            found.append(f"{link.model._meta.label}.{link.field.name} has another on_delete")
        if link.field.target_field != link.field.remote_field.model._meta.pk:
            found.append(f"{link.model._meta.label}.{link.field.name} refers to another column than the key")
    return list(dict.fromkeys(found))
