"""Purges: delete what a policy has expired, as a part of a run, and write the run's receipt.

What it promises:

- Each batch is counted in its own transaction, and only while the claim holds: every row is
  counted once, also if another worker finishes the run.
- A purge counts again at its end: rows that are left are explained by a limit, or are a failure.
"""

import logging
import time
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Count, F, Max
from django.db.models.functions import Coalesce

from housekeeping import conf
from housekeeping.database import clock
from housekeeping.declared.policies import Policy, in_days
from housekeeping.engine import cascade, exports, plans
from housekeeping.engine.archive import Archiver
from housekeeping.engine.effects import hooks
from housekeeping.engine.purge import expired, held_back, purge_batches
from housekeeping.engine.removal import Batch
from housekeeping.exceptions import ClaimLost, RowsLeft
from housekeeping.models import Run
from housekeeping.runs.work.attempts import Attempt, next_batch, own

logger = logging.getLogger(__name__)

# Rows that were in use when a purge came by are tried again after so many seconds, then left.
PAUSES = (1.0, 4.0)
CHECKED_EACH = 0.5  # seconds, during such a pause

CHANGED = {
    "Deleting %s%s": "Making %s%s anonymous",
    "Successfully deleted %s": "Successfully made %s anonymous",
    " deleted.": " made anonymous.",
}


def purge(attempt: Attempt, policy: Policy) -> int:
    """Delete what the policy has expired, batch by batch. Returns the number of its own rows.

    Raises RowsLeft if rows are still past due at the end and neither the run's time budget nor
    its plan explains them. Raises AmbiguousPolicy, and NotPossible if the plan was made under a
    shorter retention. Raises HookFailed if the policy's ``on_deleted`` does.
    """
    attempt.begin(policy)
    hooks.warn_of_lost(policy)
    hooks.make(policy, run=attempt.run.pk, checkpoint=attempt.checkpoint)  # those of earlier attempts
    return _Purge(attempt, policy).carry_out()


class _Purge:
    """The purge of one policy's rows within an attempt."""

    def __init__(self, attempt: Attempt, policy: Policy) -> None:
        self.attempt, self.policy = attempt, policy
        # Rows that the newest pass has deleted. If there were some, what is left became due meanwhile, of a
        # policy that counts newer rows, or whose rows protect each other.
        self.last_pass = 0
        self.frees = not policy.anonymises and cascade.frees(policy.model)

    @property
    def run(self) -> Run:
        return self.attempt.run

    @property
    def cutoff(self) -> datetime:
        return self.attempt.cutoff(self.policy)

    @property
    def deleted(self) -> int:
        """The policy's own rows that the run has deleted so far."""
        return int(self.run.deleted.get(self.policy.name, 0))

    def carry_out(self) -> int:
        due = self.attempt.due.get(self.policy)
        due = self.attempt.rows_due(self.policy) if due is None else due
        logger.info(self._words("Deleting %s%s"), self.policy.in_words(due), self._age_in_words())
        if warning := plans.warning(self.policy, due):
            self._note(warning=warning)
        if self.policy.database != DEFAULT_DB_ALIAS and self.policy.name not in self.run.receipt:
            self._note()  # a batch that is counted after a crash finds its receipt begun
        in_use, left = self._in_passes()
        if in_use:
            logger.warning("%s rows of %s were in use and stay for the next run", in_use, self.policy.name)
        self._note(**self._facts(in_use, left))
        is_stuck = left > in_use and not ((self.policy.counts_newer or self.frees) and self.last_pass)
        if is_stuck and not self.attempt.is_planned and not self._is_out_of_time():
            raise RowsLeft(
                f"{left:,} rows of the policy {self.policy.name!r} are still past due; {self.deleted:,} were"
                + self._words(" deleted.")
            )
        logger.info(self._words("Successfully deleted %s"), self.policy.in_words(self.deleted))
        return self.deleted

    def _words(self, deleted: str) -> str:
        """What is said of rows that are deleted; of rows that stay, what is said instead."""
        return CHANGED[deleted] if self.policy.anonymises else deleted

    def _age_in_words(self) -> str:
        self.attempt.cutoff(self.policy)  # fixes it, if the task did not declare the policy
        days = self.run.cutoffs[self.policy.name]["retention_days"]
        return "" if days is None else f" older than {days} day{'' if days == 1 else 's'}"

    def _in_passes(self) -> tuple[int, int]:
        """Go over what is due until nothing is left, or until what is left stays in use. Returns how
        many rows were in use in the last pass, and how many are left.

        Rows that only this run has freed are left to the next one: no preview has counted them.
        """
        for pause in (*PAUSES, None):
            before = self.deleted
            in_use = self._go_over(is_careful=pause != PAUSES[0])
            left = self._left()
            self.last_pass = self.deleted - before
            is_over = self.frees and not in_use and self.last_pass
            if not left or is_over or pause is None or self._is_out_of_time():
                break
            if in_use:
                self._rest(pause)
        return min(in_use, left), left

    def _rest(self, seconds: float) -> None:
        """Sleep, and keep checking that the run is still wanted."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, CHECKED_EACH))
            self.attempt.checkpoint()

    def _left(self) -> int:
        if not self.attempt.is_planned:
            return expired(self.policy, cutoff=self.cutoff)
        # Of a plan: rows that were spared because they have changed since, or that are still to come.
        # A policy that the task got after the plan was made has no rows in it.
        before = self.run.plan.get(self.policy.name, {}).get("deleted_before", 0)
        return self.attempt.rows_due(self.policy) - int(self.deleted - before)

    def _is_out_of_time(self) -> bool:
        minutes = conf.TIME_BUDGET_MINUTES
        assert self.run.started_at is not None
        return bool(minutes) and clock.roughly() >= self.run.started_at + timedelta(minutes=minutes)

    def _go_over(self, *, is_careful: bool) -> int:
        """Go once over what is due. Returns how many rows were in use."""
        self.attempt.checkpoint()
        in_use = 0
        if self._is_out_of_time():
            return in_use
        self.counted = self.run.deleted, self.run.receipt
        for batch in purge_batches(
            self.policy,
            cutoff=self.cutoff,
            batch_size=self.attempt.batch_size,
            archiver=self._archiver(),
            digest=self.run.receipt.get(self.policy.name, {}).get("digest", ""),
            plan=plans.read(self.run, self.policy) if self.attempt.is_planned else None,
            run=self.run.pk,
            save_progress=self._count,
            is_careful=is_careful,
            on_retry=self.attempt.count_retry,
            checkpoint=self.attempt.checkpoint,
            moment=self.run.as_of,
        ):
            self.run.deleted, self.run.receipt = self.counted
            in_use += batch.in_use
            self.attempt.gone(self.policy, batch.keys)
            hooks.make(self.policy, run=self.run.pk, checkpoint=self.attempt.checkpoint)
            self.attempt.checkpoint()
            if self._is_out_of_time():
                break
        return in_use

    def _count(self, batch: Batch) -> None:
        """Count a batch in its own transaction, and store the call of its hook. Raises ClaimLost."""
        deleted = {**self.run.deleted, self.policy.name: self.deleted + len(batch.keys)}
        receipt = self._receipt_with(batch)
        self.counted = deleted, receipt  # what the run gets once the batch is committed
        beat = clock.Now() + conf.life()
        written: dict[str, Any] = {"deleted": deleted, "receipt": receipt, "lease_until": beat}
        written |= {"retried": self.run.retried, **next_batch()}
        if batch.archives:
            written["archives_kept"] = Coalesce(F("archives_kept"), 0) + batch.archives
            written["archives_expire_at"] = self._archives_expire_at
        if not own(self.run).update(**written):
            raise ClaimLost
        hooks.store(self.policy, batch.keys, run=self.run.pk)

    # --- The archive ----------------------------------------------------------------------------

    def _archiver(self) -> Archiver | None:
        if self.policy.is_upkeep or not conf.UNDO_DAYS:
            return None
        newest = self.run.archives.aggregate(batch=Max("batch"), count=Count("pk"))
        last = newest["batch"] or newest["count"]  # batches of version 1.0 are numbered by their undo
        return Archiver(self.run, self.policy.name, self.policy.model, self._archives_expire_at, last)

    @property
    def _archives_expire_at(self) -> datetime:
        """One window for everything that the run removes, however many attempts that takes."""
        assert self.run.started_at is not None
        window = timedelta(days=conf.UNDO_DAYS)
        return self.run.archives_expire_at or self.run.started_at + window

    # --- The receipt ----------------------------------------------------------------------------

    def _facts(self, in_use: int, left: int) -> dict[str, Any]:
        """What the receipt says about the end of the purge."""
        facts = {"left": left, "in_use": in_use, "held_back": held_back(self.policy, cutoff=self.cutoff)}
        if self.attempt.is_planned:
            facts["planned"] = self.attempt.rows_due(self.policy)
        if self.policy.exports:
            facts["exports"] = exports.summary(self.run.pk, self.policy)
        if left and self._is_out_of_time():
            facts["stopped"] = (
                f"The run's time budget of {conf.TIME_BUDGET_MINUTES} min is over;"
                f" {left:,} rows are left for the next run."
            )
        return facts

    def _receipt_with(self, batch: Batch) -> dict[str, Any]:
        """The receipt once this batch is committed."""
        before = self.run.receipt.get(self.policy.name) or {
            "model": self.policy.model._meta.label,
            **self.run.cutoffs[self.policy.name],
            "declared_retention_days": in_days(self.policy.retention),
            **self.policy.told(),
            "rows": {},
        }
        rows = dict(Counter(before["rows"]) + batch.rows)
        after = {**before, "rows": rows, "digest": batch.digest}
        if self.policy.deletes_files:
            after["files"] = before.get("files", 0) + batch.files
        return {**self.run.receipt, self.policy.name: after}

    def _note(self, **facts: Any) -> None:
        """Write facts into the receipt; None leaves one out."""
        self.attempt.cutoff(self.policy)  # fixes it, if the task did not declare the policy
        digest = self.run.receipt.get(self.policy.name, {}).get("digest", "")
        receipt = self._receipt_with(Batch(digest=digest))
        receipt[self.policy.name] |= {name: fact for name, fact in facts.items() if fact is not None}
        self.attempt.write(receipt=receipt)
