"""A bad declaration stops ``manage.py check``, not the night."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.checks import Warning as CheckWarning
from django.db import DEFAULT_DB_ALIAS, router

from housekeeping import conf, recipes
from housekeeping.declared import registry
from housekeeping.declared.registry import PREVIEWED, SCHEDULES, TASKS
from housekeeping.engine import cascade
from housekeeping.exceptions import AmbiguousPolicy
from housekeeping.reading import gauges

FAR = datetime.max.replace(tzinfo=UTC)
LONGEST_NAME = 100  # of a task or a schedule: what the columns of a run hold
TOOLS = PREVIEWED | {"checkpoint"}


@register
def tasks_take_known_tools(**kwargs: Any) -> list[CheckMessage]:
    return [
        Error(
            f"The task {task.name!r} has a parameter {tool!r} that nobody hands it.",
            hint=f"A task function takes {', '.join(sorted(TOOLS))}, each with its default.",
            id="housekeeping.E001",
        )
        for task in TASKS.values()
        for tool in sorted(task.tools - TOOLS)
    ]


@register
def purging_tasks_take_purge(**kwargs: Any) -> list[CheckMessage]:
    return [
        Error(
            f"The task {task.name!r} has the policy {task.policies[0].name!r}, but does not take purge.",
            hint="Add the parameter `purge: Purge = purge`, and delete by it alone.",
            id="housekeeping.E004",
        )
        for task in TASKS.values()
        if task.policies and "purge" not in task.tools
    ]


@register
def tasks_without_a_dry_run_say_so(**kwargs: Any) -> list[CheckMessage]:
    return [
        CheckWarning(
            f"The task {task.name!r} has no dry run: it takes none of {', '.join(sorted(PREVIEWED))}.",
            hint="Let it take the one that it works with, or declare it with has_dry_run=False.",
            id="housekeeping.W001",
        )
        for task in TASKS.values()
        if not task.policies and not task.can_be_previewed and task.has_dry_run is None
    ]


@register
def policies_can_be_carried_out_and_undone(**kwargs: Any) -> list[CheckMessage]:
    return [
        Error(
            f"The policy {policy.name!r} can't purge {policy.model._meta.label}: {problem}.",
            hint="Name another model, or change what stands in the way.",
            id="housekeeping.E003",
        )
        for policy in registry.policies().values()
        for problem in [*cascade.elsewhere(policy.rows(FAR)), *cascade.problems(policy.model)]
    ]


@register
def policies_have_names_of_their_own(**kwargs: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for policy in registry.policies().values():
        try:
            registry.check_policy(policy)
        except AmbiguousPolicy as error:
            found.append(Error(str(error), id="housekeeping.E005"))
    return found


@register
def names_fit_into_addresses_and_columns(**kwargs: Any) -> list[CheckMessage]:
    kinds: list[tuple[str, Iterable[str], int]] = [
        ("task", TASKS, LONGEST_NAME),
        ("policy", registry.policies(), gauges.LONGEST_POLICY),
        ("schedule", SCHEDULES, LONGEST_NAME),
    ]
    return [
        Error(
            f"{name!r} can't be the name of a {kind}.",
            hint=f"Write up to {longest} letters, digits, hyphens and underscores: it stands in addresses.",
            id="housekeeping.E007",
        )
        for kind, names, longest in kinds
        for name in names
        if not re.fullmatch(rf"[\w-]{{1,{longest}}}", name)
    ]


@register
def tasks_can_be_imported(**kwargs: Any) -> list[CheckMessage]:
    registry.discover()
    return [
        Error(
            f"{one.module} can't be imported: {one.error}.",
            hint="What it declares is missing, and no consumer starts until it can be.",
            id="housekeeping.E008",
        )
        if one.is_ours
        else CheckWarning(
            f"{one.module} can't be imported: {one.error}.",
            hint="It declares nothing of housekeeping's, and is passed over.",
            id="housekeeping.W002",
        )
        for one in registry.UNREADABLE
    ]


@register
def recipes_can_be_used(**kwargs: Any) -> list[CheckMessage]:
    return [
        Error(
            f"HOUSEKEEPING_RECIPES: {name!r} can't be used: {reason}.",
            hint="Correct its name, install its app, or leave it out.",
            id="housekeeping.E009",
        )
        for name, reason in recipes.unusable().items()
    ]


@register
def our_own_rows_are_beside_those_that_are_purged(**kwargs: Any) -> list[CheckMessage]:
    models = apps.get_app_config("housekeeping").get_models()
    wrong = sorted({alias for model in models if (alias := router.db_for_write(model)) != DEFAULT_DB_ALIAS})
    return [
        Error(
            f"A database router writes housekeeping's own tables to {alias!r}.",
            hint=f"They have to be in {DEFAULT_DB_ALIAS!r}, beside the rows that are purged.",
            id="housekeeping.E006",
        )
        for alias in wrong
    ]


@register
def settings_have_values_that_can_be_used(**kwargs: Any) -> list[CheckMessage]:
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


@register
def queue_is_not_immediate(**kwargs: Any) -> list[CheckMessage]:
    if settings.HUEY.get("immediate") is not False:
        return [
            Error(
                "HUEY['immediate'] is not False: tasks would run inside the web request.",
                id="housekeeping.E002",
            )
        ]
    return []
