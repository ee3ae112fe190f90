"""The cascade as a graph: tables, and the edges that lead from a row to the rows that go with it.

It follows Django's Collector: foreign keys, generic relations, and the tables that a model inherits from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any
from weakref import WeakKeyDictionary

from django.contrib.contenttypes.fields import GenericRelation
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet

from housekeeping.database import chosen
from housekeeping.declared.generic import GenericRows, declared
from housekeeping.engine.cascade.edges import Link, concrete, links, rows_of, value_field
from housekeeping.engine.packing import Among, key_of, stored_keys


@dataclass(frozen=True)
class Generic:
    """Rows that name their owner by its content type and its key.

    ``field``: of the owner, or what ``generic_rows`` declares in its place.
    """

    owner: type[Model]
    field: GenericRelation

    @property
    def model(self) -> type[Model]:
        return concrete(self.field.remote_field.model)

    @property
    def name(self) -> str:
        """The attribute of a row that has the owner's key."""
        return str(self.key.attname)

    @property
    def key(self) -> Any:
        """The column of a row that has the owner's key."""
        return self.model._meta.get_field(self.field.object_id_field_name)

    @property
    def column(self) -> str:
        return str(self.key.column)

    @property
    def kind(self) -> Any:
        """The foreign key to the content type."""
        return self.model._meta.get_field(self.field.content_type_field_name)

    @property
    def also(self) -> tuple[str, Any] | None:
        return str(self.kind.column), self.content_type

    @property
    def content_type(self) -> int | None:
        """The key of the owner's content type. None if there is no row of it: then nothing names an owner."""
        named: Any = (self.owner if self.field.for_concrete_model else self.field.model)._meta
        try:
            found = ContentType.objects.db_manager(chosen.alias()).get_by_natural_key(
                named.app_label, named.model_name
            )
        except ContentType.DoesNotExist:
            return None
        return int(found.pk)

    def values(self, keys: Sequence[Any]) -> dict[Any, Any]:
        """The values that name these owners, each with the owner's key."""
        found = {self._value(key): key for key in keys} if self.content_type else {}
        found.pop(None, None)
        return found

    def _value(self, key: Any) -> Any:
        try:
            return self.key.get_prep_value(key)
        except (TypeError, ValueError, ValidationError):
            return None  # a text, for a column of numbers

    def stored(self, key: str) -> Any:
        """What names the owner with this key, given as text, as the database stores it; None for nothing."""
        value = self._value(value_field(self.owner._meta.pk).to_python(key))
        return None if value is None else stored_keys(self.key, [value])[0]

    def owner_key(self, value: str) -> str | None:
        """The owner's key, as the database stores it, that a row names by this text; None for none."""
        pk = key_of(self.owner)
        try:
            return str(stored_keys(pk, [value_field(pk).to_python(value)])[0])
        except (TypeError, ValueError, ValidationError):
            return None

    def rows(self, values: Sequence[Any]) -> QuerySet[Any]:
        of_kind = {self.kind.attname: self.content_type}
        return rows_of(self.model).filter(Among(self.name, values), **of_kind).order_by()


@dataclass(frozen=True)
class Ascent:
    """From a row to its part in a table that its model inherits from."""

    owner: type[Model]
    field: Any
    name = "pk"
    also = None

    @property
    def model(self) -> type[Model]:
        return concrete(self.field.remote_field.model)

    def values(self, keys: Sequence[Any]) -> dict[Any, Any]:
        """The keys of the parts, each with the owner's key."""
        if self.field.primary_key:
            return {key: key for key in keys}
        owners = rows_of(self.owner).filter(Among("pk", keys)).order_by()
        return dict(owners.values_list(self.field.attname, "pk"))

    def rows(self, values: Sequence[Any]) -> QuerySet[Any]:
        return rows_of(self.model).filter(Among("pk", values)).order_by()


Edge = Link | Generic | Ascent


@dataclass(frozen=True)
class Node:
    """A table. ``entry``: the way from the whole row, if the rows are reached as parts of other rows.

    As Django does it, a part takes along what refers to it by a foreign key, and not what does so by a
    generic relation: the model that inherits has generic relations of its own.
    """

    model: type[Model]
    entry: Ascent | None = None

    def edges(self) -> Iterator[tuple[Edge, Node]]:
        """What leads from a row to rows that are deleted with it."""
        for link in links(self.model):
            if link.is_cascade and not (self.entry and link.field == self.entry.field):
                yield link, Node(link.model)
        for generic in generics(self.model) if self.entry is None else ():
            yield generic, Node(generic.model)
        for ascent in ascents(self.model):
            yield ascent, Node(ascent.model, ascent)


def generics(model: type[Model]) -> list[Generic]:
    """The generic relations of a model, also those that it inherits and those that a site declares for it."""
    own = [field for field in model._meta.private_fields if isinstance(field, GenericRelation)]
    found = [Generic(model, field) for field in own]
    known = {(one.model, one.name, one.kind) for one in found}
    more = [Generic(model, one.relation) for one in declared() if issubclass(model, one.of)]
    return [*found, *(one for one in more if (one.model, one.name, one.kind) not in known)]


def ascents(model: type[Model]) -> list[Ascent]:
    """The tables that hold a part of a row of ``model``, its nearest parents."""
    own: Any = model._meta.local_fields
    return [Ascent(model, link) for link in model._meta.parents.values() if link in own]


def is_leaf(model: type[Model]) -> bool:
    """Whether nothing refers to its rows, and they have no part in another table."""
    return not (links(model) or generics(model) or ascents(model))


def nodes(model: type[Model]) -> list[Node]:
    """Where a delete of the model's rows leads to, from the model on."""
    found, waiting = {Node(model): None}, [Node(model)]
    while waiting:
        below = [node for _, node in waiting.pop(0).edges()]
        waiting += [one for one in dict.fromkeys(below) if one not in found]
        found |= dict.fromkeys(below)
    return list(found)


def tables(model: type[Model]) -> list[type[Model]]:
    """The model, and every model whose rows are deleted with its rows."""
    return list(dict.fromkeys(node.model for node in nodes(model)))


def declarations(model: type[Model]) -> tuple[int, list[GenericRows]]:
    """What the graph depends on: how many models there are, and what the site declares."""
    return len(model._meta.apps.get_models()), declared()


def remembered(ask: Callable[[type[Model]], bool]) -> Callable[[type[Model]], bool]:
    """Remember the answer for each model while nothing is added: each batch asks, of many tables."""
    known: WeakKeyDictionary[type[Model], tuple[Any, bool]] = WeakKeyDictionary()

    @wraps(ask)
    def answer(model: type[Model]) -> bool:
        there = declarations(model)
        found = known.get(model)
        if found is None or found[0] != there:
            known[model] = found = (there, ask(model))
        return found[1]

    return answer


@remembered
def is_tree(model: type[Model]) -> bool:
    """Whether lookup paths reach everything below: foreign keys to the primary key, and no circle."""
    return _is_tree(Node(model), set(), set())


def _is_tree(node: Node, above: set[Node], done: set[Node]) -> bool:
    if node in done:
        return True
    above.add(node)
    if not all(link.is_to_key for link in links(node.model)):
        return False
    for edge, below in node.edges():
        if not isinstance(edge, Link) or below in above or not _is_tree(below, above, done):
            return False
    above.discard(node)
    done.add(node)
    return True
