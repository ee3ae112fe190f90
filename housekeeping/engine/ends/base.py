"""What an end decides, and what a batch of a purge hands to it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from django.db.models import Q

from housekeeping.database import clock
from housekeeping.declared.policies import Policy
from housekeeping.engine.archive import Archiver
from housekeeping.engine.effects.files import Notes
from housekeeping.engine.removal import Batch


@dataclass(frozen=True)
class Work:
    """One batch: its rows are ``batch.keys``, which are locked and due.

    ``due`` returns those of some keys whose rows are due. ``moment``: the time of the run.
    """

    batch: Batch
    archiver: Archiver | None
    due: Callable[[list[Any]], list[Any]]
    moment: datetime


class End(Protocol):
    """What becomes of the expired rows of one policy."""

    def protected(self) -> Q:
        """The rows that other rows protect from it."""

    def above_locked_rows(self, keys: Sequence[Any]) -> set[Any]:
        """Those of ``keys``, whose rows are locked, that it would have to wait for."""

    def below(self, keys: Sequence[Any]) -> Mapping[str, int]:
        """How many rows below each of ``keys`` it takes along; the result has keys as text."""

    def carry_out(self, work: Work) -> None:
        """Do it to the rows of a batch, in its transaction, and count them there."""


def notes_of(policy: Policy, archiver: Archiver | None, only: Collection[str] | None = None) -> Notes | None:
    """Notes the files that its rows name no longer, if the policy asks for it. ``only``: in these fields."""
    if not policy.deletes_files:
        return None
    if archiver is None:
        return Notes(policy.name, clock.roughly(), only=only)
    return Notes(policy.name, archiver.expires_at, archiver.run.pk, only)
