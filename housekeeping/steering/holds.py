"""Holds as operators change them: make, change and end. ``engine.holds`` says which rows are held.

The next batch of a purge that is under way sees a new hold.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db.models import Count, Max, Min, Model, QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext

from housekeeping.database import clock
from housekeeping.database.transactions import writing
from housekeeping.declared import databases, rules
from housekeeping.declared.registry import policies
from housekeeping.engine import cascade
from housekeeping.engine.holds import wait_for_batches
from housekeeping.exceptions import BadHold, NotPossible
from housekeeping.journal import acts
from housekeeping.journal.acts import Actor
from housekeeping.models import Hold, Run

UNCHANGED: Any = object()
LAST = datetime.max.replace(microsecond=0, tzinfo=UTC)


@dataclass(frozen=True)
class Group:
    """The holds that one undo made: how many, and when they end."""

    count: int
    earliest: datetime | None
    latest: datetime | None  # None: at least one of them has no end

    def is_active(self, now: datetime) -> bool:
        return self.latest is None or self.latest > now


def holdable() -> dict[str, type[Model]]:
    """The models whose rows a policy of the site deletes, directly or by cascade, by their label.

    A policy that raises an error adds none: it deletes nothing until it is corrected.
    """
    known = [policy.known_model for policy in policies().values() if not policy.is_upkeep]
    return {table._meta.label: table for model in known if model for table in cascade.tables(model)}


def moment(text: str) -> datetime | None:
    """Read the end of a hold: a date (to its end) or ISO 8601; empty: no end.

    Without an offset, both are in TIME_ZONE, regardless of the activated zone. Raises BadHold.
    """
    text, zone = text.strip(), timezone.get_default_timezone()
    if not text:
        return None
    try:
        day = parse_date(text)
        read = end_of(day) if day else parse_datetime(text)
        if read and timezone.is_naive(read):
            read = timezone.make_aware(read, zone)
        if read:
            # Stored in UTC and shown in TIME_ZONE: it must be a valid moment in both.
            timezone.localtime(read.astimezone(UTC), zone)
    except (ValueError, OverflowError):
        read = None
    if read is None:
        words = gettext("%(text)s is not a date: write 2027-01-31, or 2027-01-31T12:00:00+00:00.")
        raise BadHold("until", words % {"text": repr(text)})
    return read


def end_of(day: date) -> datetime:
    """The last second of a day in TIME_ZONE: a person who names a date includes that day.

    West of UTC, the last day of the year 9999 ends with that year in UTC, beyond which no moment can be
    stored.
    """
    return min(datetime.combine(day, time(23, 59, 59), timezone.get_default_timezone()), LAST)


# --- One row ----------------------------------------------------------------------------------


@databases.needed()
def add(
    model: str, key: object, *, until: datetime | None = None, reason: str, by: Actor | None = None
) -> Hold:
    """Hold the row of ``model`` with this key until a moment, or (None) without an end.

    Raises BadHold for a model that no policy deletes from, a row that does not exist (any more), a
    missing reason, or a moment that has passed; then nothing is held. Raises DatabaseUnreachable.
    """
    table = _holdable(model)
    hold = Hold(model=table._meta.label, key=str(key).strip(), reason=reason.strip(), until=until)
    hold.made_by = by.name if by else ""
    check_until(until)
    with writing():
        # A batch that is under way has either deleted the row by now or will spare it.
        wait_for_batches()
        _check(hold)
        hold.save(force_insert=True)
        rules.changed()
        _record(by, "hold", hold, after=_facts(hold))
    return hold


def change(hold: Hold, *, until: Any = UNCHANGED, reason: Any = UNCHANGED, by: Actor | None = None) -> Hold:
    """Give a hold another end or another reason. Raises BadHold; then nothing has changed."""
    with writing():
        hold = _locked(hold)
        before = _facts(hold)
        if until is not UNCHANGED and until != hold.until:
            check_until(until)
            hold.until = until
        if reason is not UNCHANGED:
            hold.reason = reason.strip()
        if _facts(hold) == before:
            return hold  # nothing changes, so nothing is recorded
        wait_for_batches()
        _check(hold)
        hold.save(update_fields=["until", "reason"])
        rules.changed()
        _record(by, "change hold", hold, before=before, after=_facts(hold))
    return hold


def end(hold: Hold, *, by: Actor | None = None) -> None:
    """End a hold, so that policies may delete the row again. Raises NotPossible if it has ended."""
    with writing():
        hold = _locked(hold)
        _record(by, "end hold", hold, before=_facts(hold))
        hold.delete()
        rules.changed()


def _locked(hold: Hold) -> Hold:
    try:
        return Hold.objects.select_for_update().get(pk=hold.pk)
    except Hold.DoesNotExist:
        raise NotPossible(gettext("This hold has already ended.")) from None


def _holdable(model: str) -> type[Model]:
    choices = holdable()
    for label, table in choices.items():
        if label.lower() == model.strip().lower():
            return table
    text = gettext("No policy deletes from %(model)s; choose one of %(known)s.")
    raise BadHold("model", text % {"model": repr(model), "known": ", ".join(choices)})


def check_until(until: datetime | None) -> None:
    """Raises BadHold for a moment that has passed."""
    if until is not None and until <= clock.now():
        raise BadHold(
            "until",
            gettext("A hold must end in the future. Leave the date out to hold the row indefinitely."),
        )


def _check(hold: Hold) -> None:
    if not hold.reason:
        raise BadHold("reason", gettext("Enter a reason for the hold."))
    if "\0" in hold.reason:
        raise BadHold("reason", gettext("The reason must be text without NUL characters."))
    if hold._state.adding:
        hold.aliases = cascade.databases(apps.get_model(hold.model))
    try:
        hold.clean_fields(exclude=["undo"])
        hold.clean()
    except ValidationError as error:
        field, problems = next(iter(error.message_dict.items()))
        raise BadHold(field, " ".join(problems)) from None


# --- What an undo put back --------------------------------------------------------------------


def group(undo: Run) -> Group:
    """The holds that the run ``undo`` made, as one."""
    return groups([undo]).get(undo.pk, Group(0, None, None))


def groups(undos: Iterable[Run], *, among: QuerySet[Hold] | None = None) -> dict[uuid.UUID, Group]:
    """The holds that each of these runs made, as one, in one query. A run without holds is left out."""
    rows = Hold.objects.all() if among is None else among
    made = rows.filter(undo__in=undos).values("undo").order_by()
    found = made.annotate(count=Count("*"), dated=Count("until"), least=Min("until"), most=Max("until"))
    return {
        one["undo"]: Group(one["count"], one["least"], one["most"] if one["dated"] == one["count"] else None)
        for one in found
    }


def change_all(undo: Run, until: datetime | None, *, by: Actor | None = None) -> int:
    """Give all holds of an undo another end. Returns their number.

    Raises BadHold for a moment that has passed, NotPossible if the run has no holds.
    """
    check_until(until)
    with writing():
        wait_for_batches()  # holds that have lapsed may be in force again
        before = _some(undo)
        changed = undo.holds.update(until=until)
        rules.changed()
        after = {"holds": changed, "until": _iso(until)}
        acts.record(by, "change holds", undo.pk, before=_group_facts(before), after=after)
    return changed


def end_all(undo: Run, *, by: Actor | None = None) -> int:
    """End all holds of an undo. Returns their number. Raises NotPossible if there are none."""
    with writing():
        before = _some(undo)
        ended, _ = undo.holds.all().delete()
        rules.changed()
        acts.record(by, "end holds", undo.pk, before=_group_facts(before), after={"holds": 0, "ended": ended})
    return ended


def _some(undo: Run) -> Group:
    found = group(undo)
    if not found.count:
        raise NotPossible(
            gettext("This run has no holds. Only an undo makes holds, and they may have ended.")
        )
    return found


# --- Acts -------------------------------------------------------------------------------------


def _record(by: Actor | None, what: str, hold: Hold, **details: Any) -> None:
    row = {"hold": hold.pk, "model": hold.model, "key": hold.key}
    acts.record(by, what, str(hold)[:100], **row, **details)


def _facts(hold: Hold) -> dict[str, Any]:
    return {"until": _iso(hold.until), "reason": hold.reason}


def _group_facts(found: Group) -> dict[str, Any]:
    return {"holds": found.count, "until": [_iso(found.earliest), _iso(found.latest)]}


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
