"""Which rows a policy has expired: those that its ``rows`` returns and that its other conditions don't keep.

Rows that stay after their end are left out once it has come.

All are conditions of one query: previews, counts, plans and the transaction of a batch ask the same.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import DateTimeField, Exists, ExpressionWrapper, F, Min, OuterRef, Q, QuerySet
from django.db.models.fields.reverse_related import ForeignObjectRel

from housekeeping.database import chosen
from housekeeping.database.durations import Before
from housekeeping.declared.owners import KEPT, ByOwner
from housekeeping.declared.policies import Policy, in_days
from housekeeping.engine import cascade
from housekeeping.engine.due.budget import AGE, Budget


def expired_rows(policy: Policy, cutoff: datetime, budget: Budget | None = None) -> QuerySet[Any]:
    """The rows that had expired at ``cutoff``. Some of them may be held or protected.

    For a policy with a budget, this asks the database, unless ``budget`` was counted a moment ago.
    """
    latest = cutoff - timedelta(days=policy.shortest_days) if policy.retention_by else cutoff
    rows = policy.rows(latest).order_by()
    rows.query.standard_ordering = True  # a walk would go backwards, and never beyond its first rows
    # A router may read from a replica that lags behind. A row that was changed or held a moment ago would
    # be deleted, so read from the database that the purge writes to.
    alias = chosen.of(rows)
    with chosen.on(alias):
        return _to_go(policy, rows.using(alias), cutoff, budget)


def each_once(rows: QuerySet[Any]) -> QuerySet[Any]:
    """``rows``, without those that a join to many gives again. Others are not sorted for it."""
    joins = (getattr(join, "join_field", None) for join in rows.query.alias_map.values())
    repeats = any(isinstance(join, ForeignObjectRel) and join.multiple for join in joins)
    return rows.distinct() if repeats else rows


def number_of(rows: QuerySet[Any]) -> int:
    """How many rows there are, each counted once."""
    return each_once(rows.values("pk")).count()


def _to_go(policy: Policy, rows: QuerySet[Any], cutoff: datetime, budget: Budget | None) -> QuerySet[Any]:
    if policy.anonymises:
        rows = policy.anonymises.still_to_do(rows)
    if policy.retention_by:
        rows = _past_owners(policy, policy.retention_by, rows, cutoff)
    if policy.at_most:
        beyond = (budget or Budget(policy)).beyond()
        rows = rows.alias(**{AGE: policy.age_of()}).filter(beyond)
    return _beyond_newest(policy, rows) if policy.keep_newest else rows


def _past_owners(policy: Policy, by: ByOwner, rows: QuerySet[Any], now: datetime) -> QuerySet[Any]:
    """Those of ``rows`` that are older than their owner wants at ``now``, the cutoff of such a policy."""
    rows = by.with_kept(rows, policy.shortest_days).alias(**{AGE: policy.age_of()})
    return rows.filter(**{f"{AGE}__lt": Before(now, F(KEPT))})


def due_since(policy: Policy, rows: QuerySet[Any]) -> datetime | None:
    """Since when the first of ``rows``, which are past the retention of their owners, is due."""
    ends = ExpressionWrapper(F(AGE) + F(KEPT), DateTimeField())
    since: datetime | None = rows.annotate(ends=ends).aggregate(since=Min("ends"))["since"]
    return since


def range_in_force(policy: Policy) -> dict[str, float | None] | None:
    """For JSON: the shortest and the longest retention of the owners, in days; None without any."""
    by = policy.retention_by
    owner = by and by.model(policy.model)
    if not by or not owner:
        return None
    with chosen.on(policy.database):
        shortest, longest = by.range(cascade.rows_of(owner), policy.shortest_days)
    return {"shortest_days": in_days(shortest), "longest_days": in_days(longest)}


def _beyond_newest(policy: Policy, rows: QuerySet[Any]) -> QuerySet[Any]:
    """Those of ``rows`` whose owner has ``keep_newest`` newer ones in the whole table.

    Counted for each row along the index of the owner and the age, and no further than needed: in a batch
    as in a walk. A window function would number the rows of the batch alone.
    """
    newer = cascade.rows_of(policy.model).alias(**{AGE: policy.age_of()})
    newer = newer.filter(**{name: OuterRef(name) for name in policy.owner_names})
    younger, twins = newer.filter(**{f"{AGE}__gt": OuterRef(AGE)}), newer.filter(**{AGE: OuterRef(AGE)})
    twins = twins.filter(pk__gt=OuterRef("pk"))
    either = Q(**{f"{AGE}__gt": OuterRef(AGE)}) | Q(**{AGE: OuterRef(AGE), "pk__gt": OuterRef("pk")})
    newer = newer.filter(either, **{f"{AGE}__gte": OuterRef(AGE)})
    last = slice(policy.keep_newest - 1, policy.keep_newest)  # of those that stay
    # The younger ones are counted in the index alone. Keys, which are not in it, matter only between twins.
    is_beyond = Exists(younger.order_by()[last]) | (Exists(twins) & Exists(newer.order_by()[last]))
    beyond: QuerySet[Any] = rows.alias(**{AGE: policy.age_of()}).filter(is_beyond)
    return beyond
