"""The databases that this project's rows are in."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError, connections
from django.utils.translation import gettext_noop

from housekeeping.database import chosen
from housekeeping.declared import registry
from housekeeping.exceptions import DatabaseUnreachable


def written() -> list[str]:
    """Those that rows of a model or of a policy are written to, the one of our own tables first."""
    homes = [chosen.home(model) for model in apps.get_models(include_auto_created=True)]
    return [one for one in dict.fromkeys([DEFAULT_DB_ALIAS, *homes, *of_policies()]) if one in connections]


def others() -> list[str]:
    """Those of them without our own tables."""
    return [one for one in written() if one != DEFAULT_DB_ALIAS]


def of_policies() -> list[str]:
    """The other databases that policies delete rows from."""
    known = [policy for policy in registry.policies().values() if policy.known_model]
    found = dict.fromkeys(policy.database for policy in known)
    return [one for one in found if one != DEFAULT_DB_ALIAS and one in connections]


@contextmanager
def needed() -> Iterator[None]:
    """Do what a person asks for. Raises DatabaseUnreachable if one of the others, which it names, is gone."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        gone = next(filter(_is_gone, others()), None)
        if gone is None:
            raise
        text = gettext_noop("The database %(database)s can't be reached. Please try again later.")
        raise DatabaseUnreachable(text, database=gone) from error


def _is_gone(alias: str) -> bool:
    opened = connections[alias]
    try:
        opened.ensure_connection()
        return not opened.is_usable()
    except (OperationalError, InterfaceError):
        return True
