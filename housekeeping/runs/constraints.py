"""Which constraint refused a row. Only one that was reckoned with is a conflict; any other is a fault."""

from django.db import IntegrityError

from housekeeping.models import Run

ONE_PER_ID = "housekeeping_run_pkey"  # PostgreSQL's own name for it
ONE_PER_FIRE_TIME = "run_one_per_fire_time"
ONE_PER_KEY = "run_one_per_idempotency_key"
ONE_RUNNING = "run_one_running_per_task"
ONE_WAITING = "run_one_waiting_per_task"


def is_refused_by(error: IntegrityError, *names: str) -> bool:
    """Was a run refused by one of the constraints of these names?

    SQLite tells only the columns of a constraint, so there two of the same columns are one.
    """
    diagnostics = getattr(error.__cause__, "diag", None)
    if diagnostics:
        return diagnostics.constraint_name in names
    return str(error) in {f"UNIQUE constraint failed: {_columns(name)}" for name in names}


def _columns(name: str) -> str:
    fields = {one.name: getattr(one, "fields", ()) for one in Run._meta.constraints} | {ONE_PER_ID: ("id",)}
    return ", ".join(f"{Run._meta.db_table}.{field}" for field in fields[name])
