"""Runs as JSON, with their logs and the state of their archives."""

from typing import Any

from housekeeping import models
from housekeeping.database import clock
from housekeeping.engine import archive
from housekeeping.engine.verification import Report
from housekeeping.reading.as_json.fields import (
    GIVEN,
    Address,
    AnyObject,
    Facts,
    Flag,
    Id,
    Many,
    Map,
    Moment,
    Number,
    Object,
    One,
    Text,
    Whole,
    iso,
    itself,
)
from housekeeping.reading.previews import restorable
from housekeeping.reading.previews.samples import Texts
from housekeeping.reading.words import message

NO_TEXTS = Texts()


def _has_pace(run: models.Run) -> bool:
    is_running = run.status == models.Run.Status.RUNNING
    return is_running and run.rows_per_second is not None and run.time_left is not None


def _rows_per_second(run: models.Run) -> int | None:
    return round(run.rows_per_second or 0) if _has_pace(run) else None


def _seconds_left(run: models.Run) -> int | None:
    left = run.time_left if _has_pace(run) else None
    return None if left is None else round(left.total_seconds())


def _took_seconds(run: models.Run) -> float | None:
    took = run.duration if run.finished_at else None
    return None if took is None else round(took.total_seconds(), 3)


class Progress(Object[models.Run]):
    """How far a run is."""

    done = Whole()
    total = Whole(lambda run: run.progress()["total"])
    rows_per_second = Whole(_rows_per_second, optional=True, help="While it runs.")
    seconds_left = Whole(_seconds_left, optional=True, help="While it runs.")


class Unusual(Object[models.Run]):
    """How a run differs from its task's usual runs: at least one of the two is not null."""

    usual_seconds = Number(nullable=True, help="The usual duration, if it took much longer.")
    usual_rows = Whole(nullable=True, help="The usual number of rows, if it deleted many more.")


def _unusual(run: models.Run) -> models.Run | None:
    return run if run.is_unusual else None


class Run(Object[models.Run]):
    """One execution of a task. The same object everywhere."""

    id = Id()
    task = Text()
    schedule = Text(nullable=True)
    cause = Text(choices=models.Run.Cause.values)
    status = Text(choices=models.Run.Status.values)
    dry_run = Flag()
    scheduled_for = Moment(nullable=True, help="The fire time that it answers.")
    requested_by = Text(nullable=True)
    requested_at = Moment()
    started_at = Moment(nullable=True)
    finished_at = Moment(nullable=True)
    attempts = Whole()
    progress = One(Progress, itself)
    result = AnyObject(nullable=True)
    error = Text(nullable=True)
    url = Address("run-result", "id")
    approved_by = Text(nullable=True, help="The user who approved it.")
    undo_of = Id("undo_of_id", nullable=True, help="The run whose rows it restores.")
    plan_of = Id("plan_of_id", nullable=True, help="The dry run whose plan it carries out.")
    retry_of = Id("retry_of_id", nullable=True, help="The run that it retries.")
    plan = AnyObject(
        lambda run: NO_TEXTS.added_to(run.plan),
        help="By policy: the rows that a dry run, or the brake, has found.",
    )
    receipt = AnyObject(
        archive.receipt,
        help="By policy: its declaration, and the rows that it removed; erased: those that an erasure has"
        " removed from its archives since.",
    )
    cancel_requested = Flag(help="Somebody cancelled it. A running run stops after its batch.")
    losses = Whole(help="Attempts whose worker went silent.")
    retried = Whole(
        lambda run: run.retried or 0,
        help="Transactions that were tried again after a conflict with another one.",
    )
    consumer = Text(
        lambda run: run.consumer and str(run.consumer),
        nullable=True,
        help="host:pid of the process that carries it out, or did so last.",
    )
    worker = Text(nullable=True, help="The worker of that consumer; of a command, its host and process.")
    claimed_at = Moment(nullable=True, help="When its last attempt began.")
    batches = Whole(lambda run: run.batches or 0, help="Batches that are committed.")
    took_seconds = Number(_took_seconds, nullable=True, help="From its first start to its end.")
    retry_number = Whole(nullable=True, help="Of an automatic retry: 1 for the first of its series.")
    not_before = Moment(nullable=True, help="When an automatic retry is due.")
    unusual = One(Unusual, _unusual, nullable=True, help="null: it is as usual, or not known.")


class RunInFull(Run):
    """A run with the fields that are too large or too expensive for lists."""

    traceback = Text(nullable=True, help="Of a failed run.")
    undo_until = Moment(GIVEN, nullable=True, help="When the undo window closes.")
    undo_rows = Whole(GIVEN, nullable=True, help="Rows that undo restores; null: there is no archive.")
    undo_bytes = Whole(GIVEN, nullable=True, help="The size of their archives.")


class Ended(Object[models.Run]):
    """A run that has succeeded."""

    message = Text(message)
    result = AnyObject(nullable=True)
    run = One(Run, itself)


class Standing(Object[models.Run]):
    """The state of a run that has not ended, or that was cancelled."""

    message = Text(message)
    run = One(Run, itself)


class LogLine(Object[models.LogLine]):
    """A line of a run's log."""

    id = Whole("pk")
    logged_at = Moment()
    level = Text()
    text = Text()


class Verified(Object[Report]):
    """The result of verifying a run's archives."""

    run = Id("run.pk")
    intact = Flag(lambda report: not report.findings())
    archives = Whole()
    findings = Many(Text(), lambda report: report.findings())
    receipts = Map(Text())
    unverifiable = Many(Text(), "unvouched")


def texts(*runs: models.Run) -> Texts:
    """The texts of the rows in these runs' plans. Only for users who may view them."""
    return Texts([one.plan for one in runs])


def run(run: models.Run, texts: Texts = NO_TEXTS) -> Facts:
    """Without ``texts``, the rows in its plan have no text. Lists should select the consumers as well."""
    return Run.of(run, plan=texts.added_to(run.plan))


def run_in_full(run: models.Run) -> Facts:
    """A run with everything that its page shows. Only for users who may view it."""
    undo = restorable.of(run, clock.roughly())
    given: dict[str, Any] = {
        "undo_until": iso(undo.until) if undo else None,
        "undo_rows": sum(undo.tables.values()) if undo else None,
        "undo_bytes": undo.size if undo else None,
    }
    return RunInFull.of(run, plan=texts(run).added_to(run.plan), **given)
