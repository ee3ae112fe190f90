"""Charts as coordinates: templates print them as SVG, each with a table of the same numbers.

They are drawn on the server: they need no script and no inline style, and they can be printed.
Widths are in percent or stretched, so that a chart fits a phone as well as a wide screen.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from django.utils.translation import gettext as _

from housekeeping.declared.registry import STATISTICS
from housekeeping.models import Run, Snapshot, Tally

# The size of a chart in its own units; the page stretches it.
WIDTH, HEIGHT = 300, 100
STATUSES = (Run.Status.SUCCEEDED, Run.Status.FAILED, Run.Status.CANCELLED, Run.Status.MISSED)


def sparkline(numbers: Sequence[int]) -> str:
    """The points of a polyline in a box of WIDTH by HEIGHT; empty for fewer than two numbers."""
    if len(numbers) < 2:
        return ""
    least, most = min(numbers), max(numbers)
    span = (most - least) or 1
    step = WIDTH / (len(numbers) - 1)
    return " ".join(
        f"{index * step:.1f},{HEIGHT - (number - least) / span * HEIGHT:.1f}"
        for index, number in enumerate(numbers)
    )


# --- Trends -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    status: str
    title: str


@dataclass(frozen=True)
class Curve:
    """x is time, and y starts at zero so that a small change does not look like a big one."""

    points: str


@dataclass
class Chart:
    """A figure, with its numbers as a table. ``unit``: ``number``, ``bytes`` or ``ms``."""

    id: str
    title: str
    unit: str
    first: date
    last: date
    most: float
    columns: list[str]
    rows: list[tuple[date | datetime, list[float]]]
    bars: list[Bar] = field(default_factory=list)
    line: Curve | None = None
    legend: list[str] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        return not any(any(numbers) for _moment, numbers in self.rows)


def trends(tallies: Iterable[Tally], snapshots: Sequence[Snapshot], today: date, days: int) -> list[Chart]:
    """Runs by outcome, purged rows and mean duration per day; row counts and database size over time."""
    span = [today - timedelta(days=days - 1 - number) for number in range(days)]
    by_day: dict[date, list[Tally]] = defaultdict(list)
    for tally in tallies:
        by_day[tally.day].append(tally)
    purged = {_("rows"): lambda day: sum(tally.rows for tally in by_day[day])}
    mean = {_("mean"): lambda day: _mean_duration(by_day[day])}
    return [
        _outcomes(by_day, span),
        _bars("purged", _("Rows purged, per day"), "number", span, purged),
        _bars("duration", _("Duration of a run, mean per day"), "ms", span, mean),
        *_counts(snapshots, span),
    ]


def _outcomes(by_day: Mapping[date, Sequence[Tally]], span: list[date]) -> Chart:
    def ended_as(status: str) -> Callable[[date], float]:
        return lambda day: sum(tally.runs for tally in by_day[day] if tally.status == status)

    series = {str(status): ended_as(status) for status in STATUSES}
    chart = _bars("outcomes", _("Runs by outcome, per day"), "number", span, series)
    chart.legend = [str(status) for status in STATUSES]
    return chart


def _mean_duration(tallies: Iterable[Tally]) -> float:
    """In milliseconds, of the runs that succeeded or failed."""
    ended = [tally for tally in tallies if tally.status in (Run.Status.SUCCEEDED, Run.Status.FAILED)]
    count = sum(tally.runs for tally in ended)
    return round(sum(tally.duration_ms for tally in ended) / count) if count else 0


def _bars(
    id: str, title: str, unit: str, span: list[date], series: Mapping[str, Callable[[date], float]]
) -> Chart:
    rows = [(day, [count(day) for count in series.values()]) for day in span]
    most = max((sum(numbers) for _, numbers in rows), default=0)
    chart = Chart(id, title, unit, span[0], span[-1], most, [str(name) for name in series], list(rows))
    width = WIDTH / len(span)
    for index, (day, numbers) in enumerate(rows):
        top = float(HEIGHT)
        for status, number in zip(series, numbers, strict=True):
            if not number:
                continue
            height = number / most * HEIGHT
            top -= height
            left = index * width + width * 0.1
            title_ = f"{day}: {number:,}"
            chart.bars.append(Bar(_r(left), _r(top), _r(width * 0.8), _r(height), str(status), title_))
    return chart


def _counts(snapshots: Sequence[Snapshot], span: list[date]) -> list[Chart]:
    charts = [
        _line(
            f"statistic-{name}",  # its name may be that of a chart of ours
            str(drawn.label),
            "number",
            [(one.taken_at, one.numbers[name]) for one in snapshots if name in one.numbers],
            span,
        )
        for name, drawn in STATISTICS.items()
        if drawn.is_charted
    ]
    sizes = [(one.taken_at, one.database_bytes) for one in snapshots if one.database_bytes is not None]
    return [*charts, _line("size", _("Size of the database"), "bytes", sizes, span)]


def _line(id: str, title: str, unit: str, values: list[tuple[datetime, int]], span: list[date]) -> Chart:
    most = max((number for _, number in values), default=0)
    chart = Chart(
        id, title, unit, span[0], span[-1], most, [title], [(at, [number]) for at, number in values]
    )
    if len(values) > 1:
        first, last = values[0][0], values[-1][0]
        length = (last - first) or timedelta(seconds=1)
        points = [
            f"{_r((at - first) / length * WIDTH)},{_r(HEIGHT - number / (most or 1) * HEIGHT)}"
            for at, number in values
        ]
        chart.first, chart.last = first.date(), last.date()
        chart.line = Curve(" ".join(points))
    return chart


def _r(number: float) -> float:
    return round(number, 2)
