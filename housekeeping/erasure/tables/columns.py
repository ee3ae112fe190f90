"""What each column of housekeeping's own tables may hold of a person, and what becomes of it.

A test fails for a column of text or JSON that is not declared here.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Model

from housekeeping import models

# Columns with the name of an account as a whole: the pseudonym takes its place.
NAMES: dict[type[Model], tuple[str, ...]] = {
    models.Act: ("who",),
    models.Channel: ("changed_by",),
    models.Erasure: ("requested_by",),
    models.Hold: ("made_by",),
    models.Import: ("requested_by",),
    models.PolicyState: ("changed_by",),
    models.Run: ("requested_by", "approved_by"),
    models.TaskState: ("changed_by", "acknowledged_by"),
}

# Columns with any text: what tells of the person is replaced.
TEXTS: dict[type[Model], tuple[str, ...]] = {
    models.Act: ("origin", "target"),
    models.Consumer: ("host",),
    models.Delivery: ("channel",),
    models.Erasure: ("reason",),
    models.Hold: ("reason",),
    models.Import: ("error",),
    models.Incident: ("target", "text"),
    models.LogLine: ("text",),
    models.Run: ("archive_damage", "error", "idempotency_key", "traceback", "worker"),
    models.TaskState: ("reason", "acknowledged_reason"),
}

# The same for the texts in JSON. Names in these objects may be anything, so they are replaced, too.
JSON: dict[type[Model], tuple[str, ...]] = {models.Run: ("result",)}

# JSON whose names are ours: only the values are replaced.
OUR_JSON: dict[type[Model], tuple[str, ...]] = {
    models.Act: ("details",),
    models.Delivery: ("payload",),
    models.Gauge: ("value",),
    models.Run: ("plan", "undo_state"),
}


@dataclass(frozen=True)
class Elsewhere:
    """Columns that another part of the erasure looks after, or that hold nothing of a person, and why."""

    columns: tuple[str, ...]
    why: str


OTHERS: dict[type[Model], tuple[Elsewhere, ...]] = {
    models.Act: (Elsewhere(("what",), "one of our words"),),
    models.Archive: (
        Elsewhere(("payload",), "rewritten (archives.py)"),
        Elsewhere(
            ("policy", "model", "emptied", "schema", "vendor", "database"), "policies, tables and columns"
        ),
        Elsewhere(("before", "digest"), "digests; those of a rewritten archive are new"),
    ),
    models.Channel: (
        Elsewhere(("address",), "one that is the person's is emptied, and the channel switched off"),
        Elsewhere(("name",), "one that is the person's is replaced (records.py)"),
        Elsewhere(("kind", "kinds", "tasks"), "kinds and tasks"),
    ),
    models.Consumer: (Elsewhere(("worker_type", "version"), "what Huey and the site call them"),),
    models.Delivery: (
        Elsewhere(("address",), "messages to the person are deleted (records.py)"),
        Elsewhere(("transport", "kind", "error", "answer"), "classes and codes"),
    ),
    models.Erasure: (
        Elsewhere(("person", "found", "touched"), "emptied at the end"),
        Elsewhere(
            (
                "state",
                "pseudonym",
                "model",
                "rows",
                "archived",
                "exported",
                "files",
                "changed",
                "certificate",
                "digest",
            ),
            "pseudonyms, tables and numbers",
        ),
    ),
    models.Export: (
        Elsewhere(("manifest", "rows", "files"), "tables, numbers and names of files"),
        Elsewhere(("policy", "model", "storage", "folder", "state", "digest"), "policies, tables and places"),
    ),
    models.Import: (Elsewhere(("storage", "folder", "rows"), "places of exports, tables and numbers"),),
    models.FileToDelete: (
        Elsewhere(("name", "error"), "goes with the file that it names (files.py)"),
        Elsewhere(("field", "policy"), "fields and policies"),
    ),
    models.Gauge: (Elsewhere(("name", "rules"), "names of policies, and marks"),),
    models.Handover: (
        Elsewhere(("facts", "payload"), "brought into the bookkeeping first (work.py)"),
        Elsewhere(("kind", "policy"), "a kind and a policy"),
    ),
    models.Hold: (Elsewhere(("model", "key"), "holds on the person's rows are deleted (records.py)"),),
    models.Incident: (Elsewhere(("kind", "task"), "kinds and tasks"),),
    models.LogLine: (Elsewhere(("level",), "one of logging's words"),),
    models.OpenCall: (
        Elsewhere(("payload",), "keys of deleted rows, for a call of the site's own code that must be made"),
        Elsewhere(("policy",), "a policy"),
    ),
    models.PlannedRows: (
        Elsewhere(("payload",), "keys of the person's rows are removed (records.py)"),
        Elsewhere(("policy",), "a policy"),
    ),
    models.PolicyState: (Elsewhere(("name",), "a policy"),),
    models.Received: (Elsewhere(("database",), "a database"),),
    models.Run: (
        Elsewhere(("task", "schedule", "cause", "status"), "names of tasks and schedules, and our words"),
        Elsewhere(("cutoffs", "deleted", "receipt", "erased"), "policies, tables, moments and numbers"),
    ),
    models.ScheduleState: (
        Elsewhere(("id", "trigger", "computed_from", "local_times"), "schedules, triggers and zones"),
    ),
    models.Snapshot: (Elsewhere(("numbers",), "numbers"),),
    models.TableSize: (Elsewhere(("table", "ages"), "tables, columns and numbers"),),
    models.Tally: (Elsewhere(("task", "status"), "tasks and our words"),),
    models.TaskState: (Elsewhere(("name",), "a task"),),
}


def searched() -> Iterator[type[Model]]:
    """The models with a column of text or JSON in which something is replaced."""
    return iter(dict.fromkeys([*TEXTS, *JSON, *OUR_JSON]))
