"""Archives: the copy of what a purge removes, until it is put back (``restore/``) or expires.

Guarantees:

- What is archived is exactly what is deleted: the same statement reads and deletes on PostgreSQL, the
  same write transaction on SQLite. Archive and deletion are committed together or not at all.
- Memory is bounded by a batch.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import zstandard
from django.db import connection
from django.db.models import Model, Sum

from housekeeping import conf
from housekeeping.database import stored
from housekeeping.declared.policies import Policy
from housekeeping.engine import packing, unpacking
from housekeeping.models import Archive, Run

NOTHING = "00" * 32  # the chain of digests before the first archive


@dataclass
class Archiver:
    """Archives what the batches of a run remove; the archives expire at ``expires_at``.

    ``batch``: the newest batch that the run has archives of. ``position``: the newest within the batch.
    """

    run: Run
    policy: Policy
    expires_at: datetime
    batch: int = 0
    position: int = 0

    def add(self, model: type[Model], packed: packing.Packed, rows: int, emptied: str = "") -> None:
        payload = packed.payload()
        fields = packing.columns(model)
        if emptied:
            fields = [fields[0], *(field for field in fields if field.column == emptied)]
        self.position += 1
        archived = Archive(
            run=self.run,
            policy=self.policy.name,
            is_own=model is self.policy.model and not emptied,
            model=model._meta.label,
            emptied=emptied,
            schema=[[field.column, field.db_type(connection)] for field in fields],
            vendor=connection.vendor,
            rows=rows,
            expires_at=self.expires_at,
            batch=self.batch,
            position=self.position,
            before=packed.before,
        )
        archived.digest = sealed(archived, packed.digest)
        save(archived, payload)


def save(archived: Archive, payload: bytes) -> None:
    """Insert an archive with its payload."""
    archived.size = len(payload)
    archived.payload = b"" if connection.vendor == "postgresql" else payload
    archived.save(force_insert=True)
    if connection.vendor == "postgresql":
        packing.fill(archived, payload)


def sealed(archived: Archive, after: str) -> str:
    """The digest of an archive: it covers its columns, and ``after``, the receipt's digest after it.

    ``after`` covers the archived rows and the digest ``before`` them, so the rows are hashed only once.
    """
    facts = [
        str(archived.run_id),
        archived.policy,
        archived.model,
        bool(archived.is_own),
        archived.emptied,
        archived.schema,
        archived.vendor,
        archived.rows,
        archived.batch,
        archived.part,
        archived.position,
        archived.before,
    ]
    header = json.dumps(facts, separators=(",", ":")).encode()
    return hashlib.sha256(header + bytes.fromhex(after)).hexdigest()


def digest(before: str, packed: bytes) -> str:
    """The next link of a chain of SHA-256 digests; each covers everything that was removed so far."""
    return hashlib.sha256(bytes.fromhex(before) + packed).hexdigest()


def replace(archived: Archive, rows: list[Any], *, is_vouched: bool = True) -> None:
    """Let the archive hold these of its rows, in its place. Call it in a transaction that has locked it.

    It no longer is a link of the receipt's chain: that covers the rows that were packed first. One that
    nothing vouches for, of version 1.0, gets no digest.
    """
    packed = unpacking.joined(rows, archived.vendor)
    archived.rows, archived.before = len(rows), NOTHING
    archived.digest = sealed(archived, digest(NOTHING, packed)) if is_vouched else None
    Archive.objects.filter(pk=archived.pk).delete()
    save(archived, zstandard.compress(packed, packing.LEVEL))


def erased(run: Run, policy: str) -> Counter[str]:
    """The rows by table that were erased from the archives of a policy, with a person."""
    return Counter(stored.counts((run.erased or {}).get(policy)))


def receipt(run: Run) -> dict[str, Any]:
    """The run's receipt, with the rows that were erased since: the chain of its digests can't be checked
    any more.
    """
    counts = {policy: erased(run, policy) for policy in run.receipt}
    return {
        policy: {**facts, **({"erased": dict(counts[policy])} if counts[policy] else {})}
        for policy, facts in run.receipt.items()
    }


def exceeds_budget(size: int) -> bool:
    """Do archives of so many bytes exceed their budget?"""
    return size > int(conf.ARCHIVE_BUDGET_MB) * 1_000_000


def size() -> int:
    """How many bytes all archives take up."""
    return Archive.objects.aggregate(size=Sum("size"))["size"] or 0
