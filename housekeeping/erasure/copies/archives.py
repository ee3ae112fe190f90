"""Archives: which rows in them are the person's, and what is left of them without these rows."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.db.models import Model

from housekeeping.database import transient
from housekeeping.declared.personal import PersonalRows, declared
from housekeeping.engine import archive, cascade, restore
from housekeeping.erasure.copies.reading import Reading, model_of, readings, written
from housekeeping.erasure.terms import Terms
from housekeeping.models import Archive, Run

Found = dict[str, set[str]]
"""The keys of the person's rows, by model, as holds write them."""


def tables(account: type[Model]) -> list[type[Model]]:
    """The model of accounts and those below it, each after those that its rows are below of."""
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
    for model in tables(account):
        keys = found.setdefault(model._meta.label, set())
        for one in readings(model):
            checkpoint()
            links = list(_links(one, found, (models.CASCADE,)))
            for row in one.rows:
                if one.key(row) in keys or any(_refers(one, row, *link) for link in links):
                    keys.add(one.key(row))
                    read(one, row)


def check(checkpoint: Callable[[], None]) -> None:
    """Raises NotPossible for the first archive that is damaged: it can't be searched."""
    for pk in Archive.objects.order_by("pk").values_list("pk", flat=True):
        checkpoint()
        if archived := Archive.objects.filter(pk=pk).first():
            Reading(archived)


def _links(one: Reading, found: Found, kinds: Collection[Any]) -> Iterator[tuple[int, type[Model], set[str]]]:
    """Columns that refer to rows in ``found``: the place, the model, and the keys."""
    for field in one.fields:
        if isinstance(field, models.ForeignKey) and field.remote_field.on_delete in kinds:
            target = field.related_model._meta.concrete_model or field.related_model
            if keys := found.get(target._meta.label):
                yield one.at(str(field.column)), target, keys


def _refers(one: Reading, row: Any, at: int, target: type[Model], keys: set[str]) -> bool:
    return written(target, one.value(row, at)) in keys


# --- Without the person -----------------------------------------------------------------------


class Rewriting:
    """Rewrites the archives that hold rows of the person. ``count`` is called in the same transaction.

    It gets the number of removed rows and values, and the archive. Its run's receipt tells of them, too.
    """

    def __init__(self, terms: Terms, found: Found, count: Callable[[Counter[str], Archive], None]) -> None:
        self.terms, self.found, self.count = terms, found, count
        self.personal: dict[str, list[PersonalRows]] = {}
        for one in declared():
            self.personal.setdefault(one.model._meta.label, []).append(one)

    def carry_out(self, checkpoint: Callable[[], None]) -> int:
        """Returns the number of archives that were rewritten."""
        rewritten = 0
        for pk, label in list(Archive.objects.order_by("pk").values_list("pk", "model")):
            checkpoint()
            if self._may_concern(label) and (archived := Archive.objects.filter(pk=pk).first()):
                rewritten += self._rewrite(archived)
        return rewritten

    def _may_concern(self, label: str) -> bool:
        model = model_of(label)
        if model is None or label in self.found or label in self.personal:
            return True
        targets = (field.related_model for field in model._meta.concrete_fields if field.related_model)
        return any((one._meta.concrete_model or one)._meta.label in self.found for one in targets)

    def _rewrite(self, archived: Archive) -> bool:
        read = Reading(archived)
        rows, gone = self._without(read)
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
            self._note(now, gone)
            self.count(gone, now)
            return True

        return transient.transact(work)

    def _note(self, archived: Archive, gone: Counter[str]) -> None:
        run = Run.objects.select_for_update().only("erased").get(pk=archived.run_id)
        erased = dict(run.erased or {})
        erased[archived.policy] = dict(archive.erased(run, archived.policy) + gone)
        Run.objects.filter(pk=run.pk).update(erased=erased)

    # --- Row by row ---------------------------------------------------------------------------

    def _without(self, read: Reading) -> tuple[list[Any], Counter[str]]:
        """The rows that stay, and what was removed: rows by table, and values by column."""
        gone: Counter[str] = Counter()
        label, emptied = read.archived.model, read.archived.emptied
        if read.model is None:  # its app is gone: nobody knows what its rows refer to
            stay = [row for row in read.rows if not self._tells_of(read, row)]
            gone[label] = len(read.rows) - len(stay)
            return stay, +gone
        keys = self.found.get(label, set())
        kinds = (models.CASCADE, models.SET_NULL) if emptied else (models.CASCADE,)
        owners = list(_links(read, self.found, kinds))
        loose = list(_links(read, self.found, (models.SET_NULL,)))
        stay = []
        for row in read.rows:
            is_theirs = read.key(row) in keys or any(_refers(read, row, *link) for link in owners)
            if is_theirs or (not emptied and self._is_personal(read, row)):
                gone[f"{label}.{emptied}" if emptied else label] += 1
                continue
            for at, target, there in () if emptied else loose:
                if _refers(read, row, at, target, there):
                    row = read.with_value(row, at, None)
                    gone[f"{label}.{read.columns[at]}"] += 1
            stay.append(self._renamed(read, row, gone))
        return stay, gone

    def _tells_of(self, read: Reading, row: Any) -> bool:
        texts = (read.value(row, at) for at in range(len(read.columns)))
        return any(text and self.terms.are_in(text) for text in texts)

    def _is_personal(self, read: Reading, row: Any) -> bool:
        return any(self._meets(read, row, one) for one in self.personal.get(read.archived.model, ()))

    def _meets(self, read: Reading, row: Any, one: PersonalRows) -> bool:
        for name in one.names:
            if (self._value(read, row, name) or "").casefold() in self.terms.names:
                return True
        for name, model in one.keys.items():
            if written(model, self._value(read, row, name)) in self.found.get(model._meta.label, ()):
                return True
        for kind, key in one.objects:
            table = _of_content_type(self._value(read, row, kind))
            found = self.found.get(table._meta.label, ()) if table else ()
            if table and written(table, self._value(read, row, key)) in found:
                return True
        return False

    def _value(self, read: Reading, row: Any, name: str) -> str | None:
        column = _columns(read).get(name)
        return None if column is None else read.value(row, read.at(column))

    def _renamed(self, read: Reading, row: Any, gone: Counter[str]) -> Any:
        for one in self.personal.get(read.archived.model, ()):
            for name in () if read.archived.emptied else one.renamed:
                if (self._value(read, row, name) or "").casefold() in self.terms.names:
                    column = _columns(read)[name]
                    row = read.with_value(row, read.at(column), self.terms.pseudonym)
                    gone[f"{read.archived.model}.{column}"] += 1
        return row


def _columns(read: Reading) -> dict[str, str]:
    """The columns by the names of their fields, and by those of the attributes."""
    return {name: str(one.column) for one in read.fields for name in (one.name, one.attname)}


def _of_content_type(key: str | None) -> type[Model] | None:
    try:
        return ContentType.objects.get_for_id(int(key or "")).model_class()
    except (ValueError, ContentType.DoesNotExist):
        return None


def _number_old_ones(archived: Archive) -> None:
    """Give the archives of version 1.0 their places and digests before one of them is rewritten."""
    if archived.digest is None or archived.batch is None:
        restore.complete(archived.run)
