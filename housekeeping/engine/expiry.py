"""Which rows a policy has expired: those that its ``rows`` returns and that its other conditions don't keep.

All are conditions of one query: previews, counts, plans and the transaction of a batch ask the same.
"""

from datetime import datetime
from typing import Any

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Exists, OuterRef, Q, QuerySet

from housekeeping.declared.policies import Policy
from housekeeping.engine import cascade

# A name that no model has. Each row's age is under it, to be compared with others.
AGE = "housekeeping_age"


def expired_rows(policy: Policy, cutoff: datetime) -> QuerySet[Any]:
    """The rows that had expired at ``cutoff``. Some of them may be held or protected."""
    # A router may read from a replica that lags behind. A row that was changed or held a moment ago would
    # be deleted, so read from the database that the purge writes to.
    rows: QuerySet[Any] = policy.rows(cutoff).using(DEFAULT_DB_ALIAS)
    return _beyond_newest(policy, rows) if policy.keep_newest else rows


def _beyond_newest(policy: Policy, rows: QuerySet[Any]) -> QuerySet[Any]:
    """Those of ``rows`` whose owner has ``keep_newest`` newer ones in the whole table.

    Counted for each row along the index of the owner and the age, and no further than needed: in a batch
    as in a walk. A window function would number the rows of the batch alone.
    """
    newer = cascade.rows_of(policy.model).alias(**{AGE: policy.age_of()})
    newer = newer.filter(**{name: OuterRef(name) for name in policy.owner_names})
    later = Q(**{f"{AGE}__gt": OuterRef(AGE)}) | Q(**{AGE: OuterRef(AGE), "pk__gt": OuterRef("pk")})
    newer = newer.filter(later, **{f"{AGE}__gte": OuterRef(AGE)}).order_by()
    last_to_stay = newer[policy.keep_newest - 1 : policy.keep_newest]
    beyond: QuerySet[Any] = rows.alias(**{AGE: policy.age_of()}).filter(Exists(last_to_stay))
    return beyond
