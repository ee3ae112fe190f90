"""Holds: rows that no policy may delete, neither themselves nor by a cascade.

A hold on a row keeps what hangs from it, too (a user's hold keeps the conversations), and
what it hangs from (a conversation's hold keeps its user).
"""

from datetime import datetime

from django.db import models
from django.db.models import CharField, Exists, Model, OuterRef, Q, Subquery, Value
from django.db.models.functions import Cast, Coalesce
from django.db.models.lookups import Exact

from housekeeping import cascade
from housekeeping.models import Hold


def held(model: type[Model], now: datetime) -> Q:
    """The rows of ``model`` that a hold keeps at ``now``."""
    children = [(link.model, path) for link, path in cascade.walk(model) if link.is_cascade]
    owners = _owners(model)
    names = _held_models([model, *(child for child, _ in children), *(owner for owner, _ in owners)])
    condition = Q(pk__in=[])
    if model._meta.label in names:
        condition |= _is_held(model, "pk", now)
    for child, path in children:
        if child._meta.label in names:
            rows = child._base_manager.filter(_is_held(child, "pk", now), **{path: OuterRef("pk")})
            condition |= Q(Exists(rows))
    for owner, path in owners:
        if owner._meta.label in names:
            condition |= _is_held(owner, path, now)
    return condition


def _held_models(asked_for: list[type[Model]]) -> set[str]:
    """Those that any hold names. A purge asks before each batch, so each is one look into the
    index, and all are one query: a list of the holds' models would read every hold there is."""
    labels = list(dict.fromkeys(one._meta.label for one in asked_for))
    asked = [Exists(Hold.objects.filter(model=label)) for label in labels]
    row = Hold.objects.order_by().values_list(*asked)[:1]
    return {label for answers in row for label, there in zip(labels, answers, strict=True) if there}


def _is_held(model: type[Model], path: str, now: datetime) -> Q:
    """One look into the index for each row. As a value, and not as EXISTS, from which PostgreSQL
    may make a table of all holds, anew for each batch; and compared with a number, since it
    takes nearly all rows to be unequal to one and so walks on by age instead of sorting."""
    key = Cast(OuterRef(path), CharField(max_length=100))
    held = Hold.objects.active(now).filter(model=model._meta.label, key=key).order_by()
    found = Coalesce(Subquery(held.values(there=Value(1))[:1]), 0)
    return Q(Exact(found, 1))


def _owners(model: type[Model], prefix: str = "", depth: int = 4) -> list[tuple[type[Model], str]]:
    """The models that rows of ``model`` go with, with the path to their key."""
    found: list[tuple[type[Model], str]] = []
    for field in model._meta.concrete_fields:
        if isinstance(field, models.ForeignKey) and field.remote_field.on_delete is models.CASCADE:
            found.append((field.related_model, f"{prefix}{field.name}_id"))
            if depth and field.related_model is not model:
                found += _owners(field.related_model, f"{prefix}{field.name}__", depth - 1)
    return found
