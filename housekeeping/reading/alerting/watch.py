"""The look for incidents: everything that is wrong now, compared with the incidents that are open.

A consumer looks twice a minute. A consumer can't tell of its own death, so the site's processes look whether
one is alive (:mod:`reading.alerting.site_look`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from housekeeping import conf
from housekeeping.database import clock
from housekeeping.declared.registry import SCHEDULES, TASKS
from housekeeping.engine import archive, verification
from housekeeping.exceptions import each
from housekeeping.journal.alerting import alerts, incidents
from housekeeping.journal.alerting.incidents import Condition, Kind
from housekeeping.models import Consumer, Gauge, Incident, Run
from housekeeping.reading import gauges
from housekeeping.reading.alerting import growth
from housekeeping.reading.runs import newest
from housekeeping.reading.verdict import is_late
from housekeeping.runs import consumers, pauses, schedules

LOOKED_EACH = 30.0  # seconds
# A consumer that restarts is away for some seconds.
MOST_AWAY = timedelta(minutes=2)
# Failures of undos and of tasks that are gone end by themselves: nothing shows that they are over.
FORGOTTEN_AFTER = timedelta(days=7)
MOST_DAMAGED = 50


Open = Mapping[str, Incident]  # the incidents of one kind that were open before the look, by their targets


@dataclass
class Seen:
    """What is wrong of one kind, and the targets that nobody can judge at the moment."""

    wrong: list[Condition] = field(default_factory=list)
    unsure: set[str] = field(default_factory=set)


def look(now: datetime) -> None:
    """Open, remind of and close the incidents of all kinds. An error with one kind does not stop the others:
    the first is raised at the end.
    """
    each(LOOKS, lambda kind: _settle(kind, now))


def look_for_consumers(now: datetime) -> None:
    """The part of the look that is for the site's own processes."""
    _settle(Kind.CONSUMER, now)


def _settle(kind: Kind, now: datetime) -> None:
    still = {one.target: one for one in Incident.objects.open().filter(kind=kind)}
    seen = LOOKS[kind](now, still)
    incidents.settle(still.values(), seen.wrong, unsure={(kind, target) for target in seen.unsure})


def _failed(now: datetime, still: Open) -> Seen:
    seen, states = Seen(), pauses.states()
    busy = Run.objects.active().filter(dry_run=False, undo_of=None).exclude(status=Run.Status.HELD)
    tasks = set(busy.values_list("task", flat=True))
    [ended] = newest.find((newest.ENDED, TASKS))
    for task, run in ended.items():
        state = states.get(task)
        if run.status == Run.Status.SUCCEEDED and task in still:
            incidents.close(still[task], run=run.pk)
        elif run.status == Run.Status.FAILED and task in tasks:  # it is tried again, for example
            seen.unsure.add(task)
        elif run.status == Run.Status.FAILED:
            is_known = state is not None and (state.is_paused or state.is_acknowledged(now))
            seen.wrong.append(alerts.of_failure(run, is_known=is_known))
    for target, incident in still.items():
        if target not in ended:
            seen.unsure.add(target)
            if incident.opened_at < now - FORGOTTEN_AFTER:
                incidents.close(incident, quietly=True)
    return seen


def _held(now: datetime, still: Open) -> Seen:
    held = Run.objects.active().filter(status=Run.Status.HELD).order_by("requested_at")
    return Seen([*{run.task: alerts.of_held(run) for run in held}.values()])


def _missed(now: datetime, still: Open) -> Seen:
    entries = schedules.entries()
    if not consumers.are_watching(list(Consumer.objects.alive(now))):
        return Seen(unsure={entry.schedule.id for entry in entries})  # it is caught up, or missed for good
    found = {run.schedule: _of_missed(run) for run in _not_caught_up()}
    for entry in entries:
        if is_late(entry, now):
            due = clock.shown(entry.next_fire_time(now) or now)
            found[entry.schedule.id] = _of_schedule(entry.schedule.id, f"It was due at {due}.")
    return Seen([*found.values()])


def _not_caught_up() -> list[Run]:
    """The newest missed fire time of each schedule, if it came too late and no later run has answered it.

    One that came in time was missed because a run was waiting already, which did its work, and that of the
    fire times before it.
    """
    answered = Run.objects.exclude(status=Run.Status.MISSED)
    missed = Run.objects.filter(status=Run.Status.MISSED).order_by("-scheduled_for")
    newest = (missed.filter(schedule=schedule).first() for schedule in SCHEDULES)
    return [
        run
        for run in newest
        if run
        and _is_beyond_grace(run)
        and not answered.filter(
            schedule=run.schedule, requested_at__gte=run.requested_at, scheduled_for__gte=run.scheduled_for
        ).exists()
    ]


def _is_beyond_grace(run: Run) -> bool:
    grace = SCHEDULES[run.schedule].grace
    if grace is None or run.scheduled_for is None:
        return False
    return run.requested_at - run.scheduled_for > grace


def _of_missed(run: Run) -> Condition:
    return _of_schedule(run.schedule, run.error, run)


def _of_schedule(schedule: str, text: str, run: Run | None = None) -> Condition:
    return Condition(Kind.MISSED, schedule, text, SCHEDULES[schedule].task.name, run.pk if run else None)


def _backlog(now: datetime, still: Open) -> Seen:
    growth.note(now)
    seen = Seen(unsure=growth.unknown(now))
    for one in growth.growing(now):
        text = f"{one.lows[2]:,} rows were past due yesterday, {one.lows[0]:,} two days before."
        if one.is_overdue:
            seen.wrong.append(Condition(Kind.BACKLOG, one.policy, text, one.task))
        else:
            seen.unsure.add(one.policy)
    return seen


def _archive(now: datetime, still: Open) -> Seen:
    gauge = Gauge.objects.filter(name=gauges.ARCHIVE).first()
    if gauge is None or not isinstance(gauge.value, int):
        return Seen(unsure={""})
    if not archive.exceeds_budget(gauge.value):
        return Seen()
    text = f"They take {gauge.value // 1_000_000:,} MB; the budget is {conf.ARCHIVE_BUDGET_MB:,} MB."
    return Seen([Condition(Kind.ARCHIVE, "", text)])


def _damaged(now: datetime, still: Open) -> Seen:
    damaged = list(verification.damaged()[: MOST_DAMAGED + 1])
    is_cut_off = len(damaged) > MOST_DAMAGED
    wrong = [
        Condition(Kind.DAMAGED, str(run.pk), _first_line(run.archive_damage), run.task, run.pk)
        for run in damaged[:MOST_DAMAGED]
    ]
    return Seen(wrong, unsure=set(still) if is_cut_off else set())


def _first_line(text: str | None) -> str:
    return (text or "").partition("\n")[0]


def _consumer(now: datetime, still: Open) -> Seen:
    """A site that has never had a consumer, as under cron, has no such incident."""
    alive = list(Consumer.objects.alive(now))
    if consumers.are_watching(alive):
        return Seen()
    if alive:
        started = max(consumer.started_at for consumer in alive)
        text = "All running consumers were started with -n: none looks at the schedules."
        return _if(started < now - MOST_AWAY, Condition(Kind.CONSUMER, "", text))
    last = Consumer.objects.filter(last_heartbeat_at__lte=now + conf.ahead()).first()
    if last is None:
        for incident in still.values():
            incidents.close(incident, quietly=True)
        return Seen()
    how = "stopped at" if last.stopped_at else "has been silent since"
    text = f"The last one, {last}, {how} {clock.shown(last.last_heartbeat_at)}."
    is_gone = last.last_heartbeat_at < now - max(MOST_AWAY, conf.life())
    return _if(is_gone, Condition(Kind.CONSUMER, "", text))


def _if(is_wrong: bool, condition: Condition) -> Seen:
    return Seen([condition]) if is_wrong else Seen(unsure={condition.target})


LOOKS: dict[Kind, Callable[[datetime, Open], Seen]] = {
    Kind.FAILED: _failed,
    Kind.HELD: _held,
    Kind.MISSED: _missed,
    Kind.BACKLOG: _backlog,
    Kind.ARCHIVE: _archive,
    Kind.DAMAGED: _damaged,
    Kind.CONSUMER: _consumer,
}
