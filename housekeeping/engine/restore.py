"""Put back what a purge removed.

What it promises:

- Rows come back as the database stored them, every column and key.
- An undo goes in batches, the newest first, each in one short transaction: whole rows of the policy
  with all that hangs from them. What is back, its holds and the count of it are committed together
  with the deletion of its archives: a kill at any moment loses and doubles nothing.
- Before the first row, everything that can be known is checked for all archives: that they are what
  was written (``verification.py``), that their tables and columns are there, the undo window.
- A row comes back only if its key and its unique values are free, and what it refers to is
  there. One that can't come back stays in the archive until that expires, for another try.
- Nothing is attached to a stranger: to a row that has taken the key of one that is not back. Where
  an archive is damaged, its keys are not known. Then what refers to its table comes back only with a
  row that an undo has put back.
- Memory is bounded by a batch of the purge.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import zstandard
from django.apps import apps
from django.db import DataError, IntegrityError, connection, models, transaction
from django.db.models import F, Model, Q, Sum
from django.db.models.functions import Coalesce, Greatest
from django.utils.functional import cached_property
from django.utils.translation import gettext

from housekeeping import conf
from housekeeping.database import clock, discreet
from housekeeping.database.transient import transact
from housekeeping.engine import archive, cascade, holds, packing, verification
from housekeeping.engine.packing import quoted
from housekeeping.engine.purge import CAREFUL_LOCK_TIMEOUT, PACES, SETTINGS, Pace, fitted, set_locally
from housekeeping.exceptions import NotPossible
from housekeeping.models import Archive, Hold, Run

logger = logging.getLogger(__name__)

ROWS_PER_SECOND = 100_000  # that the first transaction counts on; then they fit themselves to the pace
# Cutting a batch costs as much as putting it back: only one that would take so many times as long as
# the pace wants is cut. Flat-out, that is one that the site would notice.
CUT, CUT_FLAT_OUT = 2, 5
# A row that comes back waits while the row that it refers to is locked. Between two tries an undo
# hears that it is cancelled. Nothing is said of the planner: it joins what comes back as it likes.
LIMITS = {"statement_timeout": SETTINGS["statement_timeout"], "lock_timeout": CAREFUL_LOCK_TIMEOUT}

Place = tuple[int, int]
"""A batch and its part, 0 for a whole batch."""


@dataclass
class Restored:
    """How many rows of each table came back, and which did not, with the reason.

    ``absent``: by table, keys that did not come back: a row that refers to one of them stays away,
    too, whatever has taken that key since. ``at``: the newest batch is put back first; this is the
    one that was put back last.
    """

    rows: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    absent: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    archives: int = 0  # that are gone, less those that have come
    at: Place | None = None

    def as_state(self) -> dict[str, Any]:
        return {"rows": self.rows, "left": self.left, "at": self.at}

    def __add__(self, other: Restored) -> Restored:
        absent = {table: self.absent[table] | other.absent[table] for table in {*self.absent, *other.absent}}
        rows, left = Counter(self.rows), Counter(self.left)
        rows.update(other.rows)  # "+" would drop the tables of which nothing came back
        left.update(other.left)
        return Restored(rows, left, defaultdict(set, absent), at=other.at or self.at)


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
            _Layout(Archive(**kind)).fillings()

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
        return {_label(apps.get_model(model)) for model in models if _is_known(model)}

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
            self.record(self._done())

    def _done(self) -> Restored:
        """What earlier attempts have put back, and what they had to leave behind."""
        state = self.run.undo_state or {}
        at = state.get("at")
        done = Restored(Counter(state.get("rows")), Counter(state.get("left")), at=tuple(at) if at else None)
        if done.at:
            behind = self.purged.archives.filter(emptied="").exclude(_ahead(done.at))
            for kept in behind.order_by("pk").iterator(chunk_size=1):
                if (kept.batch, kept.part or 0) not in self.skipped:
                    chunk = _Chunk(kept, self, done)
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

    def _chunks(self, place: Place, done: Restored) -> list[_Chunk]:
        """A batch's archives, its own rows first: unpacked before its transaction begins."""
        archives = self.purged.archives.filter(batch=place[0], part=place[1] or None)
        chunks = [_Chunk(kept, self, done) for kept in archives.order_by("-position", "-pk")]
        for chunk in chunks:
            chunk.beside = [one for one in chunks if not one.kept.emptied and one.label in self.doubtful]
        return chunks

    def _put_back(self, places: list[Place], done: Restored) -> Restored:
        batches = [(place, self._chunks(place, done)) for place in places]

        def work() -> Restored:
            set_locally(LIMITS)
            more = Restored()
            for place, chunks in batches:
                self._put_back_one(chunks, more)
                more.at = place
            whole = done + more
            whole.archives = more.archives
            self.record(whole)
            return whole

        return transact(work, on_retry=self.on_retry, checkpoint=self.checkpoint)

    def _put_back_one(self, chunks: list[_Chunk], more: Restored) -> None:
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
        parts = _Cut(chunks).parts(size)
        if len(parts) < 2:
            return []

        def work() -> None:
            set_locally(LIMITS)
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


class _Cut:
    """Which rows of a batch belong together: whatever refers to another row of the batch, and that row."""

    def __init__(self, chunks: list[_Chunk]) -> None:
        self.chunks = chunks
        self.leaders: dict[Any, Any] = {}
        self.lines = [list(chunk.lines()) for chunk in chunks]
        rows = zip(chunks, self.lines, strict=True)
        self.nodes = [[chunk.node(key) for key, _ in lines] for chunk, lines in rows]
        for nodes in self.nodes:
            for node in nodes:
                self.leaders[node] = node
        for chunk, lines, nodes in zip(chunks, self.lines, self.nodes, strict=True):
            for (key, line), node in zip(lines, nodes, strict=True):
                for other in chunk.relatives(key, line):
                    if other in self.leaders:
                        self.leaders[self._leader(node)] = self._leader(other)

    def _leader(self, node: Any) -> Any:
        while (up := self.leaders[node]) != node:
            self.leaders[node] = node = self.leaders[up]
        return node

    def parts(self, size: int) -> list[list[list[Any]]]:
        """Parts of about so many rows; each has, for each archive, the lines of its rows."""
        leaders = [[self._leader(node) for node in nodes] for nodes in self.nodes]
        weights = Counter(leader for each in leaders for leader in each)
        number_of, filled, number = dict[Any, int](), 0, 0
        for leader, weight in weights.items():
            if filled and filled + weight > size:
                number, filled = number + 1, 0
            number_of[leader] = number
            filled += weight
        parts: list[list[list[Any]]] = [[[] for _ in self.chunks] for _ in range(number + 1)]
        for at, (lines, heads) in enumerate(zip(self.lines, leaders, strict=True)):
            for (_, line), leader in zip(lines, heads, strict=True):
                parts[number_of[leader]][at].append(line)
        return parts


class _Layout:
    """An archive's table and columns as they are now. Raises NotPossible where they are gone."""

    def __init__(self, kept: Archive) -> None:
        self.kept = kept
        if kept.vendor != connection.vendor:
            raise NotPossible(
                f"The archive was written by {kept.vendor}, and this database is {connection.vendor}."
            )
        try:
            self.model: type[Model] = apps.get_model(kept.model)
        except LookupError:
            raise NotPossible(f"The table of {kept.model} is not there any more.") from None
        self.label = _label(self.model)
        now = {one.column: one for one in packing.columns(self.model)}
        self.names = [name for name, _ in kept.schema]
        gone = [name for name in self.names if name not in now]
        if gone:
            raise NotPossible(f"{kept.model} has lost the column {', '.join(gone)} since the purge.")
        self.fields = [now[name] for name in self.names]
        added = [one for name, one in now.items() if name not in self.names and not kept.emptied]
        self.added = [one for one in added if one.db_default is models.NOT_PROVIDED]
        self.table, self.key = quoted(self.model._meta.db_table), quoted(self.names[0])
        self.links = [
            (number, one, _label(one.related_model))
            for number, one in enumerate(self.fields)
            if isinstance(one, models.ForeignKey)
        ]

    def fillings(self) -> list[Any]:
        return [self._filling(one) for one in self.added]

    def _filling(self, added: models.Field[Any, Any]) -> Any:
        """What a migration has put into the rows that were there as the column was added."""
        value = connection.schema_editor().effective_default(added)
        if value is None and not added.null:
            raise NotPossible(
                f"{self.kept.model} has a new column {added.column} since the purge,"
                " which has no default and can't be empty."
            )
        return value


class _NotWhole(Exception):
    """Not all rows of an archive can come back as they are packed."""


class _Chunk(_Layout):
    """One archive, verified and unpacked, on its way back into its table."""

    def __init__(self, kept: Archive, undo: Undo, done: Restored) -> None:
        super().__init__(kept)
        self.undo, self.done = undo, done
        self.beside: list[_Chunk] = []  # of its batch, with rows that one of its own may refer to
        try:
            self.packed, _ = verification.content(kept)
        except verification.Damaged as why:
            raise NotPossible(f"{kept.name}: {why}.") from None

    @cached_property
    def rows(self) -> list[Any]:
        """As SQLite packed them."""
        return packing.unpacked_rows(self.packed)

    def put_back(self, more: Restored) -> None:
        """Insert its rows, or set its keys again, and count them in ``more``."""
        with connection.cursor() as cursor:
            if not self._put_back_whole(cursor, more):
                self._stage(cursor)
                self._put_back_in_part(cursor, more)
                cursor.execute("DROP TABLE restoring")

    def _put_back_whole(self, cursor: Any, more: Restored) -> bool:
        """Insert all of its rows as they are packed, or none of them. Returns whether they are back.

        A table between, and to be told each key that has come back, would take twice as long.
        """
        if self.kept.emptied:
            return False
        try:
            with transaction.atomic():
                self._insert_packed(cursor, more)
        except (_NotWhole, IntegrityError, DataError, UnicodeError):
            return False
        if self.kept.is_own:
            self._hold(cursor, [key for key, _ in self.lines()])
        self._count(self.kept.rows, more)
        return True

    def _insert_packed(self, cursor: Any, more: Restored) -> None:
        if any(self._absent(label, more) or label in self.undo.doubtful for *_, label in self.links):
            raise _NotWhole
        if connection.vendor == "postgresql":
            self._copy(cursor)
        elif each := self._each_packed():
            cursor.execute(*self._insert(more, f"({each})", [self.packed]))
        else:
            raise _NotWhole
        if cursor.rowcount != self.kept.rows:
            raise _NotWhole

    def _copy(self, cursor: Any) -> None:
        """Where the database looks after the foreign keys, it refuses a row that refers to nothing."""
        enforced = self.undo.enforced(self.model)
        referring = {one.column for _, one, _ in self.links if getattr(one, "db_constraint", True)}
        if self.added or not referring <= enforced.keys():
            raise _NotWhole
        if enforced:
            names = ", ".join(quoted(name) for name in enforced.values())
            cursor.execute(f"SET CONSTRAINTS {names} IMMEDIATE")
        self._copy_into(cursor, self.table)

    def _copy_into(self, cursor: Any, table: str) -> None:
        names = ", ".join(quoted(name) for name in self.names)
        with connection.wrap_database_errors, cursor.copy(f"COPY {table} ({names}) FROM STDIN") as rows:
            rows.write(self.packed)

    def _put_back_in_part(self, cursor: Any, more: Restored) -> None:
        """Put back what can come back, and keep the rest."""
        query, values = self._relink(more) if self.kept.emptied else self._insert(more)
        cursor.execute(f"{query} RETURNING {self.table}.{self.key}", values)
        keys = [row[0] for row in cursor.fetchall()]
        if self.kept.is_own:
            self._hold(cursor, keys)
        self._count(len(keys), more)
        if len(keys) != self.kept.rows:
            self._keep_the_rest(cursor, {str(key) for key in keys}, more)

    def _count(self, rows: int, more: Restored) -> None:
        more.rows[self.name] += rows
        if rows == self.kept.rows:
            Archive.objects.filter(pk=self.kept.pk).delete()
            more.archives += 1

    @property
    def name(self) -> str:
        """As the run's result calls it."""
        return f"{self.kept.model}.{self.kept.emptied}" if self.kept.emptied else self.kept.model

    def _stage(self, cursor: Any) -> None:
        """A temporary table with the chunk's rows, without the constraints of the real one."""
        names = ", ".join(quoted(name) for name in self.names)
        cursor.execute(f"CREATE TEMPORARY TABLE restoring AS SELECT {names} FROM {self.table} LIMIT 0")
        if connection.vendor == "postgresql":
            self._copy_into(cursor, "restoring")
        elif each := self._each_packed():
            cursor.execute(f"INSERT INTO restoring ({names}) {each}", [self.packed])
        else:
            places = ", ".join(["%s"] * len(self.names))
            cursor.executemany(f"INSERT INTO restoring ({names}) VALUES ({places})", self._values())

    def _each_packed(self) -> str | None:
        """SQLite's query for the rows that its parameter holds; None where Python has to unpack."""
        if b"\\u0000" in self.packed:  # json_each ends a text there
            return None
        if any(map(packing.from_json, self.fields)):
            return None
        columns = [f"json_extract(value, '$[{at}]') AS {quoted(name)}" for at, name in enumerate(self.names)]
        # Bound as bytes: not every text that SQLite lets in can be one of Python's.
        return f"SELECT {', '.join(columns)} FROM json_each(CAST(%s AS TEXT))"

    def _values(self) -> list[Any]:
        made = [(number, make) for number, one in enumerate(self.fields) if (make := packing.from_json(one))]
        if not made:
            return self.rows
        rows = [list(row) for row in self.rows]
        for row in rows:
            for number, make in made:
                row[number] = make(row[number]) if isinstance(row[number], str) else row[number]
        return rows

    def _insert(
        self, more: Restored, source: str = "restoring", packed: Sequence[Any] = ()
    ) -> tuple[str, list[Any]]:
        values = self.fillings()
        names = ", ".join(quoted(str(one.column)) for one in [*self.fields, *self.added])
        chosen = ", ".join([*(f"r.{quoted(str(one.column))}" for one in self.fields), *["%s"] * len(values)])
        wheres, keys = self._wheres(more)
        query = f"INSERT INTO {self.table} ({names}) SELECT {chosen} FROM {source} r WHERE {wheres}"
        return f"{query} ON CONFLICT DO NOTHING", [*values, *packed, *keys]

    def _wheres(self, more: Restored) -> tuple[str, list[Any]]:
        """What a row refers to is there, and is what it was."""
        wheres, values = ["true"], []
        for _, one, _ in self.links:
            name, target = quoted(str(one.column)), one.related_model
            key = quoted(str(one.target_field.column))
            there = f"EXISTS (SELECT 1 FROM {quoted(target._meta.db_table)} t WHERE t.{key} = r.{name})"
            if getattr(one, "db_constraint", True):  # else it may have referred to nothing before
                wheres.append(f"(r.{name} IS NULL OR {there})")
            for where, keys in self._no_stranger(str(one.column), target, more):
                wheres.append(where)
                values += keys
        return " AND ".join(wheres), values

    def _no_stranger(
        self, column: str, model: type[Model], more: Restored
    ) -> Iterator[tuple[str, list[Any]]]:
        """Conditions: what has the key in ``column`` now is the row of ``model`` that had it before."""
        name, label = quoted(column), _label(model)
        if absent := self._absent(label, more):
            among, keys = packing.matching(f"CAST(r.{name} AS varchar)", sorted(absent))
            yield f"(r.{name} IS NULL OR NOT {among})", keys
        if label in self.undo.doubtful:
            among, keys = packing.matching(f"CAST(r.{name} AS varchar)", self._back(column, model))
            yield f"(r.{name} IS NULL OR {among})", keys

    def _absent(self, label: str, more: Restored) -> set[str]:
        """The keys of rows that are not back: who has one of them now is a stranger."""
        return self.done.absent.get(label, set()) | more.absent.get(label, set())

    def _back(self, column: str, model: type[Model]) -> list[str]:
        """The keys in ``column`` of rows of ``model`` that an undo of this run has put back, as the
        database writes them: the batch's own rows, and rows that such an undo holds."""
        label, name = _label(model), quoted(column)
        found = {key for chunk in self.beside if chunk.label == label for key, _ in chunk.lines()}
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT DISTINCT r.{name}, CAST(r.{name} AS varchar) FROM restoring r")
            texts = {cascade.written_key(model, key): text for key, text in cursor if text}
        made = Hold.objects.filter(undo__undo_of=self.undo.purged)
        back = cascade.rows_of(model).filter(holds.named_by(model, made))
        keys = back.filter(pk__in=list(texts)).values_list("pk", flat=True)
        return sorted(found.union(texts[str(key)] for key in keys))

    def _relink(self, more: Restored) -> tuple[str, list[Any]]:
        """Set a foreign key again that was emptied, where its row is there and nobody else set it."""
        name = quoted(self.names[1])
        wheres, values = self._wheres(more)
        for where, keys in self._no_stranger(self.names[0], self.model, more):
            wheres, values = f"{wheres} AND {where}", [*values, *keys]
        return (
            f"UPDATE {self.table} SET {name} = r.{name} FROM restoring r"
            f" WHERE {self.table}.{self.key} = r.{self.key} AND {self.table}.{name} IS NULL"
            f" AND {wheres}"
        ), values

    def _hold(self, cursor: Any, keys: list[Any]) -> None:
        """In one statement: as objects, holds took longer than the rows themselves."""
        hold = Hold(
            model=self.kept.model,
            until=self.undo.held_until,
            reason=f"Put back by the undo of run {self.kept.run_id}",
            made_by=self.undo.run.requested_by,
            made_at=clock.roughly(),
            undo=self.undo.run,
        )
        fields = [one for one in Hold._meta.concrete_fields if one.name not in ("id", "key")]
        values = [one.get_db_prep_save(getattr(hold, one.attname), connection) for one in fields]
        names = ", ".join(quoted(str(one.column)) for one in fields)
        written = [cascade.written_key(self.model, key) for key in keys]
        is_postgres = connection.vendor == "postgresql"
        each = "unnest(%s::text[])" if is_postgres else "(SELECT value FROM json_each(%s))"
        cursor.execute(
            f"INSERT INTO {quoted(Hold._meta.db_table)} ({names}, {quoted('key')})"
            f" SELECT {', '.join(['%s'] * len(values))}, keys.* FROM {each} AS keys",
            [*values, written if is_postgres else json.dumps(written)],
        )

    def _keep_the_rest(self, cursor: Any, back: set[str], more: Restored) -> None:
        """Report what could not come back, and keep it for another try."""
        cursor.execute(
            f"SELECT r.{self.key} FROM restoring r"
            f" WHERE EXISTS (SELECT 1 FROM {self.table} t WHERE t.{self.key} = r.{self.key})"
        )
        taken = {str(row[0]) for row in cursor.fetchall()} - back
        wheres, values = self._wheres(more)
        cursor.execute(f"SELECT r.{self.key} FROM restoring r WHERE {wheres}", values)
        whole = {str(row[0]) for row in cursor.fetchall()}
        rest = [(key, line) for key, line in self.lines() if key not in back]
        for key, _ in rest:
            if not self.kept.emptied:
                more.absent[self.label].add(key)
            more.left[f"{self.name}: {self._reason(key, taken, whole)}"] += 1
        if back:
            self._rewrite([line for _, line in rest])

    def _reason(self, key: str, taken: set[str], whole: set[str]) -> str:
        if self.kept.emptied:
            return "its row is gone, or was set to another since"
        if key in taken:
            return "its key is taken by another row"
        if key not in whole:
            return "what it belongs to is gone" + (", or not intact" if self.undo.doubtful else "")
        return "a unique value of it is taken by another row"

    # --- Its rows, one by one -------------------------------------------------------------------

    def lines(self) -> Iterator[tuple[str, Any]]:
        """Each row with its key, as text."""
        if self.kept.vendor == "postgresql":
            for line in self.packed.splitlines(keepends=True):
                yield _copied(line.rstrip(b"\n").split(b"\t", 1)[0]), line
        else:
            for row in self.rows:
                yield str(row[0]), row

    def node(self, key: str) -> Any:
        """What stands for a row among those of its batch."""
        return (self.label, self.kept.emptied, key)

    def relatives(self, key: str, line: Any) -> Iterator[Any]:
        """The rows that a row refers to."""
        if self.kept.emptied:
            yield (self.label, "", key)
        is_copied = self.kept.vendor == "postgresql"
        values = line.rstrip(b"\n").split(b"\t") if is_copied else line
        for number, _, label in self.links:
            value = values[number]
            yield (label, "", _copied(value) if is_copied else str(value))

    def copy(self, part: int, lines: list[Any]) -> bool:
        """Keep some of its rows as a part of the batch. False where there are none."""
        if lines:
            kept = Archive(
                run_id=self.kept.run_id,
                part=part,
                **{name: getattr(self.kept, name) for name in _SAME},
            )
            self._fill(kept, lines)
        return bool(lines)

    def _rewrite(self, lines: list[Any]) -> None:
        """Keep these of its rows, and no others."""
        Archive.objects.filter(pk=self.kept.pk).delete()
        kept = Archive(
            pk=self.kept.pk,
            run_id=self.kept.run_id,
            part=self.kept.part,
            **{name: getattr(self.kept, name) for name in _SAME},
        )
        self._fill(kept, lines)

    def _fill(self, kept: Archive, lines: list[Any]) -> None:
        packed = self._joined(lines)
        kept.rows, kept.before = len(lines), verification.NOTHING
        kept.digest = archive.sealed(kept, archive.digest(kept.before, packed))
        archive.save(kept, zstandard.compress(packed, packing.LEVEL))

    def _joined(self, lines: list[Any]) -> bytes:
        if self.kept.vendor == "postgresql":
            return b"".join(lines)
        text = json.dumps(lines, ensure_ascii=False, separators=(",", ":"))
        return text.encode(errors="surrogateescape")


_SAME = ["policy", "is_own", "model", "emptied", "schema", "vendor", "expires_at", "batch", "position"]


def _label(model: Any) -> str:
    """A proxy's rows are its table's."""
    label: str = (model._meta.concrete_model or model)._meta.label
    return label


# How COPY writes what would end a column or a row; a backslash stands for itself.
COPIED = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


def _copied(text: bytes) -> str:
    """A text as it was before COPY wrote it."""
    return re.sub(rb"\\(.)", lambda found: COPIED.get(found[1], found[1]), text).decode()
