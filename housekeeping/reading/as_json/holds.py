"""Holds as JSON."""

from datetime import datetime
from typing import Any

from housekeeping import models
from housekeeping.reading.as_json.fields import GIVEN, Address, Facts, Flag, Id, Moment, Object, Text, Whole


class Hold(Object[models.Hold]):
    """A row that no policy may delete."""

    id = Whole("pk")
    model = Text()
    key = Text()
    until = Moment(nullable=True, help="null: no end.")
    reason = Text()
    active = Flag(GIVEN, help="It has not ended.")
    row_exists = Flag(GIVEN, help="false: its row is gone, and the hold has no effect.")
    made_by = Text(nullable=True)
    made_at = Moment()
    undo = Id("undo_id", nullable=True, help="The run that restored the row and holds it.")
    url = Address("hold")


class HoldsChanged(Object[Any]):
    """How many holds were changed."""

    changed = Whole(GIVEN, help="The number of holds.")
    until = Moment(GIVEN, nullable=True)


class HoldsEnded(Object[Any]):
    """How many holds were ended."""

    ended = Whole(GIVEN, help="The number of holds.")


def hold(hold: models.Hold, now: datetime, gone: frozenset[int]) -> Facts:
    """``gone``: the ids of the holds whose row is gone (``engine.holds.without_row``)."""
    return Hold.of(hold, active=hold.is_active(now), row_exists=hold.pk not in gone)
