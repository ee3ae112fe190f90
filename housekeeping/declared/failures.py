"""Errors of what the site's apps declare: told in words, so that one takes nothing else with it."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TypeVar

from django.db import connection, transaction

from housekeeping.database import discreet
from housekeeping.exceptions import is_database_gone, takes_no_writes

Figure = TypeVar("Figure")


@dataclass(frozen=True)
class Failure:
    """``text``: the error's kind and message, in one line and without values of rows."""

    text: str


def counted(count: Callable[[], Figure]) -> Figure | Failure:
    """What ``count`` returns, or the failure where it raises an error.

    Raises an error that comes from the state of the database: that is no mistake of the site's code.
    """
    # In a transaction that is open already, PostgreSQL takes no statement after one that failed.
    savepoint = transaction.atomic() if connection.in_atomic_block else nullcontext()
    try:
        with savepoint:
            return count()
    except Exception as error:  # whatever a site's own code raises
        if is_database_gone(error) or takes_no_writes(error):
            raise
        return Failure(discreet.sentence(error))
