"""Acknowledgements: somebody knows that a task fails, so the verdict does not count it until it succeeds.

It ends with the task's next success, at the moment that was given, or when somebody ends it. Alerts are
still sent.

A success and an acknowledgement may be written at the same time, and neither then sees the other. So each
looks again after its commit (:func:`end_if_it_succeeded`), and the one that commits last ends the
acknowledgement.
"""

from datetime import datetime

from django.utils.translation import gettext

from housekeeping.database import clock
from housekeeping.database.transactions import writing
from housekeeping.declared import registry
from housekeeping.exceptions import NotPossible
from housekeeping.journal import acts
from housekeeping.journal.acts import Actor
from housekeeping.models import REASON_LENGTH, Run, TaskState
from housekeeping.models.text import one_line


def acknowledge(
    task: str, *, until: datetime | None = None, reason: str = "", by: Actor | None = None
) -> TaskState:
    """Acknowledge that the task fails, until a moment or (None) until it succeeds.

    Raises UnknownTask; NotPossible if its newest run has not failed, or for a moment that has passed.
    """
    registry.find_task(task)
    now = clock.now()
    if until is not None and until <= now:
        raise NotPossible(gettext("Give a moment in the future, or none: until it succeeds."))
    fields = {
        "acknowledged_at": now,
        "acknowledged_by": by.name if by else "",
        "acknowledged_until": until,
        "acknowledged_reason": one_line(reason, REASON_LENGTH),
    }
    with writing():
        newest = _newest(task)
        if newest is None or newest.status != Run.Status.FAILED:
            raise NotPossible(gettext("The newest run of %(task)s has not failed.") % {"task": task})
        state, _ = TaskState.objects.update_or_create(
            name=task, defaults=fields, create_defaults=fields | {"changed_at": now}
        )
        after = {"until": until.isoformat() if until else None, "reason": state.acknowledged_reason}
        acts.record(by, "acknowledge", task, run=str(newest.pk), after=after)
    end_if_it_succeeded(task)
    return state


def end_if_it_succeeded(task: str) -> None:
    """End the task's acknowledgement if its newest run has succeeded."""
    # Read first: on SQLite an UPDATE takes the write lock even if it changes nothing.
    if TaskState.objects.filter(name=task, acknowledged_at__isnull=False).exists():
        newest = _newest(task)
        if newest and newest.status == Run.Status.SUCCEEDED:
            end(task)


def _newest(task: str) -> Run | None:
    return Run.objects.did_work().filter(task=task).newest_first().first()


def end(task: str, *, by: Actor | None = None) -> bool:
    """End the task's acknowledgement. False if there is none."""
    with writing():
        known = TaskState.objects.filter(name=task, acknowledged_at__isnull=False)
        if not known.update(
            acknowledged_at=None, acknowledged_by="", acknowledged_until=None, acknowledged_reason=""
        ):
            return False
        acts.record(by, "end acknowledgement", task)
    return True
