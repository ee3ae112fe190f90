"""Plans: the rows that a purge would delete, saved so that a later run deletes exactly these.

Guarantees:

- A preview changes no row.
- A purge of a plan deletes no row that the plan does not name. It spares rows that have changed since:
  no longer expired, held or protected by now, or with more rows below them than the plan has counted.
- Memory is bounded by ``KEYS_AT_ONCE``.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from statistics import median
from typing import Any

import zstandard
from django.db.models import DateTimeField, F, Max, Min, QuerySet
from django.utils.translation import gettext

from housekeeping import conf
from housekeeping.database import chosen, clock, guard
from housekeeping.declared import registry
from housekeeping.declared.policies import Policy, cutoff_for, in_days
from housekeeping.engine import cascade, ends, packing, unpacking
from housekeeping.engine.due.expiry import due_since, each_once, range_in_force
from housekeeping.engine.purge import Walk, check_database, due, expired, held_back
from housekeeping.exceptions import NotPossible
from housekeeping.models import PlannedRows, Run

KEYS_AT_ONCE = 5_000  # so many keys make one row of a plan
SAMPLE = 10  # rows that a preview names
HORIZONS = (7, 30, 60, 90, 365)  # days, for what-if
# A purge of more than UNUSUAL times the usual number of rows gets a warning. The usual number is the
# median of the newest USUAL_RUNS runs that deleted any.
UNUSUAL = 3
USUAL_RUNS = 10


def look(
    policy: Policy,
    *,
    cutoff: datetime,
    retention: timedelta | None,
    save: Callable[[list[Any]], None] = lambda keys: None,
) -> dict[str, Any]:
    """What a purge would delete, as an object for JSON: numbers, keys and ages, but no row's content.

    ``rows``: the policy's own; ``tables``: with the rows below them, by table; ``oldest`` and ``newest``:
    when the first and the last row began to age; ``sample``: the oldest rows; ``held_back``: expired rows
    that stay, by the reason; ``usual``: the median of the last runs; ``warning``: set if this purge is far
    beyond it; ``then``: ``anonymise`` if they are changed instead; ``ends``: what :func:`check_policy` looks
    at. ``save`` is called with the keys, some thousands at a time.
    """
    rows = due(policy, cutoff=cutoff)
    count, tables = rows_by_table(policy, cutoff, save)
    with chosen.on(policy.database), cascade.walking(policy.model):
        ends, sample = _ends(policy, rows), _sample(policy, rows)
    return {
        "cutoff": cutoff.isoformat(),
        "retention_days": in_days(retention),
        "rows": count,
        "tables": tables,
        **{name: end and end.isoformat() for name, end in ends.items()},
        "sample": sample,
        "held_back": held_back(policy, cutoff=cutoff),
        "usual": usual(policy),
        "warning": warning(policy, count),
        **policy.told(),
        "ends": _declared_ends(policy),
    }


def _declared_ends(policy: Policy) -> str:
    """What becomes of its rows, with the columns that change; empty if they are only deleted."""
    named = [
        " ".join([type(end).__name__.lower(), *sorted(getattr(end, "values", ()))]) for end in policy.ends
    ]
    return ", ".join(named)


def rows_by_table(
    policy: Policy, cutoff: datetime, save: Callable[[list[Any]], None]
) -> tuple[int, dict[str, int]]:
    """How many rows a purge would delete: the policy's own, and all of them by table.

    In a circle, more rows than its own may go from the policy's table. ``save`` is called with its own keys.
    Some thousands of keys at a time, as SQLite can't parse one query for all of them.
    """
    below, own = None if policy.anonymises else cascade.Below(policy.model), 0
    walk = Walk(policy, cutoff)
    while keys := list(walk.take(KEYS_AT_ONCE)):
        save(keys)
        with chosen.on(walk.database):
            if below:
                below.add(keys)
        own += len(keys)
    label, rows = policy.model._meta.label, below.rows if below else Counter[str]()
    return own, {label: 0, **rows} | {label: own + rows[label]}


def backlog(policy: Policy) -> dict[str, Any]:
    """How many rows a purge would delete now, by table, and since when the oldest of them is due.

    ``retention_range``: how long the owners want rows to be kept, if the policy leaves it to them.
    """
    retention = policy.retention_in_force()
    cutoff = cutoff_for(retention, clock.roughly())
    rows = due(policy, cutoff=cutoff)
    with chosen.on(policy.database), cascade.walking(policy.model):
        if policy.retention_by:
            since, more = due_since(policy, rows), {"retention_range": range_in_force(policy)}
        else:
            oldest, more = _ends(policy, rows)["oldest"], {}
            # The age of a policy without a date, such as that of plans, is the key.
            since = oldest + retention if retention and oldest else None
    own, tables = rows_by_table(policy, cutoff, lambda keys: None)
    return {
        "rows": own,
        "tables": {table: rows for table, rows in tables.items() if rows},
        "due_since": since.isoformat() if since else None,
        **more,
    }


def what_if(policy: Policy, now: datetime) -> dict[int, int]:
    """How many of the policy's own rows a purge would delete, by each retention in HORIZONS."""
    if policy.retention is None:
        return {}
    return {number: expired(policy, cutoff=cutoff_for(timedelta(days=number), now)) for number in HORIZONS}


def usual(policy: Policy) -> int | None:
    """How many rows a run usually deletes; None if no run has deleted any yet."""
    ended = Run.objects.did_work().filter(status=Run.Status.SUCCEEDED).newest_first()
    counts = [deleted.get(policy.name, 0) for deleted in ended.values_list("deleted", flat=True)[:50]]
    some = [count for count in counts if count][:USUAL_RUNS]
    return round(median(some)) if some else None


def warning(policy: Policy, rows: int) -> str | None:
    """A sentence if ``rows`` is far more than what runs usually delete."""
    expected = usual(policy) if rows >= conf.BRAKE_ROWS else None
    if expected is None or rows <= UNUSUAL * expected:
        return None
    return f"{rows:,} rows are more than {UNUSUAL} times the usual {expected:,}."


def _ends(policy: Policy, rows: QuerySet[Any]) -> dict[str, datetime | None]:
    """The first and the last moment in the ages of ``rows``; None where an age is not a moment."""
    # Annotated first: an age may be an aggregate itself, such as the newest of a row's children.
    rows = rows.annotate(aged=policy.age_of())
    if not isinstance(rows.query.annotations["aged"].output_field, DateTimeField):
        return {"oldest": None, "newest": None}  # PostgreSQL has no smallest UUID
    return rows.aggregate(oldest=Min("aged"), newest=Max("aged"))


def _sample(policy: Policy, rows: QuerySet[Any]) -> list[dict[str, str | None]]:
    first = F("aged").asc(nulls_first=True) if policy.may_lack_age() else F("aged")  # as a walk goes
    oldest = rows.annotate(aged=policy.age_of()).order_by(first, "pk").values_list("pk", "aged")
    return [
        {
            "key": str(key),
            "age_from": aged.isoformat() if isinstance(aged, datetime) else None,
        }
        for key, aged in each_once(oldest)[:SAMPLE]
    ]


# --- Saved, to be carried out -----------------------------------------------------------------


def write(
    run: Run,
    policy: Policy,
    *,
    cutoff: datetime,
    retention: timedelta | None,
    checkpoint: Callable[[], None],
) -> dict[str, Any]:
    """Save the keys of all rows that are due as the run's plan. Returns what :func:`look` returns.

    Replaces what an earlier attempt has saved. ``checkpoint`` is called every few thousand keys; if it
    raises, a part of a plan is left, which nobody can carry out.
    """
    check_database(policy)
    ends.check(policy)
    with guard.bookkeeping():
        run.planned_rows.filter(policy=policy.name).delete()

    def save(keys: list[Any]) -> None:
        checkpoint()
        with chosen.on(policy.database):
            below = ends.of(policy).below(keys)
        text = json.dumps([[key, below.get(str(key), 0)] for key in keys], default=str)
        payload = zstandard.compress(text.encode(), packing.LEVEL)
        with guard.bookkeeping():
            PlannedRows.objects.create(run=run, policy=policy.name, rows=len(keys), payload=payload)

    return look(policy, cutoff=cutoff, retention=retention, save=save)


def check_policies(plan: Mapping[str, Any]) -> None:
    """Call :func:`check_policy` for every policy in ``plan`` that a task declares."""
    known = registry.policies()
    for name in plan:
        if name in known:
            check_policy(known[name], plan)


def check_policy(policy: Policy, plan: Mapping[str, Any]) -> None:
    """Raises NotPossible if the retention has been raised since the plan was made, or if something else
    becomes of the rows by now.

    The plan would delete rows that must stay. If the retention has been lowered instead, the plan only
    leaves more rows to the next run.
    """
    if policy.name not in plan:
        return
    facts, now = plan[policy.name], _declared_ends(policy)
    if facts.get("then") != policy.told().get("then") or facts.get("ends", now) != now:
        text = gettext(
            "What becomes of the rows of %(policy)s has changed since this plan was made: preview again."
        )
        raise NotPossible(text % {"policy": repr(policy.name)})
    retention, seen = in_days(policy.retention_in_force()), plan[policy.name].get("retention_days")
    if retention is not None and (seen is None or seen < retention):
        text = gettext(
            "The retention of %(policy)s was raised to %(days)s days after this plan was made: preview again."
        )
        raise NotPossible(text % {"policy": repr(policy.name), "days": retention})


def copy(run: Run, to: Run) -> None:
    """Give ``to`` the planned rows of ``run``."""
    for row in run.planned_rows.order_by("pk").iterator(chunk_size=50):
        PlannedRows.objects.create(run=to, policy=row.policy, rows=row.rows, payload=row.payload)


def read(run: Run, policy: Policy) -> Iterator[tuple[Any, int]]:
    """The run's planned keys, each with the number of rows that were below it."""
    to_key = cascade.value_field(policy.model._meta.pk).to_python  # JSON has no UUIDs
    numbers = run.planned_rows.filter(policy=policy.name).order_by("pk").values_list("pk", flat=True)
    for number in list(numbers):
        payload = PlannedRows.objects.values_list("payload", flat=True).get(pk=number)
        yield from ((to_key(key), rows) for key, rows in json.loads(unpacking.unpacked(payload)))
