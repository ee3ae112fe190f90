"""Metrics for Prometheus.

A scrape counts nothing: runs and rows are sums of tallies, and expensive figures are those measured last,
with their age. Labels are names that the code or the database's schema declares, never texts from outside.
"""

import secrets
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from housekeeping import conf
from housekeeping.database import clock
from housekeeping.declared.registry import TASKS
from housekeeping.journal import tallies
from housekeeping.models import Run
from housekeeping.monitoring import alerts
from housekeeping.monitoring.loopback import is_from_this_machine
from housekeeping.reading import in_force, overview
from housekeeping.reading.overview import Overview
from housekeeping.reading.runs import newest
from housekeeping.reading.tables import listing
from housekeeping.reading.verdict import BAD, GOOD, WARNING

HOW_TO_ASK = "Send the header Authorization: Bearer <HOUSEKEEPING_METRICS_TOKEN>.\n"
ONLY_HERE = "Without HOUSEKEEPING_METRICS_TOKEN, only programs on this machine may read the metrics.\n"


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """The metrics in Prometheus's format. Answers 401 without the token, if one is set.

    Without a token it answers only this machine, since the address is usually as public as the site.
    """
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    wanted = conf.METRICS_TOKEN
    if wanted and not secrets.compare_digest(given.encode(), wanted.encode()):
        headers = {"WWW-Authenticate": 'Bearer realm="metrics"'}
        return HttpResponse(HOW_TO_ASK, "text/plain", 401, headers=headers)
    if not wanted and not is_from_this_machine(request):
        return HttpResponse(ONLY_HERE, "text/plain", 403)
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return HttpResponse(encode(registry()), content_type=content_type)


def registry() -> CollectorRegistry:
    """A registry that collects the metrics at the moment when it is read."""
    made = CollectorRegistry()
    made.register(_Housekeeping())
    return made


class _Housekeeping(Collector):
    def describe(self) -> Iterator[Metric]:
        return iter(())  # otherwise registering would query the database

    def collect(self) -> Iterator[Metric]:
        now = clock.roughly()
        seen = overview.overview(now)
        yield from _health(seen, now)
        yield from _runs(seen)
        yield from _schedules(seen)
        yield from _policies(seen)
        yield from _figures(seen)
        yield from _tables()
        yield from alerts.metrics()


def _health(seen: Overview, now: datetime) -> Iterator[Metric]:
    yield _one(
        "healthy",
        "1 if everything is in order: the verdict on the dashboard is good.",
        seen.verdict.level == GOOD,
    )
    findings = Counter(finding.level for finding in seen.verdict.findings)
    levels = {level: findings[level] for level in (BAD, WARNING)}
    yield _each("findings", "Findings of the verdict on the dashboard.", "level", levels)
    yield _one("consumers", "Consumers with a fresh heartbeat.", len(seen.consumers))
    scheduling = sum(consumer.schedules for consumer in seen.consumers)
    yield _one("consumers_scheduling", "Consumers with a fresh heartbeat that run the schedules.", scheduling)
    yield _one("workers", "Workers of these consumers.", sum(one.workers for one in seen.consumers))
    alive, running = {one.pk for one in seen.consumers}, _running(seen)
    busy = sum(run.consumer_id in alive for run in running)
    yield _one("workers_busy", "Workers of these consumers that carry out a run.", busy)
    speeds = {task: sum(run.rows_per_second or 0 for run in running if run.task == task) for task in TASKS}
    yield _each("run_rows_per_second", "Rows per second of the task's running runs.", "task", speeds)
    queued = [run for run in seen.active if run.status == Run.Status.QUEUED and not run.is_put_off]
    waits = [now - (run.not_before or run.requested_at) for run in queued]
    longest = max([timedelta(), *waits]).total_seconds()
    yield _one("oldest_waiting_seconds", "How long the oldest queued run has waited.", longest)


def _running(seen: Overview) -> list[Run]:
    return [run for run in seen.active if run.status == Run.Status.RUNNING]


def _runs(seen: Overview) -> Iterator[Metric]:
    active = Counter(run.status for run in seen.active)
    statuses = {str(status): active[status] for status in Run.ACTIVE}
    yield _each("runs_active", "Runs that have not ended.", "status", statuses)
    ends = ("task", "status")
    ended = CounterMetricFamily("housekeeping_runs_ended", "Runs that have ended.", labels=ends)
    took = CounterMetricFamily(
        "housekeeping_runs_seconds", "Duration of all runs that have ended, in seconds.", labels=ends
    )
    purged = CounterMetricFamily(
        "housekeeping_rows_purged", "Rows deleted or made anonymous, without related rows.", labels=ends
    )
    for of, total in tallies.totals(TASKS).items():
        ended.add_metric(of, total.runs)
        took.add_metric(of, total.seconds)
        purged.add_metric(of, total.rows)
    yield from (ended, took, purged)
    successes = {task: run.finished_at for task, run in newest.successes().items()}
    yield _moments("last_success_timestamp_seconds", "When a task last succeeded.", "task", successes)


def _schedules(seen: Overview) -> Iterator[Metric]:
    cards = {card.schedule.id: card for card in seen.scheduler.schedules}
    due = {name: card.next_run_at for name, card in cards.items()}
    late = {name: card.is_late for name, card in cards.items()}
    paused = {name: card.entry.is_paused for name, card in cards.items()}
    yield _moments("schedule_next_fire_timestamp_seconds", "When a schedule is due next.", "schedule", due)
    yield _each(
        "schedule_late", "1 if a fire time is overdue and no run was opened for it.", "schedule", late
    )
    yield _each("schedule_paused", "1 if the schedule is paused.", "schedule", paused)
    tasks = {card.task.name: card.is_paused for card in seen.cards}
    yield _each("task_paused", "1 if the task is paused.", "task", tasks)
    known = {card.task.name: card.is_acknowledged for card in seen.cards}
    unusual = {hint.run.task for hint in seen.verdict.hints}
    marks = {card.task.name: card.task.name in unusual for card in seen.cards}
    yield _each("task_unusual", "1 if the task's newest run was unusual.", "task", marks)
    yield _each("task_acknowledged", "1 if somebody has acknowledged that the task fails.", "task", known)


def _policies(seen: Overview) -> Iterator[Metric]:
    cards = {card.policy.name: card for card in seen.policies}
    rows = {name: card.rows_due for name, card in cards.items() if card.rows_due is not None}
    since = {name: card.due_since for name, card in cards.items()}
    retentions = {name: card.retention_days for name, card in cards.items()}
    seconds = {name: days * 86_400 for name, days in retentions.items() if days is not None}
    yield _each(
        "policy_due_rows", "Rows past due, which the next run would delete or make anonymous.", "policy", rows
    )
    yield _moments(
        "policy_due_since_timestamp_seconds", "Since when the oldest row is past due.", "policy", since
    )
    yield _each("policy_retention_seconds", "The retention.", "policy", seconds)


def _figures(seen: Overview) -> Iterator[Metric]:
    yield _one("archive_bytes", "Size of all archives.", seen.archive.value)
    budget = seen.archive_budget
    yield _one("archive_budget_bytes", "Size of the archives above which the dashboard warns.", budget)
    counted = seen.statistics.measured_at.timestamp()
    yield _each("site", "The site's statistics.", "figure", seen.statistics.numbers)
    yield _one("site_timestamp_seconds", "When the statistics were counted.", counted)
    numbers = {name: in_force.of_app(name).number for name in conf.SETTINGS}
    known = {f"HOUSEKEEPING_{name}": number for name, number in numbers.items() if number is not None}
    yield _each("setting", "The value of a setting that is a number.", "setting", known)


def _tables() -> Iterator[Metric]:
    found = listing.newest()
    rows = {size.table: size.rows for size in found if size.rows is not None}
    sizes = {size.table: size.bytes for size in found if size.bytes is not None}
    yield _each("table_rows", "Rows of a table, as measured last; estimated for a large one.", "table", rows)
    yield _each("table_bytes", "Size of a table with its indexes, as measured last.", "table", sizes)
    measured = {size.table: size.measured_at for size in found}
    yield _moments("table_timestamp_seconds", "When a table was measured last.", "table", measured)


def _one(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(f"housekeeping_{name}", meaning, value=value)


def _each(name: str, meaning: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"housekeeping_{name}", meaning, labels=[label])
    for of, value in values.items():
        family.add_metric([of], value)
    return family


def _moments(name: str, meaning: str, label: str, moments: Mapping[str, datetime | None]) -> Metric:
    return _each(name, meaning, label, {of: at.timestamp() for of, at in moments.items() if at})
