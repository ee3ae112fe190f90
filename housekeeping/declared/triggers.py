"""Triggers: they compute the fire times of a schedule. No database, no clock.

Moments are aware datetimes in UTC. An interval counts elapsed time from the start of 1970, so
restarts and machines agree on its phase. A cron trigger is read in the time zone passed to it.
When clocks change,

- a trigger with a fixed hour fires once for each time that the clock shows, at the first pass.
  Times that the clock skips fire once, together, at the end of the gap.
- a trigger with a wildcard hour (``*``, ``*/2``, ``0-23``) follows real time: it fires whenever
  the clock shows a matching time, in both passes of a repeated hour.

These rules define a set of moments. The next and the last fire time are members of that set, no
matter at which moment the search starts.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from functools import cached_property
from typing import NamedTuple, Protocol

from cronsim import CronSim, CronSimError
from django.utils.translation import gettext_noop as _

from housekeeping.exceptions import BadTrigger

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SHORTEST_INTERVAL = timedelta(minutes=1)
LONGEST_EXPRESSION = 200  # what a schedule's row holds
LONGEST_INTERVAL = timedelta(days=366)
# Clocks are set back by an hour or less, and by a day if a country crosses the date line.
LONGEST_REPEAT = timedelta(hours=25)
# The texts of cronsim's errors, for the catalogue of translations.
CRONSIM_SAYS = (
    _("Bad minute"),
    _("Bad hour"),
    _("Bad day-of-month"),
    _("Bad month"),
    _("Bad day-of-week"),
)


class Every(NamedTuple):
    """``every 6 hours``. ``unit``: day, hour, minute or second."""

    number: int
    unit: str


class At(NamedTuple):
    """``on Monday to Friday at 2:00 AM``. ``days``: spans, each of one day or of its first and its
    last, in English; none for every day."""

    time: time
    days: tuple[tuple[str, ...], ...]


class ByCron(NamedTuple):
    """What takes more than a few words."""

    expression: str


Pattern = Every | At | ByCron


class Trigger(Protocol):
    def next_fire_time(self, after: datetime, zone: tzinfo) -> datetime:
        """The first fire time later than ``after``, in UTC."""

    def last_fire_time(self, until: datetime, zone: tzinfo) -> datetime:
        """The last fire time at or before ``until``, in UTC."""

    def resume(self, local: datetime, zone: tzinfo) -> datetime:
        """The first fire time that is owed after ``local``, in UTC.

        ``local`` has the offset from before a change of the zone's rules.
        """

    def expression(self) -> str:
        """The text that :func:`parse` reads: five cron fields, or ``[D ]HH:MM:SS``."""

    def pattern(self) -> Pattern:
        """The parts of :meth:`describe`, for another language."""

    def describe(self) -> str:
        """The trigger in English: ``at 2:00 AM``, ``every 6 hours``."""


@dataclass(frozen=True, init=False)
class Cron:
    """Five cron fields. A field that is left out is ``*``, but ``minute`` is 0.

    ``str()`` shows the minute and the fields that are not ``*``: ``cron[hour='2', minute='0']``.
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
        """Raises BadTrigger if a field is not valid or no day ever matches."""
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

    @cached_property
    def has_fixed_hour(self) -> bool:
        """False for a wildcard hour: one that begins with ``*`` or means every hour, however written."""
        return not self.hour.startswith("*") and len(CronSim(self.expression(), EPOCH).hours) < 24

    def next_fire_time(self, after: datetime, zone: tzinfo) -> datetime:
        repeated: datetime | None = None  # the earliest one in the second pass of a repeated hour
        for clock in self._clock_times_from(after, zone):
            first, *second = self._moments(clock, zone)
            if first > after:  # as are the moments of all later clock times
                return min(first, repeated or first)
            repeated = repeated or next((moment for moment in second if moment > after), None)
        raise AssertionError("a cron trigger fires again and again")

    def last_fire_time(self, until: datetime, zone: tzinfo) -> datetime:
        repeated: datetime | None = None  # the latest one in the first pass of a repeated hour
        for clock in self._clock_times_back_from(until, zone):
            *first, last = self._moments(clock, zone)
            if last <= until:  # as are the moments of all earlier clock times
                return max(last, repeated or last)
            repeated = repeated or next((moment for moment in first if moment <= until), None)
        raise AssertionError("a cron trigger has fired before")

    def resume(self, local: datetime, zone: tzinfo) -> datetime:
        if self.has_fixed_hour:  # the local time has fired, at any moment
            return self.next_fire_time(_shown(local.replace(tzinfo=None), zone)[0], zone)
        return self.next_fire_time(local, zone)

    def _clock_times_from(self, after: datetime, zone: tzinfo) -> Iterator[datetime]:
        """Matching clock times, ascending, from the earliest that is shown later than ``after``."""
        offset = min(_offset(after, zone), _offset(after + LONGEST_REPEAT, zone))
        return self._matching(_naive(after + offset), zone)

    def _clock_times_back_from(self, until: datetime, zone: tzinfo) -> Iterator[datetime]:
        """Matching clock times, descending, from the latest that has been shown by ``until``."""
        offset = max(_offset(until, zone), _offset(until - LONGEST_REPEAT, zone))
        # In reverse, cronsim begins strictly before its start.
        return self._matching(_naive(until + offset) + timedelta(seconds=1), zone, reverse=True)

    def _matching(self, start: datetime, zone: tzinfo, *, reverse: bool = False) -> Iterator[datetime]:
        for clock in CronSim(self.expression(), start, reverse=reverse):
            if self.has_fixed_hour or not _is_skipped(clock, zone):
                yield clock

    def _moments(self, clock: datetime, zone: tzinfo) -> list[datetime]:
        """The moments at which a clock time fires, ascending."""
        shown = _shown(clock, zone)
        return shown[:1] if self.has_fixed_hour else shown

    def pattern(self) -> Pattern:
        in_words = self.day == self.month == "*" and self.minute.isdigit() and self.hour.isdigit()
        days = _days(self.day_of_week)
        if not in_words or days is None:
            return ByCron(self.expression())
        return At(time(int(self.hour), int(self.minute)), days)

    def describe(self) -> str:
        return _in_english(self.pattern())

    def __str__(self) -> str:
        fields = ("month", "day", "day_of_week", "hour", "minute")
        given = [name for name in fields if name == "minute" or getattr(self, name) != "*"]
        shown = [f"{name}='{getattr(self, name)}'" for name in given]
        return f"cron[{', '.join(shown)}]"


@dataclass(frozen=True)
class Interval:
    """A length of elapsed time: ``Interval(hours=6)``. Its ``str()`` is ``interval[0:06:00:00]``."""

    length: timedelta

    def __init__(self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> None:
        """Raises BadTrigger for less than a minute, more than 366 days, or fractions of a second."""
        length = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        if not SHORTEST_INTERVAL <= length <= LONGEST_INTERVAL or length.microseconds:
            raise BadTrigger(_("An interval must be whole seconds, from one minute to 366 days."))
        object.__setattr__(self, "length", length)

    def expression(self) -> str:
        days, clock = self._parts()
        return f"{days} {clock}" if days else clock

    def next_fire_time(self, after: datetime, zone: tzinfo) -> datetime:
        return self.last_fire_time(after, zone) + self.length

    def last_fire_time(self, until: datetime, zone: tzinfo) -> datetime:
        return EPOCH + (until - EPOCH) // self.length * self.length

    def resume(self, local: datetime, zone: tzinfo) -> datetime:
        return self.next_fire_time(local, zone)

    def pattern(self) -> Pattern:
        for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
            count, rest = divmod(int(self.length.total_seconds()), size)
            if not rest:
                return Every(count, unit)
        raise AssertionError("an interval is of whole seconds")

    def describe(self) -> str:
        return _in_english(self.pattern())

    def _parts(self) -> tuple[int, str]:
        minutes, seconds = divmod(self.length.seconds, 60)
        return self.length.days, f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"

    def __str__(self) -> str:
        days, clock = self._parts()
        return f"interval[{days}:{clock}]"


# --- The clock of a zone ----------------------------------------------------------------------


def _offset(moment: datetime, zone: tzinfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


def _is_skipped(clock: datetime, zone: tzinfo) -> bool:
    before = clock.replace(tzinfo=zone)
    return before.utcoffset() < before.replace(fold=1).utcoffset()  # type: ignore[operator]


def _shown(clock: datetime, zone: tzinfo) -> list[datetime]:
    """The moments at which the clock shows a time: one, or two if the time is repeated.

    For a skipped time, the end of the gap.
    """
    first, second = (clock.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first > second:
        return [_end_of_gap(second, first, zone)]
    return [first] if first == second else [first, second]


def _end_of_gap(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """The moment of the clock change between two moments on either side of it."""
    new = _offset(after, zone)
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) // 2
        before, after = (before, middle) if _offset(middle, zone) == new else (middle, after)
    return after.replace(microsecond=0)


# --- Reading ------------------------------------------------------------------------------------


def parse(text: str) -> Cron | Interval:
    """Read the text of an operator: five cron fields, or an interval ``[D ]HH:MM:SS``.

    Raises BadTrigger, whose text shows the correct forms.
    """
    if len(text) > LONGEST_EXPRESSION:
        raise BadTrigger(_("A trigger has at most %(most)s characters."), most=LONGEST_EXPRESSION)
    interval = re.fullmatch(r"(?:([0-9]{1,3}) )?([0-9]{1,2}):([0-5][0-9]):([0-5][0-9])", text.strip())
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


def _in_english(pattern: Pattern) -> str:
    if isinstance(pattern, Every):
        return f"every {pattern.number} {pattern.unit}s" if pattern.number > 1 else f"every {pattern.unit}"
    if isinstance(pattern, ByCron):
        return f"by cron {pattern.expression}"
    hour, minute = pattern.time.hour, pattern.time.minute
    at = f"at {hour % 12 or 12}:{minute:02} {'AM' if hour < 12 else 'PM'}"
    days = " and ".join(" to ".join(span) for span in pattern.days)
    return f"on {days} {at}" if days else at


def _days(field: str) -> tuple[tuple[str, ...], ...] | None:
    """``sun`` as Sunday, ``mon-fri`` as Monday, Friday; no span for ``*``, None for the rest."""
    if field == "*":
        return ()
    spans = tuple(tuple(_DAYS.get(day, "") for day in span.split("-")) for span in field.split(","))
    return spans if all(all(span) and len(span) <= 2 for span in spans) else None


_DAY_NAMES = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_DAYS: dict[str, str] = {"7": "Sunday"}
for _number, _name in enumerate(_DAY_NAMES):
    _DAYS |= {str(_number): _name, _name[:3].lower(): _name}
