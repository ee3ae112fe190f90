"""Take over batches of rows in other databases that a process did not bring into the bookkeeping.

``engine/apart/handover.py`` has the promises. An attempt does it before it works on such a database, as do
the recovery, the upkeep and the erasure of a person.
"""

import logging
from collections.abc import Iterable

from django.db import DEFAULT_DB_ALIAS

from housekeeping.database import discreet
from housekeeping.declared import databases
from housekeeping.engine.apart import handover, purged
from housekeeping.engine.restore import handed

logger = logging.getLogger(__name__)

# An erasure takes over its own.
RECEIVERS = {handover.PURGE: purged.receive, handover.UNDO: handed.receive}


def of(aliases: Iterable[str]) -> int:
    """Take over what is open in these databases. Returns the number of batches.

    Call it outside of any transaction. A run that got some is out of date in memory. Raises NotMigrated.
    """
    others = [alias for alias in dict.fromkeys(aliases) if alias != DEFAULT_DB_ALIAS]
    for alias in others:
        handover.check_table(alias)
    found = sum(handover.take_over(alias, RECEIVERS) for alias in others)
    if found:
        logger.warning("%s batches of rows in other databases were brought into the bookkeeping", found)
    return found


def everywhere() -> None:
    """Take over what is open in the other databases. One that no policy deletes from may fail."""
    needed = databases.of_policies()
    of(alias for alias in needed if handover.has_table(alias))
    _try(alias for alias in databases.others() if alias not in needed)


def as_far_as_possible() -> None:
    """The same; a database that fails keeps what is open there for the next time."""
    _try(databases.others())


def _try(aliases: Iterable[str]) -> None:
    for alias in aliases:
        try:
            if handover.has_table(alias):
                of([alias])
        except Exception as error:
            discreet.clean(error)
            logger.warning("Open batches of the database %r stay there for now: %s", alias, error)
