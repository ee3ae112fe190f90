"""Erasures: people whose data was deleted for good, and the certificates of that."""

import uuid
from typing import ClassVar

from django.db import models

from housekeeping.database import stored
from housekeeping.database.stored import StoredJSON
from housekeeping.models.routing import OwnModel, OwnQuerySet


class ErasureQuerySet(OwnQuerySet["Erasure"]):
    def open(self) -> "ErasureQuerySet":
        return self.filter(finished_at=None)


class Erasure(OwnModel):
    """The erasure of one person, from the request to the certificate.

    ``person`` and ``found`` tell whom to look for, and ``touched`` what was changed. They are emptied at the
    end, with which the last trace of the person is gone.
    """

    class State(models.TextChoices):
        REQUESTED = "requested"
        RUNNING = "running"
        FINISHED = "finished"
        STOPPED = "stopped"  # before anything was changed; ``reason`` tells why

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    state = models.CharField(max_length=10, choices=State, default=State.REQUESTED)
    pseudonym = models.CharField(max_length=40, unique=True, help_text="What stands for the person's name.")
    model = models.CharField(max_length=200, help_text="The model of accounts: app_label.Model.")
    person = models.JSONField(null=True, help_text="The account's key, name and addresses until the end.")
    found = models.BinaryField(null=True, help_text="zstd of JSON: by model, the keys of the person's rows.")
    touched = models.BinaryField(null=True, help_text="zstd of JSON: by model, the keys of changed rows.")
    requested_by = models.CharField(max_length=254, blank=True)
    requested_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    reason = models.TextField(blank=True, help_text="Why it was stopped.")
    rows = StoredJSON(default=dict, read=stored.counts, help_text="Deleted rows by table, so far.")
    archived = StoredJSON(default=dict, read=stored.counts, help_text="Rows removed from archives, by table.")
    exported = StoredJSON(
        null=True, default=dict, read=stored.counts, help_text="Rows removed from exports, by table."
    )
    files = StoredJSON(
        null=True, default=dict, read=stored.counts, help_text="Deleted files by field, so far."
    )
    changed = StoredJSON(default=dict, read=stored.counts, help_text="Rows that stay, changed, by table.")
    certificate = models.JSONField(null=True)
    digest = models.CharField(max_length=64, blank=True, help_text="SHA-256 of the certificate.")

    objects: ClassVar[ErasureQuerySet] = ErasureQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-requested_at", "-id"]

    def __str__(self) -> str:
        return self.pseudonym

    @property
    def is_open(self) -> bool:
        return self.finished_at is None
