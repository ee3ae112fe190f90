"""The page of holds."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef

from housekeeping.engine.holds import without_row
from housekeeping.models import Hold, Run
from housekeeping.reading import search
from housekeeping.steering.holds import Group, groups, holdable


@dataclass(frozen=True)
class UndoHolds:
    """All holds of one undo, which are shown as one."""

    undo: Run
    group: Group


@dataclass(frozen=True)
class HoldPage:
    """Two lists: the holds of each undo as one, and the holds that people made one by one.

    ``older_undos`` and ``older``: the places after which the next slices begin; empty on the last one.
    """

    now: datetime
    undos: list[UndoHolds]
    older_undos: str
    single: list[Hold]
    older: str
    gone: frozenset[int]  # the ids of single holds whose row is gone

    @property
    def models(self) -> list[str]:
        return list(holdable())


def read(now: datetime, places: Mapping[str, str]) -> HoldPage:
    """``places``: ``older`` and ``undos_older`` from an address.

    Older addresses have the id of a hold as ``before``, or of a run as ``undos_before``.
    """
    holding = Run.objects.newest_first().filter(Exists(Hold.objects.filter(undo=OuterRef("pk"))))
    undos_older = places.get("undos_older") or _place_of_run(places.get("undos_before", ""))
    runs, _ = search.slice_or_newest(holding, "requested_at", {"older": undos_older})
    older = places.get("older") or places.get("before")
    made = groups(runs.rows)
    single, _ = search.slice_or_newest(Hold.objects.filter(undo=None).order_by("-pk"), None, {"older": older})
    return HoldPage(
        now=now,
        undos=[UndoHolds(run, made[run.pk]) for run in runs.rows if run.pk in made],
        older_undos=runs.older,
        single=single.rows,
        older=single.older,
        gone=without_row(single.rows),
    )


def _place_of_run(pk: str) -> str:
    try:
        return search.place_of(Run.objects.get(pk=uuid.UUID(pk)), "requested_at")
    except (ValueError, Run.DoesNotExist):
        return ""
