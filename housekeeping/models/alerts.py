"""Who is told what is wrong (channels), what is wrong (incidents), and the messages about it (deliveries)."""

from typing import ClassVar

from django.db import models

from housekeeping.database import stored
from housekeeping.database.stored import StoredJSON
from housekeeping.models.routing import OwnModel, OwnQuerySet


class Channel(OwnModel):
    """A way to tell people or programs of incidents. Without a row, operators get mails (``channels``)."""

    class Kind(models.TextChoices):
        MAIL = "mail"
        WEBHOOK = "webhook"
        SLACK = "slack"

    name = models.CharField(primary_key=True, max_length=50)
    kind = models.CharField(max_length=10, choices=Kind)
    # A secret, if it is a URL. Empty: mails go to those who may operate.
    address = models.CharField(max_length=500, blank=True)
    kinds = StoredJSON(default=list, read=stored.words, help_text="Kinds of incidents; empty: all.")
    tasks = StoredJSON(default=list, read=stored.words, help_text="Tasks; empty: all incidents.")
    is_on = models.BooleanField(default=True)
    is_reminded = models.BooleanField(default=True, help_text="Also each day while an incident lasts.")
    secret_number = models.PositiveIntegerField(default=1, help_text="A new one makes a new secret.")
    made_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    changed_by = models.CharField(max_length=254, blank=True)

    def __str__(self) -> str:
        return self.name

    def takes(self, incident: "Incident") -> bool:
        """Is it told of the incident? One that is limited to some tasks is told of theirs alone."""
        is_of_kind = not self.kinds or incident.kind in self.kinds
        return self.is_on and is_of_kind and (not self.tasks or incident.task in self.tasks)


class IncidentQuerySet(OwnQuerySet["Incident"]):
    def open(self) -> "IncidentQuerySet":
        return self.filter(closed_at=None)


class Incident(OwnModel):
    """Something that is wrong, from the moment when it was noticed until it is over."""

    class Kind(models.TextChoices):
        FAILED = "failed"
        HELD = "held"
        MISSED = "missed"
        BACKLOG = "backlog"
        ARCHIVE = "archive"
        DAMAGED = "damaged"
        CONSUMER = "consumer"

    kind = models.CharField(max_length=10, choices=Kind)
    target = models.CharField(max_length=150, blank=True, help_text="The task, schedule, policy or run.")
    task = models.CharField(max_length=100, blank=True, help_text="The task that it concerns, if any.")
    run = models.UUIDField(null=True, help_text="The run that shows it.")
    text = models.CharField(max_length=300, help_text="What is wrong, in one sentence.")
    opened_at = models.DateTimeField()
    told_at = models.DateTimeField(help_text="When it was last told.")
    told = models.PositiveIntegerField(default=0, help_text="How often it was told.")
    closed_at = models.DateTimeField(null=True, db_index=True)

    objects: ClassVar[IncidentQuerySet] = IncidentQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-opened_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "target"],
                condition=models.Q(closed_at=None),
                name="incident_one_open",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.target}".strip()


class Delivery(OwnModel):
    """A message to somebody outside, such as a mail, until it is sent or given up.

    Its text may be a secret (a link that verifies an account), so it is deleted as soon as possible.
    """

    class Transport(models.TextChoices):
        MAIL = "mail"
        WEBHOOK = "webhook"
        SLACK = "slack"
        PING = "ping"

    # The columns have the names of version 1.0, which still runs while a site is upgraded.
    transport = models.CharField(
        db_column="channel", max_length=20, default=Transport.MAIL, help_text="How it is sent."
    )
    channel = models.CharField(
        db_column="channel_name",
        max_length=100,
        blank=True,
        default="",
        db_default="",
        help_text="The channel that it goes through; of a ping, its schedule.",
    )
    kind = models.CharField(max_length=40, blank=True, help_text="What it is about, for the log.")
    address = models.CharField(max_length=320, help_text="A mail address; a URL without its secret parts.")
    payload = models.JSONField(null=True, help_text="What it says; null once it is sent or given up.")
    incident = models.ForeignKey(Incident, models.SET_NULL, null=True, related_name="deliveries")
    created_at = models.DateTimeField(db_index=True)
    not_before = models.DateTimeField(null=True, help_text="When the next attempt is due.")
    attempts = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, help_text="Somebody is sending it until then.")
    sent_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=100, blank=True, help_text="The kind of the last error.")
    answer = models.CharField(
        max_length=100, blank=True, default="", db_default="", help_text="The server's last answer: its code."
    )

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
        return f"{self.kind or self.transport} {self.pk}"

    @property
    def state(self) -> str:
        if self.sent_at:
            return "sent"
        return "given_up" if self.failed_at else "waiting"
