"""Attempts: one attempt at a run, its checks before it deletes, and what it writes to the run.

What it promises:

- It writes to the run only while its claim holds.
- Cutoffs are fixed when the run starts: a second attempt deletes what the first would have
  deleted, even if more rows have expired or a retention was changed meanwhile.
- A purge that looks like a mistake deletes nothing. It leaves a plan for somebody to approve.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce

from housekeeping import conf
from housekeeping.database import chosen, guard, transient, waits
from housekeeping.declared import registry
from housekeeping.declared.mailing import Mailed, mail_each
from housekeeping.declared.policies import Policy, cutoff_for, in_days
from housekeeping.engine import cascade, ends, plans
from housekeeping.engine.due.expiry import range_in_force
from housekeeping.engine.purge import check_database, expired
from housekeeping.exceptions import (
    AmbiguousPolicy,
    BrakeApplied,
    Cancelled,
    ClaimLost,
    ConsumerStopping,
    NotPossible,
)
from housekeeping.journal.logs import RunLog
from housekeeping.models import Run
from housekeeping.runs.work import takeover


def own(run: Run) -> QuerySet[Run]:
    """The run's row while this attempt holds its claim, otherwise no row."""
    return Run.objects.filter(pk=run.pk, attempts=run.attempts, status=Run.Status.RUNNING)


def next_batch() -> dict[str, Any]:
    """What each batch adds to the UPDATE of its run: its number, and the connection that works on it."""
    return {"batches": Coalesce(F("batches"), 0) + 1, "backend_pid": waits.BackendPid()}


@dataclass
class Attempt:
    """A claimed run, and the tools that its task is handed."""

    run: Run
    should_stop: Callable[[], bool]
    watch: Callable[[Run], None]
    gone: Callable[[Policy, list[Any]], None]
    publish: Callable[[Run, Any], None]
    batch_size: int | None
    log: RunLog
    lost: threading.Event = field(default_factory=threading.Event)
    due: dict[Policy, int] = field(default_factory=dict)  # rows when the attempt began
    # The policies that the attempt uses, by name, including those that the task did not declare.
    begun: dict[str, Policy] = field(default_factory=dict)
    taken_over: set[str] = field(default_factory=set)  # databases whose open batches were looked for

    def checkpoint(self) -> None:
        """Between two batches: is the run still ours, and is it still wanted?

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

    def write(self, **fields: Any) -> None:
        """Set fields of the run, on its row and in memory. Raises ClaimLost."""

        def update() -> int:
            return own(self.run).update(**fields, retried=self.run.retried)

        with guard.bookkeeping():
            is_ours = transient.transact(update, on_retry=self.count_retry)
        if not is_ours:
            raise ClaimLost
        for name, value in fields.items():
            setattr(self.run, name, value)

    def count_retry(self) -> None:
        """Count a transaction that was tried again, in memory. The run's next write stores the count."""
        self.run.retried = (self.run.retried or 0) + 1

    # --- Before anything is deleted -------------------------------------------------------------

    def prepare(self, policies: Iterable[Policy]) -> None:
        """Check the task's policies, fix the cutoffs, and count what is due, before anything is deleted.

        Raises AmbiguousPolicy, WrongDatabase, NotMigrated, EndRefused, NotPossible or BrakeApplied.
        """
        if self.is_planned:  # a policy that has begun continues with its cutoff
            not_begun = self.run.plan.keys() - self.run.deleted.keys()
            plans.check_policies({name: self.run.plan[name] for name in not_begun})
        for policy in policies:
            registry.check_policy(policy)
            check_database(policy)
            ends.check(policy)
        self.take_over(policy.database for policy in policies)
        for policy in policies:
            self._check_begun(policy)
        self.run.cutoffs = self._with_cutoffs(policies)
        self.due = {policy: self.rows_due(policy) for policy in policies}
        total = self.run.total or self.run.done + sum(self.due.values())
        self.write(cutoffs=self.run.cutoffs, total=total)
        if not (self.run.dry_run or self.run.approved_by):
            self._brake()

    def take_over(self, databases: Iterable[str]) -> bool:
        """Bring batches that a process has left open in other databases into the bookkeeping.

        Some of them may be of an earlier attempt at this run. Returns whether there were any.
        """
        new = set(databases) - self.taken_over
        self.taken_over |= new
        if self.run.dry_run or not takeover.of(new):
            return False
        self.run.refresh_from_db()
        return True

    def begin(self, policy: Policy) -> None:
        """Check a policy that the task may not have declared. Raises AmbiguousPolicy, NotPossible.

        A task may build the same policy several times, each time for a part of its rows.
        """
        registry.check_policy(policy)
        first = self.begun.setdefault(policy.name, policy)
        if (first.model, first.retention) != (policy.model, policy.retention):
            raise AmbiguousPolicy(policy.name)
        self.take_over([policy.database])
        self._check_begun(policy)
        if self.is_planned and policy.name not in self.run.deleted:
            plans.check_policy(policy, self.run.plan)

    def _check_begun(self, policy: Policy) -> None:
        """Rows that an attempt before a deployment made anonymous must not be deleted by the next one."""
        begun = self.run.receipt.get(policy.name)
        if begun and begun.get("then") != policy.told().get("then"):
            raise NotPossible(
                f"What becomes of the rows of {policy.name!r} has changed since this run began."
                " Start another run for the rows that are left."
            )

    def cutoff(self, policy: Policy) -> datetime:
        if policy.name not in self.run.cutoffs:  # the task did not declare it
            self.write(cutoffs=self._with_cutoffs([policy]))
        return datetime.fromisoformat(self.run.cutoffs[policy.name]["cutoff"])

    def _with_cutoffs(self, policies: Iterable[Policy]) -> dict[str, Any]:
        """The run's cutoffs, completed by those of ``policies`` that have none yet."""
        assert self.run.as_of is not None  # the claim has set it
        cutoffs = {name: self._in_time(facts) for name, facts in self.run.cutoffs.items()}
        for policy in policies:
            if policy.name not in cutoffs:
                retention = policy.retention_in_force()
                cutoff = cutoff_for(retention, self.run.as_of)
                cutoffs[policy.name] = {"cutoff": cutoff.isoformat(), "retention_days": in_days(retention)}
                if policy.retention_by:
                    cutoffs[policy.name]["retention_range"] = range_in_force(policy)
        return cutoffs

    def _in_time(self, facts: dict[str, Any]) -> dict[str, Any]:
        """A cutoff of an earlier attempt or a plan, corrected if the clock was ahead at that time."""
        assert self.run.as_of is not None
        latest = cutoff_for(timedelta(days=facts["retention_days"] or 0), self.run.as_of)
        is_late = datetime.fromisoformat(facts["cutoff"]) > latest + conf.ahead()
        return {**facts, "cutoff": latest.isoformat()} if is_late else facts

    def rows_due(self, policy: Policy) -> int:
        if self.is_planned:
            return int(self.run.plan.get(policy.name, {}).get("rows", 0))
        return expired(policy, cutoff=self.cutoff(policy))

    @property
    def is_planned(self) -> bool:
        """Does the run carry out a plan that somebody has seen and approved?

        A run that was stopped while the brake wrote its plan has a part of a plan and no approval.
        """
        return bool(self.run.plan and self.run.approved_by) and not self.run.dry_run

    def _brake(self) -> None:
        """Raises BrakeApplied, with a plan stored, if so many rows would go that it looks like a mistake."""
        share, least = conf.BRAKE_SHARE, conf.BRAKE_ROWS
        for policy, rows in self.due.items():
            # More rows of a policy may have expired since an earlier attempt. It is checked again
            # unless that attempt has begun to delete by it.
            is_begun = policy.name in self.run.deleted
            if is_begun or policy.is_upkeep or share >= 1 or rows < least or not rows:
                continue
            # Count only as far as needed: a large table is not counted to its end.
            with chosen.on(policy.database):
                there = cascade.rows_of(policy.model).order_by()[: int(rows / share) + 1].count()
            if rows > share * there:
                # Stored together, once all are complete: a part of a plan would look like the whole.
                self.write(plan={each.name: self._plan(each) for each in self.due})
                would = "change" if policy.anonymises else "delete"
                raise BrakeApplied(
                    f"The policy {policy.name!r} would {would} {rows:,} of {there:,} rows,"
                    f" more than {share:.0%} of the table."
                )

    def _plan(self, policy: Policy) -> dict[str, Any]:
        """Write a plan. ``deleted_before``: the rows that this run deleted before it."""
        cutoff = self.cutoff(policy)
        assert self.run.as_of is not None
        retention = self.run.as_of - cutoff if policy.retention is not None else None
        facts = plans.write(self.run, policy, cutoff=cutoff, retention=retention, checkpoint=self.checkpoint)
        return {**facts, "deleted_before": self.run.deleted.get(policy.name, 0)}

    # --- The tools of a task --------------------------------------------------------------------

    def preview(self, policy: Policy) -> int:
        """Count what a purge would delete, and store it as a plan. Raises AmbiguousPolicy."""
        self.begin(policy)
        self.checkpoint()
        facts = self._plan(policy)
        rows = int(facts["rows"])
        plan = {**self.run.plan, policy.name: facts | {"deleted_before": 0}}
        self.write(plan=plan, deleted={**self.run.deleted, policy.name: rows})
        return rows

    def mail(self, name: str, people: QuerySet[Any], send: Callable[[Any], None]) -> Mailed:
        """Mail each of ``people``. It may stop between two mails, and counts each mail once."""

        def count() -> None:
            self.write(deleted={**self.run.deleted, name: self.run.deleted.get(name, 0) + 1})

        self.write(total=self.run.done + people.count())
        mailed = mail_each(name, people, send, checkpoint=self.checkpoint, on_sent=count)
        return replace(mailed, sent=self.run.deleted.get(name, 0))

    def count_mails(self, name: str, people: QuerySet[Any], send: Callable[[Any], None]) -> Mailed:
        """Count what :meth:`mail` would send."""
        self.write(deleted={**self.run.deleted, name: people.count()})
        return Mailed(sent=self.run.deleted[name])
