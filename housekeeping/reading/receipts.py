"""Receipts: what a run deleted, by which policy, and who caused it. Evidence for data protection."""

import csv
import io
from datetime import datetime
from typing import Any

from housekeeping.engine import archive
from housekeeping.models import Act, Run
from housekeeping.reading.as_json.fields import AnyObject, Id, Many, Moment, Object, Text, Whole, Write

COLUMNS = (
    "run",
    "task",
    "status",
    "cause",
    "requested_by",
    "approved_by",
    "started_at",
    "finished_at",
    "policy",
    "cutoff",
    "retention_days",
    "table",
    "rows_deleted",
    "sha256",
    "rows_erased",
    "then",
    "rows_read",
)


class InUTC(Moment):
    """A moment in UTC, so that a receipt reads the same if TIME_ZONE changes later."""

    write: Write = staticmethod(datetime.isoformat)


class ReceiptAct(Object[Act]):
    """What a person did with the run."""

    who = Text()
    what = Text()
    done_at = InUTC()
    origin = Text()


class Receipt(Object[Run]):
    """What a run deleted, by which policy, and who caused it."""

    run = Id("id")
    task = Text()
    status = Text()
    cause = Text()
    schedule = Text(nullable=True)
    scheduled_for = InUTC(nullable=True)
    requested_by = Text(nullable=True)
    requested_at = InUTC()
    approved_by = Text(nullable=True)
    plan_of = Id("plan_of_id", nullable=True)
    started_at = InUTC(nullable=True)
    finished_at = InUTC(nullable=True)
    attempts = Whole()
    policies = Many(
        AnyObject(), lambda run: [{"policy": name, **facts} for name, facts in archive.receipt(run).items()]
    )
    undone_by = Many(Id(), lambda run: [undo.pk for undo in run.undos.filter(status=Run.Status.SUCCEEDED)])
    acts = Many(ReceiptAct, lambda run: Act.objects.filter(target=str(run.pk)).order_by("done_at"))


def document(run: Run) -> dict[str, Any]:
    """The whole receipt, as an object for JSON. ``policies`` is empty if the run purged nothing."""
    return Receipt.of(run)


def as_csv(run: Run) -> str:
    """One line for each table that rows were deleted from, with the facts of its policy and run.

    ``then`` is ``anonymise`` if the rows were made anonymous instead; they are counted in the same column.
    It is ``import`` if they were read from exports.
    """
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, extrasaction="ignore")
    writer.writeheader()
    facts = document(run)
    for policy in facts["policies"]:
        for table, rows in policy["rows"].items():
            is_read = policy.get("then") == "import"
            line = {**facts, **policy, "table": table, "sha256": policy.get("digest")}
            line |= {"rows_deleted": 0 if is_read else rows, "rows_read": rows if is_read else 0}
            line["rows_erased"] = policy.get("erased", {}).get(table, 0)
            writer.writerow({name: _harmless(line.get(name)) for name in COLUMNS})
    return stream.getvalue()


def _harmless(value: object) -> object:
    """Quote text that a spreadsheet would run as a formula: a user may have chosen such a name."""
    return (
        f"'{value}"
        if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r", "\0"))
        else value
    )
