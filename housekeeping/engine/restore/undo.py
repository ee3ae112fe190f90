"""Undo a purge, batch by batch."""

from __future__ import annotations

import json
import logging
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.apps import apps
from django.db import DataError, IntegrityError, connection, transaction
from django.db.models import F, Model, Q, Sum
from django.db.models.functions import Coalesce, Greatest
from django.utils.translation import gettext

from housekeeping import conf
from housekeeping.database import clock, discreet
from housekeeping.database.transient import transact
from housekeeping.engine import archive, locks, verification
from housekeeping.engine.purge import CAREFUL_LOCK_TIMEOUT, PACES, SETTINGS, Pace, fitted
from housekeeping.engine.restore.contents import Contents, Layout, label_of
from housekeeping.engine.restore.insertion import Insertion, Place, Restored
from housekeeping.engine.restore.parts import Cut
from housekeeping.exceptions import NotPossible
from housekeeping.models import Archive, Run

logger = logging.getLogger(__name__)

ROWS_PER_SECOND = 100_000  # that the first transaction counts on; then they fit themselves to the pace
# Cutting a batch costs as much as putting it back: only one that would take so many times as long as
# the pace wants is cut. Flat-out, that is one that the site would notice.
CUT, CUT_FLAT_OUT = 2, 5
# A row that comes back waits while the row that it refers to is locked. Between two tries an undo
# hears that it is cancelled. Nothing is said of the planner: it joins what comes back as it likes.
LIMITS = {"statement_timeout": SETTINGS["statement_timeout"], "lock_timeout": CAREFUL_LOCK_TIMEOUT}


@dataclass
class Undo:
    """Puts back what ``purged`` removed, as the run ``run``; it is held until ``held_until``.

    ``record`` is called in each batch's transaction with what is back by then; what it raises takes
    the batch back. ``checkpoint`` is called between batches, and between two looks at archives.
    """

    purged: Run
    run: Run
    held_until: datetime
    record: Callable[[Restored], None]
    checkpoint: Callable[[], None] = lambda: None
    on_retry: Callable[[], None] = lambda: None
    pace: Pace | None = None
    batch_size: int | None = None  # rows of one transaction, about; None: fitted to the pace
    skipped: set[Place] = field(default_factory=set)
    missing: Counter[str] = field(default_factory=Counter)  # rows of archives that are not there, by table
    doubtful: set[str] = field(default_factory=set)  # tables of which keys are lost with what is damaged
    _enforced: dict[type[Model], dict[str, str]] = field(default_factory=dict)

    # --- What can be known beforehand -----------------------------------------------------------

    def check(self) -> None:
        """Look at all archives; change none of their rows.

        Raises NotPossible, with the reason and what can be done about it, where they can't be put back.
        """
        state = self.run.undo_state or {}
        if not state.get("at"):  # those of an undo under way don't expire
            check_window(self.purged)
        report = verification.look(self.purged, checkpoint=self.checkpoint)
        verification.note(report)
        self._check_layouts(report)
        self._refuse(report, state)
        unusable = set(self._unusable(report, state))
        self._number(report, unusable)
        is_damaged = bool(report.missing or report.damaged) and not state.get("unverified")
        incomplete = self._incomplete(unusable) if is_damaged else set()
        for pk, batch, part in self.purged.archives.values_list("pk", "batch", "part"):
            if pk in unusable or batch in incomplete:
                self.skipped.add((batch or 0, part or 0))
        if report.missing:
            self.missing = self._lost()
        if not state.get("unverified"):
            self.doubtful = self._doubtful(report)

    def _check_layouts(self, report: verification.Report) -> None:
        """What is damaged may say anything of its table, and is named for its damage."""
        intact = self.purged.archives.exclude(pk__in=report.damaged)
        kinds = intact.values("model", "emptied", "schema", "vendor", "rows").distinct()
        for kind in {json.dumps({**kind, "rows": 0}): kind for kind in kinds}.values():
            Layout(Archive(**kind)).fillings()

    def _incomplete(self, unusable: set[int]) -> set[int]:
        """The batches that lack an archive: positions count from 1, and the last has the batch's own rows."""
        at = (self.run.undo_state or {}).get("at")
        ahead = self.purged.archives.exclude(pk__in=unusable).filter(_ahead(tuple(at)) if at else Q())
        positions, own = defaultdict[int, set[int]](set), dict[int, int]()
        places: Any = ahead.values_list("batch", "position", "is_own")
        for batch, position, is_own in places:
            positions[batch].add(position)
            if is_own:
                own[batch] = position
        return {batch for batch, there in positions.items() if there != {*range(1, own.get(batch, 0) + 1)}}

    def _doubtful(self, report: verification.Report) -> set[str]:
        kept = self.purged.archives.filter(emptied="").values_list("model", "batch", "part")
        models = {model for model, batch, part in kept if (batch or 0, part or 0) in self.skipped}
        if report.missing or report.damaged:  # a damaged one may say anything of itself
            models |= {model for model, rows in self._lost(self.skipped).items() if rows}
        return {label_of(apps.get_model(model)) for model in models if _is_known(model)}

    def _lost(self, skipped: Collection[Place] = ()) -> Counter[str]:
        """Rows by table that the run has removed, and that neither are back nor can come back."""
        rows: Counter[str] = Counter()
        for facts in self.purged.receipt.values():
            rows.update(facts["rows"])
        for model, batch, part, count in self.purged.archives.filter(emptied="").values_list(
            "model", "batch", "part", "rows"
        ):
            if (batch or 0, part or 0) not in skipped:
                rows[model] -= count
        for undo in self.purged.undos.all():
            rows.subtract(undo.restored)
        return +rows

    def _refuse(self, report: verification.Report, state: dict[str, Any]) -> None:
        if state.get("intact_only"):
            return
        damage = list(report.damaged.values())
        if report.missing or report.duplicates:
            damage = report.findings()
        if damage:
            there = report.archives - report.duplicates
            total, intact = there + report.missing, there - len(report.damaged)
            raise NotPossible(
                f"{' '.join(damage[:5])} Nothing was put back; {intact} of {total} archives are intact."
                f" To put back the batches that are intact: {_command(self.purged, '--intact-only')}."
            )
        if report.unvouched and not state.get("unverified"):
            raise NotPossible(
                f"What version 1.0 kept of {', '.join(report.unvouched)} can't be verified: it is not"
                f" what the digest of the receipt covers. Nothing was put back. To put it back"
                f" unverified: {_command(self.purged, '--unverified')}."
            )

    def _unusable(self, report: verification.Report, state: dict[str, Any]) -> list[int]:
        """The archives that are passed over, each with its whole batch."""
        unvouched = [] if state.get("unverified") else report.unvouched
        return [*report.damaged, *(pk for policy in unvouched for pk in report.without_digest[policy])]

    def _number(self, report: verification.Report, unusable: set[int]) -> None:
        """Give what version 1.0 kept its batches, and digests but to what is passed over: the next
        undo asks about that again. A batch's last archive is its own rows."""
        if not self.purged.archives.filter(Q(batch=None) | Q(digest=None)).exists():
            return
        position, batch, is_last, first_sealed = 0, 0, True, 0
        with transaction.atomic():
            for kept in self.purged.archives.defer("payload").order_by("pk"):
                position, batch = 1 if is_last else position + 1, batch + is_last
                is_last = kept.is_own
                is_new = kept.batch is None
                if is_new:
                    kept.batch, kept.position = batch, position
                if kept.digest is None and kept.pk in report.links and kept.pk not in unusable:
                    kept.before, link = report.links[kept.pk]
                    kept.digest = archive.sealed(kept, link)
                    first_sealed += is_new
                kept.save(update_fields=["batch", "position", "before", "digest"])
            sealed = self.purged.archives.filter(digest__isnull=False).count()
            # One that had a digest and is gone is missing still.
            kept_before = Coalesce(F("archives_kept"), 0) + first_sealed
            Run.objects.filter(pk=self.purged.pk).update(archives_kept=Greatest(kept_before, sealed))
            self.record(Restored.from_state(self.run.undo_state or {}))

    def _done(self) -> Restored:
        """What earlier attempts have put back, and what they had to leave behind."""
        done = Restored.from_state(self.run.undo_state or {})
        if done.at:
            behind = self.purged.archives.filter(emptied="").exclude(_ahead(done.at))
            for kept in behind.order_by("pk").iterator(chunk_size=1):
                if (kept.batch, kept.part or 0) not in self.skipped:
                    chunk = Contents(kept)
                    done.absent[chunk.label].update(key for key, _ in chunk.lines())
        return done

    # --- Batch by batch -------------------------------------------------------------------------

    def batches(self) -> Iterator[Restored]:
        """Put back what is not back yet. Yields what is back by then, after each commit."""
        pace = self.pace or PACES[conf.PACE]
        done, size = self._done(), self.batch_size or round(pace.target * ROWS_PER_SECOND)
        waiting = deque(self._order(done.at))
        while waiting:
            places: list[Place] = []
            rows = 0
            while waiting and (not places or rows + waiting[0][1] <= size):
                place, more = waiting.popleft()
                places.append(place)
                rows += more
            began = time.monotonic()
            is_long = rows > (CUT if pace.pause else CUT_FLAT_OUT) * size
            parts = self._cut(places[0], size, done) if is_long and not places[0][1] else []
            if parts:
                waiting.extendleft(reversed(parts))
                continue
            done = self._put_back(places, done)
            took = time.monotonic() - began
            yield done
            if self.batch_size:
                continue
            if 2 * rows > size:  # fewer tell little about more
                size = fitted(size, took, rows, pace)
            if waiting:
                time.sleep(took * pace.pause)

    def _order(self, at: Place | None) -> list[tuple[Place, int]]:
        """Batches, the newest first, with their rows: what was deleted last is what the rest hangs from."""
        archives = self.purged.archives.filter(_ahead(at) if at else Q())
        found = archives.values_list("batch", "part").annotate(count=Sum("rows"))
        places = [((batch, part or 0), rows) for batch, part, rows in found if batch is not None]
        places = [(place, rows) for place, rows in places if place not in self.skipped]
        return sorted(places, key=lambda each: (-each[0][0], each[0][1]))

    def enforced(self, model: type[Model]) -> dict[str, str]:
        """The columns of a table whose foreign keys the database looks after, each with its constraint."""
        if model not in self._enforced:
            with connection.cursor() as cursor:
                found = connection.introspection.get_constraints(cursor, model._meta.db_table)
            foreign_keys = {name: facts for name, facts in found.items() if facts["foreign_key"]}
            self._enforced[model] = {facts["columns"][0]: name for name, facts in foreign_keys.items()}
        return self._enforced[model]

    def _chunks(self, place: Place, done: Restored) -> list[Insertion]:
        """A batch's archives, its own rows first: unpacked before its transaction begins."""
        archives = self.purged.archives.filter(batch=place[0], part=place[1] or None)
        chunks = [Insertion(kept, self, done) for kept in archives.order_by("-position", "-pk")]
        for chunk in chunks:
            chunk.beside = [one for one in chunks if not one.kept.emptied and one.label in self.doubtful]
        return chunks

    def _put_back(self, places: list[Place], done: Restored) -> Restored:
        batches = [(place, self._chunks(place, done)) for place in places]

        def work() -> Restored:
            locks.set_locally(LIMITS)
            more = Restored()
            for place, chunks in batches:
                self._put_back_one(chunks, more)
                more.at = place
            whole = done + more
            whole.archives = more.archives
            self.record(whole)
            return whole

        return transact(work, on_retry=self.on_retry, checkpoint=self.checkpoint)

    def _put_back_one(self, chunks: list[Insertion], more: Restored) -> None:
        """Put a batch back, and count it in ``more``. One that the database does not take (a table got
        a constraint since, nobody vouches for what is kept) is left whole where only what is intact is
        asked for; else raises NotPossible."""
        here = Restored(absent=more.absent)
        name = ""
        try:
            with transaction.atomic():
                for chunk in chunks:
                    name = chunk.kept.name
                    chunk.put_back(here)
        except (DataError, IntegrityError, UnicodeError) as error:
            self._refuse_batch(f"{name}: the database does not take its rows ({discreet.clean(error)}).")
            here = Restored(absent=more.absent)
            for chunk in chunks:
                here.left[f"{chunk.name}: the database does not take its batch"] += chunk.kept.rows
                if not chunk.kept.emptied:
                    here.absent[chunk.label].update(key for key, _ in chunk.lines())
        more.rows.update(here.rows)
        more.left.update(here.left)
        more.archives += here.archives

    def _refuse_batch(self, why: str) -> None:
        state = self.run.undo_state or {}
        if not state.get("intact_only"):
            options = "--intact-only --unverified" if state.get("unverified") else "--intact-only"
            raise NotPossible(
                f"{why} What is back by now stays back. To leave such batches, and put back the others:"
                f" {_command(self.purged, options)}."
            )
        logger.warning("%s Its batch stays in the archive.", why)

    def _cut(self, place: Place, size: int, done: Restored) -> list[tuple[Place, int]]:
        """Cut a batch into parts of about ``size`` rows, in a transaction that puts nothing back."""
        chunks = self._chunks(place, done)
        parts = Cut(chunks).parts(size)
        if len(parts) < 2:
            return []

        def work() -> None:
            locks.set_locally(LIMITS)
            made = 0
            for number, part in enumerate(parts, 1):
                made += sum(chunk.copy(number, lines) for chunk, lines in zip(chunks, part, strict=True))
            for chunk in chunks:
                Archive.objects.filter(pk=chunk.kept.pk).delete()
            self.record(Restored(done.rows, done.left, at=done.at, archives=len(chunks) - made))

        transact(work, on_retry=self.on_retry, checkpoint=self.checkpoint)
        return [((place[0], number), sum(map(len, part))) for number, part in enumerate(parts, 1)]

    def passed_over(self) -> Counter[str]:
        """The rows of batches that were not put back, as an archive of theirs is not intact."""
        found: Counter[str] = Counter()
        for kept in self.purged.archives.defer("payload"):
            if (kept.batch, kept.part or 0) in self.skipped:
                found[f"{kept.model}: its archive, or one of its batch, is not intact"] += kept.rows
        for model, rows in self.missing.items():
            found[f"{model}: its archive is missing"] += rows
        return found


def _is_known(model: str) -> bool:
    try:
        apps.get_model(model)
    except (LookupError, ValueError):
        return False
    return True


def check_window(run: Run) -> None:
    """Raises NotPossible where a part of what the run removed has expired: half would come back."""
    if run.archives.filter(expires_at__lte=clock.Now()).exists():
        raise NotPossible(
            gettext("The undo window of this run has closed: a part of what it removed has expired.")
        )


def _ahead(at: Place) -> Q:
    """The archives of batches that come after this one in an undo."""
    return Q(batch__lt=at[0]) | Q(batch=at[0], part__gt=at[1])


def _command(run: Run, option: str) -> str:
    return f"python manage.py housekeeping_runs undo {run.pk} {option}"
