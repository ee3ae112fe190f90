"""Runs, what they logged, and how they are counted."""

import uuid
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.db import models

from housekeeping.database import clock, stored
from housekeeping.database.stored import StoredJSON
from housekeeping.models.routing import OwnModel, OwnQuerySet
from housekeeping.models.states import Consumer
from housekeeping.models.text import in_words


class RunQuerySet(OwnQuerySet["Run"]):
    def active(self) -> "RunQuerySet":
        """Runs that have not ended: queued, running or held."""
        # By the end that they don't have: few are without, and the planner knows. Of the statuses
        # it knows no better than that each is a sixth of all runs.
        return self.filter(status__in=Run.ACTIVE, finished_at=None)

    def in_the_way(self, task: str, *, dry_run: bool) -> "Run | None":
        """The newest run of the task that has not ended, so that no other is opened.

        Dry runs and runs that delete don't stand in each other's way.
        """
        # Few runs are active, so sort them in Python: the planner would scan the task's whole history.
        active = self.active().filter(task=task, dry_run=dry_run)
        return max(active, key=lambda run: (run.requested_at, run.pk), default=None)

    def ended(self) -> "RunQuerySet":
        return self.exclude(status__in=Run.ACTIVE)

    def older_than(self, moment: datetime, *, keep_newest: int) -> "RunQuerySet":
        """Runs requested before ``moment``, or beyond the newest so many."""
        oldest_kept = Run.objects.newest_first().values("requested_at")[keep_newest - 1 : keep_newest]
        beyond = models.Q(requested_at__lt=models.Subquery(oldest_kept))
        return self.filter(models.Q(requested_at__lt=moment) | beyond)

    def newest_first(self) -> "RunQuerySet":
        return self.order_by("-requested_at", "-id")


class Run(OwnModel):
    """One carrying-out of a task, from the request to its result."""

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        HELD = "held"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        CANCELLED = "cancelled"
        MISSED = "missed"

    class Cause(models.TextChoices):
        SCHEDULE = "schedule"
        CATCH_UP = "catch-up"
        MANUAL = "manual"
        RETRY = "retry"

    ACTIVE = (Status.QUEUED, Status.RUNNING, Status.HELD)

    # The same as the id of the Huey task that carries the run out.
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    task = models.CharField(max_length=100)
    schedule = models.CharField(max_length=100, blank=True)
    scheduled_for = models.DateTimeField(null=True, help_text="The fire time it answers.")
    cause = models.CharField(max_length=20, choices=Cause)
    status = models.CharField(max_length=20, choices=Status)
    dry_run = models.BooleanField(default=False)

    # A name, not a key: what was done stays on record when its author is gone.
    requested_by = models.CharField(max_length=150, blank=True)
    requested_at = models.DateTimeField()
    # Whoever repeats a request with the same key gets the same run, and no second one.
    idempotency_key = models.CharField(max_length=100, blank=True)
    sent_at = models.DateTimeField(null=True, help_text="When its id last went into the queue.")
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True, db_index=True)
    # Cutoffs count from this moment, fixed at the first start: a second attempt deletes
    # what the first would have deleted, not what grew old in between.
    as_of = models.DateTimeField(null=True)
    # By policy, with the retention that was in force at that moment: a change comes too
    # late for a run that has started.
    cutoffs = StoredJSON(default=dict, read=stored.cutoffs)

    # The claim: who may write to this row is whoever knows the number of attempts.
    attempts = models.PositiveIntegerField(default=0)
    losses = models.PositiveIntegerField(default=0, help_text="Attempts whose worker went silent.")
    lease_until = models.DateTimeField(null=True)
    consumer = models.ForeignKey(Consumer, models.SET_NULL, null=True, related_name="runs")
    cancel_requested = models.BooleanField(default=False)

    approved_by = models.CharField(max_length=150, blank=True, help_text="Who let it pass the brake.")
    # The run whose rows it puts back.
    undo_of = models.ForeignKey("self", models.SET_NULL, null=True, related_name="undos")

    # The preview that it carries out: its cutoffs and its rows, and no others.
    plan_of = models.ForeignKey("self", models.SET_NULL, null=True, related_name="carried_out")
    plan = StoredJSON(
        default=dict, read=stored.plan, help_text="By policy: what a preview, or the brake, saw."
    )
    # The run that it makes another try at.
    retry_of = models.ForeignKey("self", models.SET_NULL, null=True, related_name="retries")

    deleted = StoredJSON(
        default=dict, read=stored.counts, help_text="Rows by policy, counted with each batch."
    )
    receipt = StoredJSON(
        default=dict, read=stored.receipt, help_text="By policy: what it was, and what it removed."
    )
    total = models.PositiveBigIntegerField(default=0, help_text="Rows that were due at the start.")
    # How many of its archives have a digest and have to be there; null: none were made.
    archives_kept = models.PositiveIntegerField(null=True)
    archives_expire_at = models.DateTimeField(null=True)
    archive_damage = models.TextField(null=True, help_text="What is wrong with its archives; null: nothing.")
    archives_verified_at = models.DateTimeField(null=True)
    # Of an undo: how it was asked for, and how far it is.
    undo_state = StoredJSON(null=True, read=stored.undo_state)
    # Null for none: a column that may not be empty would have SQLite copy the whole history.
    retried = models.PositiveIntegerField(
        null=True, help_text="Transactions tried again, as they conflicted with others."
    )
    result = StoredJSON(null=True, read=stored.result)
    error = models.TextField(blank=True)
    traceback = models.TextField(blank=True)
    tally_owed = models.BooleanField(null=True, help_text="It has ended, and is not in the tallies yet.")

    objects: ClassVar[RunQuerySet] = RunQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        permissions = [
            ("operate", "Can trigger, cancel, retry, pause and approve"),
            ("configure", "Can change schedules and retention, and undo a purge"),
        ]
        indexes = [
            models.Index(fields=["-requested_at", "-id"], name="run_newest"),
            models.Index(fields=["task", "-requested_at", "-id"], name="run_newest_of_task"),
            models.Index(fields=["status", "-requested_at", "-id"], name="run_newest_of_status"),
            models.Index(fields=["schedule", "-requested_at", "-id"], name="run_newest_of_schedule"),
            models.Index(fields=["requested_by", "-requested_at", "-id"], name="run_newest_of_who"),
            models.Index(fields=["status", "task", "-requested_at", "-id"], name="run_newest_of_status_task"),
            models.Index(
                fields=["status", "schedule", "-requested_at", "-id"], name="run_newest_of_status_schedule"
            ),
            models.Index(fields=["cause", "-requested_at", "-id"], name="run_newest_of_cause"),
            models.Index(
                fields=["-requested_at", "-id"], name="run_newest_dry", condition=models.Q(dry_run=True)
            ),
            models.Index(
                fields=["-requested_at"],
                name="run_damaged",
                condition=models.Q(archive_damage__isnull=False),
            ),
            models.Index(
                fields=["task", "-requested_at", "-id"],
                name="run_newest_dry_of_task",
                condition=models.Q(dry_run=True),
            ),
            # Hardly ever a row: looked through each second.
            models.Index(fields=["id"], name="run_tally_owed", condition=models.Q(tally_owed=True)),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["schedule", "scheduled_for"],
                condition=models.Q(cause__in=["schedule", "catch-up"]),
                name="run_one_per_fire_time",
            ),
            models.UniqueConstraint(
                fields=["task"],
                condition=models.Q(status="running", dry_run=False),
                name="run_one_running_per_task",
            ),
            models.UniqueConstraint(
                fields=["requested_by", "idempotency_key"],
                condition=~models.Q(idempotency_key=""),
                name="run_one_per_idempotency_key",
            ),
            # A run that was handed back waits again beside the next one. A dry run does
            # nobody's work, nor does an undo: a fire time that finds one waiting gets a run of its own.
            models.UniqueConstraint(
                fields=["task"],
                condition=models.Q(status="queued", attempts=0, dry_run=False, undo_of=None),
                name="run_one_waiting_per_task",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.task} {self.pk}"

    @property
    def is_active(self) -> bool:
        return self.status in self.ACTIVE

    @property
    def can_be_retried(self) -> bool:
        return self.status in (self.Status.FAILED, self.Status.CANCELLED, self.Status.MISSED)

    @property
    def is_plan(self) -> bool:
        """A finished dry run that saw rows to delete: it can be carried out."""
        return self.dry_run and self.status == self.Status.SUCCEEDED and bool(self.plan)

    @property
    def done(self) -> int:
        """Rows deleted (in a dry run, counted) so far."""
        return sum(self.deleted.values())

    @property
    def purged(self) -> int:
        """Rows that policies have deleted: each such policy has its receipt. Neither mails that
        were sent nor rows that were counted or put back."""
        return sum(rows for policy, rows in self.deleted.items() if policy in self.receipt)

    @property
    def restored(self) -> dict[str, int]:
        """Of an undo: rows that are back so far, by table."""
        return stored.counts((self.result or {}).get("restored") or (self.undo_state or {}).get("rows"))

    @property
    def duration(self) -> timedelta | None:
        """From the first start to the end, or to now while it runs. Never below zero: the clock
        may have been set back meanwhile."""
        if self.started_at is None:
            return None
        return max((self.finished_at or clock.roughly()) - self.started_at, timedelta())

    @property
    def took(self) -> str:
        """The duration in words."""
        return in_words(self.duration)

    @property
    def time_left_words(self) -> str:
        return in_words(self.time_left)

    @property
    def plan_rows(self) -> int:
        """Rows that would go by the plan, in all tables together."""
        return sum(rows for facts in self.plan.values() for rows in facts["tables"].values())

    @property
    def rows_per_second(self) -> float | None:
        """How fast it goes, from its first start; None before there is anything to tell."""
        if not self.done or self.duration is None:
            return None
        return self.done / max(self.duration.total_seconds(), 0.001)

    @property
    def time_left(self) -> timedelta | None:
        """At the pace so far, until all is done that was due at the start."""
        speed = self.rows_per_second
        if speed is None or self.finished_at:
            return None
        return timedelta(seconds=round(max(self.total - self.done, 0) / speed))

    def result_lines(self) -> list[tuple[str, Any]]:
        """The result's numbers, each with its name in words, as one flat list."""
        lines: list[tuple[str, Any]] = []
        for name, value in (self.result or {}).items():
            for key, number in value.items() if isinstance(value, dict) else [(name, value)]:
                lines.append((key.replace("_", " "), number))
        return lines

    def progress(self) -> dict[str, int]:
        # Rows may come due, or go, between the count at the start and the end.
        return {"done": self.done, "total": max(self.total, self.done)}


class LogLine(OwnModel):
    """What was logged while a run was carried out."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="log_lines")
    logged_at = models.DateTimeField()
    level = models.CharField(max_length=10)
    text = models.TextField()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.text


class Tally(OwnModel):
    """The runs of one task that ended on one day in one way: what charts are drawn from."""

    day = models.DateField(help_text="In TIME_ZONE.")
    task = models.CharField(max_length=100)
    status = models.CharField(max_length=20)
    runs = models.PositiveIntegerField(default=0)
    rows = models.PositiveBigIntegerField(default=0, help_text="Rows of the policies' own that were deleted.")
    duration_ms = models.PositiveBigIntegerField(default=0, help_text="Of all these runs together.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["day", "task", "status"], name="tally_one_per_day_task_status")
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.task} {self.status}"
