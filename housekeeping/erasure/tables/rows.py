"""Rows in their tables: the account's, those below it, and those that are declared to be about a person.

Each transaction is short. The account itself goes last, so that an attempt that follows finds the rest.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from functools import reduce
from operator import or_
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db import connection, models
from django.db.models import Model, Q, QuerySet

from housekeeping import conf
from housekeeping.database import transient
from housekeeping.declared.personal import Person, PersonalRows, declared
from housekeeping.engine import cascade, holds, locks, packing
from housekeeping.engine.purge import CAREFUL_LOCK_TIMEOUT, FIRST_BATCH, PACES, SETTINGS, fitted
from housekeeping.engine.removal import Batch, Removal
from housekeeping.erasure.copies.archives import Found, tables
from housekeeping.erasure.copies.reading import Reading, model_of
from housekeeping.erasure.terms import Terms

KEYS_AT_ONCE = 1_000
LIMITS = SETTINGS | {"lock_timeout": CAREFUL_LOCK_TIMEOUT}
# Of the account itself: the names are terms, and a password is no text of theirs.
NO_WORDS = {"username", "email", "first_name", "last_name", "password"}

Count = Callable[[Counter[str]], None]
"""Counts rows in the transaction that deletes them."""
Changed = Callable[[type[Model], Collection[Any]], None]
"""The same for rows that stay, by their keys: each row counts once, however often it changes."""


def look(person: Person, found: Found, terms: Terms, checkpoint: Callable[[], None]) -> None:
    """Add the keys of the rows that are there, and the words in them."""
    found.setdefault(person.model._meta.label, set()).add(person.key)
    for model in tables(person.model):
        keys, texts = found.setdefault(model._meta.label, set()), _texts(model)
        names = [field.attname for field in texts]
        for number, (key, *values) in enumerate(_theirs(person, model).values_list("pk", *names).iterator()):
            if number % KEYS_AT_ONCE == 0:
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
    """The keys of the account and of the rows below it, as holds write them."""
    found: Found = {person.model._meta.label: {person.key}}
    for model in tables(person.model):
        keys = _theirs(person, model).values_list("pk", flat=True)
        found.setdefault(model._meta.label, set()).update(map(str, keys.iterator()))
    return found


def count(person: Person, found: Found) -> Counter[str]:
    """How many rows an erasure would delete, by table: those ``there``, and what is declared."""
    counted = {label: set(keys) for label, keys in found.items()}
    if not _theirs(person, person.model).exists():  # the account lives only in archives
        counted[person.model._meta.label].clear()
    for one in declared():
        keys = counted.setdefault(one.model._meta.label, set())
        keys |= {str(key) for part in about(person, one, found) for key in part}
    return +Counter({label: len(keys) for label, keys in counted.items()})


def _theirs(person: Person, model: type[Model]) -> QuerySet[Any]:
    """The rows of one of the account's tables."""
    rows = cascade.rows_of(model).order_by()
    if model is person.model:
        return rows.filter(pk=person.key)
    paths = cascade.paths(person.model)[model]
    # Not as a join: two paths would give a row twice.
    return rows.filter(reduce(or_, (Q(**{path: person.key}) for path in paths))).distinct()


# --- Deleting ---------------------------------------------------------------------------------


def close(person: Person) -> None:
    """Sign the account out: nobody should add rows to it meanwhile."""
    if any(field.name == "is_active" for field in person.model._meta.concrete_fields):
        cascade.rows_of(person.model).filter(pk=person.key, is_active=True).update(is_active=False)


def delete(person: Person, found: Found, counted: Count, checkpoint: Callable[[], None]) -> None:
    """Delete what is declared about the person, then the rows below the account, then the account."""
    for one in declared():
        for keys in about(person, one, found):
            _delete(one.model, keys, counted)
            checkpoint()
    for model in reversed(tables(person.model)):
        size, pace = FIRST_BATCH, PACES[conf.PACE]
        while keys := list(_theirs(person, model).values_list("pk", flat=True)[:size]):
            checkpoint()
            began = time.monotonic()
            rows = _delete(model, keys, counted)
            took = time.monotonic() - began
            size = fitted(size, took, rows, pace)
            time.sleep(took * pace.pause)


def _delete(model: type[Model], keys: list[Any], counted: Count) -> int:
    """Delete rows with those below them, in a transaction of its own. Returns how many."""

    def work() -> int:
        locks.set_locally(LIMITS)
        holds.wait_for_new_holds()
        rows = cascade.rows_of(model).filter(packing.Among("pk", keys)).order_by("pk")
        if connection.features.has_select_for_update:
            rows = rows.select_for_update()
        there = list(rows.values_list("pk", flat=True))
        if not there:
            return 0
        batch = Batch(digest="00" * 32)
        removal = Removal(batch)
        removal.reach(model, there)
        removal.remove()
        counted(batch.rows)
        return batch.rows.total()

    return transient.transact(work)


# --- What is declared -------------------------------------------------------------------------


def about(person: Person, one: PersonalRows, found: Found) -> Iterator[list[Any]]:
    """The keys of the rows that are about the person, some at a time."""
    rows = cascade.rows_of(one.model).order_by()
    conditions = [Q(**{f"{column}__iexact": name}) for column in one.names for name in person.names]
    conditions += [
        Q(**{f"{column}__in": part})
        for column, model in one.keys.items()
        for part in _parts(found.get(model._meta.label, set()))
    ]
    conditions += [
        Q(**{kind: ContentType.objects.get_for_model(model).pk, f"{key}__in": part})
        for kind, key in one.objects
        for label, keys in found.items()
        if (model := model_of(label))
        for part in _parts(keys)
    ]
    of_site = [one.rows(person)] if one.rows else []
    for about in [*(rows.filter(condition) for condition in conditions), *of_site]:
        keys = list(about.order_by().values_list("pk", flat=True))
        yield from (keys[at : at + KEYS_AT_ONCE] for at in range(0, len(keys), KEYS_AT_ONCE))


def _parts(keys: set[str]) -> Iterator[list[str]]:
    ordered = sorted(keys)
    return (ordered[at : at + KEYS_AT_ONCE] for at in range(0, len(ordered), KEYS_AT_ONCE))


def rename(person: Person, pseudonym: str, changed: Changed) -> None:
    """Put the pseudonym in the place of the names in declared columns of rows that stay."""
    for one in declared():
        for column in one.renamed:
            theirs = reduce(or_, (Q(**{f"{column}__iexact": name}) for name in person.names))
            replace(cascade.rows_of(one.model).filter(theirs), {column: pseudonym}, changed)


def replace(rows: QuerySet[Any], values: dict[str, Any], changed: Changed) -> None:
    """Give the rows these values, some at a time."""
    keys = list(rows.order_by().values_list("pk", flat=True))
    for at in range(0, len(keys), KEYS_AT_ONCE):

        def work(part: list[Any] = keys[at : at + KEYS_AT_ONCE]) -> None:
            there = rows.filter(pk__in=part).order_by("pk")
            if connection.features.has_select_for_update:
                there = there.select_for_update()
            locked = list(there.values_list("pk", flat=True))
            cascade.rows_of(rows.model).filter(pk__in=locked).update(**values)
            changed(rows.model, locked)

        transient.transact(work)
