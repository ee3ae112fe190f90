"""Batches of rows in another database, on their way into our bookkeeping."""

import uuid

from django.db import models

from housekeeping.database import clock
from housekeeping.models.routing import OwnModel


class Handover(models.Model):
    """What the bookkeeping has to learn of a batch: written where the rows are, in their transaction.

    The table is empty in the default database, where the bookkeeping is.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    kind = models.CharField(max_length=20, help_text="purge, undo or erasure")
    run = models.UUIDField(null=True, help_text="Or the erasure; null for a purge in a shell.")
    policy = models.CharField(max_length=100, blank=True, help_text="Of a purge.")
    made_at = clock.StampField()
    facts = models.BinaryField(help_text="zstd of JSON.")
    payload = models.BinaryField(help_text="The payloads of the batch's archives, one after the other.")

    def __str__(self) -> str:
        return f"{self.kind} {self.policy} {self.run or ''}"


class Received(OwnModel):
    """A handover that the bookkeeping has: it must not be counted twice while it is still there."""

    id = models.UUIDField(primary_key=True)
    database = models.CharField(max_length=100, help_text="Where the rows are.")

    def __str__(self) -> str:
        return f"{self.id} from {self.database}"
