"""The policies of the recipes."""

from importlib import import_module

from extensions.tables import code, table
from housekeeping.declared import registry
from housekeeping.declared.policies import Policy
from housekeeping.recipes import RECIPES

# A recipe that makes its policies from a project's own models has none here.
BY_MODEL = {"simple_history": ("`history-<app>-<model>`", "`<app>.Historical<Model>`")}


def recipes(argument: str, content: list[str]) -> list[str]:
    rows = [row for name in RECIPES for row in _rows(name)]
    return table(("recipe", "app", "policy", "rows of", "kept for", "undo", "index"), rows)


def _rows(recipe: str) -> list[tuple[str, ...]]:
    start = code(recipe), code(RECIPES[recipe])
    if recipe in BY_MODEL:
        days = import_module(f"housekeeping.recipes.{recipe}").KEPT_DAYS
        return [(*start, *BY_MODEL[recipe], f"{days} days, {days} at least", "yes", "yes")]
    return [
        (
            *start,
            code(one.name),
            code(one.model_name),
            _kept(one),
            _yes(not one.is_upkeep),
            _yes(_has_index(one)),
        )
        for one in _policies(recipe)
        if one.retention or one.is_upkeep  # without the one that follows another policy
    ]


def _policies(recipe: str) -> list[Policy]:
    """Those for the task ``history``, and those of the recipe's own task."""
    module = import_module(f"housekeeping.recipes.{recipe}")
    upkeep = [policy for found in getattr(module, "UPKEEP", {}).values() for policy in found]
    tasks = [one for one in registry.TASKS.values() if one.function.__module__ == module.__name__]
    return upkeep + [policy for task in tasks for policy in task.policies]


def _kept(policy: Policy) -> str:
    days = policy.retention.days if policy.retention else 0
    kept = f"{days} day{'' if days == 1 else 's'}" if days else "until they expire"
    return kept + (f", {policy.shortest_days} at least" if policy.shortest_days > 1 else "")


def _has_index(policy: Policy) -> bool:
    """Has the date that decides about a row an index?"""
    if policy.age == "pk" or not isinstance(policy.age, str):
        return False
    field = policy.model._meta.get_field(policy.age)
    first = [index.fields[0] for index in policy.model._meta.indexes if index.fields]
    return bool(getattr(field, "db_index", False)) or policy.age in first


def _yes(fact: bool) -> str:
    return "yes" if fact else "no"
