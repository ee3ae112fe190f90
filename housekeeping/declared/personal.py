"""Personal rows: what an erasure deletes beside the account and the rows below it.

An erasure follows the foreign keys with CASCADE from the account. A site declares the tables that hold a
person without such a key, such as a log of sign-ins by name, in a ``tasks.py``.
"""

import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Model, QuerySet

from housekeeping.declared import registry


@dataclass(frozen=True)
class Person:
    """An account, and what it is called. ``key``: as a hold writes it. ``name``: what one signs in with.

    ``full_names``: its other names, also alone.
    """

    model: type[Model]
    key: str
    name: str
    addresses: tuple[str, ...] = ()
    full_names: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """What may stand in a column that tells who signed in."""
        return tuple(dict.fromkeys([self.name, *self.addresses]))


@dataclass(frozen=True)
class PersonalRows:
    """Rows of ``model`` that are about a person. A row that meets one of the conditions is deleted, with
    those below it.

    ``names``: columns with the account's name or mail address, in any case. ``keys``: columns with the key
    of a row, each with the model of that row; the row is the account, is declared, too, or is below one of
    these. ``objects``: pairs of a column with a content type and a column with the key of a row of it.
    ``rows``: a function that returns the rows of a person; archives are not searched by it. ``renamed``:
    columns with the account's name or mail address, in rows that stay: the pseudonym takes its place.
    """

    model: type[Model]
    names: Collection[str] = ()
    keys: Mapping[str, type[Model]] = field(default_factory=dict)
    objects: Collection[tuple[str, str]] = ()
    rows: Callable[[Person], QuerySet[Any]] | None = None
    renamed: Collection[str] = ()
    module: str = ""


_declared: list[PersonalRows] = []
_with_names: dict[str, None] = {}


def personal_rows(
    model: type[Model],
    *,
    names: Collection[str] = (),
    keys: Collection[str] | Mapping[str, type[Model]] = (),
    objects: Collection[tuple[str, str]] = (),
    rows: Callable[[Person], QuerySet[Any]] | None = None,
    renamed: Collection[str] = (),
) -> None:
    """Declare that rows of ``model`` are about a person, as :class:`PersonalRows` describes.

    ``keys`` without models: columns with the key of an account.
    """
    if not (names or keys or objects or rows or renamed):
        raise TypeError(f"personal_rows({model.__name__}): tell which of its rows are about a person.")
    of_accounts = keys if isinstance(keys, Mapping) else dict.fromkeys(keys, get_user_model())
    module = sys._getframe(1).f_globals["__name__"]
    made = PersonalRows(model, names, of_accounts, objects, rows, renamed, module)
    _declared.append(made)


def personal_names(*columns: str) -> None:
    """Declare columns of the table of accounts that have a whole name of the person.

    First and last names, and columns with usual names such as ``full_name``, need no declaration.
    """
    for column in columns:
        get_user_model()._meta.get_field(column)  # raises FieldDoesNotExist
        _with_names[column] = None


def columns_with_names() -> list[str]:
    registry.discover()
    return list(_with_names)


def declared() -> list[PersonalRows]:
    """What the ``tasks.py`` of all apps, and the recipes that are switched on, have declared."""
    registry.discover()
    return [one for one in _declared if one.module in sys.modules]
