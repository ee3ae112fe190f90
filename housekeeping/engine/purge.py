"""The only code that deletes.

What it promises:

- Rows go in batches, oldest first, each in one short transaction together with all that
  hangs from them. Whoever stops between two batches leaves whole batches and no half one.
- A row is deleted only if it is expired, not held and not protected at the moment of its
  own transaction: a conversation that comes alive between the look and the delete stays.
- What else is written inside a batch's transaction (its archive, a run's count) is
  committed with that batch or not at all: each row is counted, and kept, exactly once.
- A batch that conflicts with another transaction is rolled back and tried again. A row in use
  (somebody has locked it, or a row that hangs from it) is spared, and holds the others up no
  longer than a moment.
- Memory is bounded by the batch, and time by what is deleted, not by what is kept.
- No delete signal is sent, and no ``delete()`` method called: rows go by SQL on their keys,
  with Django's own CASCADE, SET_NULL, PROTECT and RESTRICT kept to.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Protocol

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import Model, Q, QuerySet

from housekeeping import conf
from housekeeping.database import clock, transient
from housekeeping.declared.policies import Policy
from housekeeping.engine import archive, cascade, holds, locks, packing
from housekeeping.engine.archive import Archiver
from housekeeping.exceptions import WrongDatabase

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pace:
    """How much a purge yields to other traffic: the time that a transaction aims at, in
    seconds, and the pause after it, as a share of the time that it took."""

    target: float
    pause: float


# A writer on SQLite that has to wait looks for its turn after 1, 3, 8, 18 and 33 ms: in a pause as
# long as the batch it finds it. One on PostgreSQL waits while a batch's log is written to the disk:
# after 30 ms of work it took five times as long as on an idle server, after 12 ms twice
# (docs/performance.md).
PACES = {"gentle": Pace(0.01, 3.0), "normal": Pace(0.012, 1.0), "flat-out": Pace(0.15, 0.0)}
FIRST_BATCH = 200
GROWTH = 8  # what hangs from the next rows may be so many times heavier, and stays bearable
LARGEST_BATCH = 20_000
FEW_ROWS = 2_000  # some ten milliseconds of work
# PostgreSQL ends a statement of ours that takes longer, and the run fails with the reason. For some
# thousand keys it would rather read a table from end to end, the rows that stay, too.
SETTINGS = {"statement_timeout": "30s", "enable_seqscan": "off", "jit": "off"}
# How long a batch waits for a lock: long enough for an ordinary transaction to end, and shorter than
# PostgreSQL waits (1 s) before it looks for a deadlock, of which the other side may become the victim.
LOCK_TIMEOUT = "300ms"
# A careful batch waits for no row. What it still waits for is held for a reason of its own: a table
# that is being altered, a hold that is being made, the run's own row.
CAREFUL_LOCK_TIMEOUT = "5s"


class Purge(Protocol):
    """What a task is handed to delete with: a real purge, or a preview that counts."""

    def __call__(self, policy: Policy) -> int: ...


@dataclass
class Batch:
    """What one transaction removed: the policy's own keys, and rows by table.

    ``in_use``: how many of the policy's own rows it spared because they, or what hangs from
    them, were locked.
    """

    keys: list[Any] = field(default_factory=list)
    rows: Counter[str] = field(default_factory=Counter)
    digest: str = ""
    archives: int = 0
    in_use: int = 0


def purge(policy: Policy) -> int:
    """Delete what has expired by now. Returns the number of the policy's own rows deleted."""
    batches = purge_batches(policy, cutoff=policy.cutoff(clock.now()))
    return sum(len(batch.keys) for batch in batches)


def preview(policy: Policy) -> int:
    """Count what :func:`purge` would delete by now, and delete nothing."""
    return expired(policy, cutoff=policy.cutoff(clock.now()))


def due(policy: Policy, *, cutoff: datetime) -> QuerySet[Any]:
    """The rows that a purge would delete: expired before ``cutoff``, not held, not protected."""
    kept = spared(policy.model, clock.Now())
    return _expired_rows(policy, cutoff).exclude(kept)


def spared(model: type[Model], now: clock.Moment) -> Q:
    """The rows of ``model`` that no purge deletes at ``now``: held, or protected by another row."""
    return holds.held(model, now) | cascade.protected(model)


def _expired_rows(policy: Policy, cutoff: datetime) -> QuerySet[Any]:
    # A router may read from a replica, which lags behind: a row that was changed or held a moment
    # ago would go. What decides about a delete is read where it deletes.
    return policy.rows(cutoff).using(DEFAULT_DB_ALIAS)


def check_database(policy: Policy) -> None:
    """Raises WrongDatabase where the policy's rows, or what hangs from them, are written elsewhere.

    A purge would delete rows of the same keys from the default database.
    """
    if found := cascade.elsewhere(policy.rows(datetime.max.replace(tzinfo=UTC))):
        raise WrongDatabase(policy.name, "; ".join(found))


def expired(policy: Policy, *, cutoff: datetime) -> int:
    """The number of rows that a purge would delete."""
    return due(policy, cutoff=cutoff).count()


def held_back(policy: Policy, *, cutoff: datetime) -> dict[str, int]:
    """Expired rows that stay, by the reason: ``held``, ``protected``."""
    rows = _expired_rows(policy, cutoff)
    return {
        "held": rows.filter(holds.held(policy.model, clock.Now())).count(),
        "protected": rows.filter(cascade.protected(policy.model)).count(),
    }


def purge_batches(
    policy: Policy,
    *,
    cutoff: datetime,
    pace: Pace | None = None,
    batch_size: int | None = None,
    archiver: Archiver | None = None,
    digest: str = "",
    plan: Iterable[tuple[Any, int]] | None = None,
    record: Callable[[Batch], None] = lambda batch: None,
    is_careful: bool = False,
    on_retry: Callable[[], None] = lambda: None,
    checkpoint: Callable[[], None] = lambda: None,
) -> Iterator[Batch]:
    """Delete the rows that ``policy`` expired before ``cutoff``, oldest first.

    Yields each batch once it is committed: a caller that stops iterating leaves whole
    batches behind it and no half one. Without ``batch_size``, batches fit themselves to the
    pace (default: HOUSEKEEPING_PACE). ``archiver`` keeps what is removed; ``digest`` is the
    chain of digests up to here. ``plan``: the only keys to look at, each with the number of
    rows that may hang from it; one that more hangs from by now is spared. ``record`` is
    called inside the batch's transaction, with each try anew; what it raises undoes the batch.

    A batch that conflicts with another transaction is tried again, as
    :func:`transient.transact` does it, with ``on_retry`` and ``checkpoint`` between the tries.
    ``is_careful``: look for rows in use from the first batch on, which takes longer. Otherwise the
    purge starts checking after the first conflict, and stops once a batch finds no row in use.
    Raises IntegrityError where a table that Django doesn't know of forbids the delete, and the
    conflict that outlasts the tries.
    """
    check_database(policy)
    pace = pace or PACES[conf.PACE]
    size = batch_size or FIRST_BATCH
    source = Walk(policy, cutoff) if plan is None else _Plan(plan)
    is_wary = is_careful
    while found := source.take(size):
        is_last = len(found) < size
        removal = _Removal(policy, cutoff, found, digest, archiver, record, is_wary, on_retry)
        batch = transient.transact(removal.carry_out, on_retry=removal.be_careful, checkpoint=checkpoint)
        took = time.monotonic() - removal.began
        digest = batch.digest
        is_wary = is_careful or (removal.is_careful and batch.in_use > 0)
        yield batch
        if is_last:
            break
        if batch_size is None:
            size = fitted(size, took, sum(batch.rows.values()), pace)
        time.sleep(took * pace.pause)


class Walk:
    """The rows that were due as it began, oldest first, in the order of age as its index gives
    it: a walk by key would look at every row that is kept."""

    def __init__(self, policy: Policy, cutoff: datetime) -> None:
        self.due = due(policy, cutoff=cutoff).annotate(aged=policy.age_of()).order_by("aged", "pk")
        self.last: tuple[Any, Any] | None = None

    def take(self, size: int) -> dict[Any, None]:
        rows = self.due
        if self.last:
            age, pk = self.last
            rows = rows.filter(Q(aged__gt=age) | Q(aged=age, pk__gt=pk), aged__gte=age)
        keys = list(rows.values_list("pk", flat=True)[:size])
        # One age is read and not each key's: a date is expensive to read. A row that went meanwhile
        # has none; then the one before it says how far this look has come.
        places = (rows.filter(pk=key).values_list("aged", "pk").first() for key in reversed(keys))
        self.last = next((place for place in places if place), self.last)
        return dict.fromkeys(keys)


class _Plan:
    """The rows that a plan names, with what may hang from each of them."""

    def __init__(self, rows: Iterable[tuple[Any, int]]) -> None:
        self.rows = iter(rows)

    def take(self, size: int) -> dict[Any, int]:
        return dict(islice(self.rows, size))


def fitted(size: int, took: float, rows: int, pace: Pace) -> int:
    """The size that would have taken the pace's time; at most GROWTH times what was tried.

    A few rows that took longer waited for something else, a slow disk say. Fewer would wait
    as long, and the purge would come down to row by row.
    """
    if took > pace.target and rows <= FEW_ROWS:
        return size
    fitting = size * pace.target / max(took, 0.001)
    return int(min(max(fitting, 1), size * GROWTH, LARGEST_BATCH))


@dataclass
class _Removal:
    """One batch: what goes, in which order, and what is kept of it. Each try begins it anew.

    ``found``: keys, each with the number of rows that may hang from it (None: any).
    """

    policy: Policy
    cutoff: datetime
    found: Mapping[Any, int | None]
    digest: str  # of the batches before
    archiver: Archiver | None
    record: Callable[[Batch], None]
    is_careful: bool
    on_retry: Callable[[], None]
    batch: Batch = field(default_factory=Batch)
    began: float = 0.0  # the newest try, by the monotonic clock

    def __post_init__(self) -> None:
        # A try that is rolled back takes its archives along: the next one numbers them alike.
        self.number = self.archiver.batch + 1 if self.archiver else 0

    def be_careful(self) -> None:
        """Before another try: look for what the last one may have waited for."""
        self.is_careful = True
        self.on_retry()

    def carry_out(self) -> Batch:
        """One try, inside a transaction of its own."""
        self.began = time.monotonic()
        self.batch = Batch(digest=self.digest or "00" * 32)
        if self.archiver:
            self.archiver.batch, self.archiver.position = self.number, 0
        self._set_limits()
        holds.wait_for_new_holds()
        model = self.policy.model
        self.batch.keys = self._lock(list(self.found))
        if self.is_careful:
            self.batch.keys = self._free(self.batch.keys)
        if None not in self.found.values():
            self.batch.keys = self._as_planned()
        if self.batch.keys:
            self._remove(model, packing.stored_keys(packing.key_of(model), self.batch.keys))
        self.record(self.batch)
        return self.batch

    def _set_limits(self) -> None:
        lock_timeout = CAREFUL_LOCK_TIMEOUT if self.is_careful else LOCK_TIMEOUT
        locks.set_locally(SETTINGS | {"lock_timeout": lock_timeout})

    def _lock(self, keys: list[Any]) -> list[Any]:
        """Those of ``keys`` that are due still. A row that somebody else has locked is spared:
        it is being changed, and the next pass looks at it again."""
        if not connection.features.has_select_for_update_skip_locked:
            return self._due(keys)
        # Locked parents make a message that arrives meanwhile wait, instead of failing
        # the batch at its commit. By key alone: a policy's own query may group, which can't
        # be locked. What is due is asked again under the lock: a hold or a message that is
        # committed before it is seen, one that comes after finds no row.
        parents = cascade.rows_of(self.policy.model).filter(packing.Among("pk", keys))
        locked = parents.select_for_update(skip_locked=True).order_by()
        mine = set(locked.values_list("pk", flat=True))
        if len(mine) < len(keys):
            self.batch.in_use += len(self._due([key for key in keys if key not in mine]))
        return self._due([key for key in keys if key in mine])

    def _due(self, keys: list[Any]) -> list[Any]:
        rows = due(self.policy, cutoff=self.cutoff).filter(packing.Among("pk", keys)).order_by()
        return list(rows.values_list("pk", flat=True))

    def _free(self, keys: list[Any]) -> list[Any]:
        """Under their lock: those of ``keys`` that nothing locked hangs from."""
        if not (keys and connection.features.has_select_for_update_skip_locked):
            return keys
        stored = packing.stored_keys(packing.key_of(self.policy.model), keys)
        in_use = locks.above_locked_rows(self.policy.model, stored)
        self.batch.in_use += len(in_use)
        return [key for key, as_stored in zip(keys, stored, strict=True) if as_stored not in in_use]

    def _as_planned(self) -> list[Any]:
        """Under the lock: those that no more hangs from than the plan has seen."""
        seen = {str(key): rows or 0 for key, rows in self.found.items()}
        there = cascade.weights(self.policy.model, self.batch.keys)
        return [key for key in self.batch.keys if there[str(key)] <= seen[str(key)]]

    def _remove(self, model: type[Model], keys: list[Any]) -> None:
        """Children before parents, by key."""
        for link in cascade.links(model):
            if link.is_emptied:
                self._empty(link, keys)
            elif link.is_cascade and cascade.is_leaf(link.model):
                self._take(link.model, link.column, keys)
            elif link.is_cascade:
                children = locks.lock_below(link, keys)
                if children:
                    self._remove(link.model, children)
        self._take(model, packing.key_column(model), keys)

    def _take(self, model: type[Model], column: str, keys: list[Any]) -> None:
        if self.archiver:
            rows, packed = packing.take(model, column, keys, self.batch.digest)
            self._keep(model, rows, packed)
        else:
            rows = packing.delete(model, column, keys)
            self.batch.digest = archive.digest(self.batch.digest, repr((column, keys)).encode())
        if rows:
            self.batch.rows[model._meta.label] += rows

    def _empty(self, link: cascade.Link, keys: list[Any]) -> None:
        rows, packed = packing.empty(link.model, link.field, keys, self.batch.digest)
        if self.archiver:
            self._keep(link.model, rows, packed, emptied=link.column)

    def _keep(self, model: type[Model], rows: int, packed: packing.Packed, emptied: str = "") -> None:
        assert self.archiver
        if rows:
            self.archiver.add(model, packed, rows, emptied)
            self.batch.digest = packed.digest
            self.batch.archives += 1
