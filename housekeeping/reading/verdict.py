"""The verdict at the top of the dashboard: what is not in order, and what to do about it."""

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from housekeeping import conf
from housekeeping.declared.registry import TASKS, UNREADABLE
from housekeeping.engine import archive
from housekeeping.exceptions import PolicyFailed, StatisticFailed
from housekeeping.models import Consumer, Run, TaskState
from housekeeping.reading import words
from housekeeping.runs import consumers
from housekeeping.runs.schedules import PUNCTUAL, Entry

GOOD, WARNING, BAD = "good", "warning", "bad"
# A run that has been queued for this long is a finding.
LONG_WAIT = timedelta(minutes=2)


@dataclass(frozen=True)
class Finding:
    """Something that is not in order, and what to do about it. ``task``: on the page of this task."""

    level: str
    text: str
    advice: str = ""
    run: Run | None = None
    task: str = ""
    command: str = ""


@dataclass(frozen=True)
class Hint:
    """Something to look at, though all is in order: a task's newest run was unusual."""

    text: str
    run: Run


@dataclass(frozen=True)
class Acknowledged:
    """A failed run that somebody has acknowledged: ``state`` tells who, until when and why."""

    run: Run
    state: TaskState


@dataclass(frozen=True)
class Verdict:
    """``findings``: the worst first. ``last``: the newest purge. ``next``: a schedule and its fire time.
    ``acknowledged``: failures that somebody knows of, which are no findings. ``hints`` don't count either.
    """

    findings: list[Finding]
    last: Run | None
    next: tuple[str, datetime] | None
    acknowledged: list[Acknowledged]
    hints: list[Hint]

    @property
    def level(self) -> str:
        return self.findings[0].level if self.findings else GOOD


def verdict(
    now: datetime,
    *,
    consumers: Sequence[Consumer],
    entries: Sequence[Entry],
    states: Mapping[str, TaskState],
    active: Sequence[Run],
    newest: Sequence[Run],
    archive_bytes: int,
    damaged: Sequence[Run],
    failing_policies: Mapping[str, str],
    failing_statistics: Mapping[str, str],
) -> Verdict:
    """``states``: what operators have changed, by task. ``active``: runs that have not ended. ``newest``: of
    each task, the newest run that has ended.
    ``damaged``: runs with damaged archives. ``failing_…``: what can't be counted, with the error.
    """
    known = [run for run in newest if _is_acknowledged(run, states, now)]
    unknown = [run for run in newest if run not in known]
    retries = {run.retry_of_id: run for run in active if run.retry_number}
    findings = [
        *_unreadable(),
        *_consumers(consumers),
        *_schedules(entries, now),
        *_paused_tasks(states.values()),
        *_ended(unknown, retries),
        *_active(active, now),
        *_failing_policies(failing_policies),
        *_failing_statistics(failing_statistics),
        *_damaged(damaged),
        *_archive(archive_bytes),
    ]
    purged = [run for run in newest if run.status == Run.Status.SUCCEEDED and _is_purge(run)]
    due = [(entry.schedule.name, at) for entry in entries if (at := entry.next_fire_time(now))]
    return Verdict(
        sorted(findings, key=lambda finding: finding.level != BAD),
        max(purged, key=lambda run: run.finished_at or run.requested_at, default=None),
        min(due, key=lambda pair: pair[1], default=None),
        [Acknowledged(run, states[run.task]) for run in known],
        [Hint(f"{run.task}: {' '.join(words.unusual(run))}", run) for run in newest if run.is_unusual],
    )


def _is_acknowledged(run: Run, states: Mapping[str, TaskState], now: datetime) -> bool:
    state = states.get(run.task)
    return run.status == Run.Status.FAILED and state is not None and state.is_acknowledged(now)


def _is_purge(run: Run) -> bool:
    """Does the run delete the site's own rows? Statistics, mails and the app's upkeep do not."""
    task = TASKS.get(run.task)
    return task is not None and any(not policy.is_upkeep for policy in task.policies)


def _unreadable() -> Iterator[Finding]:
    for one in UNREADABLE:
        if one.is_ours:
            text = _("%(module)s can't be imported, so its tasks don't run.") % {"module": one.module}
            advice = _("%(error)s: correct it, and restart the site and its consumers.")
            yield Finding(BAD, text, advice % {"error": one.error})


def _consumers(alive: Sequence[Consumer]) -> Iterator[Finding]:
    if not alive:
        yield Finding(
            BAD,
            _("No consumer is running: nothing will be cleaned up."),
            _("Start one. It carries out the queued runs."),
            command="python manage.py run_huey",
        )
    elif not consumers.are_watching(alive):
        yield Finding(
            BAD,
            _("No consumer watches the schedules: all running consumers were started with -n."),
            _("Start one without -n."),
            command="python manage.py run_huey",
        )
    for consumer in alive:
        if consumer.has_wrong_clock:
            advice = _("Correct it. Housekeeping uses the database's clock.")
            yield Finding(WARNING, consumer.clock_in_words, advice)


def _schedules(entries: Sequence[Entry], now: datetime) -> Iterator[Finding]:
    listed = [entry for entry in entries if not entry.schedule.is_upkeep]
    paused = [_(entry.schedule.name) for entry in listed if entry.is_paused]
    if listed and len(paused) == len(listed):
        yield Finding(WARNING, _("All schedules are paused."), _("Tasks run only when you start them."))
    elif paused:
        yield Finding(WARNING, _("Paused: %(names)s.") % {"names": ", ".join(paused)})
    late = [_(entry.schedule.name) for entry in entries if is_late(entry, now)]
    if late:
        yield Finding(BAD, _("Late: %(names)s.") % {"names": ", ".join(late)})


def _paused_tasks(states: Iterable[TaskState]) -> Iterator[Finding]:
    for state in states:
        if not state.is_paused:
            continue
        facts = {
            "task": words.title_of(state.name),
            "who": state.changed_by or _("the site"),
            "reason": _short(state.reason),
        }
        text = _("“%(task)s” is paused by %(who)s.")
        if state.reason:
            text = _("“%(task)s” is paused by %(who)s: %(reason)s")
        advice = _("It runs when you start it. Resume it on its page.")
        yield Finding(WARNING, text % facts, advice, task=state.name)


def is_late(entry: Entry, now: datetime) -> bool:
    """Has a fire time passed for which no consumer has opened a run?"""
    due = entry.next_fire_time(now)
    return bool(due and due < now - PUNCTUAL)


def _ended(newest: Sequence[Run], retries: Mapping[uuid.UUID | None, Run]) -> Iterator[Finding]:
    """``retries``: automatic retries that have not ended, by the runs that they retry."""
    for run in newest:
        if run.status != Run.Status.FAILED:
            continue
        facts = {"task": words.title_of(run.task), "error": _short(run.error)}
        text = _("%(task)s failed: %(error)s") % facts
        if retry := retries.get(run.pk):
            advice = _("It is tried again automatically (%(number)s of %(most)s).") % words.retry_numbers(
                retry
            )
            yield Finding(WARNING, text, advice, run=run)
        else:
            yield Finding(BAD, text, _("Open the run, fix the cause, then retry."), run=run)


def _active(active: Sequence[Run], now: datetime) -> Iterator[Finding]:
    for run in active:
        if run.status == Run.Status.HELD:
            facts = {"task": words.title_of(run.task), "reason": run.error}
            text = _("%(task)s waits for approval: %(reason)s") % facts
            yield Finding(WARNING, text, _("Approve it or cancel it."), run=run)
    waiting = [
        run
        for run in active
        if run.status == Run.Status.QUEUED and (run.not_before or run.requested_at) < now - LONG_WAIT
    ]
    if waiting:
        text = ngettext(
            "%(count)s run has waited for a worker for more than two minutes.",
            "%(count)s runs have waited for a worker for more than two minutes.",
            len(waiting),
        )
        yield Finding(WARNING, text % {"count": len(waiting)}, run=waiting[0])


def _failing_policies(errors: Mapping[str, str]) -> Iterator[Finding]:
    for policy, error in errors.items():
        text = str(PolicyFailed(policy, _short(error)))
        yield Finding(BAD, text, _("Correct it where it is declared."))


def _failing_statistics(errors: Mapping[str, str]) -> Iterator[Finding]:
    for name, error in errors.items():
        text = str(StatisticFailed(name, _short(error)))
        yield Finding(BAD, text, _("Correct it where it is declared."))


def _damaged(damaged: Sequence[Run]) -> Iterator[Finding]:
    for run in damaged:
        text = _("The archive of run %(run)s is damaged: %(damage)s")
        facts = {"run": str(run.pk)[:8], "damage": _short(run.archive_damage or "")}
        yield Finding(BAD, text % facts, _("Undo can still restore the intact batches."), run=run)


def _archive(size: int) -> Iterator[Finding]:
    if archive.exceeds_budget(size):
        yield Finding(
            WARNING,
            _("The archives for undo exceed their budget of %(budget)s MB.")
            % {"budget": conf.ARCHIVE_BUDGET_MB},
            _("Archives are deleted after HOUSEKEEPING_UNDO_DAYS."),
        )


def _short(error: str) -> str:
    line = error.partition("\n")[0]
    return line if len(line) <= 160 else f"{line[:159]}…"
