"""Which rows of an archive or of an export are the person's, and what is left of it without them."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.db.models import Model

from housekeeping.database import chosen
from housekeeping.declared.personal import PersonalRows, declared
from housekeeping.engine import cascade, packing
from housekeeping.erasure.copies.reading import Reading, model_of, written
from housekeeping.erasure.found import Found
from housekeeping.erasure.terms import Terms


def links(
    one: Reading, found: Found, is_wanted: Callable[[cascade.Link], bool]
) -> Iterator[tuple[cascade.Link, int, set[str]]]:
    """Columns that refer to rows in ``found``: the link, the place of the column, and the keys."""
    links = [
        cascade.Link(one.model, field)
        for field in one.fields
        if isinstance(field, models.ForeignKey) and one.model
    ]
    for link in filter(is_wanted, links):
        if keys := found.get(one.place(link.place)):
            yield link, one.at(link.column), keys


def takes_along(link: cascade.Link) -> bool:
    return link.is_cascade


def _is_emptied(link: cascade.Link) -> bool:
    """A key that only a function can replace, and that can't be empty, stays: it refers to nothing."""
    return link.is_emptied and (link.field.null or not callable(link.fallback))


def _is_followed(link: cascade.Link) -> bool:
    return link.is_cascade or link.is_emptied


def refers(one: Reading, row: Any, link: cascade.Link, at: int, keys: set[str]) -> bool:
    value = one.value(row, at)
    return (written(link.owner, value) if link.is_to_key else value) in keys


def _fallback(link: cascade.Link) -> str | None:
    """What the column of a row that stays gets, as text. A function is not called: the row gets NULL."""
    value = None if callable(link.fallback) else link.take_fallback()
    return None if value is None else str(packing.stored_keys(link.field, [value])[0])


def is_named(one: Reading, row: Any, found: Found) -> bool:
    """Whether the row names one of theirs by its content type and key."""
    for generic in cascade.generics_to(one.model) if one.model else ():
        columns = str(generic.kind.column), str(generic.key.column)
        keys = found.get(one.place(generic.owner._meta.label))
        if keys and {*columns} <= {*one.columns}:
            kind, key = (one.value(row, one.at(column)) for column in columns)
            if kind == str(generic.content_type) and written(generic.owner, key) in keys:
                return True
    return False


class Declared:
    """What is declared to be about the person, in archives. ``names``: theirs, without regard to case."""

    def __init__(self, names: Collection[str], found: Found) -> None:
        self.names, self.found = names, found
        self.by_label: dict[str, list[PersonalRows]] = {}
        for one in declared():
            self.by_label.setdefault(one.model._meta.label, []).append(one)

    def has(self, read: Reading, row: Any) -> bool:
        return any(self._meets(read, row, one) for one in self.by_label.get(read.label, ()))

    def _meets(self, read: Reading, row: Any, one: PersonalRows) -> bool:
        for name in one.names:
            if (_value(read, row, name) or "").casefold() in self.names:
                return True
        for name, model in one.keys.items():
            if written(model, _value(read, row, name)) in self.found.get(read.place_of(model), ()):
                return True
        for kind, key in one.objects:
            table = _of_content_type(_value(read, row, kind))
            found = self.found.get(read.place_of(table), ()) if table else ()
            if table and written(table, _value(read, row, key)) in found:
                return True
        return False


class Without:
    """What is left of archived rows without the person."""

    def __init__(self, terms: Terms, found: Found) -> None:
        self.terms, self.found = terms, found
        self.declared = Declared(terms.names, found)

    def may_concern(self, label: str) -> bool:
        model = model_of(label)
        if model is None or label in self.found or label in self.declared.by_label:
            return True
        targets = [field.related_model for field in model._meta.concrete_fields if field.related_model]
        targets += [generic.owner for generic in cascade.generics_to(model)]
        return any((one._meta.concrete_model or one)._meta.label in self.found for one in targets)

    def rows(self, read: Reading) -> tuple[list[Any], Counter[str], list[Any]]:
        """The rows that stay; how much goes: rows by table, and values by column; and the rows that go."""
        gone: Counter[str] = Counter()
        label, emptied = read.label, read.emptied
        if read.model is None:  # its app is gone: nobody knows what its rows refer to
            stay = [row for row in read.rows if not self._tells_of(read, row)]
            gone[label] = len(read.rows) - len(stay)
            return stay, +gone, []
        keys = self.found.get(read.place(label), set())
        owners = list(links(read, self.found, _is_followed if emptied else takes_along))
        loose = list(links(read, self.found, _is_emptied))
        stay, removed = [], []
        for row in read.rows:
            is_theirs = read.key(row) in keys or any(refers(read, row, *link) for link in owners)
            is_theirs = is_theirs or (not emptied and is_named(read, row, self.found))
            if is_theirs or (not emptied and self.declared.has(read, row)):
                gone[f"{label}.{emptied}" if emptied else label] += 1
                removed.append(row)
                continue
            for link, at, there in () if emptied else loose:
                if refers(read, row, link, at, there):
                    row = read.with_value(row, at, _fallback(link))
                    gone[f"{label}.{read.columns[at]}"] += 1
            stay.append(self._renamed(read, row, gone))
        return stay, gone, removed

    def _tells_of(self, read: Reading, row: Any) -> bool:
        texts = (read.value(row, at) for at in range(len(read.values(row))))
        return any(text and self.terms.are_in(text) for text in texts)

    def _renamed(self, read: Reading, row: Any, gone: Counter[str]) -> Any:
        for one in self.declared.by_label.get(read.label, ()):
            for name in () if read.emptied else one.renamed:
                if (_value(read, row, name) or "").casefold() in self.terms.names:
                    column = _columns(read)[name]
                    row = read.with_value(row, read.at(column), self.terms.pseudonym)
                    gone[f"{read.label}.{column}"] += 1
        return row


def _value(read: Reading, row: Any, name: str) -> str | None:
    column = _columns(read).get(name)
    return None if column is None else read.value(row, read.at(column))


def _columns(read: Reading) -> dict[str, str]:
    """The columns by the names of their fields, and by those of the attributes."""
    return {name: str(one.column) for one in read.fields for name in (one.name, one.attname)}


def _of_content_type(key: str | None) -> type[Model] | None:
    try:
        return ContentType.objects.db_manager(chosen.alias()).get_for_id(int(key or "")).model_class()
    except (ValueError, ContentType.DoesNotExist):
        return None
