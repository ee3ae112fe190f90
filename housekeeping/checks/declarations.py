"""What the apps declare: tasks, policies and schedules."""

import re
from collections.abc import Iterable
from typing import Any

from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning

from housekeeping.checks.registration import check
from housekeeping.declared import registry
from housekeeping.declared.registry import PREVIEWED, SCHEDULES, STATISTICS, TASKS
from housekeeping.engine import ends, exports, obstacles
from housekeeping.exceptions import AmbiguousPolicy
from housekeeping.reading import gauges

LONGEST_NAME = 100  # of a task or a schedule: what the columns of a run hold
TOOLS = PREVIEWED | {"checkpoint"}


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
            f"The policy {policy.name!r} can't purge {table}: {problem.rstrip('.')}.",
            hint="Choose another model, or remove the obstacle.",
            id="housekeeping.E003",
        )
        for policy in registry.policies().values()
        for table, problem in obstacles.to(policy)
    ]


@check
def rows_that_stay_can_get_their_values(**kwargs: Any) -> list[CheckMessage]:
    return [
        Error(
            f"The policy {policy.name!r} can't make rows of {policy.model_name} anonymous: {problem}.",
            hint="See what anonymise takes in the guide “Make rows anonymous”.",
            id="housekeeping.E020",
        )
        for policy in registry.policies().values()
        if policy.known_model
        for problem in ends.problems(policy)
    ]


@check
def exports_can_be_written(**kwargs: Any) -> list[CheckMessage]:
    return [
        Error(
            f"The policy {policy.name!r} can't export its rows: {problem}.",
            hint="See the guide “Export rows before they go”.",
            id="housekeeping.E021",
        )
        for policy in registry.policies().values()
        for problem in exports.problems(policy)
    ]


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
        if not _is_name(name, longest)
    ]


@check
def statistics_can_be_fields_of_the_api(**kwargs: Any) -> list[CheckMessage]:
    from housekeeping.reading.as_json.figures import TAKEN  # it reads the registry when it is imported

    return [
        Error(
            f"{name!r} can't be the name of a statistic.",
            hint=f"Write up to {LONGEST_NAME} letters, digits, hyphens and underscores: it is a field of the"
            f" API, as {', '.join(sorted(TAKEN))} are already.",
            id="housekeeping.E007",
        )
        for name in STATISTICS
        if name in TAKEN or not _is_name(name, LONGEST_NAME)
    ]


def _is_name(text: str, longest: int) -> bool:
    return bool(re.fullmatch(rf"[\w-]{{1,{longest}}}", text))


@check
def tasks_can_be_imported(**kwargs: Any) -> list[CheckMessage]:
    registry.discover()
    return [
        Error(
            f"{one.module} can't be imported: {one.error.rstrip('.')}.",
            hint="Its tasks are missing, and no consumer starts until it can be imported.",
            id="housekeeping.E008",
        )
        if one.is_ours
        else CheckWarning(
            f"{one.module} can't be imported: {one.error.rstrip('.')}.",
            hint="It does not import housekeeping, so it is ignored.",
            id="housekeeping.W002",
        )
        for one in registry.UNREADABLE
    ]
