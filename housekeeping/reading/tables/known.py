"""Which model has which table, and which policies delete from it.

A table is known by one name: its own in the default database, and ``notes:notes_note`` in one called notes.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, connections, models, router
from django.db.models import Model

from housekeeping import conf
from housekeeping.database import chosen
from housekeeping.database.sizes import Column
from housekeeping.declared import databases, registry
from housekeeping.declared.policies import Policy
from housekeeping.engine import cascade
from housekeeping.models import Handover
from housekeeping.models.routing import OwnModel
from housekeeping.recipes import RECIPES

MOST_COLUMNS = 20  # whose ages are measured


@dataclass(frozen=True)
class Cover:
    """A policy that deletes rows of a table: its own, or related ones that go with them."""

    policy: str
    is_direct: bool


def name_of(database: str, table: str) -> str:
    """The name that a table is known by."""
    return table if database == DEFAULT_DB_ALIAS else f"{database}:{table}"


def database_of(name: str) -> str:
    """The database of a table that is known by this name."""
    database, mark, _table = name.partition(":")
    return database if mark and database in connections else DEFAULT_DB_ALIAS


def models_by_table() -> dict[str, type[Model]]:
    """The model of each table, including Django's own tables for many-to-many fields."""
    # If two models share a table, the one that Django manages wins.
    found = sorted(_models(), key=lambda model: model._meta.managed)
    return {
        name_of(database, _plain(model)): model
        for database in databases.written()
        for model in found
        if database == chosen.home(model) or router.allow_migrate_model(database, model)
    } | {table: reached for table, _, reached, _ in _purged()}


def is_used(model: type[Model], database: str) -> bool:
    """All but one of our own tables stay empty wherever `migrate` has made them in another database."""
    return database == DEFAULT_DB_ALIAS or model is Handover or not issubclass(model, OwnModel)


def _models() -> list[type[Model]]:
    return [model for model in apps.get_models(include_auto_created=True) if not model._meta.proxy]


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


def covers() -> dict[str, list[Cover]]:
    """The policies by the tables that they delete from, those of a table's own rows first.

    A policy that makes rows anonymous keeps no table from growing.
    """
    found: dict[str, list[Cover]] = {}
    for table, policy, reached, model in _purged():
        if not policy.anonymises:
            found.setdefault(table, []).append(Cover(policy.name, is_direct=reached is model))
    return {table: sorted(some, key=lambda one: not one.is_direct) for table, some in found.items()}


def _purged() -> Iterator[tuple[str, Policy, type[Model], type[Model]]]:
    """The tables that policies reach: the name, the policy, the table's model and the policy's own."""
    for policy in registry.policies().values():
        if model := policy.known_model:
            database = policy.database
            for reached in cascade.tables(model):
                yield name_of(database, _plain(reached)), policy, reached, model


def recipe_for(model: type[Model]) -> str:
    """The recipe for the model's app, unless it is switched on already; empty without one."""
    app = model._meta.app_config.name
    return next((name for name, of in RECIPES.items() if of == app and name not in conf.RECIPES), "")
