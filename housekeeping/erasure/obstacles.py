"""What stops an erasure before it changes anything."""

from django.utils.translation import gettext, ngettext

from housekeeping import recipes
from housekeeping.declared import registry
from housekeeping.declared.personal import Person, declared
from housekeeping.engine import cascade, holds
from housekeeping.erasure import people


def reasons(person: Person) -> list[str]:
    """A sentence for each reason why the person can't be erased; empty if they can."""
    return [*_unknown(), *_unfit(person), *_protected(person), *_held(person)]


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
    found = [
        problem
        for model in models
        for problem in [*cascade.elsewhere(cascade.rows_of(model)), *cascade.problems(model)]
    ]
    text = gettext("Its tables can't be purged: %(why)s.")
    return [text % {"why": problem} for problem in dict.fromkeys(found)]


def _protected(person: Person) -> list[str]:
    found = []
    for link, path in cascade.walk(person.model):
        if link.protects:
            rows = cascade.rows_of(link.model).filter(**{path: person.key}).count()
            text = ngettext(
                "%(rows)s row of %(table)s protects the account, or a row below it, from deletion.",
                "%(rows)s rows of %(table)s protect the account, or rows below it, from deletion.",
                rows,
            )
            found += [text % {"rows": rows, "table": link.model._meta.label}] if rows else []
    return found


def _held(person: Person) -> list[str]:
    row = people.row_of(person)
    return [holds.in_words(hold) for hold in holds.active_on(holds.only(row))] if row else []
