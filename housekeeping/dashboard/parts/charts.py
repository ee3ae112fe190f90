"""Charts: numbers by day, as a table, as a drawing of the server, and as data for charts.js.

The drawing is SVG: it needs no script and no inline style. With JavaScript, uPlot takes its place, so that
values can be read off by pointer and keys, and a range can be dragged.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from housekeeping.declared.registry import STATISTICS
from housekeeping.models import Run, Snapshot, TableSize, Tally
from housekeeping.reading.runs import trends as reading
from housekeeping.reading.runs.trends import ENDED

# The size of a drawing in its own units; the page stretches it.
WIDTH, HEIGHT = 300, 100
STATUSES = (Run.Status.SUCCEEDED, Run.Status.FAILED, Run.Status.CANCELLED, Run.Status.MISSED)

Numbers = list[float | None]


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


# --- A chart ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bar:
    """In units of the drawing."""

    x: float
    y: float
    width: float
    height: float
    status: str
    title: str


@dataclass(frozen=True)
class Chart:
    """Numbers over time. ``unit``: ``number``, ``bytes`` or ``ms``. ``columns``: the series, by their names.

    y starts at zero, so that a small change does not look like a big one. The bars of a day are
    stacked.
    """

    id: str
    title: str
    unit: str
    has_bars: bool
    columns: list[str]
    rows: Sequence[tuple[date | datetime, Numbers]]
    period: tuple[date, date]  # the first and the last day: those of all charts of a page

    @property
    def is_empty(self) -> bool:
        return not any(any(numbers) for _moment, numbers in self.rows)

    @property
    def legend(self) -> list[str]:
        return self.columns if len(self.columns) > 1 else []

    @property
    def most(self) -> float:
        sums = [sum(_known(numbers)) if self.has_bars else max(_known(numbers)) for _at, numbers in self.rows]
        return max(sums, default=0)

    @property
    def bars(self) -> list[Bar]:
        if not self.has_bars:
            return []
        width, most = WIDTH / len(self.rows), self.most
        found = []
        for index, (day, numbers) in enumerate(self.rows):
            top = float(HEIGHT)
            for status, number in zip(self.columns, numbers, strict=True):
                if number:
                    height = number / most * HEIGHT
                    top -= height
                    place = (_r(index * width + width * 0.1), _r(top), _r(width * 0.8), _r(height))
                    found.append(Bar(*place, status, f"{day}: {number:,}"))
        return found

    @property
    def lines(self) -> list[str]:
        """The points of a polyline for each series."""
        if self.has_bars or len(self.rows) < 2:
            return []
        start, end = (_moment(day) for day in self.period)
        length, most = end + timedelta(days=1) - start, self.most or 1
        return [
            " ".join(
                f"{_r((_middle(at) - start) / length * WIDTH)},{_r(HEIGHT - number / most * HEIGHT)}"
                for at, numbers in self.rows
                if (number := numbers[place]) is not None
            )
            for place in range(len(self.columns))
        ]

    def data(self, labels: Mapping[str, Any]) -> dict[str, Any]:
        """What charts.js draws. ``labels``: of the series, by their names."""
        return {
            "unit": self.unit,
            "bars": self.has_bars,
            "stacks": self.has_bars and len(self.columns) > 1,
            "zone": timezone.get_default_timezone_name(),  # of the days
            "day": _("Day"),
            "period": [round(_moment(day).timestamp()) for day in self.period],
            "x": [round(_moment(at).timestamp()) for at, _numbers in self.rows],
            "series": [
                {
                    "name": name,
                    "label": str(labels.get(name, name)),
                    "values": [numbers[place] for _at, numbers in self.rows],
                }
                for place, name in enumerate(self.columns)
            ],
        }


def _known(numbers: Numbers) -> list[float]:
    return [number for number in numbers if number is not None] or [0]


def _moment(at: date | datetime) -> datetime:
    """A day begins in TIME_ZONE."""
    return at if isinstance(at, datetime) else datetime.combine(at, time(), timezone.get_default_timezone())


def _middle(at: date | datetime) -> datetime:
    """Of a day, at which its bar is drawn, too."""
    return at if isinstance(at, datetime) else _moment(at) + timedelta(hours=12)


# --- Which charts -----------------------------------------------------------------------------


def trends(tallies: Iterable[Tally], snapshots: Sequence[Snapshot], today: date, days: int) -> list[Chart]:
    """Runs by outcome, purged rows and mean duration per day; row counts and database size over time."""
    span, by_day = _span(today, days), _by_day(tallies)
    mean = {_("mean"): lambda day: _mean_duration(by_day[day])}
    return [
        _outcomes(by_day, span),
        _purged(by_day, span),
        _bars("duration", _("Duration of a run, mean per day"), "ms", span, mean),
        *_counts(snapshots, (span[0], span[-1])),
    ]


def of_task(
    tallies: Iterable[Tally], durations: Iterable[tuple[date, timedelta]], today: date, days: int
) -> list[Chart]:
    """Of one task, per day: runs by outcome, purged rows, and the median and 95th percentile of durations.

    ``durations``: of runs that ended, each with the day of its end.
    """
    span, by_day = _span(today, days), _by_day(tallies)
    took = reading.by_day(durations)
    rows: list[tuple[date, Numbers]] = [(day, _percentiles(took[day])) for day in span if day in took]
    title = _("Duration of a run, median and 95th percentile")
    return [
        _outcomes(by_day, span),
        _purged(by_day, span),
        Chart("percentiles", title, "ms", False, ["p50", "p95"], rows, (span[0], span[-1])),
    ]


def of_table(sizes: Sequence[TableSize]) -> list[Chart]:
    """Of one table, by day: its bytes, if the database tells them, and its rows. Of all days measured."""
    zone = timezone.get_default_timezone()
    days = [timezone.localdate(one.measured_at, zone) for one in sizes] or [timezone.localdate(timezone=zone)]
    period = (min(days), max(days))
    in_bytes = [(one.measured_at, one.bytes) for one in sizes if one.bytes is not None]
    in_rows = [(one.measured_at, one.rows) for one in sizes if one.rows is not None]
    charts = [_line("table-size", _("Size of the table"), "bytes", in_bytes, period)] if in_bytes else []
    return [*charts, _line("table-rows", _("Rows of the table"), "number", in_rows, period)]


def _span(today: date, days: int) -> list[date]:
    return [today - timedelta(days=days - 1 - number) for number in range(days)]


def _by_day(tallies: Iterable[Tally]) -> Mapping[date, list[Tally]]:
    found: dict[date, list[Tally]] = defaultdict(list)
    for tally in tallies:
        found[tally.day].append(tally)
    return found


def _outcomes(by_day: Mapping[date, Sequence[Tally]], span: list[date]) -> Chart:
    def ended_as(status: str) -> Callable[[date], float]:
        return lambda day: sum(tally.runs for tally in by_day[day] if tally.status == status)

    series = {str(status): ended_as(status) for status in STATUSES}
    return _bars("outcomes", _("Runs by outcome, per day"), "number", span, series)


def _purged(by_day: Mapping[date, Sequence[Tally]], span: list[date]) -> Chart:
    rows = {_("rows"): lambda day: sum(tally.rows for tally in by_day[day])}
    return _bars("purged", _("Rows purged, per day"), "number", span, rows)


def _mean_duration(tallies: Iterable[Tally]) -> float:
    """In milliseconds, of the runs that succeeded or failed."""
    ended = [tally for tally in tallies if tally.status in ENDED]
    count = sum(tally.runs for tally in ended)
    return round(sum(tally.duration_ms for tally in ended) / count) if count else 0


def _percentiles(durations: list[timedelta]) -> Numbers:
    """The median and the 95th percentile, in whole milliseconds."""
    return [one / timedelta(milliseconds=1) for one in reading.percentiles(durations)]


def _bars(
    id: str, title: str, unit: str, span: list[date], series: Mapping[str, Callable[[date], float]]
) -> Chart:
    rows: list[tuple[date, Numbers]] = [(day, [count(day) for count in series.values()]) for day in span]
    return Chart(id, title, unit, True, [str(name) for name in series], rows, (span[0], span[-1]))


def _counts(snapshots: Sequence[Snapshot], period: tuple[date, date]) -> list[Chart]:
    charts = [
        _line(
            f"statistic-{name}",  # its name may be that of a chart of ours
            str(drawn.label),
            "number",
            [(one.taken_at, one.numbers[name]) for one in snapshots if name in one.numbers],
            period,
        )
        for name, drawn in STATISTICS.items()
        if drawn.is_charted
    ]
    sizes = [(one.taken_at, one.database_bytes) for one in snapshots if one.database_bytes is not None]
    return [*charts, _line("size", _("Size of the database"), "bytes", sizes, period)]


def _line(
    id: str, title: str, unit: str, values: list[tuple[datetime, int]], period: tuple[date, date]
) -> Chart:
    return Chart(id, title, unit, False, [title], [(at, [number]) for at, number in values], period)


def _r(number: float) -> float:
    return round(number, 2)
