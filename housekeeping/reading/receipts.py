"""Receipts: what a run deleted, by which policy, and who caused it. Evidence for data protection."""

import csv
import io
from typing import Any

from housekeeping.models import Act, Run

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
)


def document(run: Run) -> dict[str, Any]:
    """The whole receipt, as an object for JSON. ``policies`` is empty if the run purged nothing."""
    return {
        "run": str(run.pk),
        "task": run.task,
        "status": run.status,
        "cause": run.cause,
        "schedule": run.schedule or None,
        "scheduled_for": _iso(run.scheduled_for),
        "requested_by": run.requested_by or None,
        "requested_at": _iso(run.requested_at),
        "approved_by": run.approved_by or None,
        "plan_of": str(run.plan_of_id) if run.plan_of_id else None,
        "started_at": _iso(run.started_at),
        "finished_at": _iso(run.finished_at),
        "attempts": run.attempts,
        "policies": [{"policy": name, **facts} for name, facts in run.receipt.items()],
        "undone_by": [str(undo.pk) for undo in run.undos.filter(status=Run.Status.SUCCEEDED)],
        "acts": [
            {"who": act.who, "what": act.what, "done_at": _iso(act.done_at), "origin": act.origin}
            for act in Act.objects.filter(target=str(run.pk)).order_by("done_at")
        ],
    }


def as_csv(run: Run) -> str:
    """One line for each table that rows were deleted from, with the facts of its policy and run."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, extrasaction="ignore")
    writer.writeheader()
    facts = document(run)
    for policy in facts["policies"]:
        for table, rows in policy["rows"].items():
            line = {**facts, **policy, "table": table, "rows_deleted": rows, "sha256": policy.get("digest")}
            writer.writerow({name: _harmless(line.get(name)) for name in COLUMNS})
    return stream.getvalue()


def _harmless(value: object) -> object:
    """Quote text that a spreadsheet would run as a formula: a user may have chosen such a name."""
    return (
        f"'{value}"
        if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r", "\0"))
        else value
    )


def _iso(moment: Any) -> str | None:
    return moment.isoformat() if moment else None
