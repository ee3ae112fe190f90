"""Whom to erase: an account by its name, mail address or key, also one that lives only in archives."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.utils.translation import gettext

from housekeeping.database import chosen
from housekeeping.declared import databases, names
from housekeeping.declared.personal import Person
from housekeeping.engine import cascade
from housekeeping.erasure.copies.reading import Reading, archives_of, changed_archives_of, reading
from housekeeping.exceptions import BadField, NotPossible
from housekeeping.models import storable

KEY = "key:"
MOST_FOUND = 10


class UnknownPerson(BadField):
    """No account, or more than one, is called like that."""

    def __init__(self, problem: str) -> None:
        super().__init__("account", problem)


def accounts() -> type[Model]:
    """The model of accounts."""
    model = get_user_model()
    return model._meta.concrete_model or model


@databases.needed()
def find(text: str) -> Person:
    """The account with this name, mail address or key; with ``key:10``, only by its key.

    Looks also for accounts that a purge has deleted, in the archives. Raises UnknownPerson, also if one
    account is called like the address or key of another; and DatabaseUnreachable.
    """
    text = storable(text.strip())
    found = {person.key: person for person in _there(text)} if text else {}
    archived, damage = _archived(text) if text else ([], "")
    found = {person.key: person for person in archived} | found
    if not found:
        problem = gettext("There is no account %(text)s, neither in its table nor in an archive.")
        raise UnknownPerson(f"{problem % {'text': repr(text)}} {damage}".strip())
    if len(found) > 1:
        keys = ", ".join(f"{KEY}{key}" for key in sorted(found, key=lambda key: (len(key), key)))
        problem = gettext("%(text)s stands for several accounts; enter one of their keys: %(keys)s.")
        raise UnknownPerson(problem % {"text": repr(text), "keys": keys})
    return _with_earlier_names(next(iter(found.values())))


def row_of(person: Person) -> Model | None:
    """The account's row; None if it is gone."""
    with chosen.at_home(person.model):
        row: Model | None = cascade.rows_of(person.model).filter(pk=person.key).first()
    return row


def is_superuser(person: Person) -> bool:
    return bool(getattr(row_of(person), "is_superuser", False))


def _there(text: str) -> list[Person]:
    with chosen.at_home(accounts()):
        rows, key = cascade.rows_of(accounts()), _key_in(text)
    names = [] if key else _lookups()
    found = [row for name, lookup in names for row in rows.filter(**{f"{name}{lookup}": text})[:MOST_FOUND]]
    with suppress(TypeError, ValueError, ValidationError):  # no key of an account
        found += rows.filter(pk=key or text)
    return [of_row(row) for row in found]


def _key_in(text: str) -> str:
    """The key in ``key:10``; empty for a text that may be anything."""
    return text[len(KEY) :].strip() if text.casefold().startswith(KEY) else ""


def of_row(row: Model) -> Person:
    model = accounts()
    return _person(model, {one.attname: getattr(row, one.attname) for one in model._meta.concrete_fields})


def _archived(text: str) -> tuple[list[Person], str]:
    """The accounts in archives, and what is wrong with one that can't be read."""
    found, key, damage = [], _key_in(text), ""
    for pk in [*archives_of(accounts()), *changed_archives_of(accounts())]:
        try:
            if read := reading(pk):
                people = [of_archived(read, row) for row in read.rows]
                found += [one for one in people if (one.key == key if key else _is_called(one, text))]
        except NotPossible as problem:
            damage = str(problem)  # it stops an erasure, but hides nobody
    return found, damage


def _with_earlier_names(person: Person) -> Person:
    """The person, with what the account was called before it was made anonymous, as archives tell."""
    row = row_of(person)
    person = of_row(row) if row else person
    addresses, others = [*person.addresses], [*person.full_names]
    for pk in list(changed_archives_of(accounts())):
        with suppress(NotPossible):  # damage stops an erasure
            if read := reading(pk):
                for earlier in (of_archived(read, row) for row in read.rows if read.key(row) == person.key):
                    addresses += earlier.addresses
                    others += [earlier.name, *earlier.full_names]
    known = {person.key, person.name, *addresses}
    names = tuple(name for name in dict.fromkeys(others) if name not in known)
    return replace(person, addresses=tuple(dict.fromkeys(addresses)), full_names=names)


def _is_called(person: Person, text: str) -> bool:
    is_mail = text.casefold() in (address.casefold() for address in person.addresses)
    return is_mail or text in (person.name, person.key)


def of_archived(read: Reading, row: Any) -> Person:
    """``read``: an archive of accounts."""
    values = {one.attname: read.value(row, read.at(str(one.column))) for one in read.fields}
    key = accounts()._meta.pk
    assert key is not None
    return _person(accounts(), values | {key.attname: read.key(row)})


def _lookups() -> list[tuple[str, str]]:
    """The columns that an account is found by."""
    model: Any = accounts()
    mail = getattr(model, "EMAIL_FIELD", "")
    return [(model.USERNAME_FIELD, ""), *([(mail, "__iexact")] if _has(model, mail) else [])]


def _has(model: type[Model], name: str) -> bool:
    return any(one.name == name for one in model._meta.concrete_fields)


def _person(model: Any, values: Mapping[str, Any]) -> Person:
    def text(name: str) -> str:
        return str(values.get(name) or "").strip()

    mail = text(getattr(model, "EMAIL_FIELD", ""))
    name = str(values.get(model.USERNAME_FIELD) or "")
    return Person(
        model=model,
        key=cascade.written_key(model, values[model._meta.pk.attname]),
        name=name or mail or str(values[model._meta.pk.attname]),
        addresses=(mail,) if mail else (),
        full_names=names.full_names(values),
    )


# --- Stored until the end ---------------------------------------------------------------------


def as_json(person: Person) -> dict[str, Any]:
    return {
        "key": person.key,
        "name": person.name,
        "addresses": list(person.addresses),
        "full_names": list(person.full_names),
    }


def from_json(facts: Mapping[str, Any]) -> Person:
    return Person(
        accounts(), facts["key"], facts["name"], tuple(facts["addresses"]), tuple(facts["full_names"])
    )
