"""What policies ask of a project: the indexes that they want, and whether they send delete signals."""

from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage
from django.core.checks import Warning as CheckWarning
from django.db.models import Model

from housekeeping.checks.registration import check
from housekeeping.declared import registry
from housekeeping.declared.columns import along, has_index
from housekeeping.declared.policies import Policy
from housekeeping.engine import receivers

# A model, the fields that its rows are picked by, and the one that they are ordered by.
Wanted = tuple[type[Model], tuple[str, ...], str]


@check
def policies_have_the_indexes_that_they_want(**kwargs: Any) -> list[CheckMessage]:
    return [
        CheckWarning(
            f"The policy {policy.name!r} reads {model._meta.label} by {', '.join([*first, then])},"
            " and no index serves that.",
            hint=f"Add models.Index(fields={[*first, then]}) to its Meta: otherwise the whole table is read.",
            id="housekeeping.W007",
        )
        for policy in registry.policies().values()
        if policy.known_model
        for model, first, then in dict.fromkeys(_wanted(policy, policy.model))
        if not has_index(model, first, then)
    ]


@check
def policies_say_whether_signals_are_sent(**kwargs: Any) -> list[CheckMessage]:
    return [
        CheckWarning(
            f"The policy {policy.name!r} deletes rows of {label} without the signals that"
            f" {', '.join(names)} would receive.",
            hint="Declare it with send_signals=True, which is slower, or with False if they need not know.",
            id="housekeeping.W008",
        )
        for policy in registry.policies().values()
        if policy.known_model and policy.send_signals is None
        for label, names in receivers.unheard(policy).items()
    ]


def _wanted(policy: Policy, model: type[Model]) -> Iterator[Wanted]:
    if not isinstance(policy.age, str):
        return  # an expression: which index serves it, only the database can tell
    yield from _along_age(model, policy.age)
    if (policy.retention_by or policy.at_most) and policy.age != "pk" and len(along(model, policy.age)) == 1:
        yield model, (), policy.age
    if policy.keep_newest and policy.age != "pk" and len(along(model, policy.age)) == 1:
        owner = tuple(model._meta.get_field(name).name for name in policy.owner_names)
        yield model, owner, policy.age


def _along_age(model: type[Model], age: str) -> Iterator[Wanted]:
    """The age of another row is walked along there; from each row, its key leads to the rows that go."""
    fields = along(model, age)
    for field in fields[1:]:
        yield field.model, (), field.name
    for field in fields[:-1]:
        if field.concrete:
            yield field.model, (), field.name
