"""Purges: delete what a policy has expired.

Guarantees:

- Rows are deleted in batches, oldest first, each in one short transaction together with all rows below
  them. A purge that stops between two batches leaves no batch half done.
- A row is deleted only if it is expired, not held and not protected inside its own transaction. A
  conversation that gets a message between the search and the delete stays.
- Everything else that is written in a batch's transaction (its archive, the run's count) is committed
  with that batch or not at all: each row is counted and archived exactly once.
- A batch that conflicts with another transaction is rolled back and tried again. A row in use (somebody
  has locked it, or a row below it) is spared, and delays the others only for a moment.
- Memory is bounded by the batch. Time depends on what is deleted, not on what stays.
- No ``delete()`` method is called, and no delete signal is sent unless the policy asks for it: rows are
  deleted by SQL on their keys. Django's CASCADE, SET_NULL, PROTECT and RESTRICT apply all the same.
"""

import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, Protocol

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Model, Q, QuerySet

from housekeeping import conf
from housekeeping.database import chosen, clock, transient
from housekeeping.database.chosen import connection
from housekeeping.database.others import Others
from housekeeping.declared.policies import FAR, Policy
from housekeeping.engine import archive, cascade, ends, exports, holds, locks, packing
from housekeeping.engine.apart import handover, purged
from housekeeping.engine.archive import Archiver
from housekeeping.engine.due.budget import Budget
from housekeeping.engine.due.expiry import expired_rows, number_of
from housekeeping.engine.effects import hooks
from housekeeping.engine.removal import Batch
from housekeeping.exceptions import WrongDatabase


@dataclass(frozen=True)
class Pace:
    """How much a purge yields to other traffic.

    ``target``: how long a transaction should take, in seconds. ``pause``: how long to sleep after it, as
    a multiple of the time that it took. ``few``: a batch has at least some so many rows, as fewer would spend
    most of their time on what each batch does. ``alone``: the pace while nobody else uses the database.
    """

    target: float
    pause: float
    few: int = 2_000  # about ten milliseconds of work
    alone: "Pace | None" = None


# A waiting writer on SQLite tries again after 1, 3, 8, 18 and 33 ms, so it succeeds in a pause as long as
# the batch. A writer on PostgreSQL waits while the log of a batch is written to disk: compared to an idle
# server it took five times as long after batches of 30 ms, and twice as long after 12 ms
# (docs/explanation/performance.md). While nobody is there to wait, larger batches spend less of their time on
# what each batch does.
PACES = {
    "gentle": Pace(0.01, 3.0, few=500),
    "normal": Pace(0.012, 1.0, alone=Pace(0.025, 0.1)),
    "flat-out": Pace(0.15, 0.0),
}
FIRST_BATCH = 200
GROWTH = 8  # even if the next rows have this many times more rows below them, the batch stays short
LARGEST_BATCH = 20_000
# A statement that takes longer than the timeout fails, and the run with it. Sequential scans are off, as
# PostgreSQL would scan a whole table for a few thousand keys, including all the rows that stay.
SETTINGS = {"statement_timeout": "30s", "enable_seqscan": "off", "jit": "off"}
# How long a batch waits for a lock: long enough for an ordinary transaction to end, but shorter than the
# 1 s after which PostgreSQL looks for a deadlock, which might make the other transaction fail.
LOCK_TIMEOUT = "300ms"
# A careful batch never waits for a row in use. It may still have to wait for an ALTER TABLE, for a hold
# that is being made, or for the run's own row.
CAREFUL_LOCK_TIMEOUT = "5s"


class Purge(Protocol):
    """The tool that a task gets to delete with: a real purge, or a preview that only counts."""

    def __call__(self, policy: Policy) -> int: ...


def purge(policy: Policy) -> int:
    """Delete the rows that are expired now. Returns how many of the policy's own rows were deleted."""
    deleted = 0
    hooks.make(policy)
    for batch in purge_batches(
        policy,
        cutoff=policy.cutoff(clock.now()),
        save_progress=lambda batch: hooks.store(policy, batch.keys),
    ):
        deleted += len(batch.keys)
        hooks.make(policy)
    return deleted


def preview(policy: Policy) -> int:
    """Count the rows that :func:`purge` would delete now."""
    return expired(policy, cutoff=policy.cutoff(clock.now()))


def due(policy: Policy, *, cutoff: datetime, budget: Budget | None = None) -> QuerySet[Any]:
    """The rows that a purge would delete: expired before ``cutoff``, not held, not protected."""
    rows = expired_rows(policy, cutoff, budget)
    with chosen.on(chosen.of(rows)):
        return rows.exclude(holds.held(policy.model, clock.Now()) | ends.of(policy).protected())


def spared(model: type[Model], now: clock.Moment) -> Q:
    """The rows of ``model`` that no purge deletes at ``now``: held, or protected by another row."""
    return holds.held(model, now) | cascade.protected(model)


def check_database(policy: Policy) -> None:
    """Raises WrongDatabase if rows below the policy's rows live in another database than these, and
    NotMigrated if that database lacks the table that a purge needs there.
    """
    if found := cascade.elsewhere(policy.rows(FAR)):
        raise WrongDatabase(policy.name, "; ".join(found))
    handover.check_table(policy.database)


def expired(policy: Policy, *, cutoff: datetime) -> int:
    """The number of the policy's own rows that a purge would delete."""
    with chosen.on(policy.database), cascade.walking(policy.model):
        return number_of(due(policy, cutoff=cutoff))


def held_back(policy: Policy, *, cutoff: datetime) -> dict[str, int]:
    """The number of expired rows that stay, by the reason: ``held``, ``protected``."""
    rows = expired_rows(policy, cutoff)
    with chosen.on(policy.database), cascade.walking(policy.model):
        return {
            "held": number_of(rows.filter(holds.held(policy.model, clock.Now()))),
            "protected": number_of(rows.filter(ends.of(policy).protected())),
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
    save_progress: Callable[[Batch], None] = lambda batch: None,
    is_careful: bool = False,
    on_retry: Callable[[], None] = lambda: None,
    checkpoint: Callable[[], None] = lambda: None,
    moment: datetime | None = None,
    run: uuid.UUID | None = None,
) -> Iterator[Batch]:
    """Delete the rows that ``policy`` expired before ``cutoff``, oldest first.

    Yields each batch after it has been committed: a caller that stops iterating leaves no batch half
    done. Without ``batch_size``, the size of batches is fitted to the pace (default: HOUSEKEEPING_PACE).
    ``archiver`` archives what is removed; ``digest`` is the chain of digests so far. ``plan``: the only
    keys to look at, each with the number of rows that may be below it; a row with more rows below it by
    now is spared. ``save_progress`` is called inside the batch's transaction, again in each try; what it
    raises rolls the batch back. ``moment``: the time of the run, by default now. ``run``: its key, by which
    exports are found.

    A batch that conflicts with another transaction is tried again, as :func:`transient.transact` does,
    with ``on_retry`` and ``checkpoint`` between the tries. ``is_careful``: look for rows in use from the
    first batch on, which takes longer. Otherwise the purge starts to look for them after the first
    conflict, and stops once a batch finds none. Raises IntegrityError if a table that Django does not know
    forbids the delete, ExportFailed if rows can't be exported, and the conflict that outlasts the tries.
    """
    check_database(policy)
    ends.check(policy)
    moment = moment or clock.roughly()
    pace = pace or PACES[conf.PACE]
    size = batch_size or FIRST_BATCH
    budget = Budget(policy) if policy.at_most else None
    source: exports.Source = Walk(policy, cutoff, budget) if plan is None else _Plan(plan)
    if policy.exports:
        source = exports.Exporting(policy, source, run=run, checkpoint=checkpoint)
    is_wary, others, database, handed = is_careful, Others(), policy.database, None
    while found := source.take(size):
        if budget:
            budget.refresh()
        one = _Try(policy, cutoff, found, digest, archiver, save_progress, is_wary, on_retry, moment, budget)
        one.exported = source.exported if isinstance(source, exports.Exporting) else None
        one.run, one.handed_before = run, handed
        with chosen.on(database):
            batch = transient.transact(
                one.carry_out, apart=database, on_retry=one.be_careful, checkpoint=checkpoint
            )
        took = time.monotonic() - one.began
        digest, handed = batch.digest, one.handed
        is_wary = is_careful or (one.is_careful and batch.in_use > 0)
        yield batch
        if source.is_over:
            break
        now = pace.alone if pace.alone and not others.are_there() else pace
        if batch_size is None:
            size = fitted(size, took, sum(batch.rows.values()), now)
        rest = others.sleep if pace.alone else time.sleep
        with chosen.on(database):
            rest(took * now.pause)
    with chosen.on(database):
        handover.forget(handed)


class Walk:
    """The rows that are due, oldest first.

    By age, along its index: by key, the walk would look at every row that stays. Rows without an age come
    first, by key: the databases disagree on where they belong, and no comparison finds them.
    """

    def __init__(self, policy: Policy, cutoff: datetime, budget: Budget | None = None) -> None:
        rows = due(policy, cutoff=cutoff, budget=budget).annotate(aged=policy.age_of())
        self.database = policy.database
        self.ageless = rows.filter(aged=None).order_by("pk") if policy.may_lack_age() else None
        self.due = (rows if self.ageless is None else rows.exclude(aged=None)).order_by("aged", "pk")
        self.last: tuple[Any, Any] | None = None
        self.is_over = False

    def take(self, size: int) -> dict[Any, None]:
        with chosen.on(self.database), cascade.walking(self.due.model):
            found = self._take_ageless(size)
            return found if len(found) == size else found | self._take_aged(size - len(found))

    def _take_ageless(self, size: int) -> dict[Any, None]:
        if self.ageless is None:
            return {}
        found = dict.fromkeys(self.ageless.values_list("pk", flat=True)[:size])
        self.ageless = self.ageless.filter(pk__gt=list(found)[-1]) if len(found) == size else None
        return found

    def _take_aged(self, size: int) -> dict[Any, None]:
        rows = self.due
        if self.last:
            age, pk = self.last
            rows = rows.filter(Q(aged__gt=age) | Q(aged=age, pk__gt=pk), aged__gte=age)
        keys = list(rows.values_list("pk", flat=True)[:size])
        # Read the age of the last row only, as converting dates is expensive. If that row is gone
        # meanwhile, the walk continues from the one before it.
        places = (rows.filter(pk=key).values_list("aged", "pk").first() for key in reversed(keys))
        self.last = next((place for place in places if place), self.last)
        self.is_over = len(keys) < size
        return dict.fromkeys(keys)  # a policy that joins to many may give a row several times


class _Plan:
    """The rows that a plan names, each with the number of rows that may be below it."""

    def __init__(self, rows: Iterable[tuple[Any, int]]) -> None:
        self.rows = iter(rows)
        self.is_over = False

    def take(self, size: int) -> dict[Any, int]:
        found = dict(islice(self.rows, size))
        self.is_over = len(found) < size
        return found


def fitted(size: int, took: float, rows: int, pace: Pace) -> int:
    """The size of a batch that would have met the pace's target; at most GROWTH times ``size``.

    A few rows that took too long waited for something else, such as a slow disk, or spent the time on what
    each batch does whatever its size. Fewer rows would take just as long, and the purge would end up going
    row by row. So batches grow to the pace's few rows while they take no longer than twice the target.
    """
    fitting = size * pace.target / max(took, 0.001)
    few = size * pace.few / max(rows, 1)
    least = min(few, size * 2 if took <= 2 * pace.target else size)
    return int(min(max(fitting, least, 1), size * GROWTH, LARGEST_BATCH))


@dataclass
class _Try:
    """One batch: which rows meet the policy's end. Each try begins anew.

    ``found``: keys, each with the number of rows that may be below it (None: any).
    """

    policy: Policy
    cutoff: datetime
    found: Mapping[Any, int | None]
    digest: str  # the chain of digests before this batch
    archiver: Archiver | None
    save_progress: Callable[[Batch], None]
    is_careful: bool
    on_retry: Callable[[], None]
    moment: datetime
    budget: Budget | None = None
    exported: exports.Exported | None = None
    run: uuid.UUID | None = None
    handed_before: uuid.UUID | None = None  # what the batch before has handed over, of another database
    handed: uuid.UUID | None = None
    batch: Batch = field(default_factory=Batch)
    began: float = 0.0  # when the newest try began, by the monotonic clock

    def __post_init__(self) -> None:
        self.number = self.archiver.batch + 1 if self.archiver else 0
        self.end = ends.of(self.policy)

    def be_careful(self) -> None:
        """Before another try: look for rows in use, which the last try may have waited for."""
        self.is_careful = True
        self.on_retry()

    def carry_out(self) -> Batch:
        """One try, in a transaction of its own."""
        self.began = time.monotonic()
        self.batch = Batch(digest=self.digest or archive.NOTHING)
        if self.archiver:
            self.archiver.begin(self.number)
        self._set_limits()
        handover.forget(self.handed_before)
        holds.wait_for_new_holds()
        self.batch.keys = self._lock(list(self.found))
        if self.is_careful:
            self.batch.keys = self._free(self.batch.keys)
        if None not in self.found.values():
            self.batch.keys = self._as_planned()
        if self.exported:
            unchanged = self.exported.unchanged(self.batch.keys)
            self.batch.in_use += len(self.batch.keys) - len(unchanged)
            self.batch.keys = unchanged
        if self.batch.keys:
            self.end.carry_out(ends.Work(self.batch, self.archiver, self._due, self.moment))
            if self.exported:
                self.exported.check(self.batch.rows)
        self.save_progress(self.batch)
        self.handed = None
        if chosen.is_apart() and self.batch.keys:
            self.handed = purged.hand_over(self.policy, self.batch, run=self.run, archiver=self.archiver)
        return self.batch

    def _set_limits(self) -> None:
        lock_timeout = CAREFUL_LOCK_TIMEOUT if self.is_careful else LOCK_TIMEOUT
        locks.set_locally(SETTINGS | {"lock_timeout": lock_timeout})
        if chosen.is_apart():
            with chosen.on(DEFAULT_DB_ALIAS):
                locks.set_locally({"lock_timeout": lock_timeout})

    def _lock(self, keys: list[Any]) -> list[Any]:
        """Lock those of ``keys`` that are still due, and return them.

        A row that somebody else has locked is spared. It is being changed, and the next pass looks at it
        again.
        """
        if not connection.features.has_select_for_update_skip_locked:
            return self._due(keys)
        # Locked parents make a message that arrives meanwhile wait, instead of failing the batch at its
        # commit. Lock by key alone: a policy's query may have a GROUP BY, which can't be locked. Ask again
        # what is due once the rows are locked. A hold or a message that was committed before is seen; one
        # that comes later finds no row.
        parents = cascade.rows_of(self.policy.model).filter(packing.Among("pk", keys))
        locked = parents.select_for_update(skip_locked=True).order_by()
        mine = set(locked.values_list("pk", flat=True))
        if len(mine) < len(keys):
            self.batch.in_use += len(self._due([key for key in keys if key not in mine]))
        return self._due([key for key in keys if key in mine])

    def _due(self, keys: list[Any]) -> list[Any]:
        rows = (
            due(self.policy, cutoff=self.cutoff, budget=self.budget)
            .filter(packing.Among("pk", keys))
            .order_by()
        )
        return list(dict.fromkeys(rows.values_list("pk", flat=True)))

    def _free(self, keys: list[Any]) -> list[Any]:
        """Those of ``keys``, which are locked, that have no row below them that somebody else has locked."""
        if not (keys and connection.features.has_select_for_update_skip_locked):
            return keys
        in_use = self.end.above_locked_rows(keys)
        self.batch.in_use += len(in_use)
        return [key for key in keys if key not in in_use]

    def _as_planned(self) -> list[Any]:
        """Those of the locked rows that have no more rows below them than the plan has counted."""
        seen = {str(key): rows or 0 for key, rows in self.found.items()}
        there = self.end.below(self.batch.keys)
        return [key for key in self.batch.keys if there.get(str(key), 0) <= seen[str(key)]]
