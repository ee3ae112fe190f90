"""A purge's batch in a handover: what of it goes into the bookkeeping."""

from __future__ import annotations

import logging
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db.models import F
from django.db.models.functions import Coalesce

from housekeeping.declared.policies import Policy
from housekeeping.engine import archive
from housekeeping.engine.apart import handover
from housekeeping.engine.apart.handover import Facts
from housekeeping.engine.archive import Archiver
from housekeeping.engine.effects import hooks
from housekeeping.engine.removal import Batch
from housekeeping.models import Archive, FileToDelete, Handover, Run

logger = logging.getLogger(__name__)

# What an archive is made from, apart from its payload.
OF_ARCHIVE = [
    *("policy", "is_own", "model", "emptied", "schema", "vendor", "rows", "size"),
    *("batch", "position", "before", "digest", "database"),
]


def hand_over(policy: Policy, batch: Batch, *, run: uuid.UUID | None, archiver: Archiver | None) -> uuid.UUID:
    """Store the handover of a batch in the chosen database. Call it last in the batch's transactions."""
    made, notes = archiver.made if archiver else [], batch.notes
    facts: Facts = {
        "keys": len(batch.keys),
        "rows": batch.rows,
        "before": made[0][0].before if made else None,
        "digest": batch.digest,
        "archives": [{name: getattr(one, name) for name in OF_ARCHIVE} for one, _ in made],
        "expire_at": archiver.expires_at.isoformat() if archiver else None,
        "files": [[one.field, one.name] for one in notes.made] if notes else [],
        "files_due_at": notes.due_at.isoformat() if notes else None,
        "called_with": batch.keys if policy.on_deleted else [],
    }
    payloads = [payload for _, payload in made]
    return handover.store(handover.PURGE, facts, payloads, run=run, policy=policy.name)


def receive(handed: Handover, facts: Facts) -> None:
    """Write what a batch would have written. Call it in a transaction that has locked the run's row."""
    run = Run.objects.filter(pk=handed.run).first() if handed.run else None
    for archived, payload in _archives(handed, facts):
        if run is None:
            logger.error("%s can't be undone any more: its run %s is gone", archived, handed.run)
        else:
            archived.run = run
            archive.save(archived, payload)
    if facts["files"]:
        due_at = datetime.fromisoformat(facts["files_due_at"])
        same = {"policy": handed.policy, "due_at": due_at, "run_id": handed.run}
        notes = [FileToDelete(field=field, name=name, **same) for field, name in facts["files"]]
        FileToDelete.objects.bulk_create(notes, batch_size=500)
    if facts["called_with"]:
        hooks.store_for(handed.policy, facts["called_with"], handed.run)
    if run:
        _count(run, handed.policy, facts)


def _archives(handed: Handover, facts: Facts) -> Iterator[tuple[Archive, bytes]]:
    payload, start = memoryview(handed.payload), 0
    for described in facts["archives"]:
        end = start + described["size"]
        expires_at = datetime.fromisoformat(facts["expire_at"])
        yield Archive(**described, expires_at=expires_at), bytes(payload[start:end])
        start = end


def _count(run: Run, policy: str, facts: Facts) -> None:
    receipt = {"rows": {}, **run.receipt.get(policy, {})}
    is_next = facts["before"] in (None, receipt.get("digest", archive.NOTHING))
    receipt["rows"] = dict(Counter(receipt["rows"]) + Counter(facts["rows"]))
    if is_next:
        receipt["digest"] = facts["digest"]
    if facts["files_due_at"]:
        receipt["files"] = receipt.get("files", 0) + len(facts["files"])
    written: dict[str, Any] = {
        "deleted": {**run.deleted, policy: run.deleted.get(policy, 0) + facts["keys"]},
        "receipt": {**run.receipt, policy: receipt},
        "batches": Coalesce(F("batches"), 0) + 1,
    }
    if facts["archives"]:
        written["archives_kept"] = Coalesce(F("archives_kept"), 0) + len(facts["archives"])
        written["archives_expire_at"] = datetime.fromisoformat(facts["expire_at"])
    Run.objects.filter(pk=run.pk).update(**written)
