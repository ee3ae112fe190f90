"""The rows below a row: which tables refer to a model by foreign keys, and what a delete does to them.

A row is below another one if it refers to it, or to a row below it, and is deleted with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from django.contrib.contenttypes.fields import GenericRelation
from django.db import DEFAULT_DB_ALIAS, models, router
from django.db.models import Count, Exists, Model, OuterRef, Q, QuerySet


@dataclass(frozen=True)
class Link:
    """A foreign key to a model, and the model that has the key."""

    model: type[Model]
    field: models.ForeignKey[Any, Any]

    @property
    def column(self) -> str:
        return str(self.field.column)

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


def rows_of(model: type[Model]) -> QuerySet[Any]:
    """All rows of ``model``, read from the database that purges write to, never from a replica."""
    return QuerySet(model, using=DEFAULT_DB_ALIAS)


def elsewhere(rows: QuerySet[Any]) -> list[str]:
    """A sentence for each table that is not written to the default database, where purges run.

    A router may read rows from a replica of the default database: only the database for writes counts.
    """
    model = rows.model._meta.concrete_model or rows.model
    # The database that using() has set, if any. `db` would ask a router, whose answers may vary.
    asked = rows._db or router.db_for_write(model)  # type: ignore[attr-defined]
    tables = {model: asked} | {link.model: router.db_for_write(link.model) for link, _ in walk(model)}
    return [
        f"{table._meta.label} is written to the database {alias!r}, and purges run on {DEFAULT_DB_ALIAS!r}"
        for table, alias in tables.items()
        if alias != DEFAULT_DB_ALIAS
    ]


def links(model: type[Model]) -> list[Link]:
    """Every foreign key that refers to ``model``, including those of hidden many-to-many tables.

    Loose keys are left out: Django and the database allow them to refer to a row that is gone.
    """
    relations: list[Any] = list(model._meta.get_fields(include_hidden=True))
    return [
        Link(relation.related_model, relation.field)
        for relation in relations
        if (relation.one_to_many or relation.one_to_one)
        and relation.auto_created
        and not relation.concrete
        and not relation.related_model._meta.proxy
        and not _is_loose(relation.field)
    ]


def _is_loose(key: models.ForeignKey[Any, Any]) -> bool:
    return key.remote_field.on_delete is models.DO_NOTHING and not getattr(key, "db_constraint", True)


def is_leaf(model: type[Model]) -> bool:
    """Whether nothing refers to its rows."""
    return not links(model)


def walk(model: type[Model], prefix: str = "", seen: tuple[Any, ...] = ()) -> Iterator[tuple[Link, str]]:
    """Each link that a delete of ``model``'s rows follows, with the lookup path that leads back to them.

    A link back to a table on its own path, which :func:`problems` refuses, is yielded but not followed.
    """
    for link in links(model):
        path = f"{link.field.name}__{prefix}" if prefix else link.field.name
        yield link, path
        if link.is_cascade and link.model not in (*seen, model):
            yield from walk(link.model, path, (*seen, model))


def tables(model: type[Model]) -> list[type[Model]]:
    """The model, and every model whose rows are deleted with its rows."""
    return list(dict.fromkeys([model, *(link.model for link, _ in walk(model) if link.is_cascade)]))


class Below:
    """Counts the rows below rows whose keys are added bit by bit, each row once."""

    def __init__(self, model: type[Model]) -> None:
        self.paths: dict[type[Model], list[str]] = {}
        for link, path in walk(model):
            if link.is_cascade:
                self.paths.setdefault(link.model, []).append(path)
        self.rows: Counter[str] = Counter({table._meta.label: 0 for table in self.paths})
        # Two paths may lead to the same row, with keys of two calls.
        self.met: dict[type[Model], set[Any]] = {
            table: set() for table, paths in self.paths.items() if len(paths) > 1
        }

    def add(self, keys: Sequence[Any]) -> None:
        for table, paths in self.paths.items():
            reached = reduce(or_, (Q(**{f"{path}__in": keys}) for path in paths))
            rows = rows_of(table).filter(reached)
            if table in self.met:
                self.met[table].update(rows.values_list("pk", flat=True))
                self.rows[table._meta.label] = len(self.met[table])
            else:
                self.rows[table._meta.label] += rows.count()


def weights(model: type[Model], keys: Sequence[Any]) -> Counter[str]:
    """How many rows are below each of ``keys``, in all tables together. The result has keys as text."""
    found: Counter[str] = Counter()
    for link, path in walk(model):
        if link.is_cascade:
            below = rows_of(link.model).filter(**{f"{path}__in": keys}).order_by()
            for key, rows in below.values_list(path).annotate(rows=Count("pk")):
                found[str(key)] += rows
    return found


def protected(model: type[Model]) -> Q:
    """The rows of ``model`` that another row protects from deletion (PROTECT, RESTRICT)."""
    condition = Q(pk__in=[])
    for link, path in walk(model):
        if link.protects:
            condition |= Q(Exists(QuerySet(link.model).filter(**{path: OuterRef("pk")})))
    return condition


def problems(model: type[Model]) -> list[str]:
    """Why rows of ``model`` can't be purged and put back unchanged; empty if they can."""
    found = [problem for table in tables(model) for problem in _problems_of(table)]
    for link, _ in walk(model):
        name = f"{link.model._meta.label}.{link.field.name}"
        if not (link.is_cascade or link.is_emptied or link.protects):
            found.append(f"{name} has another on_delete")
        if link.field.target_field != link.field.remote_field.model._meta.pk:
            found.append(f"{name} refers to another column than the key")
        if not getattr(link.field, "db_constraint", True):
            found.append(f"{name} has no constraint in the database")
        if link.is_emptied and not _is_plain(link.model):
            found.append(f"{link.model._meta.label} {NOT_PLAIN}")
    found += [
        f"{link.model._meta.label}.{link.field.name} closes a circle:"
        f" {link.model._meta.label} goes with its own rows"
        for link in _circles(model)
    ]
    return list(dict.fromkeys(found))


NOT_PLAIN = "has a key that is neither a whole number nor a UUID nor a text of at most 100 characters"


def _problems_of(table: type[Model]) -> Iterator[str]:
    label = table._meta.label
    if table._meta.parents:
        yield f"{label} inherits from another table"
    if any(isinstance(field, GenericRelation) for field in table._meta.private_fields):
        yield f"{label} has a generic relation"
    if not table._meta.managed:
        yield f"{label} is not managed by Django: it may have columns that the model does not name"
    if not _is_plain(table):
        yield f"{label} {NOT_PLAIN}"


def _is_plain(table: type[Model]) -> bool:
    """Whether a hold can name its key, and every database writes the key alike."""
    key = value_field(table._meta.pk)
    if isinstance(key, models.CharField):
        return key.max_length is not None and key.max_length <= 100
    return isinstance(key, models.IntegerField | models.UUIDField)


def value_field(field: Any) -> Any:
    """The field whose values a column holds: for a foreign key, the field at the end of the chain."""
    while isinstance(field, models.ForeignKey):
        field = field.target_field
    return field


def written_key(model: type[Model], key: Any) -> str:
    """A key, given as the database stores it, the way that a hold writes it."""
    return str(value_field(model._meta.pk).to_python(key))


def _circles(model: type[Model], path: tuple[Any, ...] = ()) -> Iterator[Link]:
    """The cascades that lead back to a table on their own path."""
    for link in links(model):
        if link.is_cascade and link.model in (*path, model):
            yield link
        elif link.is_cascade:
            yield from _circles(link.model, (*path, model))
