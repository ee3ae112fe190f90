"""Triggers: what gives a schedule its fire times, and how it reads. No database, no clock.

Moments go in and come out as aware datetimes in UTC. A cron trigger is read in the time
zone that it is handed, by Debian cron's rules for clock changes (cronsim): a fire time
in the hour that spring skips comes at that hour's end, one in the hour that autumn
repeats comes once. An interval counts elapsed time from the start of 1970, so that
restarts and machines agree on its phase.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Protocol

from cronsim import CronSim, CronSimError
from django.utils.translation import gettext_noop as _

from housekeeping.exceptions import BadTrigger

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SHORTEST_INTERVAL = timedelta(minutes=1)
LONGEST_EXPRESSION = 200  # what a schedule's row holds
LONGEST_INTERVAL = timedelta(days=366)
# What cronsim says of a field, for the catalogue.
CRONSIM_SAYS = (
    _("Bad minute"),
    _("Bad hour"),
    _("Bad day-of-month"),
    _("Bad month"),
    _("Bad day-of-week"),
)


class Trigger(Protocol):
    def next_fire_time(self, after: datetime, zone: tzinfo) -> datetime:
        """The first fire time later than ``after``, in UTC."""

    def last_fire_time(self, until: datetime, zone: tzinfo) -> datetime:
        """The newest fire time at or before ``until``, in UTC."""

    def expression(self) -> str:
        """The text that :func:`parse` reads: five cron fields, or ``[D ]HH:MM:SS``."""

    def describe(self) -> str:
        """The trigger in words: ``at 2:00 AM``, ``every 6 hours``."""


@dataclass(frozen=True, init=False)
class Cron:
    """Five cron fields. A field left out is ``*``, save ``minute``, which is 0.

    ``str()`` shows the fields that were given: ``cron[hour='2', minute='0']``.
    """

    minute: str
    hour: str
    day: str
    month: str
    day_of_week: str

    def __init__(
        self,
        *,
        minute: int | str = 0,
        hour: int | str = "*",
        day: int | str = "*",
        month: int | str = "*",
        day_of_week: int | str = "*",
    ) -> None:
        """Raises BadTrigger where cron can't read a field or no day ever matches."""
        fields = {"minute": minute, "hour": hour, "day": day, "month": month, "day_of_week": day_of_week}
        for name, value in fields.items():
            object.__setattr__(self, name, str(value).strip().lower())
        try:
            next(CronSim(self.expression(), EPOCH))
        except (CronSimError, StopIteration) as error:
            reason, text = str(error) or _("it never fires"), repr(self.expression())
            words = _("%(expression)s is not a cron expression: %(reason)s.")
            raise BadTrigger(words, expression=text, reason=reason) from error

    def expression(self) -> str:
        return f"{self.minute} {self.hour} {self.day} {self.month} {self.day_of_week}"

    def next_fire_time(self, after: datetime, zone: tzinfo) -> datetime:
        times = CronSim(self.expression(), after.astimezone(zone))
        while True:  # once, but for the second pass through a repeated hour
            fire_time = next(times).astimezone(UTC)
            if fire_time > after:
                return fire_time

    def last_fire_time(self, until: datetime, zone: tzinfo) -> datetime:
        # CronSim looks strictly before its start, and has no reverse rule for a skipped
        # hour; so step back to a fire time well before, and forward again to the newest.
        back = timedelta(days=1)
        while True:
            start = until - back
            fire_time = self.next_fire_time(start, zone)
            if fire_time <= until:
                break
            back *= 4
        while (following := self.next_fire_time(fire_time, zone)) <= until:
            fire_time = following
        return fire_time

    def describe(self) -> str:
        in_words = self.day == self.month == "*" and self.minute.isdigit() and self.hour.isdigit()
        days = _days_in_words(self.day_of_week)
        if not in_words or days is None:
            return f"by cron {self.expression()}"
        at = f"at {_clock(int(self.hour), int(self.minute))}"
        return f"on {days} {at}" if days else at

    def __str__(self) -> str:
        fields = ("month", "day", "day_of_week", "hour", "minute")
        shown = [f"{name}='{getattr(self, name)}'" for name in fields if getattr(self, name) != "*"]
        return f"cron[{', '.join(shown)}]"


@dataclass(frozen=True)
class Interval:
    """A length of elapsed time: ``Interval(hours=6)``; ``str()`` is ``interval[0:06:00:00]``."""

    length: timedelta

    def __init__(self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> None:
        """Raises BadTrigger for less than a minute, more than a year, or parts of a second."""
        length = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        if not SHORTEST_INTERVAL <= length <= LONGEST_INTERVAL or length.microseconds:
            raise BadTrigger(_("An interval is of whole seconds, from one minute to 366 days."))
        object.__setattr__(self, "length", length)

    def expression(self) -> str:
        days, clock = self._parts()
        return f"{days} {clock}" if days else clock

    def next_fire_time(self, after: datetime, zone: tzinfo) -> datetime:
        return self.last_fire_time(after, zone) + self.length

    def last_fire_time(self, until: datetime, zone: tzinfo) -> datetime:
        return EPOCH + (until - EPOCH) // self.length * self.length

    def describe(self) -> str:
        for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
            count, rest = divmod(int(self.length.total_seconds()), size)
            if not rest:
                return f"every {unit}" if count == 1 else f"every {count} {unit}s"
        raise AssertionError("an interval is of whole seconds")

    def _parts(self) -> tuple[int, str]:
        minutes, seconds = divmod(self.length.seconds, 60)
        return self.length.days, f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"

    def __str__(self) -> str:
        days, clock = self._parts()
        return f"interval[{days}:{clock}]"


def parse(text: str) -> Cron | Interval:
    """Read what an operator wrote: five cron fields, or an interval ``[D ]HH:MM:SS``.

    Raises BadTrigger, whose text says what would be right.
    """
    if len(text) > LONGEST_EXPRESSION:
        raise BadTrigger(_("A trigger has at most %(most)s characters."), most=LONGEST_EXPRESSION)
    interval = re.fullmatch(r"(?:(\d{1,3}) )?(\d{1,2}):([0-5]\d):([0-5]\d)", text.strip())
    if interval:
        days, hours, minutes, seconds = (int(part or 0) for part in interval.groups())
        return Interval(days=days, hours=hours, minutes=minutes, seconds=seconds)
    fields = text.split()
    if len(fields) != 5:
        raise BadTrigger(
            _(
                "A trigger is five cron fields, such as '0 2 * * *',"
                " or an interval [D ]HH:MM:SS, such as '06:00:00'."
            )
        )
    return Cron(**dict(zip(("minute", "hour", "day", "month", "day_of_week"), fields, strict=True)))


def _clock(hour: int, minute: int) -> str:
    return f"{hour % 12 or 12}:{minute:02} {'AM' if hour < 12 else 'PM'}"


def _days_in_words(field: str) -> str | None:
    """``sun`` as Sunday, ``mon-fri`` as Monday to Friday; nothing for ``*``, None for the rest."""
    if field == "*":
        return ""
    spans = [[_DAYS.get(day) for day in span.split("-")] for span in field.split(",")]
    if not all(all(span) and len(span) <= 2 for span in spans):
        return None
    return " and ".join(" to ".join(map(str, span)) for span in spans)


_DAY_NAMES = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_DAYS: dict[str, str] = {"7": "Sunday"}
for _number, _name in enumerate(_DAY_NAMES):
    _DAYS |= {str(_number): _name, _name[:3].lower(): _name}
