"""Incidents: something is wrong, is told once, again each day while it lasts, and when it is over.

What it promises:

- Of all processes that notice the same, one tells it: a constraint allows one open incident for each kind
  and target, and one conditional UPDATE ends it or reminds of it.
- What is told is stored in the transaction that opens or closes the incident: neither is there without the
  other.
"""

import logging
import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet

from housekeeping.database import clock
from housekeeping.database.transactions import writing
from housekeeping.journal.alerting import messages
from housekeeping.models import Incident
from housekeeping.models.text import one_line

logger = logging.getLogger(__name__)

Kind = Incident.Kind
REMINDED_EACH = timedelta(days=1)


@dataclass(frozen=True)
class Condition:
    """Something that is wrong now. ``is_known``: somebody knows of it, and is not reminded."""

    kind: Incident.Kind
    target: str
    text: str
    task: str = ""
    run: uuid.UUID | None = None
    is_known: bool = False


def settle(
    before: Iterable[Incident], found: Iterable[Condition], *, unsure: Collection[tuple[str, str]] = ()
) -> None:
    """Open, remind of and close incidents, by everything that is wrong now.

    ``before``: those that were open before the look began, since what was opened meanwhile is not over.
    ``unsure``: kinds and targets that nobody can judge at the moment: they stay as they are.
    """
    still = {(one.kind, one.target): one for one in before}
    for condition in found:
        incident = still.pop((condition.kind, condition.target), None)
        if incident is None:
            begin(condition)
        else:
            _go_on(incident, condition)
    for key, incident in still.items():
        if key not in unsure:
            close(incident)


def begin(condition: Condition) -> bool:
    """Open the incident and tell of it. False if it is open already: then it refers to the newest run."""
    now = clock.now()
    incident = Incident(
        kind=condition.kind,
        target=condition.target,
        task=condition.task,
        run=condition.run,
        text=_text(condition),
        opened_at=now,
        told_at=now,
    )
    try:
        with writing():
            with transaction.atomic():
                incident.save(force_insert=True)
            _tell(incident, messages.OPENED)
    except IntegrityError:  # another process has noticed it, too
        _open(condition.kind, condition.target).update(run=condition.run, text=_text(condition))
        return False
    return True


def end(kind: Incident.Kind, target: str, *, run: uuid.UUID | None = None) -> None:
    """Close the incident, if it is open. ``run``: the run that shows that it is over."""
    for incident in _open(kind, target):
        close(incident, run=run)


def close(incident: Incident, *, run: uuid.UUID | None = None, quietly: bool = False) -> None:
    now = clock.now()
    with writing():
        # Of the same run: it may have failed once more since it was read.
        if not Incident.objects.open().filter(pk=incident.pk, run=incident.run).update(closed_at=now):
            return
        incident.closed_at, incident.run = now, run or incident.run
        if not quietly:
            _tell(incident, messages.CLOSED)


def _open(kind: Incident.Kind, target: str) -> QuerySet[Incident]:
    return Incident.objects.open().filter(kind=kind, target=target)


def _text(condition: Condition) -> str:
    return one_line(condition.text, 300)


def _go_on(incident: Incident, condition: Condition) -> None:
    """Remind of an incident that was told a day ago, unless somebody knows of it."""
    now, same = clock.now(), Incident.objects.open().filter(pk=incident.pk)
    if incident.text != _text(condition) or incident.run != condition.run:
        incident.text, incident.run = _text(condition), condition.run
        same.update(text=incident.text, run=incident.run)
    if condition.is_known or not _is_due(incident, now):
        return
    with writing():
        if same.filter(told_at=incident.told_at).update(told_at=now):
            _tell(incident, messages.REMINDER)


def _is_due(incident: Incident, now: datetime) -> bool:
    """A moment in the future was written while the clock was ahead."""
    return not now - REMINDED_EACH < incident.told_at <= now + REMINDED_EACH


def _tell(incident: Incident, event: str) -> None:
    if messages.put(incident, event):
        Incident.objects.filter(pk=incident.pk).update(told=F("told") + 1)
