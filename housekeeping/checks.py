"""A bad declaration stops ``manage.py check``, not the night."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from housekeeping import cascade, registry
from housekeeping.registry import TASKS

TOOLS = {"purge", "measure", "mail", "checkpoint"}


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
def policies_can_be_carried_out_and_undone(**kwargs: Any) -> list[CheckMessage]:
    return [
        Error(
            f"The policy {policy.name!r} can't purge {policy.model._meta.label}: {problem}.",
            hint="Name another model, or change what stands in the way.",
            id="housekeeping.E003",
        )
        for policy in registry.policies().values()
        for problem in cascade.problems(policy.model)
    ]


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
