"""The cascade upwards: the tables whose rows take the rows of a table along."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakKeyDictionary

from django.db import models
from django.db.models import Model

from housekeeping.engine.cascade.edges import Link, links
from housekeeping.engine.cascade.graph import (
    Ascent,
    Edge,
    Generic,
    declarations,
    generics,
    is_tree,
    remembered,
    tables,
)


def into(model: type[Model]) -> Iterator[Edge]:
    """The edges that lead to rows of ``model``."""
    for field in model._meta.local_concrete_fields:
        if isinstance(field, models.ForeignKey) and (link := Link(model, field)).is_cascade:
            yield link
    yield from generics_to(model)
    for link in links(model):
        if isinstance(link.field, models.OneToOneField) and link.field.remote_field.parent_link:
            yield Ascent(link.model, link.field)


def generics_to(model: type[Model]) -> list[Generic]:
    """The generic relations, of any model, to rows of ``model``."""
    there, known = declarations(model), _GENERICS.get(model._meta.apps)
    if known is None or known[0] != there:
        found: dict[type[Model], list[Generic]] = {}
        for generic in (generic for one in model._meta.apps.get_models() for generic in generics(one)):
            found.setdefault(generic.model, []).append(generic)
        _GENERICS[model._meta.apps] = known = (there, found)
    return known[1].get(model, [])


# By registry: what it depends on, and the generic relations of its models.
_GENERICS: WeakKeyDictionary[Any, tuple[Any, dict[type[Model], list[Generic]]]] = WeakKeyDictionary()


def owners(model: type[Model]) -> list[type[Model]]:
    """The model, and every model above it."""
    found, waiting = {model: None}, [model]
    while waiting:
        above = [edge.owner for edge in into(waiting.pop())]
        waiting += [one for one in dict.fromkeys(above) if one not in found]
        found |= dict.fromkeys(above)
    return list(found)


def leads_to(model: type[Model], is_wanted: Callable[[type[Model]], bool]) -> bool:
    return any(map(is_wanted, owners(model)))


@remembered
def is_tree_both_ways(model: type[Model]) -> bool:
    """Whether lookup paths reach all rows below rows of ``model``, and all rows above these."""
    done: set[Any] = set()
    return is_tree(model) and all(_is_tree(table, set(), done) for table in tables(model))


def _is_tree(model: type[Model], below: set[Any], done: set[Any]) -> bool:
    if model in done:
        return True
    below.add(model)
    for edge in into(model):
        is_plain = isinstance(edge, Link) and edge.is_to_key
        if not is_plain or edge.owner in below or not _is_tree(edge.owner, below, done):
            return False
    below.discard(model)
    done.add(model)
    return True
