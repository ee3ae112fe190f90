"""The work of an erasure, which may be killed at any moment and done again."""

import json
import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import zstandard
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Model

from housekeeping.database import chosen, clock, transient
from housekeeping.declared import databases
from housekeeping.declared.personal import Person, declared
from housekeeping.declared.steps import no_checkpoint
from housekeeping.engine import packing, unpacking
from housekeeping.engine.apart import handover
from housekeeping.engine.effects import hooks
from housekeeping.erasure import certificate, obstacles, people, remains
from housekeeping.erasure.copies import archives, exports, files
from housekeeping.erasure.copies.reading import Reading
from housekeeping.erasure.found import Found, while_growing
from housekeeping.erasure.tables import rows
from housekeeping.erasure.tables.records import Records
from housekeeping.erasure.terms import Terms
from housekeeping.exceptions import NotPossible
from housekeeping.models import Archive, Erasure, Export, FileToDelete, Handover, Run
from housekeeping.runs.work import takeover

logger = logging.getLogger(__name__)

MOST_PASSES = 10

ForgetResults = Callable[[Callable[[str], bool], list[Any]], int]
"""Deletes results of tasks that hold a text, and those of runs with these keys. Returns how many."""


def forget_none(holds: Callable[[str], bool], runs: list[Any]) -> int:
    """Where there is no queue."""
    return 0


def carry_out(
    erasure: Erasure,
    *,
    forget_results: ForgetResults = forget_none,
    checkpoint: Callable[[], None] = no_checkpoint,
) -> Erasure:
    """Erase the person, or finish what an earlier attempt has begun.

    The erasure is stopped if something is in the way and nothing has changed yet. ``checkpoint`` is called
    between transactions; what it raises leaves the rest to the next attempt. Raises NotPossible if archives
    were damaged since it began, others add rows faster than they can be deleted, or a storage of files fails;
    HookFailed if an ``on_deleted`` does.
    """
    if not erasure.is_open:
        return erasure
    takeover.everywhere()  # an archive that is not among the others yet would not be searched
    if erasure.state == Erasure.State.REQUESTED and not _begin(erasure, checkpoint):
        return erasure
    work = _Work(erasure, forget_results, checkpoint)
    with ExitStack() as stack:
        aliases = [DEFAULT_DB_ALIAS, *_databases(work.person.model), *databases.of_policies()]
        for alias in dict.fromkeys(aliases):
            stack.enter_context(_overwriting(alias))
        work.carry_out()
    logger.info("Erasure %s is finished; its certificate has the digest %s", erasure, erasure.digest)
    return erasure


def _begin(erasure: Erasure, checkpoint: Callable[[], None]) -> bool:
    """Check again what may be in the way. Returns whether the erasure has begun."""
    person = people.from_json(erasure.person or {})
    reasons = obstacles.unfit(person) and obstacles.reasons(person)
    if not reasons:
        # What is about a row that only an archive has may be held, too.
        found, damage = rows.there(person), list[str]()
        try:
            archives.check(checkpoint)
            archives.look(person.model, found, lambda read, row: None, checkpoint)
            _look_at_declared(person, found, checkpoint)
        except NotPossible as why:
            damage = [str(why)]
        reasons = [*obstacles.reasons(person, found), *damage]
    if reasons:
        _stop(erasure, " ".join(reasons))
        return False
    _write(erasure, state=Erasure.State.RUNNING, started_at=clock.now())
    return True


def _look_at_declared(person: Person, found: Found, checkpoint: Callable[[], None]) -> None:
    """In tables and archives: a row may be about one that only an archive has, and a third one about it."""
    for _ in while_growing(found):
        rows.look_at_declared(person, found, checkpoint)
        archives.look_at_declared(person, found, checkpoint)


def _stop(erasure: Erasure, reason: str) -> None:
    facts = {"state": Erasure.State.STOPPED, "reason": reason, "finished_at": clock.now()}
    _write(erasure, **facts, person=None, found=None)
    logger.warning("Erasure %s was stopped before anything was changed", erasure)


def _write(erasure: Erasure, **facts: Any) -> None:
    for name, fact in facts.items():
        setattr(erasure, name, fact)
    transient.transact(lambda: Erasure.objects.filter(pk=erasure.pk).update(**facts))


@contextmanager
def _overwriting(alias: str) -> Iterator[None]:
    """Let SQLite overwrite what it deletes: otherwise it stays in the file until its place is used again."""
    connection = connections[alias]
    if connection.vendor != "sqlite":
        yield
        return
    with connection.cursor() as cursor:
        [before] = cursor.execute("PRAGMA secure_delete").fetchone()
        cursor.execute("PRAGMA secure_delete = ON")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA secure_delete = {int(before)}")


class _Work:
    def __init__(
        self, erasure: Erasure, forget_results: ForgetResults, checkpoint: Callable[[], None]
    ) -> None:
        self.erasure, self.forget_results, self.checkpoint = erasure, forget_results, checkpoint
        self.person = people.from_json(erasure.person or {})
        self.terms = Terms(self.person, erasure.pseudonym)
        self.found: Found = _unpacked(erasure.found)
        self.counted = 0  # in the pass under way

    def carry_out(self) -> None:
        self._take_over()
        transient.transact(lambda: rows.close(self.person))
        for _ in range(MOST_PASSES):
            self.counted = 0
            self._pass()
            if not self.counted:
                files.delete(self._deleted_file, self.checkpoint)
                hooks.make_erased(self.erasure.pk, self.checkpoint)
                self._finish()
                return
        raise NotPossible(f"Erasure {self.erasure}: there was something to erase in each of its passes.")

    def _pass(self) -> None:
        """Go over everything once: first what is known by keys and words that the rows still tell."""
        rows.look(self.person, self.found, self.terms, self.checkpoint)
        rows.look_at_declared(self.person, self.found, self.checkpoint)
        archives.look(self.person.model, self.found, self._read, self.checkpoint)
        _look_at_declared(self.person, self.found, self.checkpoint)
        self._save_found()
        records = Records(self.terms, self.found, self._deleted, self._changed)
        records.carry_out(self.checkpoint)
        rows.rename(self.person, self.terms.pseudonym, self._changed)
        rows.delete(self.person, self.found, self._deleted, self._going, self.checkpoint)
        self._take_over()
        # Only now: what a purge has archived of these rows is committed, and no row is left to archive. If
        # they were in another database, a handover may have that: its process is about to commit, or died.
        takeover.everywhere()
        rewriting = archives.Rewriting(self.terms, self.found, self._from_archives)
        rewriting.carry_out(self.checkpoint)
        exports.Rewriting(rewriting.without, self._from_exports).carry_out(self.checkpoint)
        self.counted += self.forget_results(self.terms.are_in, records.results)

    def _read(self, read: Reading, row: Any) -> None:
        """Words in archived rows are the person's, too."""
        self.terms.add_words(rows.words_in(read, row))

    def _save_found(self) -> None:
        """Once the rows are gone, nothing else tells which keys to look for in plans and holds."""
        packed = _packed(self.found)
        if packed != self.erasure.found:
            _write(self.erasure, found=packed)

    def _finish(self) -> None:
        left = remains.count(self.person, self.checkpoint)
        self.erasure.refresh_from_db()
        now = clock.now()
        issued = certificate.issue(self.erasure, self.terms, left, now)
        _write(
            self.erasure,
            state=Erasure.State.FINISHED,
            finished_at=now,
            certificate=issued,
            digest=certificate.digest(issued),
            person=None,
            found=None,
            touched=None,
        )

    # --- Counts, in the transaction of what they count ------------------------------------------

    def _deleted(self, more: Counter[str], notes: Sequence[FileToDelete] = ()) -> None:
        self._count("rows", more)
        self._hand_over(rows=more, files=[[one.field, one.name] for one in notes])

    def _going(self, model: type[Model], keys: list[Any]) -> None:
        """Have ``on_deleted`` called for them, too: the site may have copies of them elsewhere."""
        for policy, theirs in hooks.calls_of(model, keys):
            hooks.store(policy, theirs, run=self.erasure.pk)
            self._hand_over(called=[policy.name, theirs])

    def _from_archives(self, more: Counter[str], archived: Archive) -> None:
        self._count("archived", more)
        self._changed(Archive, [archived.pk])
        self._changed(Run, [archived.run_id])

    def _from_exports(self, more: Counter[str], export: Export) -> None:
        self._count("exported", more)
        self._changed(Export, [export.pk])

    def _deleted_file(self, note: FileToDelete) -> None:
        self._count("files", Counter({note.field: 1}))

    def _changed(self, model: type[Model], keys: Collection[Any]) -> None:
        if not keys:
            return
        self._touch(model._meta.label, list(map(str, keys)))
        self._hand_over(changed=[model._meta.label, list(map(str, keys))])

    def _touch(self, label: str, keys: Collection[str]) -> None:
        row = Erasure.objects.select_for_update().only("touched").get(pk=self.erasure.pk)
        touched = _unpacked(row.touched)
        new = set(keys) - touched.get(label, set())
        self.counted += len(keys) - len(new)
        if new:
            touched.setdefault(label, set()).update(new)
            Erasure.objects.filter(pk=self.erasure.pk).update(touched=_packed(touched))
            self._count("changed", Counter({label: len(new)}))

    # --- Of rows in another database ------------------------------------------------------------

    def _hand_over(self, **facts: Any) -> None:
        """What is counted would be lost if the process died before our own commit (``handover.py``)."""
        if chosen.is_apart():
            handover.store(handover.ERASURE, facts, run=self.erasure.pk)

    def _take_over(self) -> None:
        """Count what an earlier attempt has left open, and forget what is counted."""
        for alias in _databases(self.person.model):
            if alias != DEFAULT_DB_ALIAS:
                handover.take_over(alias, {handover.ERASURE: self._receive}, of=self.erasure.pk)

    def _receive(self, _found: Handover, facts: handover.Facts) -> None:
        self._count("rows", Counter(facts.get("rows", {})))
        files.Notes().add({(label, name) for label, name in facts.get("files", [])})
        if facts.get("changed"):
            self._touch(*facts["changed"])
        if facts.get("called"):
            policy, keys = facts["called"]
            hooks.store_for(policy, keys, self.erasure.pk)

    def _count(self, name: str, more: Counter[str]) -> None:
        if not more.total():
            return
        self.counted += more.total()
        row = Erasure.objects.select_for_update().only(name).get(pk=self.erasure.pk)
        counts = dict(Counter(getattr(row, name)) + more)
        Erasure.objects.filter(pk=self.erasure.pk).update(**{name: counts})


def _databases(account: type[Model]) -> list[str]:
    """The databases with rows that an erasure deletes or changes."""
    models = [account, *(one.model for one in declared())]
    return list(dict.fromkeys(chosen.home(model) for model in models))


def _packed(found: Found) -> bytes:
    text = json.dumps({label: sorted(keys) for label, keys in found.items() if keys}, sort_keys=True)
    return zstandard.compress(text.encode(), packing.LEVEL)


def _unpacked(packed: Any) -> Found:
    if not packed:
        return {}
    return {label: set(keys) for label, keys in json.loads(unpacking.unpacked(packed)).items()}
