"""The club's background work: its own Huey tasks, and what housekeeping does for it."""

from datetime import timedelta

from django.utils import timezone
from huey import crontab
from huey.contrib.djhuey import db_periodic_task, db_task

from housekeeping import Cron, Policy, Purge, purge, scheduled, statistic, task
from notes.models import Bell, Note


@db_periodic_task(crontab())
def ring():
    Bell.objects.create(text=f"It is {timezone.now():%H:%M}")


@db_task()
def whisper(text):
    Bell.objects.create(text=text)


old_notes = Policy(
    "old_notes",
    rows=lambda cutoff: Note.objects.filter(written_at__lt=cutoff),
    age="written_at",
    retention=timedelta(days=30),
)


@scheduled("nightly_notes", "Notes, each night", Cron(hour=3, minute=30))
@task(policy=old_notes)
def delete_old_notes(purge: Purge = purge) -> dict[str, int]:
    """Delete notes that are older than a month."""
    return {"deleted_notes": purge(old_notes)}


@statistic(label="Notes")
def notes() -> int:
    return Note.objects.count()
