"""What policies should say, and ask of a project: indexes, delete signals, and what becomes of files."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning
from django.db import InterfaceError, OperationalError, connections
from django.db.models import FileField, Model

from housekeeping.checks.registration import check
from housekeeping.database import discreet
from housekeeping.declared import registry
from housekeeping.declared.columns import along, has_index
from housekeeping.declared.policies import Policy
from housekeeping.engine import cascade
from housekeeping.engine.apart import handover
from housekeeping.engine.effects import files, receivers

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
        for policy in _usable()
        for model, first, then in dict.fromkeys([*_wanted(policy, policy.model), *_to_look_below(policy)])
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
        for policy in _usable()
        if policy.send_signals is None and not policy.anonymises
        for label, names in receivers.unheard(policy).items()
    ]


@check
def policies_say_what_becomes_of_files(**kwargs: Any) -> list[CheckMessage]:
    return [
        CheckWarning(
            f"The policy {policy.name!r} {'changes' if policy.anonymises else 'deletes'} rows of"
            f" {table._meta.label}, and does not say whether their files go, too"
            f" ({', '.join(one.name for one in lost)}).",
            hint="Declare it with deletes_files=True, or with deletes_files=False to keep them.",
            id="housekeeping.W006",
        )
        for policy, table, lost in _policies_and_files()
        if policy.deletes_files is None
    ]


@check
def other_databases_have_the_table_that_purges_need(**kwargs: Any) -> list[CheckMessage]:
    asked = dict.fromkeys(policy.database for policy in _usable())
    return [problem for alias in asked if alias in connections for problem in _of_database(alias)]


def _of_database(alias: str) -> Iterator[CheckMessage]:
    try:
        if not handover.has_table(alias):
            yield CheckWarning(
                f"The database {alias!r} has rows that policies delete, and lacks housekeeping's table"
                " there.",
                hint=f"Run `manage.py migrate housekeeping --database={alias}`; routers must let it be made.",
                id="housekeeping.W009",
            )
    except (OperationalError, InterfaceError) as error:
        yield CheckWarning(
            f"The database {alias!r} has rows that policies delete, and can't be reached:"
            f" {discreet.sentence(error)}",
            hint="Purges of its rows fail until it is back.",
            id="housekeeping.W003",
        )


@check
def policies_agree_about_files(**kwargs: Any) -> list[CheckMessage]:
    deletes: dict[type[Model], dict[bool, str]] = defaultdict(dict)
    for policy, table, _ in _policies_and_files():
        deletes[table].setdefault(bool(policy.deletes_files), policy.name)
    return [
        Error(
            f"Only one of the policies {found[True]!r} and {found[False]!r} deletes the files of"
            f" {table._meta.label}: a file that the other one could put back might be gone.",
            hint="Give both the same deletes_files.",
            id="housekeeping.E019",
        )
        for table, found in deletes.items()
        if len(found) == 2
    ]


@check
def policies_keep_what_a_project_decides_about(**kwargs: Any) -> list[CheckMessage]:
    return [
        CheckWarning(
            f"The policy {policy.name!r} keeps rows of {link.owner._meta.label} that"
            f" {link.model._meta.label}.{link.field.name} refers to: its on_delete"
            f" ({getattr(link.on_delete, '__name__', link.on_delete)}) decides row by row.",
            hint="Delete the rows that have the key first, by a policy of their own. Then silence this.",
            id="housekeeping.W010",
        )
        for policy in _usable()
        if not policy.anonymises
        for table in cascade.tables(policy.model)
        for link in cascade.links(table)
        if link.decides_itself
    ]


def _policies_and_files() -> Iterator[tuple[Policy, type[Model], list[FileField]]]:
    """Each policy with each table whose rows lose files by it, and the fields that named these."""
    for policy in _usable():
        changed = policy.anonymises.values if policy.anonymises else None
        for table in cascade.tables(policy.model) if changed is None else [policy.model]:
            lost = [one for one in files.fields_of(table) if changed is None or one.name in changed]
            if lost:
                yield policy, table, lost


def _usable() -> list[Policy]:
    """The policies whose rows can be asked for: E003 tells of the others."""
    return [policy for policy in registry.policies().values() if policy.known_model]


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


def _to_look_below(policy: Policy) -> Iterator[Wanted]:
    """Of a foreign key, Django makes an index; of a content type and a key, it does not."""
    nodes = [] if policy.anonymises else cascade.nodes(policy.model)
    for edge in (edge for node in nodes for edge, _ in node.edges()):
        if isinstance(edge, cascade.Generic) and not has_index(edge.model, (), edge.key.name):
            yield edge.model, (edge.kind.name,), edge.key.name
