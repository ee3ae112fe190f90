"""Tables with random keys, which a site often has. The shape "uuid" of ``purge.py``."""

import uuid

from django.db import models


class Parcel(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    sent_at = models.DateTimeField(db_index=True)


class Scan(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    parcel = models.ForeignKey(Parcel, on_delete=models.CASCADE)
    words = models.TextField()
    scanned_at = models.DateTimeField()
