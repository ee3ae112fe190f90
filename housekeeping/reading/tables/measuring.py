"""Measuring the tables: by a consumer once an hour, or by who runs ``housekeeping_tables --measure``.

A consumer looks every few seconds whether it is time. If measuring takes long, it happens less often: it may
take a tenth of the time (gauges.DUTY). Several consumers measure as often as one. When it was done, how long
it took and what could not be measured is saved in the table of gauges.
"""

import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import DEFAULT_DB_ALIAS, DatabaseError, InterfaceError, connections
from django.db.models import Model, Q

from housekeeping import conf
from housekeeping.database import chosen, discreet, sizes
from housekeeping.database.sizes import Ages, Size, Space, TooSlow
from housekeeping.database.transactions import writing
from housekeeping.declared import databases
from housekeeping.exceptions import is_database_gone
from housekeeping.journal import tallies
from housekeeping.models import Gauge, TableSize
from housekeeping.reading.gauges import DUTY
from housekeeping.reading.tables import known

GAUGE = "tables"
EACH = timedelta(hours=1)
LONGEST_NAME = TableSize._meta.get_field("table").max_length or 0
FIGURES = [
    "measured_at", "rows", "is_estimate", "bytes", "are_bytes_estimated", "index_bytes", "toast_bytes",
    "dead_rows", "bloat_bytes", "ages",
]  # fmt: skip


def refresh(now: datetime) -> None:
    """Measure all tables if it is time. For a consumer, every few seconds."""
    last = Gauge.objects.filter(name=GAUGE).first()
    if last is None or (_is_due(last, now) and _claim(last, now)):
        measure(now)


def measure(now: datetime) -> Gauge:
    """Measure all tables of all databases now.

    A table that can't be measured keeps its last size, and is named. So do the tables of another database
    than ours, as long as it can't be reached.
    """
    began = time.monotonic()
    models, rows = known.models_by_table(), []
    failed: dict[str, str] = {}
    spaces: dict[str, Any] = {}
    for database in databases.written():
        if connections[database].vendor not in sizes.VENDORS:
            continue
        try:
            with chosen.on(database):
                measured, problems, space = _measured(database, models, now)
        except (DatabaseError, InterfaceError) as error:
            if database == DEFAULT_DB_ALIAS:
                raise
            spaces[database] = {"error": discreet.sentence(error)}
        else:
            rows += measured
            failed |= problems
            spaces[database] = {"bytes": space.bytes, "free_bytes": space.free_bytes}
    value = spaces.pop(DEFAULT_DB_ALIAS) | {"failed": failed, "databases": spaces}
    took_ms = round((time.monotonic() - began) * 1000)
    gauge = Gauge(name=GAUGE, value=value, measured_at=now, took_ms=took_ms)
    _save(rows, gauge)
    return gauge


def _measured(
    database: str, models: Mapping[str, type[Model]], now: datetime
) -> tuple[list[TableSize], dict[str, str], Space]:
    """Of the chosen database: the sizes of its tables, why the others have none, and its own size.

    Raises DatabaseError or InterfaceError if it can't be read.
    """
    rows: list[TableSize] = []
    failed: dict[str, str] = {}
    for found in sizes.tables():
        # A model may name the schema of its table even if that is searched anyway.
        qualified = known.name_of(database, found.qualified)
        name = qualified if qualified in models else known.name_of(database, found.name)
        model = models.get(name)
        if model and not known.is_used(model, database):
            continue
        try:
            size = sizes.measure(found, known.ages_of(model) if model else [], now)
        except TooSlow:
            failed[name] = ""
        except DatabaseError as error:
            if is_database_gone(error, of=chosen.connection):
                raise
            failed[name] = discreet.sentence(error)
        else:
            rows.append(_row(name[:LONGEST_NAME], size, now))
    return rows, failed, sizes.space()


def _row(table: str, size: Size, now: datetime) -> TableSize:
    figures = {name: value for name, value in vars(size).items() if name in FIGURES}
    ages = {name: _of_ages(found) for name, found in size.ages.items()}
    return TableSize(table=table, day=tallies.day_of(now), measured_at=now, **figures | {"ages": ages})


def _of_ages(ages: Ages) -> dict[str, Any]:
    return {
        "rows": ages.known,
        "older": {str(days): rows for days, rows in zip(sizes.OLDER_THAN, ages.older, strict=True)},
        "oldest": ages.oldest.isoformat() if ages.oldest else None,
        "newest": ages.newest.isoformat() if ages.newest else None,
        "is_estimate": ages.is_estimate,
    }


def _save(rows: list[TableSize], gauge: Gauge) -> None:
    with writing():
        TableSize.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=["table", "day"], update_fields=FIGURES, batch_size=50
        )
        # Ages are large, and only the newest are shown.
        measured = [row.table for row in rows]
        earlier = TableSize.objects.filter(measured_at__lt=gauge.measured_at, ages__isnull=False)
        earlier.filter(table__in=measured).update(ages=None)
        figures = ["value", "measured_at", "took_ms", "claimed_at"]
        Gauge.objects.bulk_create(
            [gauge], update_conflicts=True, unique_fields=["name"], update_fields=figures
        )


def _is_due(last: Gauge, now: datetime) -> bool:
    """Also if the last measurement is in the future: a wrong clock must not stop measuring."""
    return not now - _rest(last) < last.measured_at <= now + conf.ahead()


def _rest(last: Gauge) -> timedelta:
    return max(EACH, timedelta(milliseconds=last.took_ms / DUTY))


def _claim(last: Gauge, now: datetime) -> int:
    unclaimed = Q(claimed_at=None) | ~Q(claimed_at__range=(now - _rest(last), now + conf.ahead()))
    return Gauge.objects.filter(unclaimed, pk=GAUGE, measured_at=last.measured_at).update(claimed_at=now)
