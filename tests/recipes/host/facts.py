"""Runs ``manage.py check``, then prints the policies of each recipe as JSON."""

import json
import sys
from importlib import import_module

import django
from django.core.management import call_command

django.setup()

from housekeeping.declared import registry  # noqa: E402
from housekeeping.recipes import RECIPES  # noqa: E402


def policies(recipe):
    """Those for the task ``history``, and those of the recipe's own task."""
    module = import_module(f"housekeeping.recipes.{recipe}")
    upkeep = [policy for found in getattr(module, "UPKEEP", {}).values() for policy in found]
    tasks = [one for one in registry.TASKS.values() if one.function.__module__ == module.__name__]
    return upkeep + [policy for task in tasks for policy in task.policies]


def facts(policy):
    return {
        "model": policy.model_name,
        "days": policy.retention and policy.retention.days,
        "shortest_days": policy.shortest_days,
        "is_upkeep": policy.is_upkeep,
        "has_index": has_index(policy),
    }


def has_index(policy):
    """Whether the date that decides about a row has an index."""
    if policy.age == "pk" or not isinstance(policy.age, str):
        return False
    first = [index.fields[0] for index in policy.model._meta.indexes if index.fields]
    return policy.model._meta.get_field(policy.age).db_index or policy.age in first


call_command("check", fail_level="WARNING", stdout=sys.stderr)
print(json.dumps({recipe: {one.name: facts(one) for one in policies(recipe)} for recipe in RECIPES}))
