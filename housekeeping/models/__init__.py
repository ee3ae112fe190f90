"""The rows: what is scheduled, what ran, which consumers there are, and what was measured.

A run's row is the source of truth; the queue only carries its id to a worker. Constraints exclude
what must never happen: two runs for one fire time, or one task running twice at the same time.
"""

from housekeeping.models.alerts import Channel, Delivery, Incident
from housekeeping.models.erasures import Erasure
from housekeeping.models.exports import Export, Import
from housekeeping.models.files import FileToDelete
from housekeeping.models.handovers import Handover, Received
from housekeeping.models.kept import Archive, Hold, OpenCall, PlannedRows
from housekeeping.models.logs import LogLine, Tally
from housekeeping.models.runs import Run, RunQuerySet
from housekeeping.models.states import (
    MOST_OFFSET,
    REASON_LENGTH,
    Act,
    Consumer,
    Gauge,
    PolicyState,
    ScheduleState,
    Snapshot,
    TaskState,
)
from housekeeping.models.tables import TableSize
from housekeeping.models.text import in_words, storable

__all__ = [
    "MOST_OFFSET",
    "REASON_LENGTH",
    "Act",
    "Archive",
    "Channel",
    "Consumer",
    "Delivery",
    "Erasure",
    "Export",
    "FileToDelete",
    "Gauge",
    "Handover",
    "Hold",
    "Import",
    "Incident",
    "LogLine",
    "OpenCall",
    "PlannedRows",
    "PolicyState",
    "Received",
    "Run",
    "RunQuerySet",
    "ScheduleState",
    "Snapshot",
    "TableSize",
    "Tally",
    "TaskState",
    "in_words",
    "storable",
]
