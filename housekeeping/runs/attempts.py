"""One attempt at a run: what it looks at, what it hands to the task's function, when it stops.

What it promises:

- Whatever it writes to the run, it writes only while its claim holds.
- Cutoffs are fixed as the run starts: a second attempt deletes what the first would have
  deleted, whatever has grown old, and whatever retention was changed, in between.
- A purge that looks like a mistake deletes nothing. It leaves a plan, to be approved.
- A purge counts again at its end: what is left is explained by a bound, or is a failure.
"""

import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F, Max, QuerySet, Sum
from django.db.models.functions import Coalesce

from housekeeping import conf
from housekeeping.database import clock, guard, stored, transient
from housekeeping.declared import registry, rules, statistics
from housekeeping.declared.mailing import Mailed, mail_each
from housekeeping.declared.policies import Policy, cutoff_for, in_days
from housekeeping.declared.registry import Task
from housekeeping.engine import cascade, plans, restore
from housekeeping.engine.archive import Archiver
from housekeeping.engine.purge import Batch, check_database, expired, held_back, purge_batches
from housekeeping.exceptions import (
    AmbiguousPolicy,
    BrakeApplied,
    Cancelled,
    ClaimLost,
    ConsumerStopping,
    RowsLeft,
)
from housekeeping.journal.logs import RunLog
from housekeeping.models import Run
from housekeeping.runs import endings

logger = logging.getLogger(__name__)

# Rows that were in use as a purge came by are looked at again after so many seconds, then left.
PAUSES = (1.0, 4.0)
CHECKED_EACH = 0.5  # seconds, during such a pause
# Who undoes a purge needs time to see why it went wrong: what came back stays so long.
HELD_AFTER_UNDO = timedelta(days=30)


def own(run: Run) -> QuerySet[Run]:
    """The run's row, while this attempt holds its claim; else no row."""
    return Run.objects.filter(pk=run.pk, attempts=run.attempts, status=Run.Status.RUNNING)


@dataclass(frozen=True)
class Returned:
    """What a task returned: an object for JSON, and what failed in it."""

    result: dict[str, Any] | None
    failures: list[Exception]


def read(returned: Any) -> Returned:
    """Read it once: an object of the task's own may do anything as it is read. Raises TypeError."""
    try:
        result = stored.result(json.loads(json.dumps(returned, allow_nan=False)))
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"A task returns what JSON can hold: {error}") from error
    return Returned(result, list(getattr(returned, "failures", [])))


@dataclass
class Attempt:
    """A claimed run, and the tools that it hands to the task's function."""

    run: Run
    should_stop: Callable[[], bool]
    watch: Callable[[Run], None]
    gone: Callable[[Policy, list[Any]], None]
    publish: Callable[[Run, Any], None]
    batch_size: int | None
    log: RunLog
    lost: threading.Event = field(default_factory=threading.Event)
    due: dict[Policy, int] = field(default_factory=dict)  # rows as the attempt began
    begun: dict[str, Policy] = field(default_factory=dict)  # by name, also what the task did not declare

    def carry_out(self) -> Returned:
        """Do the run's work. Raises what the task raises, RunStopped, and TypeError for a result that
        is no JSON."""
        if self.run.undo_of:
            return read(self.put_back(self.run.undo_of))
        task = registry.find_task(self.run.task)
        if not self.run.dry_run:
            with guard.nothing_left_open():
                return read(self._carry_out(task))
        registry.check_dry_run(task.name)  # it may have been asked for under another version
        with guard.no_writes():
            return read(self._carry_out(task))

    def _carry_out(self, task: Task) -> Any:
        if self.is_planned:  # a policy that has begun goes by what it began with
            not_begun = self.run.plan.keys() - self.run.deleted.keys()
            plans.check_retentions({name: self.run.plan[name] for name in not_begun})
        for policy in task.policies:
            registry.check_policy(policy)
            check_database(policy)  # before anything is deleted by another one
        self.run.cutoffs = self._with_cutoffs(task.policies)
        self.due = {policy: self._due(policy) for policy in task.policies}
        total = self.run.total or self.run.done + sum(self.due.values())
        self._write(cutoffs=self.run.cutoffs, total=total)
        if not (self.run.dry_run or self.run.approved_by):
            self._brake()
        tools: dict[str, Callable[..., Any]] = {
            "purge": self.preview if self.run.dry_run else self.purge,
            "measure": statistics.measure if self.run.dry_run else statistics.take_snapshot,
            "mail": self.count_mails if self.run.dry_run else self.mail,
            "checkpoint": self.checkpoint,
        }
        self.checkpoint()
        return task.function(**{name: tools[name] for name in task.tools})

    def checkpoint(self) -> None:
        """Between two batches: is this run still ours, and is it still wanted?

        Raises ClaimLost, Cancelled or ConsumerStopping.
        """
        self.watch(self.run)
        with guard.bookkeeping():
            self.log.write_now_and_then()
        cancel_requested = own(self.run).values_list("cancel_requested", flat=True).first()
        if cancel_requested is None or self.lost.is_set():
            raise ClaimLost
        if cancel_requested:
            raise Cancelled
        if self.should_stop():
            raise ConsumerStopping

    # --- Before anything is deleted -------------------------------------------------------------

    def _begin(self, policy: Policy) -> None:
        """Check a policy that the task may not have declared. Raises AmbiguousPolicy, NotPossible.

        A task may build the same one anew, each time for a part of its rows.
        """
        registry.check_policy(policy)
        first = self.begun.setdefault(policy.name, policy)
        if (first.model, first.retention) != (policy.model, policy.retention):
            raise AmbiguousPolicy(policy.name)
        if self.is_planned and policy.name not in self.run.deleted:
            plans.check_retention(policy, self.run.plan)

    def _with_cutoffs(self, policies: Iterable[Policy]) -> dict[str, Any]:
        """The run's cutoffs, with those of ``policies`` that have none yet."""
        assert self.run.as_of is not None  # the claim has set it
        cutoffs = {name: self._in_time(facts) for name, facts in self.run.cutoffs.items()}
        for policy in policies:
            if policy.name not in cutoffs:
                retention = policy.retention_in_force()
                cutoff = cutoff_for(retention, self.run.as_of)
                cutoffs[policy.name] = {"cutoff": cutoff.isoformat(), "retention_days": in_days(retention)}
        return cutoffs

    def _in_time(self, facts: dict[str, Any]) -> dict[str, Any]:
        """A cutoff that an attempt or a plan has left; put right where the clock was ahead meanwhile."""
        assert self.run.as_of is not None
        latest = cutoff_for(timedelta(days=facts["retention_days"] or 0), self.run.as_of)
        is_late = datetime.fromisoformat(facts["cutoff"]) > latest + conf.ahead()
        return {**facts, "cutoff": latest.isoformat()} if is_late else facts

    def _cutoff(self, policy: Policy) -> datetime:
        if policy.name not in self.run.cutoffs:  # one that the task did not declare
            self._write(cutoffs=self._with_cutoffs([policy]))
        return datetime.fromisoformat(self.run.cutoffs[policy.name]["cutoff"])

    def _due(self, policy: Policy) -> int:
        if self.is_planned:
            return int(self.run.plan.get(policy.name, {}).get("rows", 0))
        return expired(policy, cutoff=self._cutoff(policy))

    @property
    def is_planned(self) -> bool:
        """Does the run carry out a plan that somebody has seen and approved?

        One that was stopped while the brake wrote its plan has a part of one, and no approval.
        """
        return bool(self.run.plan and self.run.approved_by) and not self.run.dry_run

    def _brake(self) -> None:
        """Raises BrakeApplied, with a plan kept, where so much would go that it looks like a mistake."""
        share, least = conf.BRAKE_SHARE, conf.BRAKE_ROWS
        for policy, rows in self.due.items():
            # A policy that no earlier attempt has begun may have more expired rows by now: look again.
            is_begun = policy.name in self.run.deleted
            if is_begun or policy.is_upkeep or share >= 1 or rows < least or not rows:
                continue
            # So far that it is enough: a table is not counted for the rows that stay.
            there = cascade.rows_of(policy.model).order_by()[: int(rows / share) + 1].count()
            if rows > share * there:
                # Together, once all are there: a part of a plan would pass for the whole.
                self._write(plan={each.name: self._planned(each) for each in self.due})
                raise BrakeApplied(
                    f"The policy {policy.name!r} would delete {rows:,} of {there:,} rows,"
                    f" more than {share:.0%} of the table."
                )

    def _planned(self, policy: Policy) -> dict[str, Any]:
        """What :func:`plans.look` sees, with the keys kept; ``deleted_before``: rows that went earlier."""
        cutoff = self._cutoff(policy)
        assert self.run.as_of is not None
        retention = self.run.as_of - cutoff if policy.retention is not None else None
        facts = plans.write(self.run, policy, cutoff=cutoff, retention=retention, checkpoint=self.checkpoint)
        return {**facts, "deleted_before": self.run.deleted.get(policy.name, 0)}

    def preview(self, policy: Policy) -> int:
        """Count what :meth:`purge` would delete, and keep it as a plan. Raises AmbiguousPolicy."""
        self._begin(policy)
        self.checkpoint()
        facts = self._planned(policy)
        rows = int(facts["rows"])
        plan = {**self.run.plan, policy.name: facts | {"deleted_before": 0}}
        self._write(plan=plan, deleted={**self.run.deleted, policy.name: rows})
        return rows

    # --- Deleting -------------------------------------------------------------------------------

    def purge(self, policy: Policy) -> int:
        """Delete what the policy expired, batch by batch, each counted on the run.

        Counts again at the end: raises RowsLeft if rows are past due still, and neither the
        run's time budget nor its plan explains them. Raises AmbiguousPolicy, and NotPossible where
        the plan was made under a shorter retention.
        """
        self._begin(policy)
        due = self.due.get(policy)
        due = self._due(policy) if due is None else due
        logger.info("Deleting %s%s", policy.in_words(due), self._age_in_words(policy))
        if warning := plans.warning(policy, due):
            self._note(policy, warning=warning)
        in_use, left = self._purge_in_passes(policy)
        rows: int = self.run.deleted.get(policy.name, 0)
        facts = {"left": left, "in_use": in_use, "held_back": held_back(policy, cutoff=self._cutoff(policy))}
        if self.is_planned:
            facts["planned"] = self._due(policy)
        if left and self.is_out_of_time():
            facts["stopped"] = (
                f"The run's time budget of {conf.TIME_BUDGET_MINUTES} min is over;"
                f" {left:,} rows are left for the next run."
            )
        if in_use:
            logger.warning("%s rows of %s were in use and stay for the next run", in_use, policy.name)
        self._note(policy, **facts)
        if left > in_use and not self.is_planned and not self.is_out_of_time():
            raise RowsLeft(f"{left:,} rows of the policy {policy.name!r} are past due still; {rows:,} went.")
        logger.info("Successfully deleted %s", policy.in_words(rows))
        return rows

    def _age_in_words(self, policy: Policy) -> str:
        self._cutoff(policy)
        days = self.run.cutoffs[policy.name]["retention_days"]
        return "" if days is None else f" older than {days} day{'' if days == 1 else 's'}"

    def _purge_in_passes(self, policy: Policy) -> tuple[int, int]:
        """Go over what is due until nothing is left, or what is left stays in use. Returns how
        many rows were in use in the last pass, and how many are left."""
        for pause in (*PAUSES, None):
            in_use = self._purge_once(policy, is_careful=pause != PAUSES[0])
            left = self._left(policy)
            if not left or pause is None or self.is_out_of_time():
                break
            if in_use:
                self._rest(pause)
        return min(in_use, left), left

    def _rest(self, seconds: float) -> None:
        """Sleep, and go on checking whether the run is still wanted."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, CHECKED_EACH))
            self.checkpoint()

    def _left(self, policy: Policy) -> int:
        if self.is_planned:  # spared, as they have changed since; or not yet looked at
            seen = self.run.plan.get(policy.name, {})  # none of a policy that the task got since then
            since = self.run.deleted.get(policy.name, 0) - seen.get("deleted_before", 0)
            return self._due(policy) - int(since)
        return expired(policy, cutoff=self._cutoff(policy))

    def is_out_of_time(self) -> bool:
        minutes = conf.TIME_BUDGET_MINUTES
        assert self.run.started_at is not None
        return bool(minutes) and clock.roughly() >= self.run.started_at + timedelta(minutes=minutes)

    def _purge_once(self, policy: Policy, *, is_careful: bool) -> int:
        """Go once over what is due. Returns how many rows were in use."""
        in_use, deleted, receipt = 0, self.run.deleted, self.run.receipt

        def record(batch: Batch) -> None:
            # In the batch's transaction, and only while the claim holds: each row is
            # counted once, whoever finishes the run.
            nonlocal deleted, receipt
            deleted = self._counted(policy, len(batch.keys))
            receipt = self._noted(policy, batch)
            beat = clock.Now() + conf.life()
            written: dict[str, Any] = {"deleted": deleted, "receipt": receipt, "lease_until": beat}
            written["retried"] = self.run.retried
            if batch.archives:
                written["archives_kept"] = Coalesce(F("archives_kept"), 0) + batch.archives
                written["archives_expire_at"] = self._archives_expire_at
            if not own(self.run).update(**written):
                raise ClaimLost

        self.checkpoint()
        if self.is_out_of_time():
            return in_use
        for batch in purge_batches(
            policy,
            cutoff=self._cutoff(policy),
            batch_size=self.batch_size,
            archiver=self._archiver(policy),
            digest=self.run.receipt.get(policy.name, {}).get("digest", ""),
            plan=plans.read(self.run, policy) if self.is_planned else None,
            save_progress=record,
            is_careful=is_careful,
            on_retry=self._count_retry,
            checkpoint=self.checkpoint,
        ):
            self.run.deleted, self.run.receipt = deleted, receipt
            in_use += batch.in_use
            self.gone(policy, batch.keys)
            self.checkpoint()
            if self.is_out_of_time():
                break
        return in_use

    def _count_retry(self) -> None:
        """In memory; it is written with what the run writes next."""
        self.run.retried = (self.run.retried or 0) + 1

    def _archiver(self, policy: Policy) -> Archiver | None:
        if policy.is_upkeep or not conf.UNDO_DAYS:
            return None
        newest = self.run.archives.aggregate(batch=Max("batch"), count=Count("pk"))
        last = newest["batch"] or newest["count"]  # what version 1.0 has begun is numbered by its undo
        return Archiver(self.run, policy, self._archives_expire_at, last)

    @property
    def _archives_expire_at(self) -> datetime:
        """One window for all that the run removes, however many attempts that takes."""
        assert self.run.started_at is not None
        window = timedelta(days=conf.UNDO_DAYS)
        return self.run.archives_expire_at or self.run.started_at + window

    # --- Mailing --------------------------------------------------------------------------------

    def mail(self, name: str, people: QuerySet[Any], send: Callable[[Any], None]) -> Mailed:
        """Mail each of ``people``, stopped between two, each counted once whoever finishes the run."""

        def record() -> None:
            self._write(deleted={**self.run.deleted, name: self.run.deleted.get(name, 0) + 1})

        self._write(total=self.run.done + people.count())
        mailed = mail_each(name, people, send, checkpoint=self.checkpoint, record=record)
        return replace(mailed, sent=self.run.deleted.get(name, 0))

    def count_mails(self, name: str, people: QuerySet[Any], send: Callable[[Any], None]) -> Mailed:
        """Count what :meth:`mail` would send."""
        self._write(deleted={**self.run.deleted, name: people.count()})
        return Mailed(sent=self.run.deleted[name])

    # --- The receipt ----------------------------------------------------------------------------

    def _counted(self, policy: Policy, rows: int) -> dict[str, int]:
        """The run's counts once the batch at hand is committed."""
        return {**self.run.deleted, policy.name: self.run.deleted.get(policy.name, 0) + rows}

    def _noted(self, policy: Policy, batch: Batch) -> dict[str, Any]:
        """The receipt once the batch at hand is committed."""
        before = self.run.receipt.get(policy.name) or {
            "model": policy.model._meta.label,
            **self.run.cutoffs[policy.name],
            "declared_retention_days": in_days(policy.retention),
            "rows": {},
        }
        rows = dict(Counter(before["rows"]) + batch.rows)
        return {**self.run.receipt, policy.name: {**before, "rows": rows, "digest": batch.digest}}

    def _note(self, policy: Policy, **facts: Any) -> None:
        self._cutoff(policy)
        digest = self.run.receipt.get(policy.name, {}).get("digest", "")
        receipt = self._noted(policy, Batch(digest=digest))
        receipt[policy.name] |= {name: fact for name, fact in facts.items() if fact is not None}
        self._write(receipt=receipt)

    def _write(self, **fields: Any) -> None:
        """Set fields on the run's row. Raises ClaimLost."""

        def write() -> int:
            return own(self.run).update(**fields, retried=self.run.retried)

        with guard.bookkeeping():
            is_ours = transient.transact(write, on_retry=self._count_retry)
        if not is_ours:
            raise ClaimLost
        for name, value in fields.items():
            setattr(self.run, name, value)

    # --- Putting back ---------------------------------------------------------------------------

    def put_back(self, purged: Run) -> Mapping[str, Any]:
        """Undo ``purged``, batch by batch, and only while the claim holds."""
        assert self.run.as_of is not None
        if self.run.result:  # an attempt before this one did it, and was lost before it could say so
            return dict(self.run.result)
        waiting = Run.objects.filter(pk=purged.pk, status__in=(Run.Status.QUEUED, Run.Status.HELD))
        undone = f"Run {self.run.pk} undoes it."
        if purged.is_active and not endings.end(purged, Run.Status.CANCELLED, rows=waiting, error=undone):
            raise ConsumerStopping  # its worker ends its batch first; this run waits meanwhile
        self._write(total=self.run.total or purged.archives.aggregate(rows=Sum("rows"))["rows"] or 0)
        undo = restore.Undo(
            purged,
            self.run,
            held_until=self.run.as_of + HELD_AFTER_UNDO,
            save_progress=self._record_back,
            checkpoint=self.checkpoint,
            on_retry=self._count_retry,
            batch_size=self.batch_size,
        )
        undo.check()
        for done in undo.batches():
            self.run.undo_state, self.run.deleted = self._state(done), self._back(done)
            self.checkpoint()
        state = self.run.undo_state or {}
        not_restored = {**state.get("left", {}), **undo.passed_over()}
        result = {"restored": dict(state.get("rows", {})), "not_restored": not_restored}
        self._write(result=result)
        return result

    def _record_back(self, done: restore.Restored) -> None:
        """In a batch's transaction, and only while the claim holds: each row is counted once."""
        state, beat = self._state(done), clock.Now() + conf.life()
        written = {"undo_state": state, "deleted": self._back(done), "retried": self.run.retried}
        if not own(self.run).update(**written, lease_until=beat):
            raise ClaimLost
        if done.archives:
            purged = Run.objects.filter(undos=self.run)
            purged.update(archives_kept=F("archives_kept") - done.archives)
        rules.changed()  # what came back is held

    def _state(self, done: restore.Restored) -> dict[str, Any]:
        return {**(self.run.undo_state or {}), **done.as_state()}

    @staticmethod
    def _back(done: restore.Restored) -> dict[str, int]:
        return {"restored": done.rows.total()}
