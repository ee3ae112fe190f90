from django.conf import settings
from django.db import models


class Note(models.Model):
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    text = models.TextField()
    written_at = models.DateTimeField(db_index=True)


class Stamp(models.Model):
    """Goes with its note."""

    note = models.ForeignKey(Note, models.CASCADE, related_name="stamps")
    colour = models.CharField(max_length=20)


class Bell(models.Model):
    """What the club's own Huey tasks leave behind."""

    text = models.CharField(max_length=100)
