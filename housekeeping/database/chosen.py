"""The database of the rows that the engine works on: that of a policy, or the one that an archive came from.

Our own tables are in the default database, and so are most policies' rows. Code that touches rows of the
project uses ``connection`` of this module, within ``on(alias)``; code for our own tables uses Django's.
"""

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any

from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError, connections, router

logger = logging.getLogger(__name__)

_alias: ContextVar[str] = ContextVar("alias", default=DEFAULT_DB_ALIAS)


@contextmanager
def on(alias: str) -> Iterator[None]:
    """Work on the rows of this database meanwhile. A generator must not yield within it."""
    token = _alias.set(alias)
    try:
        yield
    finally:
        _alias.reset(token)


def alias() -> str:
    return _alias.get()


def is_apart() -> bool:
    """Are the rows in another database than our own tables?"""
    return _alias.get() != DEFAULT_DB_ALIAS


def of(rows: Any) -> str:
    """The database that rows of a queryset or manager are written to: never a replica that is only read.

    That is the one that using() has set, if any: ``db`` would ask a router for the one to read.
    """
    found: str = rows._db or router.db_for_write(rows.model)
    return found


def home(model: Any) -> str:
    """The database that rows of a model are written to, where no queryset names another one."""
    found: str = router.db_for_write(model)
    return found


def at_home(model: Any) -> AbstractContextManager[None]:
    """Work on the rows of a model where they are written."""
    return on(home(model))


def has_table(model: Any, alias: str) -> bool:
    """Is the table of a model in this database? A router may let it be made in others only."""
    with connections[alias].cursor() as cursor:
        return model._meta.db_table in connections[alias].introspection.table_names(cursor)


@contextmanager
def shown(alias: str) -> Iterator[None]:
    """Read here what a page can do without: an error of another database than ours is only logged.

    No error hides the outage of our own: without that, there is no page.
    """
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        if alias == DEFAULT_DB_ALIAS:
            raise
        logger.warning("The database %r can't be read: %s", alias, error)


class _Connection:
    """The connection to the chosen database, as Django's ``connection`` is that to the default one."""

    def __getattr__(self, name: str) -> Any:
        return getattr(connections[_alias.get()], name)


connection: Any = _Connection()
