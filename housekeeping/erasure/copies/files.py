"""Files that the person's rows name: noted with the rows, and deleted at the end, unless others name them."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from django.db.models import Model, Q

from housekeeping.database import chosen, clock
from housekeeping.engine import cascade, packing
from housekeeping.engine.effects import files
from housekeeping.erasure.copies.reading import Reading, model_of
from housekeeping.erasure.found import Found
from housekeeping.exceptions import NotPossible
from housekeeping.models import FileToDelete

POLICY = "erasure"
"""What notes have in the place of a policy."""

Named = set[tuple[str, str]]
"""The labels of file fields, and the names of files."""


def left_to_the_site(model: type[Model]) -> bool:
    """Whether rows of this table name files that stay where they are, as the site looks after them."""
    return bool(files.fields_of(model)) and files.is_left_to_the_site(model)


class Notes(files.Notes):
    """Notes of files that are due at once, except those that the site looks after."""

    def __init__(self) -> None:
        super().__init__(POLICY, clock.roughly())

    def take(self, model: type[Model], column: str, keys: Sequence[Any], also: packing.Also = None) -> int:
        return 0 if left_to_the_site(model) else super().take(model, column, keys, also)


def note(read: Reading, gone: list[Any], stay: list[Any]) -> None:
    """Note the files of rows that leave an archive, in the transaction in which they leave it.

    Their purge has noted them for the end of the undo window. A file that a row in the archive still names
    keeps that note, which keeps the file from going before.
    """
    if not read.archived.is_counted or read.model is None or left_to_the_site(read.model):
        return
    names = _names(read, gone)
    Notes().add(names)
    for label, name in names - _names(read, stay):
        those = FileToDelete.objects.filter(run_id=read.archived.run_id, field=label, name=name)
        if noted := those.order_by("pk").values_list("pk", flat=True).first():
            FileToDelete.objects.filter(pk=noted).delete()


def note_exported(read: Reading, gone: list[Any]) -> None:
    """Note the files of rows that leave an export, which nothing else may name any more."""
    if read.emptied or read.model is None or left_to_the_site(read.model):
        return
    Notes().add(_names(read, gone))


def _names(read: Reading, rows: list[Any]) -> Named:
    assert read.model
    fields = [one for one in files.fields_of(read.model) if one.column in read.columns]
    places = [(files.label_of(one), read.at(str(one.column))) for one in fields]
    found = ((label, read.value(row, at)) for row in rows for label, at in places)
    return {(label, name) for label, name in found if name}


def delete(count: Callable[[FileToDelete], None], checkpoint: Callable[[], None]) -> None:
    """Delete the files that erasures have noted. Raises NotPossible where a storage fails; then some stay."""
    result = files.delete_due(checkpoint, policy=POLICY, count=count)
    if result.failures:
        raise NotPossible(" ".join(map(str, result.failures)))


def count(found: Found) -> Counter[str]:
    """How many files the rows with these keys name, by field."""
    counted: Counter[str] = Counter()
    for label, keys in found.items():
        model = model_of(label)
        for one in files.fields_of(model) if model and not left_to_the_site(model) else ():
            for part in packing.parts(sorted(keys)):
                named = ~Q(**{one.name: ""}) & Q(**{f"{one.name}__isnull": False}, pk__in=part)
                with chosen.at_home(one.model):
                    counted[files.label_of(one)] += cascade.rows_of(one.model).filter(named).count()
    return +counted
