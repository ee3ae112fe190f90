"""Rows stay, and get other values in some columns: their policy says ``then=anonymise(…)``.

Guarantees:

- Old and new values are read by the database, and archived in the transaction that changes them.
- A batch changes all of its rows, or none. It fails if a row would still be due afterwards: otherwise
  every run would change it again.
- Nothing else changes: neither rows below, nor columns that the policy does not name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.db import DataError, IntegrityError
from django.db.models import CharField, Exists, FileField, ForeignKey, OuterRef, Q, QuerySet
from django.db.models.functions import Length
from django.db.models.lookups import GreaterThan

from housekeeping.database import discreet
from housekeeping.database.chosen import connection
from housekeeping.declared import ends
from housekeeping.declared.policies import Policy
from housekeeping.engine import cascade, packing, unpacking
from housekeeping.engine.ends import values
from housekeeping.engine.ends.base import Work, notes_of
from housekeeping.exceptions import EndFailed


class Anonymise:
    def __init__(self, policy: Policy, declared: ends.Anonymise) -> None:
        self.policy, self.declared = policy, declared

    def protected(self) -> Q:
        return ends.NONE

    def above_locked_rows(self, keys: Sequence[Any]) -> set[Any]:
        return set()

    def below(self, keys: Sequence[Any]) -> Mapping[str, int]:
        return {}

    def carry_out(self, work: Work) -> None:
        model, batch = self.policy.model, work.batch
        fields = values.columns(self.policy.model, self.declared)
        keys = packing.stored_keys(packing.key_of(model), batch.keys)
        files = [one.name for one in fields if isinstance(one, FileField)]
        if notes := notes_of(self.policy, work.archiver, files):
            batch.files += notes.take(model, packing.key_column(model), keys)
            batch.notes = notes
        before = packing.read(model, fields, keys)
        self._set(work)
        after = packing.read(model, fields, keys)
        rows = [[key, *old, *after[key]] for key, old in before.items()]
        packed = packing.Packed(batch.digest)
        packed.add(
            unpacking.joined([unpacking.row_of(row, connection.vendor) for row in rows], connection.vendor)
        )
        if work.archiver:
            work.archiver.add_changed(model, packed, len(rows), fields)
            batch.archives += 1
        batch.digest = packed.digest
        batch.rows[model._meta.label] += len(rows)

    def _set(self, work: Work) -> None:
        model = self.policy.model
        rows = cascade.rows_of(model).filter(packing.Among("pk", work.batch.keys))
        try:
            rows.update(**self.declared.assigned(model, work.moment))
            values.check_deferred(model)
        except (IntegrityError, DataError) as error:
            raise EndFailed(self.policy.name, discreet.sentence(error)) from error
        for problem, wrong in self._wrong(rows):
            if number := wrong.count():
                raise EndFailed(self.policy.name, problem.format(number))

    def _wrong(self, rows: QuerySet[Any]) -> Iterator[tuple[str, QuerySet[Any]]]:
        """What the rows may not be afterwards, with those that are."""
        text = "{:,} of its rows are not done by their new values: the next run would change them again."
        yield text, self.declared.still_to_do(rows)
        for field in values.columns(self.policy.model, self.declared):
            if isinstance(field, ForeignKey):
                yield (
                    f"in {{:,}} rows, {field.name} refers to a row that is not there.",
                    _dangling(rows, field),
                )
            elif isinstance(field, CharField) and field.max_length:  # SQLite takes texts of any length
                text = f"in {{:,}} rows, {field.name} is longer than its {field.max_length} characters."
                yield text, rows.filter(GreaterThan(Length(field.name), field.max_length))


def _dangling(rows: QuerySet[Any], field: ForeignKey[Any, Any]) -> QuerySet[Any]:
    owner = cascade.rows_of(cascade.Link(field.model, field).owner)
    there = owner.filter(**{field.target_field.attname: OuterRef(field.attname)})
    return rows.filter(~Exists(there), **{f"{field.attname}__isnull": False})
