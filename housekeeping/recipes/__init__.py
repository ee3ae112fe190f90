"""Ready-made policies for tables that well-known apps leave to grow.

A project switches a recipe on by its name: ``HOUSEKEEPING_RECIPES = ["sessions", "axes"]``. Each is a
module of this folder, which is imported only then: it imports the models of the app it is for.

Secrets and measurements are upkeep: the recipe lists its policies in ``UPKEEP``, and the task ``history``
deletes their rows without an archive. For rows that somebody may want back, the recipe declares a task and
a schedule of its own: these purges are braked, archived and can be undone.
"""

import logging
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType

from django.apps import apps

from housekeeping import conf
from housekeeping.database import discreet

# Each recipe, and the app that has to be installed for it, as in INSTALLED_APPS.
RECIPES = {
    "admin_log": "django.contrib.admin",
    "sessions": "django.contrib.sessions",
    "user_sessions": "allauth.usersessions",
    "axes": "axes",
    "simplejwt": "rest_framework_simplejwt.token_blacklist",
    "celery_results": "django_celery_results",
    "oauth_toolkit": "oauth2_provider",
    "auditlog": "auditlog",
    "simple_history": "simple_history",
    "silk": "silk",
}


FAILED: dict[str, str] = {}  # recipes that can't be imported, each with the error; known after discovery
logger = logging.getLogger(__name__)


def unusable() -> dict[str, str]:
    """The recipes that are switched on but can't be used, each with the reason."""
    return _not_there() | FAILED


def _not_there() -> dict[str, str]:
    found = {}
    for name in conf.RECIPES:
        if name not in RECIPES:
            found[name] = f"there is no such recipe; choose one of {', '.join(RECIPES)}"
        elif not apps.is_installed(RECIPES[name]):
            found[name] = f"its app, {RECIPES[name]}, is not installed"
    return found


def modules() -> Iterator[ModuleType]:
    """The recipes that are switched on and can be used.

    One that can't be imported, for example with another version of its app, is left out.
    """
    not_there = _not_there()
    for name in conf.RECIPES:
        if name not in not_there and (module := _imported(name)):
            yield module


def _imported(name: str) -> ModuleType | None:
    try:
        return import_module(f"{__name__}.{name}")
    except Exception as error:  # an import may run any code of the recipe's app
        FAILED[name] = f"it can't be imported: {type(error).__name__}: {discreet.clean(error)}"
        logger.error("The recipe %s is left out: %s", name, FAILED[name])
        return None
