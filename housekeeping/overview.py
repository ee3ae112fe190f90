"""All that the faces show, read in a few queries. Templates and serializers only print it."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, Min, OuterRef, QuerySet, Subquery, Sum
from django.urls import reverse
from django.utils import timezone

from housekeeping import consumers, keeping, schedules, stats
from housekeeping.exceptions import BadTrigger
from housekeeping.models import Act, Consumer, Hold, Run
from housekeeping.registry import SCHEDULES, TASKS, Schedule, Task
from housekeeping.triggers import parse

RUNNING, PAUSED, STOPPED = "running", "paused", "stopped"


@dataclass(frozen=True)
class Job:
    """A schedule, when it is due next, and the run it opened last."""

    entry: schedules.Entry
    next_run_at: datetime | None
    last_run: Run | None = None

    @property
    def schedule(self) -> Schedule:
        return self.entry.schedule


@dataclass(frozen=True)
class TaskCard:
    """A task, with its active run, else the newest that it had."""

    task: Task
    latest: Run | None


@dataclass(frozen=True)
class SchedulerStatus:
    status: str
    jobs: list[Job]

    @property
    def listed(self) -> list[Job]:
        """The jobs that the contract lists: all but our own upkeep."""
        return [job for job in self.jobs if not job.schedule.is_upkeep]


@dataclass(frozen=True)
class Overview:
    now: datetime
    scheduler: SchedulerStatus
    consumers: list[Consumer]
    numbers: stats.Numbers
    cards: list[TaskCard]
    recent: list[Run]
    is_busy: bool  # something is queued or running: it is worth looking again soon

    @property
    def has_paused_schedule(self) -> bool:
        return any(job.entry.is_paused for job in self.scheduler.jobs)

    @property
    def has_running_schedule(self) -> bool:
        return any(not job.entry.is_paused for job in self.scheduler.jobs)

    @property
    def next_job(self) -> Job | None:
        """The job that is due first."""
        due = [job for job in self.scheduler.jobs if job.next_run_at]
        return min(due, key=lambda job: job.next_run_at or self.now, default=None)

    @property
    def tiles(self) -> list[tuple[str, int]]:
        """The five numbers, each under the words a person reads."""
        return [(label, self.numbers[name]) for name, label in _LABELS.items()]

    @property
    def time_zone(self) -> str:
        return timezone.get_current_timezone_name()


_LABELS = {
    "total_users": "Active users",
    "total_conversations": "Conversations",
    "total_messages": "Messages",
    "recent_conversations_24h": "Conversations, 24 h",
    "recent_messages_24h": "Messages, 24 h",
}


def overview(now: datetime) -> Overview:
    alive = list(consumers.alive(now))
    active = {run.task: run for run in Run.objects.active().order_by("requested_at")}
    latest = _newest_of("task", TASKS) | active
    return Overview(
        now=now,
        scheduler=scheduler_status(now, alive=alive),
        consumers=alive,
        numbers=stats.measure(),
        cards=[TaskCard(task, latest.get(name)) for name, task in TASKS.items()],
        recent=list(Run.objects.newest_first()[:10]),
        is_busy=bool(active),
    )


def scheduler_status(now: datetime, *, alive: list[Consumer] | None = None) -> SchedulerStatus:
    """Whether schedules are being looked at, and what is due when, in the order declared."""
    if alive is None:
        alive = list(consumers.alive(now))
    last = _newest_of("schedule", SCHEDULES)
    jobs = [
        Job(entry, entry.next_fire_time(now), last.get(entry.schedule.id)) for entry in schedules.entries()
    ]
    if all(job.entry.is_paused for job in jobs if not job.schedule.is_upkeep):
        status = PAUSED
    elif any(consumer.schedules for consumer in alive):
        status = RUNNING
    else:
        status = STOPPED
    return SchedulerStatus(status, jobs)


@dataclass(frozen=True)
class SchedulePage:
    """A schedule, and the fire times of the trigger that somebody is about to save."""

    job: Job
    trigger: str
    problem: str
    fire_times: list[datetime]
    acts: list[Act]

    @property
    def time_zone(self) -> str:
        return timezone.get_current_timezone_name()


def schedule_page(schedule_id: str, now: datetime, *, trigger: str | None = None) -> SchedulePage:
    """``trigger``: what is asked about; without it, the trigger in force."""
    entry = schedules.find(schedule_id)
    last = Run.objects.filter(schedule=schedule_id).newest_first().first()
    text = entry.trigger.expression() if trigger is None else trigger
    problem, times = "", []
    try:
        times = schedules.fire_times(parse(text), now)
    except BadTrigger as error:
        problem = str(error)
    acts = list(Act.objects.filter(target=schedule_id)[:5])
    return SchedulePage(Job(entry, entry.next_fire_time(now), last), text, problem, times, acts)


def run_page(run: Run) -> dict[str, Any]:
    """A run with what its page says of it: its task, its receipt, and what can be put back."""
    kept = run.archives.aggregate(rows=Sum("rows"), size=Sum("size"), until=Min("expires_at"))
    return {
        "run": run,
        "task": TASKS.get(run.task),
        "kept": kept if kept["rows"] else None,
        "undone_by": run.undos.order_by("-requested_at").first(),
    }


def history(filters: dict[str, Any]) -> QuerySet[Run]:
    """Runs, newest first, by ``task``, ``schedule``, ``status``, ``cause``, ``after``, ``before``."""
    runs = Run.objects.newest_first()
    for name in ("task", "schedule", "status", "cause"):
        if filters.get(name):
            runs = runs.filter(**{name: filters[name]})
    if filters.get("after"):
        runs = runs.filter(requested_at__gte=filters["after"])
    if filters.get("before"):
        runs = runs.filter(requested_at__lt=filters["before"])
    return runs


@dataclass(frozen=True)
class UndoHolds:
    """What an undo put back and holds, as one thing."""

    undo: Run
    group: keeping.Group


@dataclass(frozen=True)
class HoldPage:
    """A page of holds: an undo's as one, and those that somebody made one by one. ``older``:
    what the next page of either begins after."""

    now: datetime
    undos: list[UndoHolds]
    older_undos: uuid.UUID | None
    single: list[Hold]
    older: int | None

    @property
    def models(self) -> list[str]:
        return list(keeping.holdable())


def hold_page(now: datetime, *, before: str = "", undos_before: str = "", size: int = 50) -> HoldPage:
    """``before`` and ``undos_before``: the last hold, and the last undo, of the page before."""
    holding = Exists(Hold.objects.filter(undo=OuterRef("pk")))
    runs = list(older_than(Run.objects.newest_first().filter(holding), undos_before)[: size + 1])
    single = Hold.objects.filter(undo=None).order_by("-pk")
    if before.isdecimal() and len(before) < 19:
        single = single.filter(pk__lt=int(before))
    holds = list(single[: size + 1])
    return HoldPage(
        now=now,
        undos=[UndoHolds(run, keeping.group(run)) for run in runs[:size]],
        older_undos=runs[size - 1].pk if len(runs) > size else None,
        single=holds[:size],
        older=holds[size - 1].pk if len(holds) > size else None,
    )


def holds(filters: dict[str, Any], now: datetime) -> QuerySet[Hold]:
    """Holds by ``model``, ``key``, ``undo`` (a run's id) and ``active``."""
    found = Hold.objects.filter(
        **{name: filters[name] for name in ("model", "key", "undo") if name in filters}
    )
    if "active" in filters:
        found = found.active(now) if filters["active"] else found.filter(until__lte=now)
    return found.order_by("-pk")


def hold_as_json(hold: Hold, now: datetime) -> dict[str, Any]:
    """A hold as the API and the command write it."""
    return {
        "id": hold.pk,
        "model": hold.model,
        "key": hold.key,
        "until": iso(hold.until),
        "reason": hold.reason,
        "active": hold.is_active(now),
        "made_by": hold.made_by or None,
        "made_at": iso(hold.made_at),
        "undo": str(hold.undo_id) if hold.undo_id else None,
        "url": reverse("hold", args=[hold.pk]),
    }


def older_than(history: QuerySet[Run], pk: str) -> QuerySet[Run]:
    """The part of the history below the run of that id; all of it, if there is no such run."""
    try:
        last = Run.objects.get(pk=uuid.UUID(pk))
    except (ValueError, Run.DoesNotExist):
        return history
    # One look at the schedules opens several runs at the same moment: the id tells them apart.
    shown_beside = {"requested_at": last.requested_at, "pk__gte": last.pk}
    return history.filter(requested_at__lte=last.requested_at).exclude(**shown_beside)


def run_as_json(run: Run) -> dict[str, Any]:
    """A run as the API, the commands and the dashboard's JSON all write it."""
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
        "progress": run.progress(),
        "result": run.result,
        "error": run.error or None,
        "url": reverse("run-result", args=[run.pk]),
        "approved_by": run.approved_by or None,
        "undo_of": str(run.undo_of_id) if run.undo_of_id else None,
        "receipt": run.receipt,
    }


def status_as_json(scheduler: SchedulerStatus) -> dict[str, Any]:
    """The scheduler's status as the API and ``scheduler_info --json`` write it."""
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


def job_as_json(job: Job, now: datetime) -> dict[str, Any]:
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
        "last_run": run_as_json(job.last_run) if job.last_run else None,
    }


def iso(moment: datetime | None) -> str | None:
    """ISO 8601 in TIME_ZONE, with its offset: ``2025-12-17T02:00:00+00:00``."""
    return timezone.localtime(moment).isoformat() if moment else None


def message(run: Run) -> str:
    """The sentence that tells somebody how the run they asked for stands."""
    task = TASKS.get(run.task)
    title = task.title if task else run.task
    if run.undo_of_id:
        title = f"Undo of {title[:1].lower()}{title[1:]}"
        if run.status == Run.Status.SUCCEEDED:
            return f"{title}: put back"
    if run.status == Run.Status.SUCCEEDED:
        if run.dry_run:
            return f"{title}: a dry run, nothing was deleted"
        return task.done if task else f"{title}: done"
    return {
        Run.Status.QUEUED: f"{title}: waiting for a consumer",
        Run.Status.RUNNING: f"{title}: running",
        Run.Status.HELD: f"{title}: held for approval",
        Run.Status.FAILED: f"{title}: failed",
        Run.Status.CANCELLED: f"{title}: cancelled",
        Run.Status.MISSED: f"{title}: missed",
    }[Run.Status(run.status)]


def _newest_of(field: str, values: Any) -> dict[str, Run]:
    """The newest run for each of ``values`` of ``field``, in one query on its index."""
    newest = Run.objects.none()
    for value in values:
        of_value = Run.objects.filter(**{field: value}).newest_first().values("pk")[:1]
        newest = newest | Run.objects.filter(pk=Subquery(of_value))
    return {getattr(run, field): run for run in newest}
