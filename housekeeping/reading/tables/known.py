"""Which model has which table, and which policies delete from it."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.apps import apps
from django.db import models
from django.db.models import Model

from housekeeping import conf
from housekeeping.database.sizes import Column
from housekeeping.declared import registry
from housekeeping.engine import cascade
from housekeeping.recipes import RECIPES

MOST_COLUMNS = 20  # whose ages are measured


@dataclass(frozen=True)
class Cover:
    """A policy that deletes rows of a table: its own, or related ones that go with them."""

    policy: str
    is_direct: bool


def models_by_table() -> dict[str, type[Model]]:
    """The model of each table, including Django's own tables for many-to-many fields."""
    # If two models share a table, the one that Django manages wins.
    found = [model for model in apps.get_models(include_auto_created=True) if not model._meta.proxy]
    return {_plain(model): model for model in sorted(found, key=lambda model: model._meta.managed)}


def _plain(model: type[Model]) -> str:
    """The name of its table; with a schema, if the model names one as ``'schema"."table'``."""
    return model._meta.db_table.replace('"."', ".").strip('"')


def ages_of(model: type[Model]) -> list[Column]:
    """The columns of the model's own table that are dates or moments."""
    found = [field for field in model._meta.local_concrete_fields if isinstance(field, models.DateField)]
    return [
        Column(field.name, str(field.column), is_date=not isinstance(field, models.DateTimeField))
        for field in found[:MOST_COLUMNS]
    ]


def covers() -> dict[type[Model], list[Cover]]:
    """The policies by the models that they delete from, those of a model's own rows first."""
    found: dict[type[Model], list[Cover]] = {}
    for name, policy in registry.policies().items():
        model = policy.known_model
        for reached in _reached(model) if model else ():
            found.setdefault(reached, []).append(Cover(name, is_direct=reached is model))
    return {model: sorted(some, key=lambda one: not one.is_direct) for model, some in found.items()}


def _reached(model: type[Model]) -> Iterable[type[Model]]:
    """The model, and those whose rows are deleted with its rows. Each once, so that it stays fast."""
    reached, waiting = {model: None}, [model]
    while waiting:
        below = [link.model for link in cascade.links(waiting.pop()) if link.is_cascade]
        waiting += [one for one in dict.fromkeys(below) if one not in reached]
        reached |= dict.fromkeys(below)
    return reached


def recipe_for(model: type[Model]) -> str:
    """The recipe for the model's app, unless it is switched on already; empty without one."""
    app = model._meta.app_config.name
    return next((name for name, of in RECIPES.items() if of == app and name not in conf.RECIPES), "")
