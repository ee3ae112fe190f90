"""All that the faces show, read in a few queries. Templates and serializers only print it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet, Subquery
from django.urls import reverse
from django.utils import timezone

from housekeeping import consumers, gauges, plans, registry, retentions, schedules, search
from housekeeping.exceptions import BadRetention, BadTrigger
from housekeeping.models import Act, Consumer, Gauge, PolicyState, Run
from housekeeping.policies import Policy, in_days
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
class PolicyCard:
    """A policy as it is in force, and what is past due by it."""

    policy: Policy
    retention_days: float | None
    state: PolicyState | None
    backlog: Gauge
    task: Task | None  # that purges by this policy alone

    @property
    def declared_days(self) -> float | None:
        return in_days(self.policy.retention)

    @property
    def is_changed(self) -> bool:
        return self.state is not None and self.state.retention_days is not None

    @property
    def rows_due(self) -> int:
        return int(self.backlog.value["rows"])

    @property
    def due_since(self) -> datetime | None:
        since = self.backlog.value["due_since"]
        return datetime.fromisoformat(since) if since else None


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
    statistics: Gauge
    policies: list[PolicyCard]
    archive: Gauge  # bytes that undo keeps
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
    def archive_budget(self) -> int:
        """Bytes."""
        return int(settings.HOUSEKEEPING_ARCHIVE_BUDGET_MB) * 1_000_000

    @property
    def next_job(self) -> Job | None:
        """The job that is due first."""
        due = [job for job in self.scheduler.jobs if job.next_run_at]
        return min(due, key=lambda job: job.next_run_at or self.now, default=None)

    @property
    def tiles(self) -> list[tuple[str, int]]:
        """The five numbers, each under the words a person reads."""
        return [(label, self.statistics.value[name]) for name, label in _LABELS.items()]

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
        statistics=gauges.read("statistics"),
        policies=policies(upkeep=False),
        archive=gauges.read("archive"),
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


def policies(*, upkeep: bool = True) -> list[PolicyCard]:
    """Every policy, in the order declared; without ``upkeep``, those on the site's own rows."""
    known = {name: found for name, found in registry.policies().items() if upkeep or not found.is_upkeep}
    states = PolicyState.objects.in_bulk(known)
    backlogs = gauges.read_all([f"backlog:{name}" for name in known])
    return [
        PolicyCard(
            policy,
            in_days(policy.retention_in_force()),
            states.get(name),
            backlogs[f"backlog:{name}"],
            TASKS.get(name),
        )
        for name, policy in known.items()
    ]


def policy(name: str) -> PolicyCard:
    """Raises UnknownPolicy."""
    found = registry.find_policy(name)
    state = PolicyState.objects.filter(name=name).first()
    backlog = gauges.read(f"backlog:{name}")
    return PolicyCard(found, in_days(found.retention_in_force()), state, backlog, TASKS.get(name))


def preview(name: str, now: datetime, *, retention_days: int | None = None) -> dict[str, Any]:
    """What a purge by the policy would delete now, and what it would by other retentions.

    ``retention_days``: instead of the retention in force. Raises UnknownPolicy.
    """
    found = registry.find_policy(name)
    retention = found.retention_in_force()
    if retention is not None and retention_days is not None:
        retention = timedelta(days=retention_days)
    facts = plans.look(found, cutoff=now - (retention or timedelta()), retention=retention)
    return {
        "policy": name,
        **facts,
        "what_if": [
            {"retention_days": days, "rows": rows} for days, rows in plans.what_if(found, now).items()
        ],
    }


@dataclass(frozen=True)
class PolicyPage:
    """A policy, and what a retention that somebody is about to save would hit."""

    card: PolicyCard
    days: str
    problem: str
    effect: retentions.Effect | None
    acts: list[Act]


def policy_page(name: str, now: datetime, *, retention_days: str | None = None) -> PolicyPage:
    """``retention_days``: what is asked about. Raises UnknownPolicy."""
    card = policy(name)
    problem, effect = "", None
    if retention_days is not None:
        try:
            effect = retentions.effect(card.policy, retentions.parse(retention_days), now)
        except BadRetention as error:
            problem = str(error)
    days = retention_days if retention_days is not None else str(card.retention_days)
    return PolicyPage(card, days, problem, effect, list(Act.objects.filter(target=name)[:5]))


def policy_as_json(card: PolicyCard) -> dict[str, Any]:
    return {
        "name": card.policy.name,
        "task": card.task.name if card.task else None,
        "model": card.policy.model._meta.label,
        "retention_days": card.retention_days,
        "declared_retention_days": card.declared_days,
        "changed": card.is_changed,
        "changed_by": card.state.changed_by or None if card.state else None,
        "changed_at": iso(card.state.changed_at) if card.state else None,
        "upkeep": card.policy.is_upkeep,
        "backlog": {**card.backlog.value, "measured_at": iso(card.backlog.measured_at)},
        "url": reverse("policy", args=[card.policy.name]),
    }


def history(filters: dict[str, Any]) -> QuerySet[Run]:
    """Runs, newest first, by the filters that :func:`housekeeping.search.runs` knows."""
    return search.runs(filters)


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
        "progress": progress_as_json(run),
        "result": run.result,
        "error": run.error or None,
        "url": reverse("run-result", args=[run.pk]),
        "approved_by": run.approved_by or None,
        "undo_of": str(run.undo_of_id) if run.undo_of_id else None,
        "plan_of": str(run.plan_of_id) if run.plan_of_id else None,
        "plan": run.plan,
        "receipt": run.receipt,
    }


def progress_as_json(run: Run) -> dict[str, Any]:
    """Rows done of those due at the start; while it runs, how fast, and the seconds left."""
    progress: dict[str, Any] = run.progress()
    if run.status == Run.Status.RUNNING and run.rows_per_second is not None and run.time_left is not None:
        progress["rows_per_second"] = round(run.rows_per_second)
        progress["seconds_left"] = round(run.time_left.total_seconds())
    return progress


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
