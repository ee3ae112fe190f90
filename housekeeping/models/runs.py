"""Runs: each from its request to its end."""

import uuid
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.db import models

from housekeeping import conf
from housekeeping.database import clock, stored
from housekeeping.database.stored import StoredJSON
from housekeeping.models.routing import OwnModel, OwnQuerySet
from housekeeping.models.states import Consumer
from housekeeping.models.text import in_words

# An automatic retry that no worker has claimed yet.
WAITING_RETRY = models.Q(retry_number__isnull=False, status="queued", attempts=0)
LONGEST_RETRY_WAIT = timedelta(hours=1, minutes=30)


class RunQuerySet(OwnQuerySet["Run"]):
    def active(self) -> "RunQuerySet":
        """Runs that have not ended: queued, running or held."""
        # Filter by finished_at as well: the planner's statistics show that it is rarely NULL. For each
        # status, the planner only assumes that a sixth of all runs have it.
        return self.filter(status__in=Run.ACTIVE, finished_at=None)

    def in_the_way(self, task: str, *, dry_run: bool) -> "Run | None":
        """The newest active run of the task, which keeps another one from being requested.

        Dry runs and runs that delete don't block each other. An automatic retry that waits is in nobody's
        way: it is dropped once another run has done its work.
        """
        # Few runs are active, so sort them in Python: the planner would scan the task's whole history.
        active = self.active().filter(task=task, dry_run=dry_run).exclude(WAITING_RETRY)
        return max(active, key=lambda run: (run.requested_at, run.pk), default=None)

    def due(self, now: Any) -> "RunQuerySet":
        """Those that don't wait for a later moment. ``now``: a moment, or an expression of one."""
        # A moment that is further off than a retry ever waits was written while the clock was ahead.
        return self.exclude(not_before__range=(now, now + LONGEST_RETRY_WAIT + conf.ahead()))

    def ended(self) -> "RunQuerySet":
        return self.exclude(status__in=Run.ACTIVE)

    def did_work(self) -> "RunQuerySet":
        """Runs that carried out their task, or failed to: neither dry runs nor undos.

        A run that was cancelled or missed tells nothing about its task, so it is left out.
        """
        return self._succeeded_or_failed().filter(undo_of=None)

    def did_undo(self) -> "RunQuerySet":
        """The same among the runs that put rows back."""
        return self._succeeded_or_failed().exclude(undo_of=None)

    def _succeeded_or_failed(self) -> "RunQuerySet":
        return self.filter(status__in=(Run.Status.SUCCEEDED, Run.Status.FAILED), dry_run=False)

    def older_than(self, moment: datetime, *, keep_newest: int) -> "RunQuerySet":
        """Runs requested before ``moment``, and all but the ``keep_newest`` newest."""
        oldest_to_stay = Run.objects.newest_first().values("requested_at")[keep_newest - 1 : keep_newest]
        beyond = models.Q(requested_at__lt=models.Subquery(oldest_to_stay))
        return self.filter(models.Q(requested_at__lt=moment) | beyond)

    def newest_first(self) -> "RunQuerySet":
        return self.order_by("-requested_at", "-id")


class Run(OwnModel):
    """One execution of a task, from the request to the result."""

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

    # Also the id of the Huey task that executes the run.
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    task = models.CharField(max_length=100)
    schedule = models.CharField(max_length=100, blank=True)
    scheduled_for = models.DateTimeField(null=True, help_text="The fire time it answers.")
    cause = models.CharField(max_length=20, choices=Cause)
    status = models.CharField(max_length=20, choices=Status)
    dry_run = models.BooleanField(default=False)

    # A name, not a foreign key: it stays on record when the account is gone.
    requested_by = models.CharField(max_length=254, blank=True)
    requested_at = models.DateTimeField()
    # A request that is repeated with the same key gets the same run, not a second one.
    idempotency_key = models.CharField(max_length=100, blank=True)
    sent_at = models.DateTimeField(null=True, help_text="When its id last went into the queue.")
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True, db_index=True)
    # Cutoffs count back from this moment, which is fixed at the first start: a second attempt deletes
    # what the first would have deleted, and not what has expired in between.
    as_of = models.DateTimeField(null=True)
    # By policy, with the retention that was in force at that moment. A later change of the retention
    # does not affect a run that has started.
    cutoffs = StoredJSON(default=dict, read=stored.cutoffs)

    # The claim: only the attempt with this number may write to the row.
    attempts = models.PositiveIntegerField(default=0)
    losses = models.PositiveIntegerField(default=0, help_text="Attempts whose worker went silent.")
    lease_until = models.DateTimeField(null=True)
    consumer = models.ForeignKey(Consumer, models.SET_NULL, null=True, related_name="runs")
    # Null in runs of earlier versions; see retried.
    worker = models.CharField(
        max_length=300, null=True, help_text="Of its consumer; of a command, its host and process."
    )
    claimed_at = models.DateTimeField(null=True, help_text="When its last attempt began.")
    batches = models.PositiveIntegerField(null=True, help_text="Batches that are committed.")
    backend_pid = models.PositiveIntegerField(
        null=True, help_text="The PostgreSQL process that serves its worker."
    )
    cancel_requested = models.BooleanField(default=False)

    approved_by = models.CharField(max_length=254, blank=True, help_text="Who let it pass the brake.")
    # The run that this one undoes.
    undo_of = models.ForeignKey("self", models.SET_NULL, null=True, related_name="undos")

    # The dry run whose plan this run carries out: exactly its rows, with its cutoffs.
    plan_of = models.ForeignKey("self", models.SET_NULL, null=True, related_name="carried_out")
    plan = StoredJSON(
        default=dict, read=stored.plan, help_text="By policy: what a preview, or the brake, saw."
    )
    # A retry that the site itself has opened is the n-th of its series. It waits for ``not_before``.
    retry_number = models.PositiveSmallIntegerField(null=True, help_text="Of an automatic retry: 1, 2, …")
    not_before = models.DateTimeField(null=True, help_text="When an automatic retry is due.")
    # The run that this one retries.
    retry_of = models.ForeignKey("self", models.SET_NULL, null=True, related_name="retries")

    deleted = StoredJSON(
        default=dict, read=stored.counts, help_text="Rows by policy, counted with each batch."
    )
    receipt = StoredJSON(
        default=dict, read=stored.receipt, help_text="By policy: what it was, and what it removed."
    )
    # Beside the receipt, which a purge under way overwrites.
    erased = StoredJSON(null=True, help_text="By policy and table: archived rows that were erased since.")
    total = models.PositiveBigIntegerField(default=0, help_text="Rows that were due at the start.")
    # How many archives with a digest it must have; null: none were made.
    archives_kept = models.PositiveIntegerField(null=True)
    archives_expire_at = models.DateTimeField(null=True)
    archive_damage = models.TextField(null=True, help_text="What is wrong with its archives; null: nothing.")
    archives_verified_at = models.DateTimeField(null=True)
    # For an undo: the options of the request, and how far it is.
    undo_state = StoredJSON(null=True, read=stored.undo_state)
    # Null means none: to add a column that is not nullable, SQLite would copy the whole history.
    retried = models.PositiveIntegerField(
        null=True, help_text="Transactions tried again, as they conflicted with others."
    )
    result = StoredJSON(null=True, read=stored.result)
    error = models.TextField(blank=True)
    traceback = models.TextField(blank=True)
    # What is usual for its task, if the run took much longer or deleted many more rows (runs/usual.py).
    usual_seconds = models.FloatField(null=True, help_text="The usual duration; null: its own is usual, too.")
    usual_rows = models.PositiveBigIntegerField(null=True, help_text="The same for the rows it deleted.")
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
            # It hardly ever has a row, and is read every second.
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
            # A run that was handed back to the queue (attempts > 0) may wait together with the next one. Dry
            # runs and undos don't do the task's work: a fire time gets its own run even if one of them waits.
            # An automatic retry may wait for an hour, so it does not block other runs either.
            models.UniqueConstraint(
                fields=["task"],
                condition=models.Q(
                    status="queued", attempts=0, dry_run=False, undo_of=None, retry_number=None
                ),
                name="run_one_waiting_per_task",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.task} {self.pk}"

    @property
    def is_active(self) -> bool:
        return self.status in self.ACTIVE

    @property
    def kind(self) -> str:
        """For log lines, which are in English."""
        return "undo" if self.undo_of_id else "dry run" if self.dry_run else "run"

    @property
    def is_put_off(self) -> bool:
        """Is it an automatic retry that is not due yet?"""
        if self.not_before is None or self.status != self.Status.QUEUED:
            return False
        return timedelta() < self.not_before - clock.roughly() <= LONGEST_RETRY_WAIT + conf.ahead()

    @property
    def is_unusual(self) -> bool:
        return self.usual_seconds is not None or self.usual_rows is not None

    @property
    def can_be_retried(self) -> bool:
        return self.status in (self.Status.FAILED, self.Status.CANCELLED, self.Status.MISSED)

    @property
    def is_plan(self) -> bool:
        """Whether it is a finished dry run that found rows to delete, so that it can be carried out."""
        return self.dry_run and self.status == self.Status.SUCCEEDED and bool(self.plan)

    @property
    def done(self) -> int:
        """Rows deleted so far (in a dry run: counted)."""
        return sum(self.deleted.values())

    @property
    def purged(self) -> int:
        """Rows that policies have deleted, or made anonymous; each of these policies has a receipt.

        Mails that were sent, and rows that were counted or put back, are not among them.
        """
        return sum(rows for policy, rows in self.deleted.items() if policy in self.receipt)

    @property
    def made_anonymous(self) -> int:
        """Those of the purged rows that stay."""
        return sum(
            rows
            for policy, rows in self.deleted.items()
            if self.receipt.get(policy, {}).get("then") == "anonymise"
        )

    @property
    def restored(self) -> dict[str, int]:
        """For an undo: the rows that are back so far, by table."""
        return stored.counts((self.result or {}).get("restored") or (self.undo_state or {}).get("rows"))

    @property
    def duration(self) -> timedelta | None:
        """From the first start to the end, or until now while it runs.

        Never negative, although the clock may have been set back meanwhile.
        """
        if self.started_at is None:
            return None
        return max((self.finished_at or clock.roughly()) - self.started_at, timedelta())

    @property
    def waited(self) -> timedelta | None:
        """From the request to the first start; None if it has not started. Of an automatic retry, from when
        it was due.
        """
        if self.started_at is None:
            return None
        return max(self.started_at - (self.not_before or self.requested_at), timedelta())

    @property
    def took(self) -> str:
        """The duration in words."""
        return in_words(self.duration)

    @property
    def time_left_words(self) -> str:
        return in_words(self.time_left)

    @property
    def plan_tables(self) -> dict[str, int]:
        """Rows that the plan would delete, by table."""
        return _summed(facts["tables"] for facts in self.plan.values())

    @property
    def plan_rows(self) -> int:
        """Rows that the plan would delete, in all tables together."""
        return sum(self.plan_tables.values())

    @property
    def removed(self) -> dict[str, int]:
        """Rows that were deleted according to the receipts of its policies, by table."""
        return _summed(facts["rows"] for facts in self.receipt.values())

    @property
    def rows_per_second(self) -> float | None:
        """The average speed since the first start; None until the first row is done."""
        if not self.done or self.duration is None:
            return None
        return self.done / max(self.duration.total_seconds(), 0.001)

    @property
    def time_left(self) -> timedelta | None:
        """Until all rows that were due at the start are done, at the average speed so far."""
        speed = self.rows_per_second
        if speed is None or self.finished_at:
            return None
        return timedelta(seconds=round(max(self.total - self.done, 0) / speed))

    def result_lines(self) -> list[tuple[str, Any]]:
        """The numbers of the result as one flat list, each with a readable name.

        Groups come last: PostgreSQL's jsonb keeps the shortest names first, not the order of the task.
        """
        lines: list[tuple[str, Any]] = []
        grouped: list[tuple[str, Any]] = []
        for name, value in (self.result or {}).items():
            if isinstance(value, dict):
                grouped += value.items()
            else:
                lines.append((name, value))
        return [(name.replace("_", " "), number) for name, number in lines + grouped]

    def progress(self) -> dict[str, int]:
        # Rows may expire or disappear after they were counted at the start.
        return {"done": self.done, "total": max(self.total, self.done)}


def _summed(tables: Iterable[dict[str, int]]) -> dict[str, int]:
    rows: Counter[str] = Counter()
    for counts in tables:
        rows.update(counts)
    return dict(rows)
