"""Conditions on the rows of a policy that depend on rows below them."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, Model, OuterRef, Q, QuerySet

from housekeeping.engine.cascade import reach
from housekeeping.engine.cascade.edges import Link, links, value_field
from housekeeping.engine.cascade.graph import Node, is_tree, remembered, tables
from housekeeping.engine.cascade.paths import walk


def protected(model: type[Model]) -> Q:
    """The rows of ``model`` that another row protects from deletion (PROTECT, RESTRICT, DO_NOTHING).

    Also those that other rows fall back to (SET_DEFAULT, SET).
    """
    return _by_path(model) if is_tree(model) else _by_walk(model)


@remembered
def frees(model: type[Model]) -> bool:
    """Whether a delete of some rows of ``model`` may end the protection of others."""
    there = tables(model)
    return any(link.protects and link.model in there for table in there for link in links(table))


def _by_path(model: type[Model]) -> Q:
    condition = Q(pk__in=[])
    for link, path in walk(model):
        if link.protects:
            condition |= Q(Exists(QuerySet(link.model).filter(**{path: OuterRef("pk")})))
        elif (key := _fallback(link)) is not None:
            _, _, above = path.partition("__")
            within = {above: OuterRef("pk")}
            condition |= Q(Exists(QuerySet(link.owner).filter(pk=key, **within))) if above else Q(pk=key)
    return condition


def _by_walk(model: type[Model]) -> Q:
    way = reach.down(Node(model), lambda node: any(_keeps(link) for link in links(node.model)))
    ends = []
    for node in way.numbers:
        for link in links(node.model):
            if link.protects:
                ends.append(reach.refers(way, node, link))
            elif (key := _fallback(link)) is not None and link.is_to_key:
                ends.append(reach.is_row(way, node, str(value_field(link.owner._meta.pk).to_python(key))))
    return reach.condition(model, [way], ends)


def _keeps(link: Link) -> bool:
    return link.protects or _fallback(link) is not None


def _fallback(link: Link) -> Any:
    """The key that rows fall back to by a link; None if they get NULL, or if only a function tells."""
    if not link.is_emptied or callable(link.fallback):
        return None
    return link.take_fallback()
