from datetime import UTC, date, datetime, timedelta

import pytest

from housekeeping.dashboard.parts import charts
from housekeeping.declared.registry import STATISTICS, Statistic
from housekeeping.models import Snapshot, Tally

TODAY = date(2026, 11, 25)


def tally(*, days_ago=0, status="succeeded", **fields):
    return Tally(day=TODAY - timedelta(days=days_ago), task="users", status=status, **fields)


def test_a_sparkline_fills_its_box_and_needs_two_numbers():
    assert charts.sparkline([5, 10, 7]) == "0.0,100.0 150.0,0.0 300.0,60.0"
    assert charts.sparkline([5, 5]) == "0.0,100.0 300.0,100.0"
    assert charts.sparkline([5]) == ""


@pytest.mark.parametrize("name", ["size", "purged", "duration", "outcomes"])
def test_a_statistic_named_as_a_chart_of_ours_has_one_of_its_own(name, monkeypatch):
    monkeypatch.setitem(STATISTICS, name, Statistic(name, lambda: 7, "A number"))

    ids = [chart.id for chart in charts.trends([], [], TODAY, days=2)]

    assert len(set(ids)) == len(ids)


def test_trends_sum_up_each_day():
    tallies = [
        tally(days_ago=1, runs=3, rows=40, duration_ms=900),
        tally(days_ago=1, runs=1, duration_ms=300, status="failed"),
        tally(runs=2, status="missed"),
    ]

    outcomes, purged, duration, *_ = charts.trends(tallies, [], TODAY, days=2)

    yesterday = TODAY - timedelta(days=1)
    assert outcomes.rows == [(yesterday, [3, 1, 0, 0]), (TODAY, [0, 0, 0, 2])]
    assert purged.rows == [(yesterday, [40]), (TODAY, [0])]
    assert duration.rows == [(yesterday, [300]), (TODAY, [0])]
    assert [bar.height for bar in outcomes.bars] == [75.0, 25.0, 50.0]


def test_percentiles_of_a_task_are_those_of_each_day():
    yesterday = TODAY - timedelta(days=1)
    durations = [(yesterday, timedelta(seconds=number)) for number in range(1, 101)]
    durations.append((TODAY, timedelta(seconds=7)))

    *_, percentiles = charts.of_task([], durations, TODAY, days=3)

    assert percentiles.rows == [(yesterday, [50_500, 95_050]), (TODAY, [7_000, 7_000])]
    assert percentiles.lines == ["150.0,46.87 250.0,92.64", "150.0,0.0 250.0,92.64"]


def test_the_data_of_a_chart_are_the_numbers_of_its_table():
    tallies = [tally(days_ago=1, runs=3), tally(runs=2, status="failed")]

    outcomes, *_ = charts.trends(tallies, [], TODAY, days=2)

    data = outcomes.data({"failed": "fehlgeschlagen"})
    assert (data["stacks"], data["unit"], data["zone"]) == (True, "number", "UTC")
    assert data["x"] == [1795478400, 1795564800]
    assert [(one["label"], one["values"]) for one in data["series"]] == [
        ("succeeded", [3, 0]), ("fehlgeschlagen", [0, 2]), ("cancelled", [0, 0]), ("missed", [0, 0]),
    ]  # fmt: skip


def test_all_charts_of_a_page_show_the_same_period():
    taken = datetime(2026, 11, 24, 12, tzinfo=UTC)
    snapshots = [Snapshot(taken_at=taken, numbers={"total_users": 4}, database_bytes=1)]
    durations = [(TODAY, timedelta(seconds=7))]

    shown = [*charts.trends([], snapshots, TODAY, days=30), *charts.of_task([], durations, TODAY, days=30)]

    first = datetime(2026, 10, 27, tzinfo=UTC)
    periods = [chart.data({})["period"] for chart in shown]
    assert periods == [[first.timestamp(), (first + timedelta(days=29)).timestamp()]] * len(shown)


def test_a_chart_without_values_is_empty_and_draws_nothing():
    *_, size = charts.trends([], [], TODAY, days=2)

    assert size.is_empty
    assert size.lines == []
