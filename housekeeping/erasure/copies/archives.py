"""Archives: which rows in them are the person's, and what is left of them without these rows."""

from collections import Counter
from collections.abc import Callable
from itertools import chain
from typing import Any

from django.db.models import Model

from housekeeping.database import chosen, transient
from housekeeping.declared.personal import Person, declared
from housekeeping.engine import archive, cascade, restore
from housekeeping.erasure.copies import exports, files, theirs
from housekeeping.erasure.copies.reading import Reading, changed_archives_of, reading, readings, written
from housekeeping.erasure.found import Found, while_growing
from housekeeping.erasure.terms import Terms
from housekeeping.models import Archive, Run


def tables(account: type[Model]) -> list[type[Model]]:
    """The model of accounts and those below it, each after those that its rows are below of.

    Where that is no tree of foreign keys, the model first, and the others in some order.
    """
    if not cascade.is_tree(account):
        return cascade.tables(account)
    depth = {account: 0}
    for link, path in cascade.walk(account):
        if link.is_cascade:
            depth[link.model] = max(depth.get(link.model, 0), path.count("__") + 1)
    return sorted(depth, key=lambda model: depth[model])


def look(
    account: type[Model], found: Found, read: Callable[[Reading, Any], None], checkpoint: Callable[[], None]
) -> None:
    """Add the keys of archived rows that refer to a row in ``found``, also over other archived rows.

    ``read`` is called with each of these rows. Raises NotPossible for a damaged archive.
    """
    for _ in () if cascade.is_tree(account) else while_growing(found):
        _look_once(account, found, lambda one, row: None, checkpoint)
    _look_once(account, found, read, checkpoint)
    _look_at_changed(account, found, read, checkpoint)


def look_at_declared(person: Person, found: Found, checkpoint: Callable[[], None]) -> None:
    """Add the keys of archived rows that are declared to be about the person, and of those below them.

    One may be about a row of another: call it while ``found`` is growing. Raises NotPossible for a damaged
    archive.
    """
    theirs_too = theirs.Declared({name.casefold() for name in person.names}, found)
    for top in dict.fromkeys(one.model for one in declared()):
        are_needed = len(cascade.tables(top)) > 1 or any(top in one.keys.values() for one in declared())
        for model in tables(top):
            found.setdefault(model._meta.label, set())
            # Of exports, only rows with others below or about them: the rest is read when it is rewritten.
            for one in chain(readings(model), exports.readings(model) if are_needed else ()):
                checkpoint()
                with chosen.on(one.database):
                    _look_into(one, found, lambda one, row: None, theirs_too.has)


def _look_at_changed(
    account: type[Model], found: Found, read: Callable[[Reading, Any], None], checkpoint: Callable[[], None]
) -> None:
    """Read what rows in ``found`` had before they were made anonymous.

    A row that was theirs only by a value that it had then is nobody's now, and stays.
    """
    for model in tables(account):
        for pk in list(changed_archives_of(model)):
            checkpoint()
            if one := reading(pk):
                keys = found.get(one.place(model._meta.label), set())
                with chosen.on(one.database):
                    for row in (row for row in one.rows if one.key(row) in keys):
                        read(one, row)


def _look_once(
    account: type[Model], found: Found, read: Callable[[Reading, Any], None], checkpoint: Callable[[], None]
) -> None:
    for model in tables(account):
        found.setdefault(model._meta.label, set())
        for one in chain(readings(model), exports.readings(model)):
            checkpoint()
            with chosen.on(one.database):
                _look_into(one, found, read)


def _look_into(
    one: Reading,
    found: Found,
    read: Callable[[Reading, Any], None],
    has: Callable[[Reading, Any], bool] = lambda one, row: False,
) -> None:
    """``has``: whether a row is theirs for another reason than the keys in it."""
    keys = found.setdefault(one.place(one.label), set())
    links = list(theirs.links(one, found, theirs.takes_along))
    for row in one.rows:
        key, is_theirs = one.key(row), any(theirs.refers(one, row, *link) for link in links)
        is_theirs = is_theirs or theirs.is_named(one, row, found) or has(one, row)
        if key in keys or (is_theirs and not one.is_nobodys(key)):
            keys.add(key)
            _note_others(one, row, found)
            read(one, row)


def _note_others(one: Reading, row: Any, found: Found) -> None:
    """Note the values that others refer to the row by, and the keys of its parts in other tables."""
    assert one.model
    for place, column in referred(one.model):
        if value := one.value(row, one.at(column)) if column in one.columns else None:
            found.setdefault(one.place(place), set()).add(value)
    for ascent in cascade.ascents(one.model):
        if value := one.value(row, one.at(str(ascent.field.column))):
            found.setdefault(one.place(ascent.model._meta.label), set()).add(written(ascent.model, value))


def referred(model: type[Model]) -> list[tuple[str, str]]:
    """The columns of a model, apart from its key, that foreign keys refer to; each with its place."""
    links = [link for link in cascade.links(model) if not link.is_to_key]
    return list(dict.fromkeys((link.place, str(link.field.target_field.column)) for link in links))


def check(checkpoint: Callable[[], None]) -> None:
    """Raises NotPossible for the first archive or export that is damaged: it can't be searched."""
    for pk in Archive.objects.order_by("pk").values_list("pk", flat=True):
        checkpoint()
        if archived := Archive.objects.filter(pk=pk).first():
            Reading(archived)
    exports.check(checkpoint)


# --- Without the person -----------------------------------------------------------------------


class Rewriting:
    """Rewrites the archives that hold rows of the person. ``count`` is called in the same transaction.

    It gets the number of removed rows and values, and the archive. Its run's receipt tells of them, too.
    """

    def __init__(self, terms: Terms, found: Found, count: Callable[[Counter[str], Archive], None]) -> None:
        self.without, self.count = theirs.Without(terms, found), count

    def carry_out(self, checkpoint: Callable[[], None]) -> int:
        """Returns the number of archives that were rewritten."""
        rewritten = 0
        for pk, label in list(Archive.objects.order_by("pk").values_list("pk", "model")):
            checkpoint()
            if self.without.may_concern(label) and (archived := Archive.objects.filter(pk=pk).first()):
                rewritten += self._rewrite(archived)
        return rewritten

    def _rewrite(self, archived: Archive) -> bool:
        read = Reading(archived)
        with chosen.on(read.database):
            rows, gone, removed = self.without.rows(read)
        if not gone:
            return False
        _number_old_ones(archived)

        def work() -> bool:
            locked = Archive.objects.select_for_update().filter(pk=archived.pk).defer("payload").first()
            if locked is None or (archived.digest and locked.digest != archived.digest):
                return False  # an undo has changed it since; the next pass looks at it again
            now = Archive.objects.get(pk=archived.pk)
            if bytes(now.payload) != bytes(archived.payload):
                return False
            archive.replace(now, rows, is_vouched=now.digest is not None)
            files.note(read, removed, rows)
            self._note(now, gone)
            self.count(gone, now)
            return True

        return transient.transact(work)

    def _note(self, archived: Archive, gone: Counter[str]) -> None:
        run = Run.objects.select_for_update().only("erased").get(pk=archived.run_id)
        erased = dict(run.erased or {})
        erased[archived.policy] = dict(archive.erased(run, archived.policy) + gone)
        Run.objects.filter(pk=run.pk).update(erased=erased)


def _number_old_ones(archived: Archive) -> None:
    """Give the archives of version 1.0 their places and digests before one of them is rewritten."""
    if archived.digest is None or archived.batch is None:
        restore.complete(archived.run)
