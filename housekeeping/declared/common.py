"""Words that mean no person in texts: those of the site's code, and of the results of its tasks.

Somebody may be called ``deleted`` or ``rows``. Replacing such a name wherever it stands would rewrite the
history of everybody.
"""

import keyword
import logging
import re
import sys
from collections.abc import Collection, Iterator
from functools import cache
from types import CodeType, ModuleType
from typing import Any

from django.apps import apps

from housekeeping.declared import registry
from housekeeping.models import Consumer, Run

SHORTEST_NAME = 3
# Our own rooms whose texts are stored. What a face says is only shown.
WRITERS = ("database", "declared", "engine", "erasure", "exceptions", "journal", "queue", "recipes", "runs")
FACES = {"admin", "api", "command", "dashboard", "site"}
RESULTS = 5  # the newest ones of a task, which show the names that all of its results have


def is_common(name: str, words: Collection[str]) -> bool:
    """Is a user name too short to be looked for in texts, a number, or made of ``words_of_site``?"""
    parts = name.casefold().split()
    return len(name) < SHORTEST_NAME or all(part in words or part.isdigit() for part in parts)


def words_of_site() -> set[str]:
    """Asks the database, and goes through all modules: once is enough for a person."""
    names = [*registry.TASKS, *registry.SCHEDULES, *registry.STATISTICS, *registry.policies()]
    names += [*Run.Status.values, *Run.Cause.values, *FACES, *keyword.kwlist, *_in_results()]
    names += Consumer.objects.order_by().values_list("host", flat=True).distinct()
    for app in apps.get_app_configs():
        names.append(app.label)
        for model in app.get_models():
            meta = model._meta
            names += [str(meta.model_name), *f"{meta.verbose_name} {meta.verbose_name_plural}".split()]
    # Of a traceback, the modules. A copy, as another thread may import one meanwhile; so below.
    names += {part for module in sys.modules.copy() for part in module.split(".")}
    known = {name.casefold() for name in names}
    return known.union(*(_words_of(module.__name__) for module in _writers()))


def _in_results() -> Iterator[str]:
    """The names that all of the newest results of a task have: not every task's code can be read."""
    for task in Run.objects.order_by().values_list("task", flat=True).distinct():
        there = Run.objects.filter(task=task, result__isnull=False).order_by("-requested_at")
        results = list(there.values_list("result", flat=True)[:RESULTS])
        if len(results) > 1:
            yield from set.intersection(*({*_names(result)} for result in results))


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _names(one)


def _writers() -> list[ModuleType]:
    """The modules whose texts get into runs: they declare tasks, log, or raise our errors."""
    packages = set(registry.loggers())
    modules = [(name.split("."), module) for name, module in sys.modules.copy().items() if module]
    return [module for path, module in modules if path[0] in packages and _writes(path, module)]


def _writes(path: list[str], module: ModuleType) -> bool:
    if path[0] == "housekeeping" and path[1:2] and path[1] in WRITERS:
        return True
    return path[-1] == "tasks" or any(isinstance(one, logging.Logger) for one in vars(module).copy().values())


@cache
def _words_of(name: str) -> frozenset[str]:
    """The words in the texts of a module's code: of log lines, errors, and names in results."""
    spec = sys.modules[name].__spec__
    try:
        code = spec.loader.get_code(name)  # type: ignore[union-attr]
    except (AttributeError, ImportError):  # it was not loaded from a file, or without its code
        return frozenset()
    return frozenset(word.casefold() for text in _texts(code) for word in re.findall(r"\w+", text))


def _texts(constant: Any) -> Iterator[str]:
    if isinstance(constant, str):
        yield constant
    elif isinstance(constant, tuple | frozenset | CodeType):
        for one in constant.co_consts if isinstance(constant, CodeType) else constant:
            yield from _texts(one)
