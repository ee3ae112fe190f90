"""The strip of a task: its runs of the last 24 hours, as a bar for each half hour.

It is written here because a template took a fifth of the time of the overview
(docs/explanation/performance.md).
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import lru_cache
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import escape
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext, ngettext

from housekeeping.dashboard.filters import STATUSES, iso_minutes
from housekeeping.models import Run, in_words
from housekeeping.reading.runs.half_hours import NUMBER, WIDTH, HalfHour

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
RANK = {str(status): rank for rank, status in enumerate(FIRST)}
BAR = """<a href="{address}" data-at="{iso}" data-tip="{text}" aria-label="{label}: {text}"{stop}>\
<rect class="bar-space" x="{x}" width="1" height="16"/>\
<rect class="bar-mark" data-status="{status}" x="{x}.1" width=".8" y="{y}" height="{height}"/></a>"""
# The strip is one stop of the Tab key, at its newest bar; the arrow keys lead to the others (site.js).
NO_STOP = ' tabindex="-1"'
# Bars that are written already: those of past half hours stay the same for a day. A bar is some 400 bytes.
MOST_WRITTEN = 5_000


def strips(runs: Iterable[HalfHour], end: datetime) -> dict[str, SafeString]:
    """The bars of each task that ran, the oldest first, as the inside of an SVG of 48 x 16 units.

    ``end``: of the last half hour.
    """
    begin, base = end - NUMBER * WIDTH, reverse("housekeeping:runs")
    reader = (get_language(), timezone.get_current_timezone_name())
    bars: dict[str, dict[int, list[HalfHour]]] = defaultdict(lambda: defaultdict(list))
    for one in runs:
        bars[one.task][(one.begins_at - begin) // WIDTH].append(one)
    return {task: _strip(bars_of_task, base, reader) for task, bars_of_task in bars.items()}


def _strip(bars: dict[int, list[HalfHour]], base: str, reader: tuple[str | None, str]) -> SafeString:
    newest = max(bars)
    return SafeString(
        "".join(_bar(tuple(bars[x]), x, base, reader, is_stop=x == newest) for x in sorted(bars))
    )


@lru_cache(MOST_WRITTEN)
def _bar(
    runs: tuple[HalfHour, ...], x: int, base: str, reader: tuple[str | None, str], *, is_stop: bool
) -> str:
    """``reader``: the language and the time zone that are active, since the bar depends on them."""
    outcomes = sorted(runs, key=lambda one: RANK[one.status])
    begins, ends = (timezone.localtime(at) for at in (runs[0].begins_at, runs[0].begins_at + WIDTH))
    longest = max((one.longest for one in runs if one.longest is not None), default=None)
    steps = sum(longest >= step for step in STEPS) if longest is not None else 0
    height = LEAST + (HEIGHT - LEAST) * steps // len(STEPS)
    query = {"task": runs[0].task, "after": iso_minutes(begins), "before": iso_minutes(ends)}
    is_one_run = len(runs) == 1 and runs[0].runs == 1
    return BAR.format(
        address=escape(f"{base}/{runs[0].run_id}" if is_one_run else f"{base}?{urlencode(query)}"),
        iso=begins.isoformat(timespec="milliseconds"),
        label=escape(date_format(begins, "D H:i")),
        text=escape(_text(outcomes, in_words(longest))),
        stop="" if is_stop else NO_STOP,
        status=outcomes[0].status,
        x=x,
        y=HEIGHT - height,
        height=height,
    )


def _text(outcomes: list[HalfHour], longest: str) -> str:
    number = sum(one.runs for one in outcomes)
    if number == 1:
        return ", ".join(part for part in (str(STATUSES[Run.Status(outcomes[0].status)]), longest) if part)
    facts = {
        "runs": ngettext("%(count)s run", "%(count)s runs", number) % {"count": number},
        "outcomes": ", ".join(f"{one.runs} {STATUSES[Run.Status(one.status)]}" for one in outcomes),
        "longest": longest,
    }
    if not longest:
        return gettext("%(runs)s: %(outcomes)s") % facts
    return gettext("%(runs)s: %(outcomes)s; the longest took %(longest)s") % facts
