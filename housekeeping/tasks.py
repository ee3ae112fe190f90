"""Upkeep: deletes the app's own old rows, and those of recipes, and verifies archives."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.dispatch import receiver

from housekeeping import recipes, signals
from housekeeping.declared.policies import Policy
from housekeeping.declared.registry import scheduled, task
from housekeeping.declared.steps import Checkpoint, TaskResult, no_checkpoint
from housekeeping.declared.triggers import Cron
from housekeeping.engine import verification
from housekeeping.engine.apart import handover
from housekeeping.engine.effects import files
from housekeeping.engine.purge import Purge, purge
from housekeeping.erasure import requests as erasures
from housekeeping.models import (
    Act,
    Archive,
    Consumer,
    Delivery,
    Hold,
    Incident,
    PlannedRows,
    Run,
    Snapshot,
    TableSize,
)
from housekeeping.runs.work import takeover
from housekeeping.steering import imports

# --- Policies ---------------------------------------------------------------------------------


def _ended_runs(cutoff: datetime) -> QuerySet[Run]:
    # Runs that can still be undone stay, and so do undos whose holds exist. A run that another run undoes
    # or carries out stays as long as that run: without it, a retry of an undo would look like a purge.
    undoable = Exists(Archive.objects.filter(run=OuterRef("pk")))
    undone = Exists(Run.objects.filter(undo_of=OuterRef("pk")))
    carried_out = Exists(Run.objects.filter(plan_of=OuterRef("pk")))
    holding = Exists(Hold.objects.filter(undo=OuterRef("pk")))
    rows = Run.objects.ended().older_than(cutoff, keep_newest=100_000)
    return rows.exclude(undoable).exclude(holding).exclude(undone).exclude(carried_out)


def _expired_archives(cutoff: datetime) -> QuerySet[Archive]:
    # An undo that has begun in time also puts back the rest.
    under_way = Run.objects.active().filter(undo_of=OuterRef("run"))
    return Archive.objects.filter(expires_at__lt=cutoff).exclude(Exists(under_way))


# ``shortest_days``: operators who may change retentions must not be able to delete the record of their acts.
OWN = {
    "deleted_archives": Policy("archives", rows=_expired_archives, age="expires_at", is_upkeep=True),
    "deleted_plans": Policy(
        "plans",
        rows=lambda cutoff: PlannedRows.objects.filter(run__requested_at__lt=cutoff).exclude(
            run__status__in=Run.ACTIVE
        ),
        retention=timedelta(days=7),
        is_upkeep=True,
    ),
    "deleted_holds": Policy(
        "ended_holds",
        rows=lambda cutoff: Hold.objects.filter(until__lt=cutoff),
        retention=timedelta(days=30),
        age="until",
        is_upkeep=True,
    ),
    "deleted_runs": Policy(
        "runs",
        rows=_ended_runs,
        retention=timedelta(days=90),
        age="requested_at",
        shortest_days=90,
        is_upkeep=True,
    ),
    "deleted_snapshots": Policy(
        "snapshots",
        rows=lambda cutoff: Snapshot.objects.filter(taken_at__lt=cutoff),
        retention=timedelta(days=90),
        age="taken_at",
        is_upkeep=True,
    ),
    # Thirteen months, so that a month can be compared with the same one of last year.
    "deleted_table_sizes": Policy(
        "table_sizes",
        rows=lambda cutoff: TableSize.objects.filter(measured_at__lt=cutoff),
        retention=timedelta(days=400),
        age="measured_at",
        is_upkeep=True,
    ),
    "deleted_consumers": Policy(
        "consumers",
        rows=lambda cutoff: Consumer.objects.filter(last_heartbeat_at__lt=cutoff),
        retention=timedelta(days=90),
        age="last_heartbeat_at",
        is_upkeep=True,
    ),
    # Acts outlive the runs that they changed: a year, and some time for questions about it.
    "deleted_acts": Policy(
        "acts",
        rows=lambda cutoff: Act.objects.filter(done_at__lt=cutoff),
        retention=timedelta(days=400),
        age="done_at",
        shortest_days=400,
        is_upkeep=True,
    ),
    "deleted_deliveries": Policy(
        "deliveries",
        rows=lambda cutoff: Delivery.objects.filter(created_at__lt=cutoff),
        retention=timedelta(days=7),
        age="created_at",
        shortest_days=2,  # a mail is tried for a day
        is_upkeep=True,
    ),
    "deleted_incidents": Policy(
        "incidents",
        rows=lambda cutoff: Incident.objects.filter(closed_at__lt=cutoff),
        retention=timedelta(days=90),
        age="closed_at",
        is_upkeep=True,
    ),
}


def _upkeep() -> Mapping[str, tuple[Policy, ...]]:
    """The policies of the app and of its recipes, by the names of their counts in the result."""
    found = {name: (policy,) for name, policy in OWN.items()}
    for recipe in recipes.modules():
        found |= getattr(recipe, "UPKEEP", {})  # recipes without it declare their own task
    return found


UPKEEP = _upkeep()


# --- Tasks ------------------------------------------------------------------------------------


@scheduled("history_cleanup", "History Cleanup", Cron(hour=1, minute=30), is_upkeep=True)
@task(
    "history",
    policies=tuple(policy for policies in UPKEEP.values() for policy in policies),
    done="History tidied",
)
def tidy_history(purge: Purge = purge) -> dict[str, int]:
    """Delete expired archives, plans, holds, tokens and sessions, and history older than 90 days."""
    return {name: sum(map(purge, policies)) for name, policies in UPKEEP.items()}


@scheduled("archive_verification", "Archive Verification", Cron(hour=1, minute=45), is_upkeep=True)
@task("verification", done="Archives verified", has_dry_run=False)
def verify_archives(checkpoint: Checkpoint = no_checkpoint) -> TaskResult:
    """Verify the archives that purges have made since the last verification."""
    takeover.as_far_as_possible()
    handover.prune()
    return verification.verify_new(checkpoint)


@scheduled("file_cleanup", "File Cleanup", Cron(hour=1, minute=50), is_upkeep=True)
@task("files", done="Files deleted", has_dry_run=False)
def delete_files(checkpoint: Checkpoint = no_checkpoint) -> TaskResult:
    """Delete the files of rows that can't be put back any more, where their policy asks for it."""
    return files.delete_due(checkpoint)


# Each day, for what was left by a run that has failed.
@scheduled("erasures", "Erasures", Cron(hour=1, minute=15), is_upkeep=True)
@task(erasures.TASK, done="Erasures carried out", has_dry_run=False)
def carry_out_erasures(checkpoint: Checkpoint = no_checkpoint) -> dict[str, int]:
    """Carry out the erasures of people that are not finished yet."""
    from housekeeping.queue import tasks as queue  # a queue that can't be reached must not hide other tasks

    return erasures.carry_out_open(checkpoint, queue.forget_results_with)


@task(imports.TASK, done="Exports read", has_dry_run=False)
def read_exports(checkpoint: Checkpoint = no_checkpoint) -> dict[str, int]:
    """Read exports that are to be imported. An undo of the run puts their rows back."""
    return imports.carry_out_open(checkpoint)


@receiver(signals.run_ended, dispatch_uid="housekeeping.erasures")
def carry_out_late_erasures(run: Run, **kwargs: Any) -> None:
    from housekeeping.queue import tasks as queue

    erasures.request_late(run, send=queue.send)
