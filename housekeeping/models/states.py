"""The state of schedules, policies and consumers; measured figures; and acts."""

import uuid
from datetime import datetime, timedelta
from typing import ClassVar

from django.db import models
from django.utils.translation import gettext as _

from housekeeping import conf
from housekeeping.database import clock, stored
from housekeeping.database.stored import StoredJSON
from housekeeping.models.routing import OwnModel, OwnQuerySet
from housekeeping.models.text import in_words

# Warn about a host whose clock is further off, even though no decision depends on that clock.
MOST_OFFSET = timedelta(seconds=2)
# The longest reason that an operator gives for a change of a task, in characters.
REASON_LENGTH = 300


class ConsumerQuerySet(OwnQuerySet["Consumer"]):
    def alive(self, now: datetime) -> "ConsumerQuerySet":
        """Those with a fresh heartbeat. One from the future was written under a wrong clock."""
        fresh = (now - conf.life(), now + conf.ahead())
        return self.filter(stopped_at=None, last_heartbeat_at__range=fresh)


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

    objects: ClassVar[ConsumerQuerySet] = ConsumerQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-last_heartbeat_at"]

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"

    def is_alive(self, now: datetime) -> bool:
        return self.stopped_at is None and now - conf.life() <= self.last_heartbeat_at <= now + conf.ahead()

    @property
    def clock_offset(self) -> timedelta | None:
        """How far the host's clock is ahead of the database's (negative: behind); None if not measured."""
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
    """When a declared schedule is due next. Its id is that of the declaration."""

    id = models.CharField(primary_key=True, max_length=100)
    is_paused = models.BooleanField(default=False)
    trigger = models.CharField(max_length=200, blank=True, help_text="An operator's; blank: as declared.")
    # The trigger and time zone that next_fire_at was computed from. If they change, it is computed anew.
    computed_from = models.CharField(max_length=300)
    computed_at = clock.StampField()
    next_fire_at = models.DateTimeField(db_index=True)
    # Shows that the rules of the time zone have changed since: it no longer gives these local times.
    local_times = models.CharField(
        max_length=100, default="", db_default="", help_text="next_fire_at, and what it comes after, local."
    )

    def __str__(self) -> str:
        return self.id


class PolicyState(OwnModel):
    """What an operator has changed about a declared policy. Its name is that of the declaration."""

    name = models.CharField(primary_key=True, max_length=100)
    retention_days = models.PositiveIntegerField(null=True, help_text="An operator's; null: as declared.")
    changed_at = clock.StampField()
    changed_by = models.CharField(max_length=254, blank=True)

    def __str__(self) -> str:
        return self.name


class TaskState(OwnModel):
    """What an operator has changed about a declared task. Its name is that of the declaration."""

    name = models.CharField(primary_key=True, max_length=100)
    is_paused = models.BooleanField(default=False)
    changed_at = models.DateTimeField()
    changed_by = models.CharField(max_length=254, blank=True)
    reason = models.CharField(max_length=REASON_LENGTH, blank=True, help_text="Why it is paused.")
    # Somebody knows of its failures, until it succeeds again.
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.CharField(max_length=254, blank=True, default="", db_default="")
    acknowledged_until = models.DateTimeField(null=True, help_text="null: until it succeeds.")
    acknowledged_reason = models.CharField(max_length=REASON_LENGTH, blank=True, default="", db_default="")

    def is_acknowledged(self, now: datetime) -> bool:
        until = self.acknowledged_until
        return self.acknowledged_at is not None and (until is None or now < until)

    def __str__(self) -> str:
        return self.name


NUMBERS = "statistics"  # the gauge of what the site counts


class Gauge(OwnModel):
    """A figure that is expensive to measure, saved with the moment when it was measured."""

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

    @property
    def numbers(self) -> dict[str, int]:
        """Of the statistics: each that could be counted."""
        return stored.counts(self.value)

    @property
    def errors(self) -> dict[str, str]:
        """Why something could not be counted: by statistic, or a backlog's ``error``. Mostly empty."""
        found = self.value if isinstance(self.value, dict) else {}
        names = found if self.name == NUMBERS else found.keys() & {"error"}
        return {name: found[name] for name in names if isinstance(found[name], str)}


class Snapshot(OwnModel):
    """The site's statistics at one moment."""

    taken_at = models.DateTimeField(db_index=True)
    numbers = StoredJSON(read=stored.counts)
    database_bytes = models.PositiveBigIntegerField(null=True, help_text="The database's size on disk.")

    class Meta:
        ordering = ["-taken_at"]

    def __str__(self) -> str:
        return f"Statistics of {self.taken_at:%Y-%m-%d %H:%M}"


class Act(OwnModel):
    """Who did what, when, and from where."""

    done_at = models.DateTimeField()
    who = models.CharField(max_length=254, blank=True)
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
