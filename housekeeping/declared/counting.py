"""Counting what an app declares: code of the project, which may raise anything."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from django.db import connection, transaction

from housekeeping.database import discreet
from housekeeping.declared.policies import Policy
from housekeeping.declared.registry import Statistic
from housekeeping.exceptions import PolicyFailed, StatisticFailed, is_database_gone, takes_no_writes


@contextmanager
def counting(what: Policy | Statistic) -> Iterator[None]:
    """Raises PolicyFailed or StatisticFailed for an error inside.

    An error that comes from the state of the database is raised as it is.
    """
    # In a transaction that is open already, PostgreSQL refuses every statement after one that failed.
    savepoint = transaction.atomic() if connection.in_atomic_block else nullcontext()
    try:
        with savepoint:
            yield
    except Exception as error:
        if is_database_gone(error) or takes_no_writes(error):
            raise
        failed = PolicyFailed if isinstance(what, Policy) else StatisticFailed
        raise failed(what.name, discreet.sentence(error)) from error
