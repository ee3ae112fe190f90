"""The page of a schedule."""

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext, gettext_noop

from housekeeping.dashboard.act_lines import OF_POLICY, OF_TASK
from housekeeping.declared.triggers import parse
from housekeeping.exceptions import BadTrigger
from housekeeping.models import Act, Run
from housekeeping.reading.overview import ScheduleCard
from housekeeping.runs import schedules

# What would be right, for each reason that a cron expression is refused for.
RIGHT = {
    "Bad minute": gettext_noop("Minutes go from 0 to 59."),
    "Bad hour": gettext_noop("Hours go from 0 to 23."),
    "Bad day-of-month": gettext_noop("Days go from 1 to 31, as far as the month has them."),
    "Bad month": gettext_noop("Months go from 1 to 12, or from jan to dec."),
    "Bad day-of-week": gettext_noop("Weekdays go from 0 (Sunday) to 7, or from sun to sat."),
    "it never fires": gettext_noop("Choose a day that the month has."),
}


@dataclass(frozen=True)
class SchedulePage:
    """A schedule, and the fire times of its trigger or of one that somebody is about to save."""

    card: ScheduleCard
    trigger: str
    problem: str
    fire_times: list[datetime]
    acts: list[Act]

    @property
    def time_zone(self) -> str:
        """The zone that schedules are read in."""
        return timezone.get_default_timezone_name()


def read(schedule_id: str, now: datetime, *, trigger: str | None = None) -> SchedulePage:
    """``trigger``: the one to preview; without it, the trigger in force."""
    entry = schedules.find(schedule_id)
    last = Run.objects.filter(schedule=schedule_id).newest_first().first()
    text = entry.trigger.expression() if trigger is None else trigger
    problem, times = "", []
    try:
        times = schedules.fire_times(parse(text), now)
    except BadTrigger as error:
        problem = f"{error} {gettext(RIGHT.get(error.reason, ''))}".strip() if error.reason else str(error)
    acts = list(Act.objects.filter(target=schedule_id).exclude(what__in=(*OF_TASK, *OF_POLICY))[:5])
    return SchedulePage(ScheduleCard(entry, entry.next_fire_time(now), last), text, problem, times, acts)
