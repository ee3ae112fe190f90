"""The usual end: rows are deleted, together with all rows below them."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Q

from housekeeping.declared.policies import Policy
from housekeeping.engine import cascade, locks
from housekeeping.engine.effects.receivers import Told
from housekeeping.engine.ends.base import Work, notes_of
from housekeeping.engine.removal import Removal


class Delete:
    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    def protected(self) -> Q:
        return cascade.protected(self.policy.model)

    def above_locked_rows(self, keys: Sequence[Any]) -> set[Any]:
        return locks.above_locked_rows(self.policy.model, keys)

    def below(self, keys: Sequence[Any]) -> Mapping[str, int]:
        return cascade.weights(self.policy.model, keys)

    def carry_out(self, work: Work) -> None:
        batch = work.batch
        removal = Removal(batch, work.archiver, notes_of(self.policy, work.archiver))
        mine = set(batch.keys)
        # In a circle, rows that are due may be below other rows that are due. They count as the policy's.
        below = [key for key in removal.reach(self.policy.model, batch.keys) if key not in mine]
        told = Told(self.policy, batch.keys, removal.closure) if self.policy.send_signals else None
        batch.keys += work.due(below) if below else []
        if told:
            told.before()
        removal.remove()
        if told:
            told.after()
