"""What the project sets, its own settings and those of the app."""

from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning
from django.core.management import get_commands
from django.db import DEFAULT_DB_ALIAS, connection, router
from django.utils.module_loading import import_string

from housekeeping import conf, recipes
from housekeeping.checks.registration import check
from housekeeping.declared import registry


@check
def recipes_can_be_used(**kwargs: Any) -> list[CheckMessage]:
    registry.discover()  # imports the recipes
    return [
        Error(
            f"HOUSEKEEPING_RECIPES: {name!r} can't be used: {reason}.",
            hint="Correct the name, install its app in a version that works, or remove it from the list.",
            id="housekeeping.E009",
        )
        for name, reason in recipes.unusable().items()
    ]


@check
def our_own_tables_are_in_the_default_database(**kwargs: Any) -> list[CheckMessage]:
    models = apps.get_app_config("housekeeping").get_models()
    wrong = sorted({alias for model in models if (alias := router.db_for_write(model)) != DEFAULT_DB_ALIAS})
    return [
        Error(
            f"A database router writes housekeeping's own tables to {alias!r}.",
            hint=f"Keep them in {DEFAULT_DB_ALIAS!r}; rows that are purged may be in another database.",
            id="housekeeping.E006",
        )
        for alias in wrong
    ]


@check
def settings_have_usable_values(**kwargs: Any) -> list[CheckMessage]:
    return [
        Error(
            f"HOUSEKEEPING_{name} can't be used: it is {_shown(name)}.",
            hint=f"Write {conf.SETTINGS[name].wanted}.",
            id="housekeeping.E010",
        )
        for name in conf.unusable()
    ]


def _shown(name: str) -> str:
    """The value of a setting; of a secret, its type."""
    value = conf.read(name)
    return f"of the type {type(value).__name__}" if conf.SETTINGS[name].is_secret else repr(value)


@check
def times_have_a_zone(**kwargs: Any) -> list[CheckMessage]:
    if settings.USE_TZ:
        return []
    return [
        Error(
            "USE_TZ is False: schedules and cutoffs need times with a zone.",
            hint="Write USE_TZ = True.",
            id="housekeeping.E011",
        )
    ]


@check
def the_database_is_one_that_we_know(**kwargs: Any) -> list[CheckMessage]:
    if connection.vendor in ("sqlite", "postgresql"):  # also of an engine that extends Django's
        return []
    return [
        Error(
            f"The database engine {connection.settings_dict['ENGINE']!r} is not supported.",
            hint="Keep the rows to purge in SQLite or PostgreSQL.",
            id="housekeeping.E012",
        )
    ]


@check
def the_queue_is_ours(**kwargs: Any) -> list[CheckMessage]:
    if apps.is_installed("huey.contrib.djhuey") and _is_ours(getattr(settings, "HUEY", None)):
        return []
    return [
        Error(
            "Huey is not set up for housekeeping: no run would start.",
            hint='Add "huey.contrib.djhuey" to INSTALLED_APPS, and write HUEY = {"huey_class":'
            ' "housekeeping.queue.SqliteQueue", "filename": "huey.sqlite3"}, or name RedisQueue or'
            " PostgresQueue of the same module.",
            id="housekeeping.E013",
        )
    ]


def _is_ours(huey: Any) -> bool:
    """Is this value of settings.HUEY one of our queues?"""
    from housekeeping.queue.huey import Queue

    if not isinstance(huey, dict):
        return isinstance(huey, Queue)
    try:
        named = import_string(huey.get("huey_class", ""))
    except Exception:  # Huey itself reports that it can't import it
        return False
    return isinstance(named, type) and issubclass(named, Queue)


@check
def the_consumer_can_start(**kwargs: Any) -> list[CheckMessage]:
    """Huey's ``run_huey`` ends at a tasks.py that can't be imported; ours ignores one that is not ours."""
    registry.discover()
    foreign = [one.module for one in registry.UNREADABLE if not one.is_ours]
    if not foreign or get_commands().get("run_huey") != "huey.contrib.djhuey":
        return []
    return [
        CheckWarning(
            f"run_huey is Huey's own command, and can't start: it imports {', '.join(foreign)}, which fails.",
            hint='List "housekeeping" before "huey.contrib.djhuey" in INSTALLED_APPS.',
            id="housekeeping.W004",
        )
    ]


@check
def the_queue_is_not_immediate(**kwargs: Any) -> list[CheckMessage]:
    huey = getattr(settings, "HUEY", None)
    is_immediate = huey.get("immediate") if isinstance(huey, dict) else getattr(huey, "immediate", False)
    if not is_immediate:
        return []
    return [
        Error(
            "HUEY['immediate'] is true: tasks would run inside the web request.",
            hint="Leave it out, also with DEBUG.",
            id="housekeeping.E002",
        )
    ]
