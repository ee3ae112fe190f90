"""Hold the rows that an undo has put back."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Model

from housekeeping.database import chosen, clock
from housekeeping.database.chosen import connection
from housekeeping.engine import cascade, packing
from housekeeping.engine.packing import quoted
from housekeeping.models import Archive, Hold, Run


def hold(model: type[Model], archived: Archive, keys: Sequence[Any], *, undo: Run, until: datetime) -> None:
    """Hold these rows, by one statement: as model instances, holds took longer than the rows.

    ``keys``: as the database of the rows stores them, or as text.
    """
    written = [cascade.written_key(model, key) for key in keys]
    made = Hold(
        model=archived.model,
        until=until,
        reason=f"Put back by the undo of run {archived.run_id}",
        made_by=undo.requested_by,
        made_at=clock.roughly(),
        undo=undo,
    )
    fields = [each for each in Hold._meta.concrete_fields if each.name not in ("id", "key")]
    with chosen.on(DEFAULT_DB_ALIAS), connection.cursor() as cursor:
        values = [each.get_db_prep_save(getattr(made, each.attname), connection) for each in fields]
        each_key, texts = packing.table_of(written)
        cursor.execute(
            f"INSERT INTO {packing.table(Hold)} ({packing.names(fields)}, {quoted('key')})"
            f" SELECT {', '.join(['%s'] * len(values))}, keys.* FROM {each_key} AS keys",
            [*values, texts],
        )
