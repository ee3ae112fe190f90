"""The handover of a batch that an undo puts back into another database: what becomes of its archives."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime

from django.db.models import F
from django.db.models.functions import Coalesce

from housekeeping.database import chosen
from housekeeping.declared import rules
from housekeeping.engine.apart import handover
from housekeeping.engine.apart.handover import Facts
from housekeeping.engine.restore.contents import Contents
from housekeeping.engine.restore.holding import hold
from housekeeping.engine.restore.insertion import Insertion
from housekeeping.engine.restore.progress import Restored
from housekeeping.models import Archive, Handover, Run


def hand_over(
    insertions: Iterable[Insertion], more: Restored, *, undo: Run, held_until: datetime
) -> uuid.UUID:
    """Store the handover in the chosen database. Call it last in the batch's transactions.

    ``more``: what these transactions have put back.
    """
    changed = [one for one in insertions if one.held or one.stayed is not None]
    back = [[one.archived.pk, one.stayed, one.held] for one in changed]
    facts = {**more.as_state(), "archives": back, "gone": more.archives, "held_until": held_until.isoformat()}
    return handover.store(handover.UNDO, facts, run=undo.pk)


def receive(handed: Handover, facts: Facts) -> None:
    """Write what the batch would have written. Call it in a transaction that has locked the undo's row."""
    undo = Run.objects.filter(pk=handed.run).first() if handed.run else None
    if undo is None:
        return
    until = datetime.fromisoformat(facts["held_until"])
    for pk, stayed, held in facts["archives"]:
        for archived in Archive.objects.select_for_update().filter(pk=pk):
            with chosen.on(archived.alias):
                contents = Contents(archived)
                _hold(contents, stayed, held, undo, until)
                _settle(contents, stayed)
    state = Restored.from_state(undo.undo_state or {}) + Restored.from_state(facts)
    Run.objects.filter(pk=undo.pk).update(
        undo_state={**(undo.undo_state or {}), **state.as_state()},
        deleted={"restored": state.rows.total()},
        batches=Coalesce(F("batches"), 0) + 1,
    )
    if facts["gone"]:
        purged = Run.objects.filter(undos=undo)
        purged.update(archives_kept=F("archives_kept") - facts["gone"])
    rules.changed()


def _hold(
    contents: Contents, stayed: list[str] | None, held: list[str] | None, undo: Run, until: datetime
) -> None:
    archived = contents.archived
    if held is None and stayed is not None and archived.is_own:
        held = [key for key in contents.row_keys() if key not in {*stayed}]
    if held:
        hold(contents.model, archived, held, undo=undo, until=until)


def _settle(contents: Contents, stayed: list[str] | None) -> None:
    """Leave the rows that ``stayed`` in the archive; None: it stays as it is."""
    if stayed:
        contents.reduce_to([row for key, row in contents.rows() if key in {*stayed}])
    elif stayed is not None:
        contents.archived.delete()
