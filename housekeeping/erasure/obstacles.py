"""What stops an erasure before it changes anything."""

from collections.abc import Iterator
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db.models import Model, QuerySet
from django.utils.translation import gettext, ngettext

from housekeeping import recipes
from housekeeping.database import chosen
from housekeeping.declared import registry
from housekeeping.declared.personal import Person, declared
from housekeeping.engine import cascade, holds
from housekeeping.engine.apart import handover
from housekeeping.erasure import people
from housekeeping.erasure.found import Found
from housekeeping.erasure.tables import rows
from housekeeping.exceptions import NotMigrated


def reasons(person: Person, found: Found | None = None) -> list[str]:
    """A sentence for each reason why the person can't be erased; empty if they can.

    ``found``: the keys of the person's rows, if the caller has them, perhaps with more from the archives.
    """
    problems = unfit(person)
    declared_rows = [] if problems else _about(person, rows.there(person) if found is None else found)
    return list(dict.fromkeys([*problems, *_protected(person), *_held(person), *declared_rows]))


def unfit(person: Person) -> list[str]:
    """Why the tables with rows about the person are not known, or can't be followed by foreign keys."""
    return [*_unknown(), *_unfit(person)]


def _unknown() -> list[str]:
    """Code that could not be imported: what it declares about people is not known."""
    declared()  # imports it
    modules = {one.module: one.error for one in registry.UNREADABLE if one.is_ours}
    failed = {f"recipe {name}": reason for name, reason in recipes.unusable().items()}
    text = gettext("%(what)s can't be used, so its tables would not be searched: %(why)s.")
    return [text % {"what": what, "why": why} for what, why in {**modules, **failed}.items()]


def _unfit(person: Person) -> list[str]:
    """Tables that can't be purged, of the account's cascade and of what is declared about people."""
    models = [person.model, *(one.model for one in declared())]
    found = dict.fromkeys(problem for model in models for problem in _of_table(model))
    text = gettext("Its tables can't be purged: %(why)s.")
    return [*(text % {"why": problem} for problem in found), *_named_elsewhere(person), *_unnamed()]


def _named_elsewhere(person: Person) -> Iterator[str]:
    """Functions that name another database with using() than the one that rows are written to."""
    for one in declared():
        home = chosen.home(one.model)
        named = chosen.of(one.rows(person)) if one.rows else home
        if named != home:
            text = gettext(
                "The function of personal_rows(%(model)s) names the database %(named)s, but the rows are"
                " written to %(home)s: leave out using(), and let a router tell where they are."
            )
            yield text % {"model": one.model.__name__, "named": named, "home": home}


def _unnamed() -> Iterator[str]:
    """Rows that name others by a content type, in a database without these."""
    for one in declared():
        home = chosen.home(one.model)
        if one.objects and not chosen.has_table(ContentType, home):
            text = gettext(
                "personal_rows(%(model)s, objects=…): %(table)s is not in the database %(home)s. Migrate it"
                " there, or give a function of the person that returns the rows (rows=)."
            )
            yield text % {"model": one.model.__name__, "table": ContentType._meta.db_table, "home": home}


def _of_table(model: type[Model]) -> Iterator[str]:
    home = chosen.home(model)
    yield from cascade.elsewhere(QuerySet(model))
    yield from cascade.problems(model)
    if not handover.has_table(home):
        yield str(NotMigrated(home)).rstrip(".")


def _protected(person: Person) -> list[str]:
    found = []
    with chosen.at_home(person.model):
        protecting = list(rows_that_protect(person))
    for table, number in protecting:
        text = ngettext(
            "%(rows)s row of %(table)s protects the account, or a row below it, from deletion.",
            "%(rows)s rows of %(table)s protect the account, or rows below it, from deletion.",
            number,
        )
        found += [text % {"rows": number, "table": table}] if number else []
    return found


def rows_that_protect(person: Person) -> Iterator[tuple[str, int]]:
    """How many rows protect the account or a row below it, by table."""
    if cascade.is_tree(person.model):
        for link, path in cascade.walk(person.model):
            if link.protects:
                number = cascade.rows_of(link.model).filter(**{path: person.key}).count()
                yield link.model._meta.label, number
        return
    closure = cascade.Closure(person.model)
    closure.add(cascade.rows_of(person.model).filter(pk=person.key).values_list("pk", flat=True))
    for table, keys in closure.rows.items():
        for link in cascade.links(table):
            if link.protects:
                yield link.model._meta.label, link.rows(list(link.values(keys))).count()


def _held(person: Person) -> list[str]:
    row = people.row_of(person)
    if row is None:
        return []
    with chosen.at_home(person.model):
        return [holds.in_words(hold) for hold in holds.active_on(holds.only(row))]


def _about(person: Person, found: Found) -> Iterator[str]:
    """Protection and holds of the rows that are declared to be about the person."""
    for one in declared():
        for keys in rows.about(person, one, found):
            with chosen.at_home(one.model):
                why = list(_protecting(one.model, keys))
                there = cascade.rows_of(one.model).filter(pk__in=keys)
            yield from [*why, *map(holds.in_words, holds.active_on(there))]


def _protecting(model: type[Model], keys: list[Any]) -> Iterator[str]:
    for link, path in cascade.walk(model):
        if link.protects and (number := cascade.rows_of(link.model).filter(**{f"{path}__in": keys}).count()):
            text = ngettext(
                "%(rows)s row of %(table)s protects a row of %(about)s about the person from deletion.",
                "%(rows)s rows of %(table)s protect rows of %(about)s about the person from deletion.",
                number,
            )
            yield text % {"rows": number, "table": link.model._meta.label, "about": model._meta.label}
