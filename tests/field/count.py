"""Counts the models of one project, and those that a policy may have."""

from collections import Counter
from importlib import metadata

import django
from django.apps import apps

from housekeeping.engine import cascade
from tests.field.projects import PROJECTS


def tell(name: str) -> dict[str, object]:
    models = [
        model
        for model in apps.get_models(include_auto_created=True)
        if model._meta.app_label != "housekeeping" and not model._meta.proxy
    ]
    problems = {model._meta.label: cascade.problems(model) for model in models}
    reasons = Counter(problem for found in problems.values() for problem in found)
    taken = sum(not found for found in problems.values())
    return {
        "models": len(models),
        "taken": taken,
        "refused": dict(reasons.most_common()),
        "versions": versions(name),
    }


def versions(name: str) -> str:
    """The version of the package that has the project's name, if one has, and Django's."""
    own = [f"{name} {metadata.version(name)}"] if name in PROJECTS[name].packages else []
    return ", ".join([*own, f"Django {django.__version__}"])
