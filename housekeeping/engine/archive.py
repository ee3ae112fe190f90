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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import django.db
import zstandard
from django.db import DEFAULT_DB_ALIAS
from django.db.models import Field, Model, Sum

from housekeeping import conf
from housekeeping.database import chosen, stored
from housekeeping.database.chosen import connection
from housekeeping.engine import packing, unpacking
from housekeeping.models import Archive, Run

NOTHING = "00" * 32  # the chain of digests before the first archive
FALLBACK = "="  # in a schema, the name of what is no column: what an emptied or a changed one got
LONGEST_NAMES = 100  # of the changed columns, as a text; the schema has all of them


@dataclass
class Archiver:
    """Archives what the batches of a run remove; the archives expire at ``expires_at``.

    ``batch``: the newest batch that the run has archives of. ``position``: the newest within the batch.
    ``made``: those of the batch with their payloads, if its rows are in another database.
    """

    run: Run
    policy: str
    model: type[Model]  # the policy's
    expires_at: datetime
    batch: int = 0
    position: int = 0
    made: list[tuple[Archive, bytes]] = field(default_factory=list)

    def begin(self, batch: int) -> None:
        """Begin a batch, or try it again: a try that was rolled back has left no archives."""
        self.batch, self.position = batch, 0
        self.made.clear()

    def add(
        self, model: type[Model], packed: packing.Packed, rows: int, emptied: str = "", fallback: Any = None
    ) -> None:
        """``fallback``: what the emptied column was set to, as the database stores it."""
        fields = packing.columns(model)
        if emptied:
            fields = [fields[0], *(field for field in fields if field.column == emptied)]
        schema = _typed(fields)
        schema = schema if fallback is None else [*schema, [FALLBACK, str(fallback)]]
        self._add(model, packed, rows, schema, emptied, is_own=model is self.model and not emptied)

    def add_changed(
        self, model: type[Model], packed: packing.Packed, rows: int, fields: Sequence[Field[Any, Any]]
    ) -> None:
        """Archive what the policy's own rows had in ``fields``, after their key, and then what they got."""
        names = [str(field.column) for field in fields]
        schema = [*_typed([packing.key_of(model), *fields]), *([FALLBACK, name] for name in names)]
        self._add(model, packed, rows, schema, ", ".join(names)[:LONGEST_NAMES], is_own=True)

    def add_columns(
        self,
        model: type[Model],
        packed: packing.Packed,
        rows: int,
        fields: Sequence[Field[Any, Any]],
        *,
        is_own: bool,
    ) -> None:
        """Archive whole rows that had only these columns, the key first."""
        self._add(model, packed, rows, _typed(fields), "", is_own=is_own)

    def _add(
        self,
        model: type[Model],
        packed: packing.Packed,
        rows: int,
        schema: list[list[Any]],
        emptied: str,
        *,
        is_own: bool,
    ) -> None:
        payload = packed.payload()
        self.position += 1
        archived = Archive(
            run=self.run,
            policy=self.policy,
            is_own=is_own,
            model=model._meta.label,
            emptied=emptied,
            schema=schema,
            vendor=connection.vendor,
            rows=rows,
            expires_at=self.expires_at,
            batch=self.batch,
            position=self.position,
            before=packed.before,
            database=chosen.alias() if chosen.is_apart() else None,
        )
        archived.digest = sealed(archived, packed.digest)
        save(archived, payload)
        if chosen.is_apart():
            self.made.append((archived, payload))


def _typed(fields: Iterable[Field[Any, Any]]) -> list[list[Any]]:
    return [[field.column, field.db_type(connection)] for field in fields]


def columns(archived: Archive) -> list[str]:
    """The names of the archived columns, the key first."""
    return [name for name, _ in archived.schema if not (archived.emptied and name == FALLBACK)]


def fallback(archived: Archive) -> str | None:
    """The key, as text, that an emptied column was set to; None for NULL."""
    return str(archived.schema[2][1]) if archived.emptied and len(archived.schema) > 2 else None


def save(archived: Archive, payload: bytes) -> None:
    """Insert an archive with its payload."""
    archived.size = len(payload)
    if django.db.connection.vendor == "postgresql":
        with chosen.on(DEFAULT_DB_ALIAS):
            packing.insert(archived, payload)
    else:
        archived.payload = payload
        archived.save(force_insert=True)


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
        *([archived.database] if archived.database else []),
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
