"""Holds: rows that no policy may delete, neither themselves nor by a cascade.

A hold on a row keeps what hangs from it, too (a user's hold keeps the conversations), and
what it hangs from (a conversation's hold keeps its user).
"""

from datetime import datetime

from django.db import models
from django.db.models import CharField, Exists, Model, OuterRef, Q
from django.db.models.functions import Cast

from housekeeping import cascade
from housekeeping.models import Hold


def held(model: type[Model], now: datetime) -> Q:
    """The rows of ``model`` that a hold keeps at ``now``."""
    names = set(Hold.objects.active(now).order_by().values_list("model", flat=True).distinct())
    condition = Q(pk__in=[])
    if not names:
        return condition
    if model._meta.label in names:
        condition |= _is_held(model, "pk", now)
    for link, path in cascade.walk(model):
        if link.is_cascade and link.model._meta.label in names:
            rows = link.model._base_manager.filter(_is_held(link.model, "pk", now), **{path: OuterRef("pk")})
            condition |= Q(Exists(rows))
    for owner, path in _owners(model):
        if owner._meta.label in names:
            condition |= _is_held(owner, path, now)
    return condition


def _is_held(model: type[Model], path: str, now: datetime) -> Q:
    key = Cast(OuterRef(path), CharField(max_length=100))
    return Q(Exists(Hold.objects.active(now).filter(model=model._meta.label, key=key)))


def _owners(model: type[Model], prefix: str = "", depth: int = 4) -> list[tuple[type[Model], str]]:
    """The models that rows of ``model`` go with, with the path to their key."""
    found: list[tuple[type[Model], str]] = []
    for field in model._meta.concrete_fields:
        if isinstance(field, models.ForeignKey) and field.remote_field.on_delete is models.CASCADE:
            found.append((field.related_model, f"{prefix}{field.name}_id"))
            if depth and field.related_model is not model:
                found += _owners(field.related_model, f"{prefix}{field.name}__", depth - 1)
    return found
