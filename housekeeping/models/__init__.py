"""The rows: what is scheduled, what ran, who runs it, and what was measured.

A run's row is the truth about it; the queue only carries its id to a worker. What
must never be (two runs of one fire time, one task running twice) is a constraint here.
"""

import uuid
from datetime import datetime, timedelta
from typing import Any, ClassVar, TypeVar

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import DEFAULT_DB_ALIAS, connection, models, router
from django.utils.translation import gettext as _

from housekeeping import conf
from housekeeping.database import clock, stored
from housekeeping.database.stored import StoredJSON

# A host whose clock is further off is worth a warning, though nothing goes by that clock.
MOST_OFFSET = timedelta(seconds=2)


def storable(value: Any) -> Any:
    """``value`` without the characters that no database takes: NUL, and half a surrogate pair.

    Looks into lists and dictionaries, and leaves anything else as it is.
    """
    if isinstance(value, str):
        return value.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()
    if isinstance(value, list):
        return [storable(one) for one in value]
    if isinstance(value, dict):
        return {storable(name): storable(one) for name, one in value.items()}
    return value


def in_words(duration: timedelta | None) -> str:
    """A duration that a person reads at a glance: ``40 ms``, ``3 min 5 s``; empty for None."""
    if duration is None:
        return ""
    seconds = max(duration.total_seconds(), 0)
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"


M = TypeVar("M", bound=models.Model)


class OwnQuerySet(models.QuerySet[M]):
    """Reads where it writes, whatever a router says: a replica that lags behind would have us go
    by a retention, a hold or a claim that is over."""

    @property
    def db(self) -> str:
        return router.db_for_write(self.model)


class OwnModel(models.Model):
    """A row of ours."""

    objects = OwnQuerySet.as_manager()

    class Meta:
        abstract = True

    def refresh_from_db(self, using: str | None = None, *args: Any, **options: Any) -> None:
        super().refresh_from_db(using or router.db_for_write(type(self)), *args, **options)


class Consumer(OwnModel):
    """One ``run_huey`` process, by its heartbeat."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    workers = models.PositiveSmallIntegerField()
    worker_type = models.CharField(max_length=20)
    schedules = models.BooleanField(help_text="Looks at the schedules: not started with -n.")
    version = models.CharField(max_length=100, blank=True, help_text="Of the site, and of Huey.")
    started_at = models.DateTimeField()
    last_heartbeat_at = models.DateTimeField(db_index=True)
    stopped_at = models.DateTimeField(null=True)
    clock_offset_ms = models.BigIntegerField(
        null=True, help_text="How far the host's clock is ahead of the database's."
    )

    class Meta:
        ordering = ["-last_heartbeat_at"]

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"

    def is_alive(self, now: datetime) -> bool:
        return self.stopped_at is None and now - conf.life() <= self.last_heartbeat_at <= now + conf.ahead()

    @property
    def clock_offset(self) -> timedelta | None:
        """How far the host's clock is ahead of the database's (negative: behind), if it was measured."""
        return None if self.clock_offset_ms is None else timedelta(milliseconds=self.clock_offset_ms)

    @property
    def has_wrong_clock(self) -> bool:
        return abs(self.clock_offset or timedelta()) > MOST_OFFSET

    @property
    def clock_in_words(self) -> str:
        """``The clock of db1 is 1 h 0 min ahead of the database's.``"""
        offset = self.clock_offset or timedelta()
        if offset > timedelta():
            text = _("The clock of %(host)s is %(time)s ahead of the database's.")
        else:
            text = _("The clock of %(host)s is %(time)s behind the database's.")
        return text % {"host": self.host, "time": in_words(abs(offset))}


class ScheduleState(OwnModel):
    """What a declared schedule owes next. Its id is the declaration's."""

    id = models.CharField(primary_key=True, max_length=100)
    is_paused = models.BooleanField(default=False)
    trigger = models.CharField(max_length=200, blank=True, help_text="An operator's; blank: as declared.")
    # The trigger and zone that next_fire_at was computed from: another one starts afresh.
    computed_from = models.CharField(max_length=300)
    computed_at = models.DateTimeField(db_default=clock.Now())
    next_fire_at = models.DateTimeField(db_index=True)
    # An offset that the zone does not give for this moment any more: its rules have changed.
    local_times = models.CharField(
        max_length=100, default="", db_default="", help_text="next_fire_at, and what it comes after, local."
    )

    def __str__(self) -> str:
        return self.id


class PolicyState(OwnModel):
    """What an operator has changed about a declared policy. Its name is the declaration's."""

    name = models.CharField(primary_key=True, max_length=100)
    retention_days = models.PositiveIntegerField(null=True, help_text="An operator's; null: as declared.")
    changed_at = models.DateTimeField(db_default=clock.Now())
    changed_by = models.CharField(max_length=150, blank=True)

    def __str__(self) -> str:
        return self.name


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


class PlannedRows(OwnModel):
    """Keys of rows that a preview, or a held run, has seen: a purge of that plan takes no others."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="planned_rows")
    policy = models.CharField(max_length=100)
    rows = models.PositiveIntegerField()
    payload = models.BinaryField(help_text="zstd of JSON: [[key, rows that hang from it], …], oldest first.")

    def __str__(self) -> str:
        return f"{self.rows} rows of the plan {self.run_id}"


class Archive(OwnModel):
    """What one batch of a run removed from one table, until its undo window closes."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="archives")
    policy = models.CharField(max_length=100)
    model = models.CharField(max_length=200, help_text="The table's model: app_label.Model.")
    is_own = models.BooleanField(help_text="Rows of the policy itself, not of its cascade.")
    # Empty for rows; else the column that was emptied, where a foreign key says SET_NULL.
    emptied = models.CharField(max_length=100, blank=True)
    schema = StoredJSON(help_text="The columns as they were: [[name, type], …], key first.")
    vendor = models.CharField(max_length=20, help_text="The database that wrote the payload.")
    rows = models.PositiveIntegerField()
    payload = models.BinaryField(help_text="zstd of JSON rows (SQLite) or of COPY text (PostgreSQL).")
    size = models.PositiveIntegerField(help_text="Bytes of the payload.")
    expires_at = models.DateTimeField(db_index=True)
    # Null where version 1.0 made it: batches count from 1 within the run, positions from 1 within the
    # batch, whose own rows come last. A batch that is too large for one transaction of an undo is cut
    # into parts.
    batch = models.PositiveIntegerField(null=True)
    part = models.PositiveIntegerField(null=True)
    position = models.PositiveIntegerField(null=True)
    before = models.CharField(max_length=64, null=True, help_text="The receipt's digest before it.")
    digest = models.CharField(max_length=64, null=True, help_text="Of what it is and of what it holds.")

    def __str__(self) -> str:
        return f"{self.rows} rows of {self.model}"

    @property
    def name(self) -> str:
        """What an operator calls it: its policy, its table, its batch."""
        what = f"{self.model}.{self.emptied}" if self.emptied else self.model
        batch = "" if self.batch is None else f", batch {self.batch}"
        return f"{self.policy}, {what}{batch}"


class HoldQuerySet(OwnQuerySet["Hold"]):
    def active(self, now: clock.Moment) -> "HoldQuerySet":
        return self.filter(models.Q(until=None) | models.Q(until__gt=now))


class Hold(OwnModel):
    """A row that no policy may delete, neither itself nor by a cascade."""

    model = models.CharField(max_length=200, help_text="app_label.Model")
    key = models.CharField(max_length=100)
    until = models.DateTimeField(null=True, blank=True, db_index=True, help_text="Empty: for good.")
    reason = models.CharField(max_length=200)
    made_by = models.CharField(max_length=150, blank=True)
    made_at = models.DateTimeField(db_default=clock.Now())
    # Set where an undo put the row back: all of its holds are one thing to an operator.
    undo = models.ForeignKey(
        Run, models.SET_NULL, null=True, blank=True, related_name="holds", db_index=False
    )

    objects: ClassVar[HoldQuerySet] = HoldQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-made_at", "-pk"]
        indexes = [
            models.Index(fields=["model", "key"], name="hold_of_row"),
            # An undo may hold a million rows: they are counted, and passed over, without being read.
            models.Index(fields=["undo", "until"], name="hold_of_undo"),
            models.Index(fields=["-id"], condition=models.Q(undo=None), name="hold_one_by_one"),
        ]

    def __str__(self) -> str:
        return f"{self.model} {self.key}"

    def is_active(self, now: datetime) -> bool:
        return self.until is None or self.until > now

    def clean(self) -> None:
        """Writes model and key in the one way that is looked for.

        Raises ValidationError where there is no such row: a misspelt hold would keep nothing.
        """
        try:
            model = apps.get_model(self.model)
        except (LookupError, ValueError):
            text = _("There is no model %(model)s; write chat.Conversation or chat.User.")
            raise ValidationError({"model": text % {"model": repr(self.model)}}) from None
        concrete = model._meta.concrete_model or model  # a proxy's rows are its table's
        self.model = concrete._meta.label
        # The row is locked for the transaction, if there is one: a batch of a purge that is at
        # work on it is waited for. The key is kept in one way: "042" is 42.
        rows: models.QuerySet[Any] = models.QuerySet(concrete, using=DEFAULT_DB_ALIAS)
        if connection.in_atomic_block:
            rows = rows.select_for_update(no_key=True)
        try:
            key = rows.filter(pk=self.key).values_list("pk", flat=True).first()
        except (TypeError, ValueError, ValidationError):
            key = None
        if key is None:
            text = _("There is no %(model)s with the key %(key)s.")
            raise ValidationError({"key": text % {"model": self.model, "key": repr(self.key)}})
        self.key = str(key)


class Gauge(OwnModel):
    """A figure that is expensive to measure, kept with the moment at which it was measured."""

    name = models.CharField(primary_key=True, max_length=100)
    value = StoredJSON(read=stored.in_order)
    measured_at = models.DateTimeField()
    took_ms = models.PositiveIntegerField(help_text="How long it took: what is cheap is measured anew.")
    claimed_at = models.DateTimeField(null=True, help_text="When somebody began to measure it anew.")
    rules = models.CharField(
        max_length=32, null=True, help_text="The mark of the retentions and holds that it was measured under."
    )

    def __str__(self) -> str:
        return self.name


class Snapshot(OwnModel):
    """The five numbers at one moment."""

    taken_at = models.DateTimeField(db_index=True)
    numbers = StoredJSON(read=stored.counts)
    database_bytes = models.PositiveBigIntegerField(null=True, help_text="The database's size on disk.")

    class Meta:
        ordering = ["-taken_at"]

    def __str__(self) -> str:
        return f"Statistics of {self.taken_at:%Y-%m-%d %H:%M}"

    def __getitem__(self, name: str) -> Any:
        return self.numbers.get(name, 0)


class Act(OwnModel):
    """Who did what, when, and from where."""

    done_at = models.DateTimeField()
    who = models.CharField(max_length=150, blank=True)
    what = models.CharField(max_length=50)
    target = models.CharField(max_length=100, help_text="The run, schedule or policy it was done to.")
    origin = models.CharField(max_length=200, help_text="A face, and the address it was used from.")
    details = StoredJSON(default=dict, read=stored.details)

    class Meta:
        ordering = ["-done_at", "-id"]
        indexes = [
            models.Index(fields=["-done_at", "-id"], name="act_newest"),
            models.Index(fields=["who", "-done_at", "-id"], name="act_newest_of_who"),
            models.Index(fields=["what", "-done_at", "-id"], name="act_newest_of_what"),
            models.Index(fields=["target", "-done_at", "-id"], name="act_newest_of_target"),
        ]

    def __str__(self) -> str:
        return f"{self.who} {self.what} {self.target}"


class Delivery(OwnModel):
    """Something to be told to somebody outside, such as a mail, until it is sent or given up.

    What it says may be a secret (a link that verifies an account): it is kept no longer than
    it is needed.
    """

    channel = models.CharField(max_length=20, default="mail")
    kind = models.CharField(max_length=40, blank=True, help_text="What it is about, for the log.")
    address = models.CharField(max_length=320)
    payload = models.JSONField(null=True, help_text="What it says; null once it is sent or given up.")
    created_at = models.DateTimeField(db_index=True)
    not_before = models.DateTimeField(null=True, help_text="When the next attempt is due.")
    attempts = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, help_text="Somebody is sending it until then.")
    sent_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=100, blank=True, help_text="The kind of the last error.")

    class Meta:
        verbose_name_plural = "deliveries"
        indexes = [
            models.Index(
                fields=["id"],
                name="delivery_waiting",
                condition=models.Q(sent_at=None, failed_at=None),
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind or self.channel} {self.pk}"
