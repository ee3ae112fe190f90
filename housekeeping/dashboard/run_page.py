"""All that the page of a run says: how it stands, what it did, and what can be done about it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Exists, Max, OuterRef, Subquery
from django.urls import reverse
from django.utils.translation import gettext, ngettext

from housekeeping.dashboard import record
from housekeeping.database import stored
from housekeeping.declared.registry import TASKS, Task
from housekeeping.engine import plans, verification
from housekeeping.exceptions import NotPossible
from housekeeping.journal import acts
from housekeeping.models import Act, Consumer, LogLine, Run
from housekeeping.reading import restorable, search, words
from housekeeping.reading.restorable import Restorable
from housekeeping.reading.samples import Words
from housekeeping.rights import Rights
from housekeeping.runs import control

LOG_LINES = 200
MOST_ACTS = 50
MOST_RELATED = 20
# How fast a run goes is told anew so often, even where nothing moves.
CLOCK = timedelta(seconds=10)
_SEEN = ("status", "attempts", "losses", "retried", "cancel_requested", "deleted", "total", "finished_at")


@dataclass(frozen=True)
class Action:
    """Something to press: what it will do, in numbers. ``question``: what is asked first, where there
    is JavaScript; ``is_asked``: a page of its own asks first, as rows may be deleted."""

    name: str
    label: str
    effect: str
    address: str
    question: str = ""
    is_asked: bool = False
    is_primary: bool = False
    is_dry: bool = False


@dataclass(frozen=True)
class ResultRow:
    """A line of the result; ``is_head``: the name of the lines below it."""

    name: str
    value: str = ""
    is_head: bool = False


@dataclass(frozen=True)
class Page:
    run: Run
    task: Task | None
    standing: str
    kept: Restorable | None
    actions: list[Action]
    obstacle: Run | None  # the run that has to end first
    related: list[tuple[str, Run]]
    older: Run | None
    newer: Run | None
    acts: list[record.Line]
    log: list[LogLine]
    has_more_log: bool
    plan: dict[str, Any]  # with the words of the rows that it names

    @property
    def title(self) -> str:
        name = gettext(self.task.title) if self.task else self.run.task
        return gettext("Undo: %(task)s") % {"task": name} if self.run.undo_of_id else name

    @property
    def level(self) -> str:
        """How the sentence at the top is coloured."""
        if self.run.status == Run.Status.SUCCEEDED and self.run.undo_of_id and _not_restored(self.run):
            return "warning"
        return {
            Run.Status.SUCCEEDED: "success",
            Run.Status.FAILED: "error",
            Run.Status.HELD: "warning",
            Run.Status.MISSED: "warning",
        }.get(Run.Status(self.run.status), "info")

    @property
    def result(self) -> list[ResultRow]:
        return _result_rows(self.run.result or {})

    @property
    def result_json(self) -> str:
        return json.dumps(self.run.result, indent=2, ensure_ascii=False)

    @property
    def attempts(self) -> str:
        """How often it was begun, and how often its worker went silent."""
        text = words.number(self.run.attempts)
        if self.run.losses:
            lost = ngettext("%(n)s lost with its worker", "%(n)s lost with their workers", self.run.losses)
            text += ", " + lost % {"n": words.number(self.run.losses)}
        return text


def fingerprint(pk: UUID, now: datetime) -> str:
    """Changes with anything that the page of a run shows while it is active. One query."""
    line = LogLine.objects.filter(run=OuterRef("pk")).values("run").annotate(last=Max("pk")).values("last")
    act = Act.objects.filter(target=str(pk)).order_by("-done_at", "-pk").values("pk")[:1]
    # What a queued run waits for.
    beside = Run.objects.active().filter(task=OuterRef("task"), status=Run.Status.RUNNING, dry_run=False)
    run = Run.objects.filter(pk=pk).annotate(
        last_line=Subquery(line),
        last_act=Subquery(act),
        is_watched=Exists(Consumer.objects.alive(now)),
        is_behind=Exists(beside.exclude(pk=OuterRef("pk"))),
    )
    facts = run.values_list(*_SEEN, "last_line", "last_act", "is_watched", "is_behind").first()
    clock = int(now.timestamp() // CLOCK.total_seconds()) if facts and facts[0] == Run.Status.RUNNING else 0
    return hashlib.sha256(repr((facts, clock)).encode()).hexdigest()[:32]


def read(run: Run, rights: Rights, now: datetime) -> Page:
    """``run`` with its consumer, and the runs that it names, selected beside it."""
    task = TASKS.get(run.task)
    kept = restorable.of(run, now)
    undo = next((one for one in _followers(run) if one.undo_of_id == run.pk and one.is_active), None)
    offers = _Offers(run, task, rights, kept, undo, now)
    beside = Run.objects.filter(schedule=run.schedule) if run.schedule else Run.objects.filter(task=run.task)
    older, newer = search.neighbours(beside, run, "requested_at")
    log = list(run.log_lines.order_by("-pk")[: LOG_LINES + 1])
    return Page(
        run=run,
        task=task,
        standing=_standing(run, task, now),
        kept=kept,
        actions=offers.all(),
        obstacle=offers.obstacle,
        related=_related(run),
        older=older,
        newer=newer,
        acts=record.lines(acts.history({"target": str(run.pk)})[:MOST_ACTS]),
        log=log[:LOG_LINES][::-1],
        has_more_log=len(log) > LOG_LINES,
        plan=Words([run.plan]).added_to(run.plan) if not run.receipt else {},
    )


# --- In words ---------------------------------------------------------------------------------


def _standing(run: Run, task: Task | None, now: datetime) -> str:
    status = Run.Status(run.status)
    if status == Run.Status.QUEUED:
        return _queued(run, now)
    if status == Run.Status.RUNNING:
        return _running(run)
    if status == Run.Status.HELD:
        return f"{run.error} " + (_outdated(run) or gettext("Nothing is deleted until somebody approves it."))
    if status == Run.Status.SUCCEEDED:
        return _succeeded(run, task) + _since(run)
    if status == Run.Status.FAILED:
        return _failed(run) + _since(run)
    if status == Run.Status.CANCELLED:
        return _cancelled(run) + _since(run)
    return gettext("It did not run.") + f" {run.error}"


def _outdated(run: Run) -> str:
    """Why the rows that the run was held with can't be deleted any more; empty where they can."""
    try:
        plans.check_retentions(run.plan)
    except NotPossible as error:
        return str(error)
    return ""


def _queued(run: Run, now: datetime) -> str:
    if not Consumer.objects.alive(now).exists():
        return gettext("It waits, and no consumer is running: start one with “python manage.py run_huey”.")
    beside = Run.objects.active().filter(task=run.task, status=Run.Status.RUNNING, dry_run=False)
    if not run.dry_run and beside.exists():
        return gettext("It waits for another run of this task to end.")
    if run.attempts:
        return gettext("It was handed back, and waits for a consumer to go on with it.")
    return gettext("It waits for a consumer.")


def _running(run: Run) -> str:
    if run.cancel_requested:
        return gettext("It was asked to stop, and does so after the batch at hand.")
    if run.undo_of_id:
        text = gettext("It puts rows back in batches; %(rows)s are back so far.")
        return text % {"rows": words.rows(run.done)}
    if run.dry_run:
        return gettext("It counts what would go, and deletes nothing.")
    if run.purged:
        return gettext("It is running; %(rows)s are deleted so far.") % {"rows": words.rows(run.purged)}
    return gettext("It is running.")


def _succeeded(run: Run, task: Task | None) -> str:
    took = {"took": run.took}
    if run.undo_of_id:
        restored = words.own_first(run.restored, [one.name for one in task.policies] if task else ())
        if not any(restored.values()):
            return gettext("No rows put back, in %(took)s.") % took + _left(run)
        text = gettext("%(rows)s put back in %(took)s.") % {"rows": words.tables(restored), **took}
        return text + _left(run)
    if run.dry_run:
        rows = words.planned(run)
        return gettext("A dry run: %(rows)s would go. Nothing was deleted.") % {"rows": rows}
    spared = words.in_use(sum(facts.get("in_use", 0) for facts in run.receipt.values()))
    if any(run.removed.values()):
        return gettext("%(rows)s deleted in %(took)s.") % {"rows": words.removed(run), **took} + spared
    if spared:
        return gettext("No rows deleted, in %(took)s.") % took + spared
    if task and task.policies:
        return gettext("Nothing was past due: no rows deleted, in %(took)s.") % took
    return gettext("Done in %(took)s.") % took


def _not_restored(undo: Run) -> int:
    """Of an undo that has ended."""
    return sum(stored.counts((undo.result or {}).get("not_restored")).values())


def _left(undo: Run) -> str:
    """A sentence, after a space, about what an undo could not put back; empty for nothing."""
    rows = _not_restored(undo)
    text = ngettext("%(n)s row could not be put back.", "%(n)s rows could not be put back.", rows)
    return " " + text % {"n": words.number(rows)} if rows else ""


def _since(run: Run) -> str:
    """A sentence, after a space, about what undos have put back since; empty where none was asked for."""
    tables = run.removed
    undos = [one for one in _followers(run) if one.undo_of_id == run.pk]
    if not undos or not any(tables.values()):
        return ""
    back = sum(undo.restored.get(table, 0) for undo in undos for table in tables)
    if back >= sum(tables.values()):
        return " " + gettext("They are put back since.")
    if not back:
        return " " + gettext("None of them is back yet.")
    text = ngettext("%(n)s of these rows is put back since.", "%(n)s of these rows are put back since.", back)
    return " " + text % {"n": words.number(back)}


def _failed(run: Run) -> str:
    if run.started_at is None:
        return gettext("It failed before it began.")
    if run.undo_of_id and run.done:
        text = gettext("It failed after %(took)s; %(rows)s are back, the rest stays in the archive.")
        return text % {"took": run.took, "rows": words.rows(run.done)}
    if run.dry_run or run.undo_of_id:
        return gettext("It failed after %(took)s, and changed nothing.") % {"took": run.took}
    deleted = {"rows": words.removed(run), "took": run.took}
    if run.purged:
        return gettext("It failed after %(took)s; %(rows)s were deleted before that.") % deleted
    return gettext("It failed after %(took)s, and deleted nothing.") % deleted


def _cancelled(run: Run) -> str:
    if run.error:
        return gettext("Cancelled.") + f" {run.error}"
    if run.undo_of_id and run.done:
        rows = words.rows(run.done)
        return gettext("Cancelled; %(rows)s are back, the rest stays in the archive.") % {"rows": rows}
    if run.purged:
        rows = words.removed(run)
        return gettext("Cancelled; %(rows)s were deleted before that.") % {"rows": rows}
    return gettext("Cancelled before it changed anything.")


def _result_rows(result: Mapping[str, Any]) -> list[ResultRow]:
    rows, groups = [], []
    for name, value in result.items():
        if isinstance(value, Mapping):
            if not value:
                continue
            groups.append(ResultRow(_label(name), is_head=True))
            groups += [ResultRow(_label(key), _written(each)) for key, each in value.items()]
        else:
            rows.append(ResultRow(_label(name), _written(value)))
    return rows + groups


def _label(key: str) -> str:
    return key if "." in key or not key else gettext(key.replace("_", " "))


def _written(value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return words.number(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


# --- Beside it --------------------------------------------------------------------------------


def _followers(run: Run) -> list[Run]:
    """The runs that came of this one, newest first; read once."""
    if not hasattr(run, "_followers"):
        # Each by its own index: an OR of them would be looked for along the whole history.
        found = run.undos.union(run.carried_out.all(), run.retries.all(), all=True)
        newest = {one.pk: one for one in found.order_by("-requested_at")[:MOST_RELATED]}
        run._followers = list(newest.values())  # type: ignore[attr-defined]
    return run._followers  # type: ignore[attr-defined, no-any-return]


def _related(run: Run) -> list[tuple[str, Run]]:
    found = [
        (label, one)
        for label, one in (
            (gettext("Carries out the plan of"), run.plan_of),
            (gettext("Undo of"), run.undo_of),
            (gettext("Retry of"), run.retry_of),
        )
        if one
    ]
    for one in _followers(run):
        if one.retry_of_id == run.pk:
            label = gettext("Retried as")
        elif one.undo_of_id == run.pk:
            label = gettext("Undone by")
        else:
            label = gettext("Carried out by")
        found.append((label, one))
    return found


# --- What can be done -------------------------------------------------------------------------


class _Offers:
    """The actions that would not be refused: by who looks, and by how things stand."""

    def __init__(
        self,
        run: Run,
        task: Task | None,
        rights: Rights,
        kept: Restorable | None,
        undo: Run | None,
        now: datetime,
    ) -> None:
        self.run, self.task, self.rights, self.kept = run, task, rights, kept
        self.undo_under_way, self.now = undo, now
        self.obstacle: Run | None = None

    def all(self) -> list[Action]:
        offers = {
            "carry out": self.carry_out,
            "approve": self.approve,
            "retry": self.retry,
            "dry run": self.dry_run,
            "undo": self.undo,
            "cancel": self.cancel,
        }
        made = [offer() for act, offer in offers.items() if self.rights.may(act, self.run)]
        return [one for one in made if one]

    def _action(self, name: str, label: str, effect: str, **more: Any) -> Action:
        return Action(name, label, effect, reverse(f"housekeeping:run-{name}", args=[self.run.pk]), **more)

    def _is_free(self, *, dry_run: bool) -> bool:
        """Would a new run of the task be accepted?"""
        if self.task is None:
            return False
        other = Run.objects.exclude(pk=self.run.pk).in_the_way(self.run.task, dry_run=dry_run)
        self.obstacle = self.obstacle or other
        return other is None

    def carry_out(self) -> Action | None:
        run = self.run
        if not (run.is_plan and run.plan_rows and self._can_be_planned(run)):
            return None
        if not self._is_free(dry_run=False):
            return None
        rows = words.planned(run)
        return self._action(
            "carry-out",
            gettext("Run this plan"),
            gettext("Deletes %(rows)s: those that were seen, and no others.") % {"rows": rows},
            is_asked=True,
            is_primary=True,
        )

    def approve(self) -> Action | None:
        if self.run.status != Run.Status.HELD or _outdated(self.run):
            return None
        rows = words.planned(self.run)
        return self._action(
            "approve",
            gettext("Approve"),
            gettext("Deletes %(rows)s: those that it was held with, and no others.") % {"rows": rows},
            is_asked=True,
            is_primary=True,
        )

    def retry(self) -> Action | None:
        run = self.run
        if not run.can_be_retried:
            return None
        if run.undo_of_id:
            return self._retry_undo()
        if run.plan_of and not self._can_be_planned(run.plan_of):
            return None
        if run.dry_run and not (self.task and self.task.can_be_previewed):
            return None
        if not run.dry_run and _outdated(run):
            return None
        if not self._is_free(dry_run=run.dry_run):
            return None
        is_asked = not run.dry_run and self.task is not None and self.task.may_delete
        return self._action(
            "retry", gettext("Retry"), self._retry_in_words(), is_asked=is_asked, is_primary=True
        )

    def _retry_in_words(self) -> str:
        run, task = self.run, self.task
        if run.dry_run:
            return gettext("Counts what would go by now; deletes nothing.")
        if run.plan_of:
            rows = {"rows": words.planned(run.plan_of)}
            return gettext("Carries the plan out as a new run: deletes %(rows)s.") % rows
        if task and task.may_delete:
            return gettext("Runs the task again, as a new run. Asks first, and counts what it would delete.")
        return gettext("Runs the task again, as a new run.")

    def _retry_undo(self) -> Action | None:
        purged = self.run.undo_of
        kept = restorable.of(purged, self.now) if purged else None
        if not (purged and kept) or purged.undos.active().exists():
            return None
        return self._action(
            "retry",
            gettext("Retry"),
            gettext("Tries again to put %(rows)s back.") % {"rows": kept.words},
            question=gettext("Put %(rows)s back?") % {"rows": kept.words},
            is_primary=True,
        )

    def dry_run(self) -> Action | None:
        run, task = self.run, self.task
        if not (task and task.policies and task.can_be_previewed):
            return None
        if run.is_active or run.undo_of_id:
            return None
        if not self._is_free(dry_run=True):
            return None
        label = gettext("Dry run again") if run.dry_run else gettext("Dry run")
        effect = gettext("Counts what would go by now, and keeps it as a plan; deletes nothing.")
        return Action("dry-run", label, effect, reverse("housekeeping:trigger", args=[run.task]), is_dry=True)

    def undo(self) -> Action | None:
        if not self.kept or self.undo_under_way:
            return None
        rows = {"rows": self.kept.words}
        if verification.is_unvouched(self.run):
            return self._undo_unverified()
        if self.run.archive_damage:
            return self._undo_what_is_intact()
        effect = gettext("Puts %(rows)s back and holds them from every policy for 30 days.")
        if self.run.is_active:
            effect = gettext("Cancels this run first. ") + effect
        question = gettext("Put %(rows)s back?") % rows
        return self._action("undo", gettext("Undo"), effect % rows, question=question)

    def _undo_what_is_intact(self) -> Action:
        effect = gettext("A part of what this run keeps is damaged: puts back the batches that are intact.")
        address = reverse("housekeeping:run-undo", args=[self.run.pk]) + "?intact_only=1"
        question = gettext("Put back what is intact?")
        return Action("undo", gettext("Undo"), effect, address, question=question)

    def _undo_unverified(self) -> Action:
        effect = gettext(
            "What version 1.0 kept of this run can't be verified: puts it back unverified, all but what"
            " is seen to be damaged."
        )
        address = reverse("housekeeping:run-undo", args=[self.run.pk]) + "?unverified=1&intact_only=1"
        question = gettext("Put it back unverified?")
        return Action("undo", gettext("Undo"), effect, address, question=question)

    def cancel(self) -> Action | None:
        run = self.run
        if not run.is_active or run.cancel_requested:
            return None
        question = gettext("Cancel this run?")
        if run.status == Run.Status.HELD:
            effect = gettext("Drops its plan: %(rows)s stay.") % {"rows": words.planned(run)}
        elif run.undo_of_id:
            effect = gettext("Stops after this batch; rows restored so far stay.")
        elif run.dry_run:
            effect, question = gettext("Stops counting; no plan is kept."), ""
        elif run.purged:
            done = {"rows": words.rows(run.purged)}
            effect = gettext("Stops after the batch at hand; %(rows)s deleted so far stay deleted.") % done
            question += " " + gettext("%(rows)s deleted so far stay deleted.") % done
        elif run.status == Run.Status.RUNNING:
            effect = gettext("Stops after the batch at hand; nothing is deleted so far.")
        else:
            effect = gettext("Takes it out of the queue; it has deleted nothing.")
        return self._action("cancel", gettext("Cancel"), effect, question=question)

    @staticmethod
    def _can_be_planned(plan: Run) -> bool:
        try:
            control.check_plan(plan, plan.task)
        except NotPossible:
            return False
        return True
