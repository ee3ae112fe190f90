"""Exports: copies of rows in files of a storage, and requests to put them back."""

import uuid

from django.db import models

from housekeeping.database import stored
from housekeeping.database.stored import StoredJSON
from housekeeping.models.routing import OwnModel


class Export(OwnModel):
    """A folder of files with rows that a run has deleted, or was going to delete."""

    class State(models.TextChoices):
        WRITING = "writing"  # its files are of no use yet
        WRITTEN = "written"  # its files were read back and compared
        REWRITTEN = "rewritten"  # without a person: the storage may have files that are not named any more

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # No foreign key: it outlives its run by years.
    run_id = models.UUIDField(db_index=True)
    policy = models.CharField(max_length=100)
    model = models.CharField(max_length=200, help_text="The policy's model: app_label.Model.")
    storage = models.CharField(max_length=100, help_text="Its alias in STORAGES.")
    folder = models.TextField()
    state = models.CharField(max_length=10, choices=State, default=State.WRITING)
    files = StoredJSON(default=list, help_text="The names of its files in the storage.")
    manifest = StoredJSON(null=True, help_text="What its manifest.json says.")
    rows = StoredJSON(default=dict, read=stored.counts, help_text="Exported rows by table.")
    rewritten = models.PositiveIntegerField(default=0, help_text="How often a person was erased from it.")
    is_erasable = models.BooleanField(default=True, help_text="Erasures reach it.")
    size = models.PositiveBigIntegerField(default=0, help_text="Bytes of its files.")
    digest = models.CharField(max_length=64, blank=True, help_text="SHA-256 of its manifest.")
    made_at = models.DateTimeField()

    class Meta:
        ordering = ["-made_at", "-id"]

    def __str__(self) -> str:
        return f"{self.storage}: {self.folder}"


class Import(OwnModel):
    """A request to put the rows of an export back."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    storage = models.CharField(max_length=100, help_text="Its alias in STORAGES.")
    folder = models.TextField()
    requested_by = models.CharField(max_length=254, blank=True)
    requested_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    # No foreign key: it outlives its run.
    run_id = models.UUIDField(null=True, help_text="The run that has its rows; an undo of it puts them back.")
    rows = StoredJSON(default=dict, read=stored.counts, help_text="Rows by table.")
    error = models.TextField(blank=True)

    class Meta:
        ordering = ["-requested_at", "-id"]

    def __str__(self) -> str:
        return f"{self.storage}: {self.folder}"
