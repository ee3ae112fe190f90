"""Undo a purge, batch by batch."""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime

from django.db import DEFAULT_DB_ALIAS, DataError, IntegrityError, transaction
from django.db.models import Sum
from django.utils.functional import cached_property

from housekeeping import conf
from housekeeping.database import chosen, discreet
from housekeeping.database.transient import transact
from housekeeping.engine import locks
from housekeeping.engine.apart import handover
from housekeeping.engine.purge import CAREFUL_LOCK_TIMEOUT, PACES, SETTINGS, Pace, fitted
from housekeeping.engine.restore.changes import Change
from housekeeping.engine.restore.contents import Contents
from housekeeping.engine.restore.handed import hand_over
from housekeeping.engine.restore.insertion import Insertion, Terms
from housekeeping.engine.restore.knots import Knot, is_circle, tied
from housekeeping.engine.restore.parts import Groups
from housekeeping.engine.restore.preflight import Preflight
from housekeeping.engine.restore.progress import Place, Restored, place, still_to_come
from housekeeping.exceptions import NotPossible
from housekeeping.models import Archive, Run

logger = logging.getLogger(__name__)

ROWS_PER_SECOND = 100_000  # assumed for the first transaction; the next ones are fitted to the pace
# Cutting a batch costs as much as putting it back. So a batch is only cut if it would take this many
# times as long as the pace allows; at the pace flat-out, if the rest of the site would notice it.
CUT, CUT_FLAT_OUT = 2, 5
# A row that comes back waits while the row that it refers to is locked; a cancelled undo notices that
# between two tries. The planner's settings stay as they are: it is free to join what comes back.
LIMITS = {"statement_timeout": SETTINGS["statement_timeout"], "lock_timeout": CAREFUL_LOCK_TIMEOUT}


@dataclass
class Undo:
    """Puts back what ``purged`` removed, as the run ``run``, and holds these rows until ``held_until``.

    ``save_progress`` is called inside each batch's transaction, with everything that is back by then;
    what it raises rolls the batch back. ``checkpoint`` is called between batches, and between two
    archives that are verified.
    """

    purged: Run
    run: Run
    held_until: datetime
    save_progress: Callable[[Restored], None]
    checkpoint: Callable[[], None] = lambda: None
    on_retry: Callable[[], None] = lambda: None
    pace: Pace | None = None
    batch_size: int | None = None  # about so many rows in a transaction; None: fitted to the pace
    preflight: Preflight = field(init=False)

    def __post_init__(self) -> None:
        self.preflight = Preflight(self.purged, self.run)
        self._databases: dict[int | None, str] = {}  # by batch

    def check(self) -> None:
        """Find out what can be put back. Raises NotPossible if nothing may be."""
        self.preflight.check(save_progress=self.save_progress, checkpoint=self.checkpoint)

    def passed_over(self) -> Counter[str]:
        """The rows that were not put back because their archives are damaged or missing."""
        return self.preflight.passed_over()

    def batches(self) -> Iterator[Restored]:
        """Put back what is not back yet. Yields, after each commit, everything that is back by then."""
        pace = self.pace or PACES[conf.PACE]
        done, size = self._done(), self.batch_size or round(pace.target * ROWS_PER_SECOND)
        waiting = deque(self._in_order(done.at))
        while waiting:
            places, rows = _next(waiting, size, self._database_of)
            began = time.monotonic()
            is_long = rows > (CUT if pace.pause else CUT_FLAT_OUT) * size
            if is_long and (parts := self._cut(places[0], size, done)):
                waiting.extendleft(reversed(parts))
                continue
            done = self._put_back(places, done)
            took = time.monotonic() - began
            yield done
            if self.batch_size:
                continue
            if 2 * rows > size:  # fewer rows tell little about the time that more of them take
                size = fitted(size, took, rows, pace)
            if waiting:
                time.sleep(took * pace.pause)

    def _done(self) -> Restored:
        """What earlier attempts have put back, and the keys of the rows that they had to leave."""
        done = Restored.from_state(self.run.undo_state or {})
        if done.at:
            behind = self.purged.archives.filter(emptied="").exclude(still_to_come(done.at))
            for archived in behind.order_by("pk").iterator(chunk_size=1):
                if place(archived.batch, archived.part) in self.preflight.skipped:
                    continue
                with chosen.on(archived.alias):
                    contents = Contents(archived)
                    contents.add_absent(done.absent, contents.rows())
        return done

    def _in_order(self, at: Place | None) -> list[tuple[Place, int]]:
        """Batches with their rows, the newest first: the rest refers to what was deleted last."""
        archives = self.purged.archives.filter(still_to_come(at)).exclude(batch=None)
        found = archives.values_list("batch", "part", "database").annotate(count=Sum("rows"))
        self._databases = {batch: database or DEFAULT_DB_ALIAS for batch, _, database, _ in found}
        places = [(place(batch, part), rows) for batch, part, _, rows in found]
        places = [(each, rows) for each, rows in places if each not in self.preflight.skipped]
        return sorted(places, key=lambda found: (-found[0][0], found[0][1]))

    # --- One transaction ------------------------------------------------------------------------

    def _put_back(self, places: list[Place], done: Restored) -> Restored:
        while True:
            with suppress(_Changed):
                return self._put_back_as_read(places, done)

    def _put_back_as_read(self, places: list[Place], done: Restored) -> Restored:
        with chosen.on(self._database_of(places[0])):
            return self._put_back_together(places, done)

    def _put_back_together(self, places: list[Place], done: Restored) -> Restored:
        """Put back these places, which are of the chosen database."""
        batches = [(each, self._insertions(each, done)) for each in places]
        read = [one for _, insertions in batches for one in insertions]
        handed = None

        def work() -> Restored:
            nonlocal handed
            for one in read:  # of a try before
                one.stayed = one.held = None
            locks.set_locally(LIMITS)
            _check_unchanged(read)
            more = Restored()
            for each, insertions in batches:
                self._put_back_one(insertions, more)
                more.at = each
            whole = done + more
            whole.archives = more.archives
            self.save_progress(whole)
            if chosen.is_apart():
                handed = hand_over(read, more, undo=self.run, held_until=self.held_until)
            return whole

        whole = transact(work, apart=chosen.alias(), on_retry=self.on_retry, checkpoint=self.checkpoint)
        handover.forget(handed)
        return whole

    def _database_of(self, at: Place) -> str:
        return self._databases.get(at[0], DEFAULT_DB_ALIAS)

    def _insertions(self, at: Place, done: Restored) -> list[Insertion]:
        """A batch's archives, its own rows first, unpacked before the transaction begins."""
        archives = self.purged.archives.filter(batch=at[0], part=at[1] or None)
        insertions = [
            (Change if archived.is_changed else Insertion)(archived, self._terms, done)
            for archived in archives.order_by("-position", "-pk")
        ]
        doubtful = [each for each in insertions if not each.archived.emptied and each.is_doubtful]
        for each in insertions:
            each.beside = doubtful
        return insertions

    @cached_property
    def _terms(self) -> Terms:
        return Terms(self.purged, self.run, self.held_until, self.preflight.doubtful)

    def _put_back_one(self, insertions: list[Insertion], more: Restored) -> None:
        """Put a batch back, and count it in ``more``.

        The database may refuse its rows: the table has a new constraint, or nothing vouches for the
        archive. Then the batch stays archived as a whole if the undo is to put back only what is
        intact. Otherwise raises NotPossible.
        """
        here = Restored(absent=more.absent)
        name = ""
        try:
            with _savepoint():
                for group in tied(insertions):
                    name = group[0].archived.name
                    if is_circle(group):
                        Knot(group).put_back(here)
                    else:
                        group[0].put_back(here)
        except (DataError, IntegrityError, UnicodeError) as error:
            self._refuse_batch(f"{name}: the database does not accept its rows ({discreet.clean(error)}).")
            for each in insertions:
                each.stayed = each.held = None
            here = _left_as_a_whole(insertions, more)
        more.rows.update(here.rows)
        more.left.update(here.left)
        more.archives += here.archives

    def _refuse_batch(self, why: str) -> None:
        if not self.preflight.is_intact_only:
            options = ["--intact-only", "--unverified"] if self.preflight.is_unverified else ["--intact-only"]
            raise NotPossible(
                f"{why} Rows restored so far stay. To leave such batches in the archive and restore the"
                " others:"
                f" {self.preflight.command(*options)}."
            )
        logger.warning("%s Its batch stays in the archive.", why)

    # --- A batch that is too large --------------------------------------------------------------

    def _cut(self, at: Place, size: int, done: Restored) -> list[tuple[Place, int]]:
        """Cut a whole batch into parts of about ``size`` rows, in a transaction that puts nothing back.

        Returns the parts with their rows; none if the batch is a part already, or stays together.
        """
        if at[1]:
            return []
        while True:
            with suppress(_Changed):
                return self._cut_as_read(at, size, done)

    def _cut_as_read(self, at: Place, size: int, done: Restored) -> list[tuple[Place, int]]:
        with chosen.on(self._database_of(at)):
            batch, archives = at[0], self._insertions(at, done)
            parts = Groups(archives).parts(size)
        if len(parts) < 2:
            return []

        def work() -> None:
            locks.set_locally(LIMITS)
            _check_unchanged(archives)
            made = 0
            for number, part in enumerate(parts, 1):
                made += sum(
                    each.archive_part(number, rows) for each, rows in zip(archives, part, strict=True)
                )
            for each in archives:
                Archive.objects.filter(pk=each.archived.pk).delete()
            self.save_progress(Restored(done.rows, done.left, at=done.at, archives=len(archives) - made))

        transact(work, on_retry=self.on_retry, checkpoint=self.checkpoint)
        return [((batch, number), sum(map(len, part))) for number, part in enumerate(parts, 1)]


@contextmanager
def _savepoint() -> Iterator[None]:
    """In our own transaction, and in that of the chosen database."""
    with ExitStack() as stack:
        for alias in dict.fromkeys((DEFAULT_DB_ALIAS, chosen.alias())):
            stack.enter_context(transaction.atomic(using=alias))
        yield


class _Changed(Exception):
    """An archive was rewritten after it was read."""


def _check_unchanged(read: list[Insertion]) -> None:
    """Raises _Changed. Until the transaction ends, nobody rewrites these archives.

    The erasure of a person rewrites archives. Rows that were read before must not come back.
    """
    locked = Archive.objects.select_for_update().filter(pk__in=[one.archived.pk for one in read])
    digests = dict(locked.order_by("pk").values_list("pk", "digest"))
    if any(digests.get(one.archived.pk) != one.archived.digest for one in read):
        raise _Changed


def _next(
    waiting: deque[tuple[Place, int]], size: int, database_of: Callable[[Place], str]
) -> tuple[list[Place], int]:
    """Take places for one transaction: at least one, and more while they have no more than ``size`` rows.

    All of them are of one database.
    """
    places: list[Place] = []
    rows = 0
    while waiting and (not places or rows + waiting[0][1] <= size):
        if places and database_of(waiting[0][0]) != database_of(places[0]):
            break
        at, more = waiting.popleft()
        places.append(at)
        rows += more
    return places, rows


def _left_as_a_whole(insertions: list[Insertion], more: Restored) -> Restored:
    left = Restored(absent=more.absent)
    for each in insertions:
        left.left[f"{each.name}: the database does not accept its batch"] += each.archived.rows
        if not each.archived.emptied:
            each.add_absent(left.absent, each.rows())
    return left
