"""The page of a run: how it stands, what it did, and what can be done about it."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Exists, Max, OuterRef, Subquery
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from housekeeping.dashboard import act_lines, polls, wording
from housekeeping.dashboard.parts import results, standing
from housekeeping.dashboard.parts.offers import Offer, Offers
from housekeeping.dashboard.parts.results import ResultRow
from housekeeping.declared.registry import TASKS, Task
from housekeeping.engine import archive
from housekeeping.journal import acts
from housekeeping.models import Act, Consumer, LogLine, Run
from housekeeping.reading import search, words
from housekeeping.reading.previews import restorable
from housekeeping.reading.previews.restorable import Restorable
from housekeeping.reading.previews.samples import Texts
from housekeeping.reading.runs import folders
from housekeeping.rights import Rights
from housekeeping.steering import imports
from housekeeping.steering.holds import Group, group

LOG_LINES = 200
MOST_ACTS = 50
MOST_RELATED = 20
# The page of a running run shows its speed, so it changes at least this often.
CLOCK = timedelta(seconds=10)
_SEEN = (
    "status",
    "not_before",
    "attempts",
    "losses",
    "retried",
    "cancel_requested",
    "deleted",
    "total",
    "finished_at",
)


@dataclass(frozen=True)
class RunPage:
    run: Run
    task: Task | None
    standing: str
    restorable: Restorable | None
    offers: list[Offer]
    obstacle: Run | None  # the run that has to end first
    related: list[tuple[str, Run]]
    before: Run | None  # the run of the task before this one, to compare them
    older: Run | None
    newer: Run | None
    acts: list[act_lines.ActLine]
    log: list[LogLine]
    has_more_log: bool
    holds: Group | None  # those that an undo made
    plan: dict[str, Any]  # with what its sample rows are called now
    receipt: dict[str, Any]
    exports: folders.Folders
    imports: folders.Folders

    @property
    def title(self) -> str:
        name = gettext(self.task.title) if self.task else self.run.task
        return gettext("Undo: %(task)s") % {"task": name} if self.run.undo_of_id else name

    @property
    def unusual(self) -> list[str]:
        return words.unusual(self.run)

    @property
    def level(self) -> str:
        return standing.level(self.run)

    @property
    def result(self) -> list[ResultRow]:
        return results.rows(self.run.result or {})

    @property
    def result_json(self) -> str:
        return json.dumps(self.run.result, indent=2, ensure_ascii=False)

    @property
    def attempts(self) -> str:
        """How often the run was started, and how often its worker disappeared."""
        text = words.number(self.run.attempts)
        if self.run.losses:
            lost = ngettext("%(n)s lost with its worker", "%(n)s lost with their workers", self.run.losses)
            text += ", " + lost % {"n": words.number(self.run.losses)}
        return text


def fingerprint(pk: UUID, now: datetime) -> str:
    """Changes with everything that the page of an active run shows. One query."""
    line = LogLine.objects.filter(run=OuterRef("pk")).values("run").annotate(last=Max("pk")).values("last")
    act = Act.objects.filter(target=str(pk)).order_by("-done_at", "-pk").values("pk")[:1]
    # The run that a queued one waits for.
    beside = Run.objects.active().filter(task=OuterRef("task"), status=Run.Status.RUNNING, dry_run=False)
    run = Run.objects.filter(pk=pk).annotate(
        last_line=Subquery(line),
        last_act=Subquery(act),
        is_watched=Exists(Consumer.objects.alive(now)),
        is_behind=Exists(beside.exclude(pk=OuterRef("pk"))),
    )
    facts = run.values_list(*_SEEN, "last_line", "last_act", "is_watched", "is_behind").first()
    if facts and facts[0] == Run.Status.RUNNING:
        clock = int(now.timestamp() // CLOCK.total_seconds())
    else:  # the page of a retry also changes when it is due
        clock = int(bool(facts and facts[1] and facts[1] <= now))
    return polls.fingerprint(facts, clock)


def read(run: Run, rights: Rights, now: datetime) -> RunPage:
    """``run``: with its consumer and the runs that it refers to, read by ``select_related``."""
    task = TASKS.get(run.task)
    back = restorable.of(run, now)
    followers = _followers(run)
    undos = [one for one in followers if one.undo_of_id == run.pk]
    undo = next((one for one in undos if one.is_active), None)
    offers = Offers(run, task, rights, back, undo, now)
    beside = Run.objects.filter(schedule=run.schedule) if run.schedule else Run.objects.filter(task=run.task)
    older, newer = search.neighbours(beside, run, "requested_at")
    held = group(run) if run.undo_of_id else None
    log = list(run.log_lines.order_by("-pk")[: LOG_LINES + 1])
    return RunPage(
        run=run,
        task=task,
        standing=" ".join([standing.of(run, task, undos, now), *_put_off(followers), *_on_hold(held)]),
        restorable=back,
        offers=offers.all(),
        obstacle=offers.obstacle,
        related=_related(run, followers),
        before=_before(run),
        older=older,
        newer=newer,
        acts=act_lines.lines(acts.history({"target": str(run.pk)})[:MOST_ACTS]),
        log=log[:LOG_LINES][::-1],
        has_more_log=len(log) > LOG_LINES,
        holds=held,
        plan=Texts([run.plan]).added_to(run.plan) if not run.receipt else {},
        receipt=archive.receipt(run),
        exports=folders.written(run),
        imports=folders.read(run) if run.task == imports.TASK else folders.NONE,
    )


def _before(run: Run) -> Run | None:
    """The newest run of the same task, and of the same kind, that had ended when this one was requested."""
    ended = Run.objects.filter(task=run.task, dry_run=run.dry_run, requested_at__lt=run.requested_at)
    ended = ended.filter(undo_of=None, finished_at__isnull=False).exclude(started_at=None)
    return ended.newest_first().first() if run.undo_of_id is None else None


def _followers(run: Run) -> list[Run]:
    """The undos, the retries and the carried-out plans of this run, newest first."""
    # A UNION, as each part has its index: for an OR, the planner would scan the whole history.
    found = run.undos.union(run.carried_out.all(), run.retries.all(), all=True)
    newest = {one.pk: one for one in found.order_by("-requested_at")[:MOST_RELATED]}
    return list(newest.values())


def _put_off(followers: list[Run]) -> list[str]:
    """A sentence about the automatic retry that waits."""
    return [f"{text}." for one in followers if (text := wording.put_off(one))]


def _on_hold(held: Group | None) -> list[str]:
    """A sentence about the rows that an undo has put back."""
    if not held or not held.latest:
        return []
    until = wording.date(timezone.localtime(held.latest), "D j M Y")
    return [gettext("They are on hold until %(day)s: until then, no run changes them.") % {"day": until}]


def _related(run: Run, followers: list[Run]) -> list[tuple[str, Run]]:
    found = [
        (label, one)
        for label, one in (
            (gettext("Carries out the plan of"), run.plan_of),
            (gettext("Undo of"), run.undo_of),
            (gettext("Retry of"), run.retry_of),
        )
        if one
    ]
    for one in followers:
        if one.retry_of_id == run.pk:
            label = wording.put_off(one) or gettext("Retried as")
        elif one.undo_of_id == run.pk:
            label = gettext("Undone by")
        else:
            label = gettext("Carried out by")
        found.append((label, one))
    return found
