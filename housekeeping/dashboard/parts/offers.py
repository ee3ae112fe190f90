"""What can be done about a run: the buttons on its page, each with its effect in numbers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext

from housekeeping.dashboard.parts.standing import outdated
from housekeeping.declared.registry import Task
from housekeeping.engine import verification
from housekeeping.exceptions import NotPossible
from housekeeping.models import Run
from housekeeping.reading import ends, words
from housekeeping.reading.previews import restorable
from housekeeping.reading.previews.restorable import Restorable
from housekeeping.rights import Rights
from housekeeping.runs import control


@dataclass(frozen=True)
class Offer:
    """A button and its effect in numbers. ``question``: JavaScript asks this first. ``is_asked``: a page
    of its own asks first, because rows may be deleted."""

    name: str
    label: str
    effect: str
    address: str
    question: str = ""
    is_asked: bool = False
    is_primary: bool = False
    is_dry: bool = False


class Offers:
    """Finds the acts that would not be refused, by the reader's rights and the state of the run.

    ``obstacle``: a run that has to end before more can be offered.
    """

    def __init__(
        self,
        run: Run,
        task: Task | None,
        rights: Rights,
        back: Restorable | None,
        undo: Run | None,
        now: datetime,
    ) -> None:
        self.run, self.task, self.rights, self.back = run, task, rights, back
        self.undo_under_way, self.now = undo, now
        self.obstacle: Run | None = None

    def all(self) -> list[Offer]:
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

    def _offer(self, name: str, label: str, effect: str, **more: Any) -> Offer:
        return Offer(name, label, effect, reverse(f"housekeeping:run-{name}", args=[self.run.pk]), **more)

    def _is_free(self, *, dry_run: bool) -> bool:
        """Would a new run of the task be accepted?"""
        if self.task is None:
            return False
        other = Run.objects.exclude(pk=self.run.pk).in_the_way(self.run.task, dry_run=dry_run)
        self.obstacle = self.obstacle or other
        return other is None

    def carry_out(self) -> Offer | None:
        run = self.run
        if not (run.is_plan and run.plan_rows and self._can_be_planned(run)):
            return None
        if not self._is_free(dry_run=False):
            return None
        rows = words.planned(run)
        return self._offer(
            "carry-out",
            gettext("Run this plan"),
            ends.told(self.run, "Deletes exactly the rows listed in this preview: %(rows)s.")
            % {"rows": rows},
            is_asked=True,
            is_primary=True,
        )

    def approve(self) -> Offer | None:
        if self.run.status != Run.Status.HELD or outdated(self.run):
            return None
        rows = words.planned(self.run)
        return self._offer(
            "approve",
            gettext("Approve"),
            ends.told(self.run, "Deletes exactly the rows of its plan: %(rows)s.") % {"rows": rows},
            is_asked=True,
            is_primary=True,
        )

    def retry(self) -> Offer | None:
        run = self.run
        if not run.can_be_retried:
            return None
        if run.undo_of_id:
            return self._retry_undo()
        if run.plan_of and not self._can_be_planned(run.plan_of):
            return None
        if run.dry_run and not (self.task and self.task.can_be_previewed):
            return None
        if not run.dry_run and outdated(run):
            return None
        if not self._is_free(dry_run=run.dry_run):
            return None
        is_asked = not run.dry_run and self.task is not None and self.task.may_delete
        return self._offer(
            "retry", gettext("Retry"), self._retry_in_words(), is_asked=is_asked, is_primary=True
        )

    def _retry_in_words(self) -> str:
        run, task = self.run, self.task
        if run.dry_run:
            return ends.told(self.run, "Counts what would be deleted now. Deletes nothing.")
        if run.plan_of:
            rows = {"rows": words.planned(run.plan_of)}
            return ends.told(run.plan_of, "Carries out the plan as a new run: deletes %(rows)s.") % rows
        if task and task.may_delete:
            return ends.say(
                ends.of_policies(task.policies),
                "Runs the task again, as a new run. Asks for confirmation, with the number of rows that it"
                " would delete.",
            )
        return gettext("Runs the task again, as a new run.")

    def _retry_undo(self) -> Offer | None:
        purged = self.run.undo_of
        back = restorable.of(purged, self.now) if purged else None
        if not (purged and back) or purged.undos.active().exists():
            return None
        return self._offer(
            "retry",
            gettext("Retry"),
            gettext("Tries again to restore %(rows)s.") % {"rows": back.words},
            question=gettext("Restore %(rows)s?") % {"rows": back.words},
            is_primary=True,
        )

    def dry_run(self) -> Offer | None:
        run, task = self.run, self.task
        if not (task and task.policies and task.can_be_previewed):
            return None
        if run.is_active or run.undo_of_id:
            return None
        if not self._is_free(dry_run=True):
            return None
        label = gettext("Dry run again") if run.dry_run else gettext("Dry run")
        kind = ends.of_policies(task.policies)
        effect = ends.say(kind, "Counts what would be deleted now, and saves it as a plan. Deletes nothing.")
        return Offer("dry-run", label, effect, reverse("housekeeping:trigger", args=[run.task]), is_dry=True)

    def undo(self) -> Offer | None:
        if not self.back or self.undo_under_way:
            return None
        rows = {"rows": self.back.words}
        if verification.is_unvouched(self.run):
            return self._undo_unverified()
        if self.run.archive_damage:
            return self._undo_what_is_intact()
        effect = gettext("Restores %(rows)s and puts them on hold for 30 days.")
        if self.run.is_active:
            effect = gettext("Cancels this run first. ") + effect
        question = gettext("Restore %(rows)s?") % rows
        return self._offer("undo", gettext("Undo"), effect % rows, question=question)

    def _undo_what_is_intact(self) -> Offer:
        effect = gettext("A part of this run's archive is damaged. Restores only the intact batches.")
        address = reverse("housekeeping:run-undo", args=[self.run.pk]) + "?intact_only=1"
        question = gettext("Restore the intact batches?")
        return Offer("undo", gettext("Undo"), effect, address, question=question)

    def _undo_unverified(self) -> Offer:
        effect = gettext(
            "Version 1.0 made the archive of this run, and it can't be verified. Restores it without"
            " verification, except for batches that are visibly damaged."
        )
        address = reverse("housekeeping:run-undo", args=[self.run.pk]) + "?unverified=1&intact_only=1"
        question = gettext("Restore without verification?")
        return Offer("undo", gettext("Undo"), effect, address, question=question)

    def cancel(self) -> Offer | None:
        run = self.run
        if not run.is_active or run.cancel_requested:
            return None
        question = gettext("Cancel this run?")
        if run.status == Run.Status.HELD:
            effect = gettext("Discards its plan; %(rows)s stay.") % {"rows": words.planned(run)}
        elif run.undo_of_id:
            effect = gettext("Stops after this batch; rows restored so far stay.")
        elif run.dry_run:
            effect, question = gettext("Stops counting; no plan is saved."), ""
        elif run.purged:
            done = {"rows": words.rows(run.purged)}
            effect = (
                ends.told(self.run, "Stops after the current batch; %(rows)s deleted so far stay deleted.")
                % done
            )
            question += " " + ends.told(self.run, "%(rows)s deleted so far stay deleted.") % done
        elif run.status == Run.Status.RUNNING:
            effect = ends.told(self.run, "Stops after the current batch; nothing has been deleted so far.")
        else:
            effect = ends.told(self.run, "Removes it from the queue; it has deleted nothing.")
        return self._offer("cancel", gettext("Cancel"), effect, question=question)

    @staticmethod
    def _can_be_planned(plan: Run) -> bool:
        try:
            control.check_plan(plan, plan.task)
        except NotPossible:
            return False
        return True
