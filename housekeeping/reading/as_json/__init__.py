"""Rows as JSON, for the API and for commands. Each kind of object is declared once.

``Run.of(row)`` writes what ``Run`` declares. If an object needs more than its row, there is a function
for it: ``run(row, texts)``. Moments are ISO 8601 in TIME_ZONE with their offset; absent values are null.
"""

from housekeeping.reading.as_json.alerts import Alert, Channel, Incident, Tested, channel
from housekeeping.reading.as_json.erasures import Erasure, ErasurePreview
from housekeeping.reading.as_json.fields import iso
from housekeeping.reading.as_json.figures import (
    Act,
    MeasuredStatistics,
    Overview,
    Snapshot,
    Statistics,
    Tally,
)
from housekeeping.reading.as_json.holds import Hold, HoldsChanged, HoldsEnded, hold
from housekeeping.reading.as_json.policies import ChangedPolicy, Effect, Policy, Preview
from housekeeping.reading.as_json.runs import (
    Ended,
    LogLine,
    Run,
    RunInFull,
    Standing,
    Verified,
    run,
    run_in_full,
    texts,
)
from housekeeping.reading.as_json.schedules import FireTimes, Job, SchedulerStatus, fire_times, schedule
from housekeeping.reading.as_json.settings import Setting
from housekeeping.reading.as_json.tables import PolicyDraft, TableInFull, Tables, table_in_full
from housekeeping.reading.as_json.tasks import Task
from housekeeping.reading.as_json.trends import TaskTrends
from housekeeping.reading.as_json.workers import Consumer, ConsumerList

__all__ = [
    "Act",
    "Alert",
    "ChangedPolicy",
    "Channel",
    "Consumer",
    "ConsumerList",
    "Effect",
    "Ended",
    "Erasure",
    "ErasurePreview",
    "FireTimes",
    "Hold",
    "HoldsChanged",
    "HoldsEnded",
    "Incident",
    "Job",
    "LogLine",
    "MeasuredStatistics",
    "Overview",
    "Policy",
    "PolicyDraft",
    "Preview",
    "Run",
    "RunInFull",
    "SchedulerStatus",
    "Setting",
    "Snapshot",
    "Standing",
    "Statistics",
    "TableInFull",
    "Tables",
    "Tally",
    "Task",
    "TaskTrends",
    "Tested",
    "Verified",
    "channel",
    "fire_times",
    "hold",
    "iso",
    "run",
    "run_in_full",
    "schedule",
    "table_in_full",
    "texts",
]
