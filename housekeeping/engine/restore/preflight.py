"""What an undo can find out before it puts the first row back."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping
from typing import Any

from django.apps import apps
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Greatest
from django.utils.translation import gettext

from housekeeping.database import chosen, clock
from housekeeping.database.transactions import writing
from housekeeping.engine import archive, verification
from housekeeping.engine.restore.contents import Layout, label_of
from housekeeping.engine.restore.progress import Place, Restored, place, still_to_come
from housekeeping.exceptions import NotPossible
from housekeeping.models import Archive, Run


def check_window(run: Run) -> None:
    """Raises NotPossible if some of what the run removed has expired: only half would come back."""
    if run.archives.filter(expires_at__lte=clock.Now()).exists():
        raise NotPossible(gettext("This run can't be undone any more: some of its archives have expired."))


class Preflight:
    """Looks at all archives of ``purged`` for the run ``undo``.

    ``skipped``: the batches with an archive that is not intact. ``missing``: the rows of archives that
    are gone, by table. ``doubtful``: the tables of which a damaged or missing archive held unknown keys.
    """

    def __init__(self, purged: Run, undo: Run) -> None:
        self.purged = purged
        state = undo.undo_state or {}
        self.done = Restored.from_state(state)
        self.is_intact_only = bool(state.get("intact_only"))
        self.is_unverified = bool(state.get("unverified"))
        self.skipped: set[Place] = set()
        self.missing: Counter[str] = Counter()
        self.doubtful: set[str] = set()

    def check(
        self,
        *,
        save_progress: Callable[[Restored], None],
        checkpoint: Callable[[], None],
    ) -> None:
        """Find out what can be put back. Changes no archived row.

        Raises NotPossible, with the reason and what to do about it, if nothing may be put back.
        """
        if not self.done.at:  # the archives of an undo under way don't expire
            check_window(self.purged)
        report = verification.look(self.purged, checkpoint=checkpoint)
        verification.save(report)
        self._check_layouts(report)
        self._refuse(report)
        unusable = self._unusable(report)
        self._complete(report, unusable, save_progress)
        self.skipped = self._with_their_batches(report, unusable)
        if report.missing:
            self.missing = self._lost()
        if not self.is_unverified:
            self.doubtful = self._doubtful(report)

    def command(self, *options: str) -> str:
        return f"python manage.py housekeeping_runs undo {self.purged.pk} {' '.join(options)}"

    def _check_layouts(self, report: verification.Report) -> None:
        # A damaged archive may name any table. It is refused for its damage, not for that table.
        intact = self.purged.archives.exclude(pk__in=report.damaged)
        names = ("model", "is_own", "emptied", "schema", "vendor", "database", "rows")
        kinds = intact.values(*names).distinct()
        for kind in {json.dumps({**kind, "rows": 0}): kind for kind in kinds}.values():
            archived = Archive(**kind)
            with chosen.on(archived.alias):
                Layout(archived).defaults()

    def _refuse(self, report: verification.Report) -> None:
        if self.is_intact_only:
            return
        damage = list(report.damaged.values())
        if report.missing or report.duplicates:
            damage = report.findings()
        if damage:
            there = report.archives - report.duplicates
            total, intact = there + report.missing, there - len(report.damaged)
            raise NotPossible(
                f"{' '.join(damage[:5])} Nothing was restored; {intact} of {total} archives are intact. To"
                f" restore the intact batches: {self.command('--intact-only')}."
            )
        if report.unvouched and not self.is_unverified:
            raise NotPossible(
                f"The archives that version 1.0 made of {', '.join(report.unvouched)} can't be verified:"
                " the receipt's digest does not cover them. Nothing was restored. To restore them without"
                f" verification: {self.command('--unverified')}."
            )

    def _unusable(self, report: verification.Report) -> set[int]:
        """The archives that are skipped, each with its whole batch."""
        return set(report.damaged) if self.is_unverified else _not_vouched_for(report)

    def _complete(
        self, report: verification.Report, unusable: set[int], save_progress: Callable[[Restored], None]
    ) -> None:
        """Number the archives of version 1.0 by batch, and give digests to those that are usable.

        An unusable one stays without a digest, so that the next undo asks about it again.
        """
        if not self.purged.archives.filter(Q(batch=None) | Q(digest=None)).exists():
            return
        with writing():
            _number_and_seal(self.purged, report, unusable)
            save_progress(self.done)

    def _with_their_batches(self, report: verification.Report, unusable: set[int]) -> set[Place]:
        is_damaged = bool(report.missing or report.damaged) and not self.is_unverified
        incomplete = self._incomplete(unusable) if is_damaged else set()
        archives = self.purged.archives.values_list("pk", "batch", "part")
        return {place(batch, part) for pk, batch, part in archives if pk in unusable or batch in incomplete}

    def _incomplete(self, unusable: set[int]) -> set[int]:
        """The batches that lack an archive: positions count from 1, and the last has the batch's own rows.

        If their model inherits from other tables, the parts of the rows in these tables come after them.
        """
        archives = self.purged.archives.exclude(pk__in=unusable).filter(still_to_come(self.done.at))
        positions, own = defaultdict[int, dict[int, str]](dict), dict[int, int]()
        places: Any = archives.values_list("batch", "position", "model", "is_own")
        for batch, position, model, is_own in places:
            positions[batch][position] = model
            if is_own:
                own[batch] = position
        return {batch for batch, there in positions.items() if not _is_whole(there, own.get(batch))}

    def _doubtful(self, report: verification.Report) -> set[str]:
        archives = self.purged.archives.filter(emptied="").values_list("model", "batch", "part")
        models = {model for model, batch, part in archives if place(batch, part) in self.skipped}
        if report.missing or report.damaged:  # a damaged archive may name the wrong table
            models |= {model for model, rows in self._lost(self.skipped).items() if rows}
        return {label_of(apps.get_model(model)) for model in models if _is_known(model)}

    def _lost(self, skipped: Collection[Place] = ()) -> Counter[str]:
        """The rows by table that the run removed, and that are not back and can't come back."""
        rows = Counter(self.purged.removed)
        for policy in self.purged.receipt:
            rows.subtract(archive.erased(self.purged, policy))
        archives = self.purged.archives.counted().values_list("model", "batch", "part", "rows")
        for model, batch, part, count in archives:
            if place(batch, part) not in skipped:
                rows[model] -= count
        for undo in self.purged.undos.all():
            rows.subtract(undo.restored)
        return +rows

    def passed_over(self) -> Counter[str]:
        """The rows of the batches that are skipped, and of the archives that are missing, by the reason."""
        found: Counter[str] = Counter()
        for archived in self.purged.archives.defer("payload"):
            if place(archived.batch, archived.part) in self.skipped:
                found[f"{archived.model}: its archive, or one of its batch, is not intact"] += archived.rows
        for model, rows in self.missing.items():
            found[f"{model}: its archive is missing"] += rows
        return found


def _is_whole(there: Mapping[int, str], own: int | None) -> bool:
    """Whether no archive of a batch is missing. ``there``: the models by position; ``own``: the policy's."""
    if own is None or there.keys() != {*range(1, max(there) + 1)}:
        return False
    parents = apps.get_model(there[own])._meta.get_parent_list() if _is_known(there[own]) else []
    missing = {label_of(parent) for parent in parents} - {*there.values()}
    return not missing and (max(there) == own or bool(parents))


def complete(purged: Run) -> None:
    """Number the archives of version 1.0, and give digests to those that the receipt vouches for."""
    report = verification.look(purged)
    with writing():
        _number_and_seal(purged, report, _not_vouched_for(report))


def _not_vouched_for(report: verification.Report) -> set[int]:
    unvouched = (pk for policy in report.unvouched for pk in report.without_digest[policy])
    return {*report.damaged, *unvouched}


def _number_and_seal(purged: Run, report: verification.Report, unusable: set[int]) -> None:
    """The last archive of a batch has its own rows. The run then has the number of its archives."""
    position, batch, is_last, first_sealed = 0, 0, True, 0
    for archived in purged.archives.defer("payload").order_by("pk"):
        position, batch = 1 if is_last else position + 1, batch + is_last
        is_last = archived.is_own
        is_new = archived.batch is None
        if is_new:
            archived.batch, archived.position = batch, position
        if archived.digest is None and archived.pk in report.chain and archived.pk not in unusable:
            archived.before, after = report.chain[archived.pk]
            archived.digest = archive.sealed(archived, after)
            first_sealed += is_new
        archived.save(update_fields=["batch", "position", "before", "digest"])
    sealed = purged.archives.filter(digest__isnull=False).count()
    # An archive that had a digest and is gone still counts as missing.
    kept_before = Coalesce(F("archives_kept"), 0) + first_sealed
    Run.objects.filter(pk=purged.pk).update(archives_kept=Greatest(kept_before, sealed))


def _is_known(model: str) -> bool:
    try:
        apps.get_model(model)
    except (LookupError, ValueError):
        return False
    return True
