"""Keep what a purge removes, until it is put back (``restore.py``) or expires.

What it promises:

- What is archived is what is deleted: the same statement reads and deletes on PostgreSQL,
  the same write transaction on SQLite; and it is committed with the delete or not at all.
- Memory is bounded by a batch.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import Model, Sum

from housekeeping.declared.policies import Policy
from housekeeping.engine import packing
from housekeeping.engine.packing import Packed
from housekeeping.models import Archive, Run


@dataclass
class Archiver:
    """Writes what batches of one run removed; its rows expire at ``expires_at``.

    ``batch``: that of the newest archive that the run has. ``position``: within the batch.
    """

    run: Run
    policy: Policy
    expires_at: datetime
    batch: int = 0
    position: int = 0

    def keep(self, model: type[Model], packed: Packed, rows: int, emptied: str = "") -> None:
        payload = packed.payload()
        fields = packing.columns(model)
        if emptied:
            fields = [fields[0], *(one for one in fields if one.column == emptied)]
        self.position += 1
        kept = Archive(
            run=self.run,
            policy=self.policy.name,
            is_own=model is self.policy.model and not emptied,
            model=model._meta.label,
            emptied=emptied,
            schema=[[one.column, one.db_type(connection)] for one in fields],
            vendor=connection.vendor,
            rows=rows,
            expires_at=self.expires_at,
            batch=self.batch,
            position=self.position,
            before=packed.before,
        )
        kept.digest = sealed(kept, packed.digest)
        save(kept, payload)


def save(kept: Archive, payload: bytes) -> None:
    """Insert an archive that holds ``payload``."""
    kept.size = len(payload)
    kept.payload = b"" if connection.vendor == "postgresql" else payload
    kept.save(force_insert=True)
    if connection.vendor == "postgresql":
        packing.fill(kept, payload)


def sealed(kept: Archive, link: str) -> str:
    """The digest of an archive: what it is, and ``link``, the receipt's digest after it.

    That link covers what the archive holds, and the digest ``before`` it, so that the rows are
    hashed once for both.
    """
    facts = [str(kept.run_id), kept.policy, kept.model, bool(kept.is_own), kept.emptied, kept.schema]
    facts += [kept.vendor, kept.rows, kept.batch, kept.part, kept.position, kept.before]
    header = json.dumps(facts, separators=(",", ":")).encode()
    return hashlib.sha256(header + bytes.fromhex(link)).hexdigest()


def digest(before: str, packed: bytes) -> str:
    """A chain of SHA-256: each link covers all that was removed up to it."""
    return hashlib.sha256(bytes.fromhex(before) + packed).hexdigest()


def size() -> int:
    """Bytes that all archives take up."""
    return Archive.objects.aggregate(size=Sum("size"))["size"] or 0
