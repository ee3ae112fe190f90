"""Rows in their tables: the account's, those below it, and those that are declared to be about a person.

Each transaction is short. The account itself goes last, so that an attempt that follows finds the rest.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial, reduce
from operator import or_
from typing import Any, Protocol

from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Model, Q, QuerySet

from housekeeping import conf
from housekeeping.database import chosen, transient
from housekeeping.database.chosen import connection
from housekeeping.declared.personal import Person, PersonalRows, declared
from housekeeping.declared.steps import no_checkpoint
from housekeeping.engine import cascade, holds, locks, packing
from housekeeping.engine.purge import CAREFUL_LOCK_TIMEOUT, FIRST_BATCH, PACES, SETTINGS, fitted
from housekeeping.engine.removal import Batch, Removal
from housekeeping.erasure.copies.archives import referred, tables
from housekeeping.erasure.copies.files import Notes
from housekeeping.erasure.copies.reading import Reading, model_of
from housekeeping.erasure.found import Found, while_growing
from housekeeping.erasure.terms import Terms
from housekeeping.models import FileToDelete

LIMITS = SETTINGS | {"lock_timeout": CAREFUL_LOCK_TIMEOUT}
# Of the account itself: the names are terms, and a password is no text of theirs.
NO_WORDS = {"username", "email", "first_name", "last_name", "password"}

Going = Callable[[type[Model], list[Any]], None]
"""Is told the keys of rows before they go, in the same transaction."""
Changed = Callable[[type[Model], Collection[Any]], None]
"""Counts rows that stay, by their keys: each row counts once, however often it changes."""


class Count(Protocol):
    """Counts rows in the transaction that deletes them. ``notes``: of their files."""

    def __call__(self, more: Counter[str], notes: Sequence[FileToDelete] = ()) -> None: ...


LOOK_EACH = 1_000  # rows
MOST_KEYS, MOST_CONDITIONS = 1_000, 100  # in one query; SQLite takes 1,000 conditions
LARGEST = 2**63 - 1  # number that SQLite takes as a parameter


def look(person: Person, found: Found, terms: Terms, checkpoint: Callable[[], None]) -> None:
    """Add the keys of the rows that are there, and the words in them."""
    with chosen.at_home(person.model):
        _look(person, found, terms, checkpoint)


def _look(person: Person, found: Found, terms: Terms, checkpoint: Callable[[], None]) -> None:
    found.setdefault(person.model._meta.label, set()).add(person.key)
    account = _Tree(person.model, [person.key])
    for model in tables(person.model):
        account.note_values(model, found)
        keys, texts = found.setdefault(model._meta.label, set()), _texts(model)
        names = [field.attname for field in texts]
        for number, (key, *values) in enumerate(account.rows(model).values_list("pk", *names).iterator()):
            if number % LOOK_EACH == 0:
                checkpoint()
            keys.add(str(key))
            for value in values:
                terms.add_words(_in_value(value))


def words_in(read: Reading, row: Any) -> Iterator[str]:
    """The words of a person in one of their archived rows."""
    for field in _texts(read.model) if read.model else ():
        text = read.value(row, read.at(field.column)) if field.column in read.columns else None
        if text and isinstance(field, models.JSONField):
            with suppress(ValueError):
                yield from _in_value(json.loads(text))
        elif text:
            yield text


def _in_value(value: Any) -> Iterator[str]:
    """The texts in a value, also those in JSON."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in [*value, *value.values()] if isinstance(value, dict) else value:
            yield from _in_value(one)


def _texts(model: type[Model]) -> list[Any]:
    kinds = (models.CharField, models.TextField, models.JSONField)
    own = [field for field in model._meta.concrete_fields if isinstance(field, kinds) and not field.choices]
    return [field for field in own if field.name not in NO_WORDS and not field.primary_key]


def there(person: Person) -> Found:
    """The keys of the account and of what is declared about the person, with the rows below them, as holds
    write them."""
    found: Found = {person.model._meta.label: {person.key}}
    with chosen.at_home(person.model):
        _Tree(person.model, [person.key]).add_to(found)
    for _ in while_growing(found):
        look_at_declared(person, found, no_checkpoint)
    return found


def all_of(person: Person, found: Found) -> Found:
    """The keys of the rows that an erasure would delete: those ``there``."""
    with chosen.at_home(person.model):
        if cascade.rows_of(person.model).filter(pk=person.key).exists():
            return found
    return {**found, person.model._meta.label: set()}  # it lives only in archives


def look_at_declared(person: Person, found: Found, checkpoint: Callable[[], None]) -> None:
    """Add the keys of what is declared about the person, and of the rows below.

    One may be about another: call it while ``found`` is growing.
    """
    for one in declared():
        for keys in about(person, one, found):
            checkpoint()
            with chosen.at_home(one.model):
                _Tree(one.model, keys).add_to(found)


class _Tree:
    """Rows of a table by their keys, ``top``, and the rows below them, in the chosen database."""

    def __init__(self, model: type[Model], top: list[Any]) -> None:
        self.model, self.top = model, top
        self.known = None if cascade.is_tree(model) else self._reached()

    def rows(self, model: type[Model]) -> QuerySet[Any]:
        """Its rows in one of the tables."""
        rows = cascade.rows_of(model).order_by()
        if self.known is not None:
            return rows.filter(packing.Among("pk", self.known.get(model, [])))
        if model is self.model:
            return rows.filter(pk__in=self.top)
        paths = cascade.paths(self.model)[model]
        # Not as a join: two paths would give a row twice.
        return rows.filter(reduce(or_, (Q(**{f"{path}__in": self.top}) for path in paths))).distinct()

    def look_again(self) -> None:
        """Others may have added rows."""
        self.known = None if self.known is None else self._reached()

    def _reached(self) -> dict[type[Model], list[Any]]:
        """The keys by table, where no lookup paths lead to them."""
        closure = cascade.Closure(self.model)
        closure.add(cascade.rows_of(self.model).filter(pk__in=self.top).values_list("pk", flat=True))
        found = {model: set(keys) for model, keys in closure.rows.items()}
        for edge, values in closure.leaves:
            found.setdefault(edge.model, set()).update(edge.rows(list(values)).values_list("pk", flat=True))
        return {model: list(keys) for model, keys in found.items()}

    def add_to(self, found: Found) -> None:
        for model in tables(self.model):
            self.note_values(model, found)
            keys = self.rows(model).values_list("pk", flat=True)
            found.setdefault(model._meta.label, set()).update(map(str, keys.iterator()))

    def note_values(self, model: type[Model], found: Found) -> None:
        """Add the values, other than keys, that archived rows may refer to its rows by."""
        for place, column in referred(model):
            values = self.rows(model).values_list(field_of(model, column), flat=True)
            found.setdefault(place, set()).update(str(value) for value in values if value is not None)


def field_of(model: type[Model], column: str) -> str:
    return next(str(one.attname) for one in model._meta.concrete_fields if one.column == column)


# --- Deleting ---------------------------------------------------------------------------------


def close(person: Person) -> None:
    """Sign the account out: nobody should add rows to it meanwhile."""
    if any(field.name == "is_active" for field in person.model._meta.concrete_fields):
        with chosen.at_home(person.model):
            cascade.rows_of(person.model).filter(pk=person.key, is_active=True).update(is_active=False)


def delete(
    person: Person, found: Found, counted: Count, going: Going, checkpoint: Callable[[], None]
) -> None:
    """Delete what is declared about the person, then the rows below the account, then the account."""
    for one in declared():
        for keys in about(person, one, found):
            _delete_tree(one.model, keys, counted, going, checkpoint)
    delete_theirs(person, counted, going, checkpoint)


def delete_theirs(person: Person, counted: Count, going: Going, checkpoint: Callable[[], None]) -> None:
    """Delete the rows below the account, then the account."""
    _delete_tree(person.model, [person.key], counted, going, checkpoint)


def _delete_tree(
    top: type[Model], keys: list[Any], counted: Count, going: Going, checkpoint: Callable[[], None]
) -> None:
    """Delete the rows below those with these keys, then these."""
    with chosen.at_home(top):
        tree = _Tree(top, keys)
        for model in reversed(tables(top)):
            if model is not top and top in cascade.tables(model):
                continue  # its rows take those of the top along, which go last
            size, pace = FIRST_BATCH, PACES[conf.PACE]
            waiting = _Waiting(tree, model)
            while there := waiting.take(size):
                checkpoint()
                began = time.monotonic()
                rows = _delete(model, there, counted, going)
                took = time.monotonic() - began
                size = fitted(size, took, rows, pace)
                time.sleep(took * pace.pause)


class _Waiting:
    """The rows in one of a tree's tables that are still there, some at a time."""

    def __init__(self, tree: _Tree, model: type[Model]) -> None:
        self.tree, self.model, self.keys = tree, model, list[Any]()

    def take(self, size: int) -> list[Any]:
        if self.tree.known is None:
            return list(self.tree.rows(self.model).values_list("pk", flat=True)[:size])
        while self.keys or self._look():
            keys, self.keys = self.keys[:size], self.keys[size:]
            rows = cascade.rows_of(self.model).filter(packing.Among("pk", keys)).order_by()
            if there := list(rows.values_list("pk", flat=True)):  # others may have taken some along
                return there
        return []

    def _look(self) -> bool:
        self.tree.look_again()
        self.keys = (self.tree.known or {}).get(self.model, [])
        return bool(self.keys)


def _delete(model: type[Model], keys: list[Any], counted: Count, going: Going) -> int:
    """Delete rows with those below them, in a transaction of its own. Returns how many."""
    with chosen.at_home(model):
        return transient.transact(partial(_remove, model, keys, counted, going), apart=chosen.alias())


def _remove(model: type[Model], keys: list[Any], counted: Count, going: Going) -> int:
    locks.set_locally(LIMITS)
    holds.wait_for_new_holds()
    rows = cascade.rows_of(model).filter(packing.Among("pk", keys)).order_by("pk")
    if connection.features.has_select_for_update:
        rows = rows.select_for_update()
    there = list(rows.values_list("pk", flat=True))
    if not there:
        return 0
    going(model, there)
    batch, notes = Batch(digest="00" * 32), Notes()
    removal = Removal(batch, notes=notes)
    removal.reach(model, there)
    removal.remove()
    counted(batch.rows, notes.made)
    return batch.rows.total()


# --- What is declared -------------------------------------------------------------------------


def about(person: Person, one: PersonalRows, found: Found) -> Iterator[list[Any]]:
    """The keys of the rows that are about the person, some at a time."""
    home = chosen.home(one.model)
    with chosen.on(home):
        rows = cascade.rows_of(one.model).order_by()
    kinds = ContentType.objects.db_manager(home)
    conditions = [(Q(**{f"{column}__iexact": name}), 1) for column in one.names for name in person.names]
    conditions += [
        (Q(**{f"{column}__in": part}), len(part))
        for column, model in one.keys.items()
        for part in packing.parts(sorted(found.get(model._meta.label, ())))
    ]
    conditions += [
        (Q(**{kind: kinds.get_for_model(model).pk, f"{key}__in": part}), len(part))
        for kind, key in one.objects
        for label, keys in found.items()
        if (model := model_of(label))
        for part in packing.parts(sorted(_fitting(one.model, key, keys)))
    ]
    # Where its rows are deleted by these keys: not from a replica, nor where others have the same keys.
    of_site = [one.rows(person).using(home)] if one.rows else []
    for about in [*(rows.filter(any_of) for any_of in _joined(conditions)), *of_site]:
        yield from packing.parts(about.order_by().values_list("pk", flat=True))


def _joined(conditions: Iterable[tuple[Q, int]]) -> Iterator[Q]:
    """The conditions, each with its number of keys, several in one: a query may read the whole table."""
    joined, keys = list[Q](), 0
    for condition, more in conditions:
        if joined and (len(joined) == MOST_CONDITIONS or keys + more > MOST_KEYS):
            yield reduce(or_, joined)
            joined, keys = [], 0
        joined, keys = [*joined, condition], keys + more
    if joined:
        yield reduce(or_, joined)


def _fitting(model: type[Model], column: str, keys: Collection[str]) -> Iterator[str]:
    """Those of the keys that the column can have: a number is no key of a table with UUIDs."""
    field: Any = model._meta.get_field(column)
    largest = LARGEST if isinstance(field, models.IntegerField) else None
    for key in keys:
        with suppress(TypeError, ValueError, ValidationError):
            value = field.get_prep_value(key)
            if largest is None or abs(value) <= largest:
                yield key


def rename(person: Person, pseudonym: str, changed: Changed) -> None:
    """Put the pseudonym in the place of the names in declared columns of rows that stay."""
    for one in declared():
        for column in one.renamed:
            theirs = reduce(or_, (Q(**{f"{column}__iexact": name}) for name in person.names))
            with chosen.at_home(one.model):
                rows = cascade.rows_of(one.model).filter(theirs)
            replace(rows, {column: pseudonym}, changed)


def replace(rows: QuerySet[Any], values: dict[str, Any], changed: Changed) -> None:
    """Give the rows these values, some at a time."""
    with chosen.on(chosen.of(rows)):
        for keys in packing.parts(rows.order_by().values_list("pk", flat=True)):
            transient.transact(partial(_replace, rows, keys, values, changed), apart=chosen.alias())


def _replace(rows: QuerySet[Any], part: list[Any], values: dict[str, Any], changed: Changed) -> None:
    there = rows.filter(pk__in=part).order_by("pk")
    if connection.features.has_select_for_update:
        there = there.select_for_update()
    locked = list(there.values_list("pk", flat=True))
    cascade.rows_of(rows.model).filter(pk__in=locked).update(**values)
    changed(rows.model, locked)
