"""Ready-made policies for tables that well-known apps leave to grow.

A project switches a recipe on by its name: ``HOUSEKEEPING_RECIPES = ["sessions", "axes"]``. Each is a
module of this folder, which is imported only then: it imports the models of the app it is for.

Secrets and measurements are upkeep: the recipe lists its policies in ``UPKEEP``, and the task ``history``
deletes their rows without an archive. For rows that somebody may want back, the recipe declares a task and
a schedule of its own: these purges are braked, archived and can be undone.
"""

from collections.abc import Iterator
from importlib import import_module
from types import ModuleType

from django.apps import apps

from housekeeping import conf

# Each recipe, and the app that has to be installed for it, as in INSTALLED_APPS.
RECIPES = {
    "admin_log": "django.contrib.admin",
    "sessions": "django.contrib.sessions",
    "axes": "axes",
    "simplejwt": "rest_framework_simplejwt.token_blacklist",
    "celery_results": "django_celery_results",
    "oauth_toolkit": "oauth2_provider",
    "auditlog": "auditlog",
    "simple_history": "simple_history",
    "silk": "silk",
}


def unusable() -> dict[str, str]:
    """What is switched on and can't be used, each with the reason."""
    found = {}
    for name in conf.RECIPES:
        if name not in RECIPES:
            found[name] = f"there is no such recipe; there are {', '.join(RECIPES)}"
        elif not apps.is_installed(RECIPES[name]):
            found[name] = f"its app, {RECIPES[name]}, is not installed"
    return found


def modules() -> Iterator[ModuleType]:
    """The recipes that are switched on and can be used."""
    broken = unusable()
    for name in conf.RECIPES:
        if name not in broken:
            yield import_module(f"{__name__}.{name}")
