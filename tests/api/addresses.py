"""The addresses that the tests of the API ask, and what a run is there."""

SCHEDULER = "/api/admin/scheduler"
STATUS = f"{SCHEDULER}/status"
TRIGGER = f"{SCHEDULER}/trigger"
STATISTICS = f"{SCHEDULER}/statistics"
RUNS = f"{SCHEDULER}/runs"
CONSUMERS = f"{SCHEDULER}/consumers"
RUN = [
    "id",
    "task",
    "schedule",
    "cause",
    "status",
    "dry_run",
    "scheduled_for",
    "requested_by",
    "requested_at",
    "started_at",
    "finished_at",
    "attempts",
    "progress",
    "result",
    "error",
    "url",
    "approved_by",
    "undo_of",
    "plan_of",
    "retry_of",
    "plan",
    "receipt",
    "cancel_requested",
    "losses",
    "retried",
    "consumer",
    "worker",
    "claimed_at",
    "batches",
    "took_seconds",
    "retry_number",
    "not_before",
    "unusual",
]


def result_of(run):
    return f"{SCHEDULER}/results/{run.pk}"
