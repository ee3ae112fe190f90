"""The strip of a task: its runs of the last 24 hours, as a bar for each half hour."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.http import QueryDict
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from housekeeping.dashboard.filters import LOCAL, STATUSES
from housekeeping.models import Run, in_words
from housekeeping.reading.overview import TIMELINE, Mark

WIDTH = timedelta(minutes=30)
NUMBER = TIMELINE // WIDTH
HEIGHT, LEAST = 16, 5  # of the strip and of the shortest run, in units of the drawing
# A bar is higher for a run that took at least so long.
STEPS = [timedelta(seconds=1), timedelta(seconds=10), timedelta(minutes=1), timedelta(minutes=10)]
# A bar of several runs has the color of the first of these that one of them has.
FIRST = [
    Run.Status.FAILED,
    Run.Status.HELD,
    Run.Status.RUNNING,
    Run.Status.QUEUED,
    Run.Status.MISSED,
    Run.Status.CANCELLED,
    Run.Status.SUCCEEDED,
]


@dataclass(frozen=True)
class Bar:
    """Runs of one half hour. ``x`` counts half hours, ``y`` and ``height`` are in units of the drawing."""

    x: int
    height: int
    status: str
    begins_at: datetime
    text: str
    address: str

    @property
    def y(self) -> int:
        return HEIGHT - self.height


def strips(marks: Iterable[Mark], now: datetime) -> dict[str, list[Bar]]:
    """The bars of each task that ran, the oldest first."""
    # Half hours of the clock, so that bars don't move between two looks.
    seconds = WIDTH.total_seconds()
    end = datetime.fromtimestamp((now.timestamp() // seconds + 1) * seconds, now.tzinfo)
    runs: dict[tuple[str, int], list[Mark]] = defaultdict(list)
    for mark in marks:
        place = NUMBER - 1 - (end - mark.at) // WIDTH
        if mark.run_id and 0 <= place < NUMBER:
            runs[mark.task, place].append(mark)
    found: dict[str, list[Bar]] = defaultdict(list)
    for (task, place), those in sorted(runs.items()):
        found[task].append(_bar(task, place, those, end - (NUMBER - place) * WIDTH))
    return found


def _bar(task: str, place: int, marks: list[Mark], begins_at: datetime) -> Bar:
    outcomes = [(status, sum(mark.status == status for mark in marks)) for status in FIRST]
    outcomes = [(status, number) for status, number in outcomes if number]
    longest = max((mark.took for mark in marks if mark.took is not None), default=None)
    steps = sum(longest >= step for step in STEPS) if longest is not None else 0
    height = LEAST + (HEIGHT - LEAST) * steps // len(STEPS)
    text = _text(outcomes, in_words(longest))
    return Bar(place, height, outcomes[0][0], begins_at, text, _address(task, marks, begins_at))


def _text(outcomes: list[tuple[Run.Status, int]], longest: str) -> str:
    number = sum(number for _, number in outcomes)
    if number == 1:
        return ", ".join(part for part in (str(STATUSES[outcomes[0][0]]), longest) if part)
    facts = {
        "runs": ngettext("%(count)s run", "%(count)s runs", number) % {"count": number},
        "outcomes": ", ".join(f"{number} {STATUSES[status]}" for status, number in outcomes),
        "longest": longest,
    }
    if not longest:
        return gettext("%(runs)s: %(outcomes)s") % facts
    return gettext("%(runs)s: %(outcomes)s; the longest took %(longest)s") % facts


def _address(task: str, marks: list[Mark], begins_at: datetime) -> str:
    """The page of the run, or the list of the runs."""
    if len(marks) == 1:
        return reverse("housekeeping:run", args=[marks[0].run_id])
    query = QueryDict(mutable=True)
    ends_at = begins_at + WIDTH
    query.update({"task": task, "after": _local(begins_at), "before": _local(ends_at)})
    return f"{reverse('housekeeping:runs')}?{query.urlencode()}"


def _local(at: datetime) -> str:
    return f"{timezone.localtime(at):{LOCAL}}"
