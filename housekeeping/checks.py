"""What ``manage.py check`` says, so that mistakes show before the first run.

docs/operations.md lists every id with what to do about it.
"""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import wraps
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.checks import CheckMessage, Error, register
from django.core.checks import Warning as CheckWarning
from django.db import DEFAULT_DB_ALIAS, connection, router
from django.template import engines
from django.template.backends.django import DjangoTemplates
from django.urls import get_resolver
from django.utils.module_loading import import_string

from housekeeping import conf, recipes
from housekeeping.declared import registry
from housekeeping.declared.policies import Policy
from housekeeping.declared.registry import PREVIEWED, SCHEDULES, TASKS
from housekeeping.engine import cascade
from housekeeping.exceptions import AmbiguousPolicy
from housekeeping.reading import gauges

FAR = datetime.max.replace(tzinfo=UTC)
LONGEST_NAME = 100  # of a task or a schedule: what the columns of a run hold
TOOLS = PREVIEWED | {"checkpoint"}
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
CONTEXT_PROCESSORS = [
    "django.template.context_processors.request",
    "django.contrib.auth.context_processors.auth",
    "django.contrib.messages.context_processors.messages",
]

Check = Callable[..., list[CheckMessage]]


def check(look: Check) -> Check:
    """Register a check. One that raises becomes a warning; otherwise Django would end every command."""

    @wraps(look)
    def guarded(**kwargs: Any) -> list[CheckMessage]:
        try:
            return look(**kwargs)
        except Exception as error:
            problem = f"{look.__name__} can't be checked: {type(error).__name__}: {error}"
            return [CheckWarning(problem, id="housekeeping.W003")]

    register(guarded)
    return guarded


# --- What the apps declare --------------------------------------------------------------------


@check
def tasks_take_known_tools(**kwargs: Any) -> list[CheckMessage]:
    return [
        Error(
            f"The task {task.name!r} has an unknown parameter, {tool!r}.",
            hint=f"A task function may take {', '.join(sorted(TOOLS))}, each with its default.",
            id="housekeeping.E001",
        )
        for task in TASKS.values()
        for tool in sorted(task.tools - TOOLS)
    ]


@check
def purging_tasks_take_purge(**kwargs: Any) -> list[CheckMessage]:
    return [
        Error(
            f"The task {task.name!r} has the policy {task.policies[0].name!r}, but does not take purge.",
            hint="Add the parameter `purge: Purge = purge`, and delete rows with it only.",
            id="housekeeping.E004",
        )
        for task in TASKS.values()
        if task.policies and "purge" not in task.tools
    ]


@check
def tasks_without_a_dry_run_say_so(**kwargs: Any) -> list[CheckMessage]:
    return [
        CheckWarning(
            f"The task {task.name!r} has no dry run: it takes none of {', '.join(sorted(PREVIEWED))}.",
            hint="Add the one that the task works with, or declare the task with has_dry_run=False.",
            id="housekeeping.W001",
        )
        for task in TASKS.values()
        if not task.policies and not task.can_be_previewed and task.has_dry_run is None
    ]


@check
def policies_can_be_carried_out_and_undone(**kwargs: Any) -> list[CheckMessage]:
    return [
        Error(
            f"The policy {policy.name!r} can't purge {table}: {problem}.",
            hint="Choose another model, or remove the obstacle.",
            id="housekeeping.E003",
        )
        for policy in registry.policies().values()
        for table, problem in _obstacles(policy)
    ]


def _obstacles(policy: Policy) -> list[tuple[str, str]]:
    """Why the policy's rows can't be purged and put back, each with the name of their table."""
    try:
        rows = policy.rows(FAR)
    except Exception as error:  # code of the project
        return [("its rows", f"asking for them raises {type(error).__name__}: {error}")]
    problems = [*cascade.elsewhere(rows), *cascade.problems(policy.model)]
    return [(policy.model._meta.label, problem) for problem in problems]


@check
def policies_have_names_of_their_own(**kwargs: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for policy in registry.policies().values():
        try:
            registry.check_policy(policy)
        except AmbiguousPolicy as error:
            found.append(Error(str(error), id="housekeeping.E005"))
    return found


@check
def names_fit_into_addresses_and_columns(**kwargs: Any) -> list[CheckMessage]:
    kinds: list[tuple[str, Iterable[str], int]] = [
        ("task", TASKS, LONGEST_NAME),
        ("policy", registry.policies(), gauges.LONGEST_POLICY),
        ("schedule", SCHEDULES, LONGEST_NAME),
    ]
    return [
        Error(
            f"{name!r} can't be the name of a {kind}.",
            hint=f"Write up to {longest} letters, digits, hyphens and underscores: it is part of an address.",
            id="housekeeping.E007",
        )
        for kind, names, longest in kinds
        for name in names
        if not re.fullmatch(rf"[\w-]{{1,{longest}}}", name)
    ]


@check
def tasks_can_be_imported(**kwargs: Any) -> list[CheckMessage]:
    registry.discover()
    return [
        Error(
            f"{one.module} can't be imported: {one.error}.",
            hint="Its tasks are missing, and no consumer starts until it can be imported.",
            id="housekeeping.E008",
        )
        if one.is_ours
        else CheckWarning(
            f"{one.module} can't be imported: {one.error}.",
            hint="It does not import housekeeping, so it is ignored.",
            id="housekeeping.W002",
        )
        for one in registry.UNREADABLE
    ]


@check
def recipes_can_be_used(**kwargs: Any) -> list[CheckMessage]:
    return [
        Error(
            f"HOUSEKEEPING_RECIPES: {name!r} can't be used: {reason}.",
            hint="Correct the name, install its app, or remove it from the list.",
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
            hint=f"Keep them in {DEFAULT_DB_ALIAS!r}, next to the rows that are purged.",
            id="housekeeping.E006",
        )
        for alias in wrong
    ]


# --- What the project sets --------------------------------------------------------------------


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
    except Exception:  # Huey says itself that it can't import it
        return False
    return isinstance(named, type) and issubclass(named, Queue)


@check
def the_queue_is_not_immediate(**kwargs: Any) -> list[CheckMessage]:
    huey = getattr(settings, "HUEY", None)
    is_immediate = huey.get("immediate") if isinstance(huey, dict) else getattr(huey, "immediate", False)
    if not is_immediate:
        return []
    return [
        Error(
            "HUEY['immediate'] is true: tasks would run inside the web request.",
            hint="Leave it out, whatever DEBUG is.",
            id="housekeeping.E002",
        )
    ]


# --- What the pages and the API need, where a project has them --------------------------------


def _has_included(namespace: str) -> bool:
    """False also where the project's addresses can't be loaded: Django's own check reports that."""
    try:
        return namespace in get_resolver().namespace_dict
    except Exception:
        return False


@check
def pages_have_htmx(**kwargs: Any) -> list[CheckMessage]:
    if not _has_included("housekeeping") or apps.is_installed("django_htmx"):
        return []
    return [
        Error(
            "The dashboard needs django-htmx, which is not installed.",
            hint='Add "django_htmx" to INSTALLED_APPS.',
            id="housekeeping.E014",
        )
    ]


@check
def pages_have_their_middleware(**kwargs: Any) -> list[CheckMessage]:
    if not _has_included("housekeeping"):
        return []
    return [
        Error(
            f"The dashboard needs the middleware {path}.",
            hint=f'Add "{path}" to MIDDLEWARE.',
            id="housekeeping.E015",
        )
        for path in MIDDLEWARE
        if not _is_in_use(path)
    ]


def _is_in_use(path: str) -> bool:
    """Is this middleware, or a class that extends it, in MIDDLEWARE?"""
    if path in settings.MIDDLEWARE:
        return True
    try:
        wanted = import_string(path)
        used = [import_string(other) for other in settings.MIDDLEWARE]
    except Exception:  # Django reports one that can't be imported
        return False
    return any(isinstance(one, type) and issubclass(one, wanted) for one in used)


@check
def pages_have_their_context(**kwargs: Any) -> list[CheckMessage]:
    if not _has_included("housekeeping"):
        return []
    found = [engine for engine in engines.all() if isinstance(engine, DjangoTemplates)]
    used = found[0].engine.context_processors if found else []
    return [
        Error(
            f"The dashboard's templates need the context processor {path}.",
            hint=f'Add "{path}" to the context_processors in TEMPLATES, in the OPTIONS of DjangoTemplates.',
            id="housekeeping.E016",
        )
        for path in CONTEXT_PROCESSORS
        if path not in used
    ]


@check
def users_have_rights(**kwargs: Any) -> list[CheckMessage]:
    if not (_has_included("housekeeping") or _has_included("housekeeping_api")):
        return []
    user = get_user_model()
    if hasattr(user, "has_perm") and hasattr(user, "has_perms"):
        return []
    return [
        Error(
            f"{user._meta.label} has no has_perm(): nobody could be allowed to see or do anything.",
            hint="Let it extend django.contrib.auth.models.PermissionsMixin.",
            id="housekeeping.E017",
        )
    ]


@check
def the_api_has_its_framework(**kwargs: Any) -> list[CheckMessage]:
    if not _has_included("housekeeping_api") or apps.is_installed("rest_framework"):
        return []
    return [
        Error(
            "The API needs Django REST framework, which is not installed.",
            hint='Add "rest_framework" to INSTALLED_APPS.',
            id="housekeeping.E018",
        )
    ]
