"""The rows as JSON: each kind of thing is written by one function, for the API and the commands alike.

Moments are ISO 8601 in TIME_ZONE with their offset, what is absent is null.
"""

from datetime import datetime
from typing import Any

from django.utils import timezone

from housekeeping import addresses
from housekeeping.database import clock
from housekeeping.engine.verification import Report
from housekeeping.models import Act, Consumer, Hold, LogLine, Run, Snapshot, Tally
from housekeeping.reading import restorable
from housekeeping.reading.overview import Mark, Overview, ScheduleCard, SchedulerStatus
from housekeeping.reading.policies import PolicyCard
from housekeeping.reading.samples import Words
from housekeeping.reading.verdict import Finding
from housekeeping.runs import schedules

NO_WORDS = Words()


def words(*runs: Run) -> Words:
    """The words of the rows that these runs' plans name: for whoever may view them."""
    return Words([one.plan for one in runs])


def run(run: Run, words: Words = NO_WORDS) -> dict[str, Any]:
    """Everywhere the same object. Many are read with their consumers beside them.

    Without ``words`` the rows that its plan names have none.
    """
    took = run.duration if run.finished_at else None
    return {
        "id": str(run.pk),
        "task": run.task,
        "schedule": run.schedule or None,
        "cause": run.cause,
        "status": run.status,
        "dry_run": run.dry_run,
        "scheduled_for": iso(run.scheduled_for),
        "requested_by": run.requested_by or None,
        "requested_at": iso(run.requested_at),
        "started_at": iso(run.started_at),
        "finished_at": iso(run.finished_at),
        "attempts": run.attempts,
        "progress": progress(run),
        "result": run.result,
        "error": run.error or None,
        "url": addresses.api("run-result", run.pk),
        "approved_by": run.approved_by or None,
        "undo_of": str(run.undo_of_id) if run.undo_of_id else None,
        "plan_of": str(run.plan_of_id) if run.plan_of_id else None,
        "retry_of": str(run.retry_of_id) if run.retry_of_id else None,
        "plan": words.added_to(run.plan),
        "receipt": run.receipt,
        "cancel_requested": run.cancel_requested,
        "losses": run.losses,
        "retried": run.retried or 0,
        "consumer": str(run.consumer) if run.consumer else None,
        "took_seconds": round(took.total_seconds(), 3) if took is not None else None,
    }


def verified(report: Report) -> dict[str, Any]:
    """What a look at all that a run keeps for its undo has found."""
    return {
        "run": str(report.run.pk),
        "intact": not report.findings(),
        "archives": report.archives,
        "findings": report.findings(),
        "receipts": report.receipts,
        "unverifiable": report.unvouched,
    }


def run_in_full(one: Run) -> dict[str, Any]:
    """A run with all that its page says, for whoever may view it: what is heavy, what undo can put back."""
    kept = restorable.of(one, clock.roughly())
    return {
        **run(one, words(one)),
        "traceback": one.traceback or None,
        "undo_until": iso(kept.until) if kept else None,
        "undo_rows": sum(kept.tables.values()) if kept else None,
        "undo_bytes": kept.size if kept else None,
    }


def progress(run: Run) -> dict[str, Any]:
    """Rows done of those due at the start; while it runs, how fast, and the seconds left."""
    facts: dict[str, Any] = run.progress()
    if run.status == Run.Status.RUNNING and run.rows_per_second is not None and run.time_left is not None:
        facts["rows_per_second"] = round(run.rows_per_second)
        facts["seconds_left"] = round(run.time_left.total_seconds())
    return facts


def overview(seen: Overview) -> dict[str, Any]:
    """The dashboard's first page. Runs are told of by their ids where they stand beside something else."""
    job, verdict = seen.next_schedule, seen.verdict
    following = {"schedule": job.schedule.id, "at": iso(job.next_run_at)} if job else None
    return {
        "status": seen.scheduler.status,
        "busy": seen.is_busy,
        "statistics": {**seen.statistics.value, "measured_at": iso(seen.statistics.measured_at)},
        "archive": {
            "bytes": seen.archive.value,
            "budget_bytes": seen.archive_budget,
            "measured_at": iso(seen.archive.measured_at),
        },
        "next_run": following,
        "active": [run(one) for one in reversed(seen.active)],
        "recent": [run(one) for one in seen.recent],
        "consumers_alive": len(seen.consumers),
        "verdict": {
            "level": verdict.level,
            "findings": [finding(one) for one in verdict.findings],
            "last_run": run(verdict.last) if verdict.last else None,
            "next": following,
        },
        "waiting": seen.waiting,
        "timeline": [mark(one) for one in seen.timeline],
    }


def finding(finding: Finding) -> dict[str, Any]:
    return {
        "level": finding.level,
        "text": finding.text,
        "advice": finding.advice or None,
        "command": finding.command or None,
        "run": str(finding.run.pk) if finding.run else None,
    }


def mark(mark: Mark) -> dict[str, Any]:
    return {"at": iso(mark.at), "task": mark.task, "status": mark.status}


def status(scheduler: SchedulerStatus) -> dict[str, Any]:
    return {
        "status": scheduler.status,
        "total_jobs": len(scheduler.listed),
        "jobs": [
            {
                "id": job.schedule.id,
                "name": job.schedule.name,
                "next_run_time": iso(job.next_run_at),
                "trigger": str(job.entry.trigger),
            }
            for job in scheduler.listed
        ],
    }


def schedule(job: ScheduleCard, now: datetime) -> dict[str, Any]:
    """A schedule with all that can be said and changed about it."""
    entry, zone = job.entry, timezone.get_default_timezone_name()
    times = [] if entry.is_paused else schedules.fire_times(entry.trigger, now)
    return {
        "id": entry.schedule.id,
        "name": entry.schedule.name,
        "task": entry.schedule.task.name,
        "trigger": str(entry.trigger),
        "expression": entry.trigger.expression(),
        "declared_expression": entry.schedule.trigger.expression(),
        "time_zone": zone,
        "paused": entry.is_paused,
        "changed": entry.changed_trigger is not None,
        "upkeep": entry.schedule.is_upkeep,
        "next_run_time": iso(job.next_run_at),
        "next_fire_times": [iso(moment) for moment in times],
        "last_run": run(job.last_run) if job.last_run else None,
        "late": job.is_late,
    }


def policy(card: PolicyCard) -> dict[str, Any]:
    return {
        "name": card.policy.name,
        "task": card.task.name if card.task else None,
        "model": card.model,
        "retention_days": card.retention_days,
        "declared_retention_days": card.declared_days,
        "changed": card.is_changed,
        "changed_by": card.state.changed_by or None if card.state else None,
        "changed_at": iso(card.state.changed_at) if card.state else None,
        "upkeep": card.policy.is_upkeep,
        "backlog": {
            **card.backlog.value,
            "error": card.error or None,
            "measured_at": iso(card.backlog.measured_at),
        },
        "url": addresses.api("policy", card.policy.name),
    }


def hold(hold: Hold, now: datetime, gone: frozenset[int]) -> dict[str, Any]:
    """``gone``: the ids of the holds whose row is gone (:func:`holds.without_row`)."""
    return {
        "id": hold.pk,
        "model": hold.model,
        "key": hold.key,
        "until": iso(hold.until),
        "reason": hold.reason,
        "active": hold.is_active(now),
        "row_exists": hold.pk not in gone,
        "made_by": hold.made_by or None,
        "made_at": iso(hold.made_at),
        "undo": str(hold.undo_id) if hold.undo_id else None,
        "url": addresses.api("hold", hold.pk),
    }


def act(act: Act) -> dict[str, Any]:
    return {
        "id": act.pk,
        "done_at": iso(act.done_at),
        "who": act.who,
        "what": act.what,
        "target": act.target,
        "origin": act.origin,
        "details": act.details,
    }


def log_line(line: LogLine) -> dict[str, Any]:
    return {"id": line.pk, "logged_at": iso(line.logged_at), "level": line.level, "text": line.text}


def snapshot(snapshot: Snapshot) -> dict[str, Any]:
    taken = {"taken_at": iso(snapshot.taken_at), "database_bytes": snapshot.database_bytes}
    return {**snapshot.numbers, **taken}


def tally(tally: Tally) -> dict[str, Any]:
    return {
        "day": tally.day.isoformat(),
        "task": tally.task,
        "status": tally.status,
        "runs": tally.runs,
        "rows": tally.rows,
        "duration_ms": tally.duration_ms,
    }


def consumer(consumer: Consumer, *, alive: bool) -> dict[str, Any]:
    return {
        "id": str(consumer.pk),
        "host": consumer.host,
        "pid": consumer.pid,
        "workers": consumer.workers,
        "worker_type": consumer.worker_type,
        "started_at": iso(consumer.started_at),
        "last_heartbeat_at": iso(consumer.last_heartbeat_at),
        "stopped_at": iso(consumer.stopped_at),
        "alive": alive,
        "schedules": consumer.schedules,
        "version": consumer.version or None,
        "clock_offset_ms": consumer.clock_offset_ms,
    }


def iso(moment: datetime | None) -> str | None:
    """ISO 8601 in TIME_ZONE, with its offset: ``2025-12-17T02:00:00+00:00``."""
    return timezone.localtime(moment).isoformat() if moment else None
