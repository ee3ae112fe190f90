"""Which constraint refused a run. The caller expects certain conflicts; any other refusal is an error."""

from django.db import IntegrityError

from housekeeping.models import Run

ONE_PER_ID = "housekeeping_run_pkey"  # PostgreSQL's own name for it
ONE_PER_FIRE_TIME = "run_one_per_fire_time"
ONE_PER_KEY = "run_one_per_idempotency_key"
ONE_RUNNING = "run_one_running_per_task"
ONE_WAITING = "run_one_waiting_per_task"


def is_refused_by(error: IntegrityError, *names: str) -> bool:
    """Was a run refused by one of the constraints with these names?

    SQLite reports only the columns of a constraint: it can't tell apart two on the same columns.
    """
    diagnostics = getattr(error.__cause__, "diag", None)
    if diagnostics:
        return diagnostics.constraint_name in names
    return str(error) in {f"UNIQUE constraint failed: {_columns(name)}" for name in names}


def _columns(name: str) -> str:
    fields = {one.name: getattr(one, "fields", ()) for one in Run._meta.constraints} | {ONE_PER_ID: ("id",)}
    return ", ".join(f"{Run._meta.db_table}.{field}" for field in fields[name])
