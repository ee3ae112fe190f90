"""Finding runs and holds in long lists: by filters that have an index, one slice at a time.

A slice is found by the moment and key of the row before it, not by counting rows. So the last slice
of a million rows is as fast as the first, and new rows do not shift the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet

from housekeeping.exceptions import BadPlace
from housekeeping.models import Hold, Run
from housekeeping.models.text import whole

SLICE_SIZE = 50
# No index finds a text within texts, so only this many runs are searched, the newest that pass the
# other filters. That takes a few tenths of a second.
TEXT_REACH = 100_000

MOST_KEY = 2**63 - 1
# Filters accept moments of these years: others would overflow in some time zones or databases.
FIRST_YEAR, LAST_YEAR = 1970, 9000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Row = TypeVar("Row", bound=Model)


# --- Which runs -------------------------------------------------------------------------------


def runs(filters: Mapping[str, Any]) -> QuerySet[Run]:
    """Runs, newest first, by ``task``, ``schedule``, ``status``, ``cause``, ``who``, ``dry_run``,
    ``after``, ``before`` and ``text``. A filter that is absent or empty has no effect.

    ``text`` is searched for in the error, the task, the schedule, the requester and the start of the
    id, within :data:`TEXT_REACH` runs. A whole id finds its run however old it is.
    """
    found = _indexed(filters)
    text = str(filters.get("text") or "").strip()
    if not text:
        return found
    if whole := _whole_id(text):
        return found.filter(pk=whole)
    since = _reach(found)
    return (found.filter(requested_at__gte=since) if since else found).filter(_with(text))


def text_since(filters: Mapping[str, Any]) -> datetime | None:
    """How far back :func:`runs` searches for ``text``; None if it searches all runs."""
    text = str(filters.get("text") or "").strip()
    return _reach(_indexed(filters)) if text and not _whole_id(text) else None


def _indexed(filters: Mapping[str, Any]) -> QuerySet[Run]:
    found = Run.objects.newest_first()
    columns = {"task": "task", "schedule": "schedule", "status": "status", "cause": "cause"}
    for name, column in {**columns, "who": "requested_by"}.items():
        if filters.get(name):
            found = found.filter(**{column: filters[name]})
    if filters.get("dry_run") is not None:
        found = found.filter(dry_run=filters["dry_run"])
    if filters.get("after"):
        found = found.filter(requested_at__gte=filters["after"])
    if filters.get("before"):
        found = found.filter(requested_at__lt=filters["before"])
    return found


def _reach(found: QuerySet[Run]) -> datetime | None:
    return found.values_list("requested_at", flat=True)[TEXT_REACH - 1 : TEXT_REACH].first()


def _with(text: str) -> Q:
    columns = ("error", "task", "schedule", "requested_by")
    anywhere = Q(*((f"{column}__icontains", text) for column in columns), _connector=Q.OR)
    return anywhere | _starting_with(text) if is_start_of_id(text) else anywhere


def is_start_of_id(text: str, *, least: int = 1) -> bool:
    """Is ``text`` a complete id of a run, or at least so many of its first characters?"""
    start = text.replace("-", "").lower()
    return _whole_id(text) is not None or (least <= len(start) < 32 and not start.strip("0123456789abcdef"))


def by_start_of_id(found: QuerySet[Run], text: str) -> QuerySet[Run]:
    """Those with this id, or whose id starts so."""
    return found.filter(_starting_with(text)) if is_start_of_id(text) else found.none()


def _starting_with(text: str) -> Q:
    start = text.replace("-", "").lower()
    if whole := _whole_id(text):
        return Q(pk=whole)
    return Q(pk__range=(UUID(start.ljust(32, "0")), UUID(start.ljust(32, "f"))))


def _whole_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


# --- Which holds ------------------------------------------------------------------------------


def holds(filters: dict[str, Any], now: datetime) -> QuerySet[Hold]:
    """Holds by ``model``, ``key``, ``undo`` (a run's id) and ``active``."""
    found = Hold.objects.filter(
        **{name: filters[name] for name in ("model", "key", "undo") if name in filters}
    )
    if "active" in filters:
        found = found.active(now) if filters["active"] else found.filter(until__lte=now)
    return found.order_by("-pk")


# --- A slice at a time ------------------------------------------------------------------------


@dataclass(frozen=True)
class Slice(Generic[Row]):
    """Rows, newest first, and the places of the next newer and older slices; empty if there is none."""

    rows: list[Row]
    newer: str
    older: str


def slice_or_newest(
    rows: QuerySet[Row], moment: str | None, places: Mapping[str, Any], *, size: int = SLICE_SIZE
) -> tuple[Slice[Row], bool]:
    """The slice that ``older``, ``newer`` or ``oldest`` in a list's address ask for, and True.

    The newest slice, and False, if the address has a place that no slice ever gave.
    """
    older, newer = str(places.get("older") or ""), str(places.get("newer") or "")
    try:
        return slice_of(rows, moment, older=older, newer=newer, oldest="oldest" in places, size=size), True
    except BadPlace:
        return slice_of(rows, moment, size=size), False


def slice_of(
    rows: QuerySet[Row],
    moment: str | None,
    *,
    older: str = "",
    newer: str = "",
    oldest: bool = False,
    size: int = SLICE_SIZE,
) -> Slice[Row]:
    """The newest slice of ``rows``, the one just below or above a place, or the oldest.

    ``moment``: the column that orders them before their key; None if only the key does. Raises
    BadPlace for a place that no slice ever gave.
    """
    upwards = rows.order_by(*([moment] if moment else []), "pk")
    if older:
        return _down(_beside(rows, moment, older, "lt"), moment, size, is_below=True)
    if oldest:
        return _up(upwards, moment, size, is_above=False)
    if newer:
        found = _up(_beside(upwards, moment, newer, "gt"), moment, size, is_above=True)
        if found.newer:  # else it is the newest slice, which is shown in full
            return found
    return _down(rows, moment, size, is_below=False)


def _down(rows: QuerySet[Row], moment: str | None, size: int, *, is_below: bool) -> Slice[Row]:
    found = list(rows[: size + 1])
    shown = found[:size]
    has_older = len(found) > size
    return Slice(
        shown,
        newer=place_of(shown[0], moment) if is_below and shown else "",
        older=place_of(shown[-1], moment) if has_older else "",
    )


def _up(rows: QuerySet[Row], moment: str | None, size: int, *, is_above: bool) -> Slice[Row]:
    found = list(rows[: size + 1])
    shown = found[:size][::-1]
    has_newer = len(found) > size
    return Slice(
        shown,
        newer=place_of(shown[0], moment) if has_newer else "",
        older=place_of(shown[-1], moment) if is_above and shown else "",
    )


def place_of(row: Model, moment: str | None) -> str:
    """A row's place in a list that is ordered by ``moment`` and the key, or by the key alone."""
    if moment is None:
        return str(row.pk)
    return f"{(getattr(row, moment) - _EPOCH) // timedelta(microseconds=1)}-{row.pk}"


def _beside(rows: QuerySet[Row], moment: str | None, place: str, side: str) -> QuerySet[Row]:
    """The rows on one ``side`` (lt, gt) of a place. The key separates rows of the same moment."""
    microseconds, _, key = place.partition("-") if moment else ("", "", place)
    try:
        at = _EPOCH + timedelta(microseconds=whole(microseconds)) if moment else None
        pk = rows.model._meta.pk.to_python(key)
    except (ValueError, OverflowError, ValidationError):
        raise BadPlace(place) from None
    if str(pk) != key or (isinstance(pk, int) and pk > MOST_KEY):
        raise BadPlace(place)
    if at is None:
        return rows.filter(**{f"pk__{side}": pk})
    # The second condition would be enough; the first one makes the planner walk the index.
    return rows.filter(**{f"{moment}__{side}e": at}).filter(
        Q(**{f"{moment}__{side}": at}) | Q(**{f"pk__{side}": pk})
    )


def neighbours(rows: QuerySet[Row], row: Row, moment: str) -> tuple[Row | None, Row | None]:
    """The rows just below and just above ``row``: the older one and the newer one."""
    place = place_of(row, moment)
    older = _beside(rows.order_by(f"-{moment}", "-pk"), moment, place, "lt")
    newer = _beside(rows.order_by(moment, "pk"), moment, place, "gt")
    return older.first(), newer.first()
