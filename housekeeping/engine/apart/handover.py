"""Handovers: what our bookkeeping has to learn of a batch whose rows are in another database.

Such a batch has two transactions, as no commit covers two databases. Guarantees:

- The rows' transaction also stores a handover: all that ours writes about the batch. So the commit of the
  rows decides, and comes first. Ours is complete by then, but for its own commit.
- Until then, ours keeps its locks: on the claim of the run, and against new holds.
- An error before the rows' commit undoes both. A process that dies between the two commits leaves the
  handover, and ``takeover.py`` does what is missing, once.
- A handover goes after its batch is in the bookkeeping. Until that is so, ``Received`` tells that it is.

A batch in the default database has one transaction, and none of this.
"""

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import zstandard
from django.db import DEFAULT_DB_ALIAS, IntegrityError, connections

from housekeeping.database import chosen, clock, transient
from housekeeping.engine import packing, unpacking
from housekeeping.exceptions import NotMigrated
from housekeeping.models import Handover, Received, Run

Facts = dict[str, Any]
Receive = Callable[[Handover, Facts], None]


PURGE, UNDO, ERASURE = "purge", "undo", "erasure"


def store(
    kind: str,
    facts: Facts,
    payloads: Sequence[bytes] = (),
    *,
    run: uuid.UUID | None = None,
    policy: str = "",
) -> uuid.UUID:
    """Store a handover in the chosen database. Call it last in the two transactions of a batch."""
    packed = zstandard.compress(json.dumps(facts, default=str).encode(), packing.LEVEL)
    payload, alias = b"".join(payloads), chosen.alias()
    made = Handover(kind=kind, run=run, policy=policy, facts=packed, payload=payload, made_at=clock.roughly())
    if connections[alias].vendor == "postgresql":
        packing.insert(made, payload)
    else:
        made.save(using=alias, force_insert=True)
    Received.objects.create(id=made.pk, database=alias)
    return made.pk


def forget(pk: uuid.UUID | None) -> None:
    """Delete a handover whose batch is committed in both. Call it first in the transactions of a next batch,
    or outside of any."""
    if pk:
        Handover.objects.using(chosen.alias()).filter(pk=pk).delete()
        Received.objects.filter(pk=pk).delete()


def take_over(alias: str, receivers: Mapping[str, Receive], *, of: uuid.UUID | None = None) -> int:
    """Write what is missing in the bookkeeping, for each handover of these kinds. Returns their number.

    ``of``: only those of this run or erasure.

    Receivers are called within a transaction of ours. Others may do the same at the same time.
    """
    found = Handover.objects.using(alias).filter(kind__in=receivers).order_by("made_at", "pk")
    found = found.filter(run=of) if of else found
    waiting = list(found.values_list("pk", "kind"))
    with chosen.on(alias):
        for pk, kind in waiting:
            try:
                transient.transact(partial(_take_over, pk, receivers[kind]), apart=alias)
            except IntegrityError:
                if not Received.objects.filter(pk=pk).exists():  # otherwise somebody else was faster
                    raise
            forget(pk)
    return len(waiting)


def _take_over(pk: uuid.UUID, receive: Receive) -> None:
    # Locked, it can't be forgotten meanwhile, nor can `Received`, which goes after it. Then the run's row:
    # a batch between its two commits has that, and its `Received` is visible once it lets go of it.
    found = Handover.objects.using(chosen.alias()).select_for_update().filter(pk=pk).first()
    if found is None:
        return
    if found.run:
        Run.objects.select_for_update().filter(pk=found.run).first()
    if not Received.objects.filter(pk=pk).exists():
        Received.objects.create(id=pk, database=chosen.alias())
        receive(found, json.loads(unpacking.unpacked(found.facts)))


def check_table(alias: str) -> None:
    """Raises NotMigrated if another database lacks the table of handovers."""
    if not has_table(alias):
        raise NotMigrated(alias)


def has_table(alias: str) -> bool:
    return alias == DEFAULT_DB_ALIAS or chosen.has_table(Handover, alias)


def prune() -> None:
    """Delete what tells of handovers that are gone, as of a process that died before it did."""
    for alias in list(Received.objects.order_by().values_list("database", flat=True).distinct()):
        if alias not in connections.settings:
            continue
        mine = Received.objects.filter(database=alias)
        # Read these first: a handover that comes after them stays.
        known = list(mine.values_list("pk", flat=True))
        there = set(Handover.objects.using(alias).values_list("pk", flat=True))
        mine.filter(pk__in=[pk for pk in known if pk not in there]).delete()
