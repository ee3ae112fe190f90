"""The page of holds."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, QuerySet

from housekeeping.engine.holds import without_row
from housekeeping.models import Hold, Run
from housekeeping.steering.holds import Group, group, holdable


@dataclass(frozen=True)
class UndoHolds:
    """What an undo put back and holds, as one thing."""

    undo: Run
    group: Group


@dataclass(frozen=True)
class HoldPage:
    """A page of holds: an undo's as one, and those that somebody made one by one. ``older``:
    what the next page of either begins after."""

    now: datetime
    undos: list[UndoHolds]
    older_undos: uuid.UUID | None
    single: list[Hold]
    older: int | None
    gone: frozenset[int]  # the ids of single holds whose row is gone

    @property
    def models(self) -> list[str]:
        return list(holdable())


def read(now: datetime, *, before: str = "", undos_before: str = "", size: int = 50) -> HoldPage:
    """``before`` and ``undos_before``: the last hold, and the last undo, of the page before."""
    holding = Exists(Hold.objects.filter(undo=OuterRef("pk")))
    runs = list(older_than(Run.objects.newest_first().filter(holding), undos_before)[: size + 1])
    single = Hold.objects.filter(undo=None).order_by("-pk")
    if before.isdecimal() and len(before) < 19:
        single = single.filter(pk__lt=int(before))
    found = list(single[: size + 1])
    return HoldPage(
        now=now,
        undos=[UndoHolds(run, group(run)) for run in runs[:size]],
        older_undos=runs[size - 1].pk if len(runs) > size else None,
        single=found[:size],
        older=found[size - 1].pk if len(found) > size else None,
        gone=without_row(found[:size]),
    )


def older_than(history: QuerySet[Run], pk: str) -> QuerySet[Run]:
    """The part of the history below the run of that id; all of it, if there is no such run."""
    try:
        last = Run.objects.get(pk=uuid.UUID(pk))
    except (ValueError, Run.DoesNotExist):
        return history
    # One look at the schedules opens several runs at the same moment: the id tells them apart.
    shown_beside = {"requested_at": last.requested_at, "pk__gte": last.pk}
    return history.filter(requested_at__lte=last.requested_at).exclude(**shown_beside)
