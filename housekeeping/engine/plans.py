"""Plans: what a purge would delete, seen beforehand, and kept so that a run deletes just that.

What it promises:

- Looking changes nothing.
- A purge of a plan deletes no row that the plan has not seen. It spares what has changed
  since: a row that is no longer expired, that is held or protected by now, or that more
  hangs from than the plan has counted.
- Memory is bounded by a chunk of keys.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import Any

import zstandard
from django.db.models import Max, Min, QuerySet
from django.utils.translation import gettext

from housekeeping import conf
from housekeeping.database import clock, guard
from housekeeping.declared import registry
from housekeeping.declared.policies import Policy, in_days
from housekeeping.engine import cascade, packing
from housekeeping.engine.purge import Walk, check_database, due, expired, held_back
from housekeeping.exceptions import NotPossible
from housekeeping.models import PlannedRows, Run

CHUNK = 5_000  # keys in one row of a plan
SAMPLE = 10  # rows that a preview names
HORIZONS = (7, 30, 60, 90, 365)  # days, for what-if
# So many times the usual number of rows is worth a warning; the usual is the median of
# the newest so many runs that deleted any.
UNUSUAL = 3
USUAL_RUNS = 10


def look(
    policy: Policy,
    *,
    cutoff: datetime,
    retention: timedelta | None,
    keep: Callable[[list[Any]], None] = lambda keys: None,
) -> dict[str, Any]:
    """What a purge would delete, as an object for JSON: numbers, keys and ages, no row's own words.

    ``rows`` of the policy itself and ``tables`` with all that hangs from them; the ages of
    the ``oldest`` and ``newest``; a ``sample`` of the oldest; ``held_back``: rows that are
    expired and stay, by the reason; ``usual``: the median of the last runs, and a
    ``warning`` where this is far beyond it. ``keep`` is handed the keys, chunk by chunk.
    """
    rows = due(policy, cutoff=cutoff)
    tables = rows_by_table(policy, cutoff, keep)
    count = tables[policy.model._meta.label]
    return {
        "cutoff": cutoff.isoformat(),
        "retention_days": in_days(retention),
        "rows": count,
        "tables": tables,
        **_ends(policy, rows),
        "sample": _sample(policy, rows),
        "held_back": held_back(policy, cutoff=cutoff),
        "usual": usual(policy),
        "warning": warning(policy, count),
    }


def rows_by_table(policy: Policy, cutoff: datetime, keep: Callable[[list[Any]], None]) -> dict[str, int]:
    """Rows that a purge would delete, by table; ``keep`` is handed their keys, chunk by chunk.

    In chunks of keys, as one query of it all is more than SQLite can parse.
    """
    below, own = cascade.Below(policy.model), 0
    walk = Walk(policy, cutoff)
    while keys := list(walk.take(CHUNK)):
        keep(keys)
        below.add(keys)
        own += len(keys)
    return {policy.model._meta.label: own, **below.rows}


def backlog(policy: Policy) -> dict[str, Any]:
    """How many rows are past due by now and would go, with what hangs from them, and since when."""
    retention = policy.retention_in_force()
    cutoff = clock.roughly() - (retention or timedelta())
    oldest = due(policy, cutoff=cutoff).aggregate(oldest=Min(policy.age_of()))["oldest"]
    due_since = oldest + retention if retention and oldest else None
    tables = rows_by_table(policy, cutoff, lambda keys: None)
    return {
        "rows": tables[policy.model._meta.label],
        "tables": {table: rows for table, rows in tables.items() if rows},
        "due_since": due_since.isoformat() if due_since else None,
    }


def what_if(policy: Policy, now: datetime, days: Sequence[int] = HORIZONS) -> dict[int, int]:
    """How many rows would be past the policy, by the retention in days."""
    if policy.retention is None:
        return {}
    return {number: expired(policy, cutoff=now - timedelta(days=number)) for number in days}


def usual(policy: Policy) -> int | None:
    """How many rows a run deletes as a rule; None before there was one that deleted any."""
    ended = Run.objects.filter(status=Run.Status.SUCCEEDED, dry_run=False, undo_of=None).newest_first()
    counts = [deleted.get(policy.name, 0) for deleted in ended.values_list("deleted", flat=True)[:50]]
    some = [count for count in counts if count][:USUAL_RUNS]
    return round(median(some)) if some else None


def warning(policy: Policy, rows: int) -> str | None:
    """A sentence where ``rows`` is far beyond what runs delete as a rule."""
    rule = usual(policy) if rows >= conf.BRAKE_ROWS else None
    if rule is None or rows <= UNUSUAL * rule:
        return None
    return f"{rows:,} rows are more than {UNUSUAL} times the usual {rule:,}."


def _ends(policy: Policy, rows: QuerySet[Any]) -> dict[str, str | None]:
    ends = rows.aggregate(oldest=Min(policy.age_of()), newest=Max(policy.age_of()))
    return {name: end.isoformat() if isinstance(end, datetime) else None for name, end in ends.items()}


def _sample(policy: Policy, rows: QuerySet[Any]) -> list[dict[str, str | None]]:
    oldest = rows.annotate(aged=policy.age_of()).order_by("aged", "pk").values_list("pk", "aged")[:SAMPLE]
    return [
        {
            "key": str(key),
            "age_from": aged.isoformat() if isinstance(aged, datetime) else None,
        }
        for key, aged in oldest
    ]


# --- Kept, to be carried out ------------------------------------------------------------------


def write(
    run: Run,
    policy: Policy,
    *,
    cutoff: datetime,
    retention: timedelta | None,
    checkpoint: Callable[[], None],
) -> dict[str, Any]:
    """Keep the keys of all rows that are due, as the run's plan. Returns what :func:`look` does.

    What an earlier attempt has kept is replaced. ``checkpoint`` is called between chunks;
    what it raises leaves a part of a plan, which nobody carries out.
    """
    check_database(policy)
    with guard.bookkeeping():
        run.planned_rows.filter(policy=policy.name).delete()

    def keep(keys: list[Any]) -> None:
        checkpoint()
        below = cascade.weights(policy.model, keys)
        text = json.dumps([[key, below[str(key)]] for key in keys], default=str)
        payload = zstandard.compress(text.encode(), packing.LEVEL)
        with guard.bookkeeping():
            PlannedRows.objects.create(run=run, policy=policy.name, rows=len(keys), payload=payload)

    return look(policy, cutoff=cutoff, retention=retention, keep=keep)


def check_retentions(plan: Mapping[str, Any]) -> None:
    """:func:`check_retention` of every policy in ``plan`` that a task declares."""
    known = registry.policies()
    for name in plan:
        if name in known:
            check_retention(known[name], plan)


def check_retention(policy: Policy, plan: Mapping[str, Any]) -> None:
    """Raises NotPossible where rows are kept longer by now than when the plan was made.

    It would delete rows that have to stay. A plan that was made under a longer retention only
    leaves more rows to the next run.
    """
    if policy.name not in plan:
        return
    retention, seen = in_days(policy.retention_in_force()), plan[policy.name].get("retention_days")
    if retention is not None and (seen is None or seen < retention):
        text = gettext(
            "The retention of %(policy)s was raised to %(days)s days since these rows were seen:"
            " preview again."
        )
        raise NotPossible(text % {"policy": repr(policy.name), "days": retention})


def copy(run: Run, to: Run) -> None:
    """Give ``to`` the planned rows of ``run``."""
    for row in run.planned_rows.order_by("pk").iterator(chunk_size=50):
        PlannedRows.objects.create(run=to, policy=row.policy, rows=row.rows, payload=row.payload)


def read(run: Run, policy: Policy) -> Iterator[tuple[Any, int]]:
    """The run's planned keys, each with the number of rows that hung from it."""
    to_key = cascade.value_field(policy.model._meta.pk).to_python  # JSON knows no UUID
    numbers = run.planned_rows.filter(policy=policy.name).order_by("pk").values_list("pk", flat=True)
    for number in list(numbers):
        payload = PlannedRows.objects.values_list("payload", flat=True).get(pk=number)
        yield from ((to_key(key), rows) for key, rows in json.loads(packing.unpacked(payload)))
