"""Why a policy's rows can't be purged, or could not be put back afterwards."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import (
    AutoField,
    DateTimeField,
    DecimalField,
    DurationField,
    FloatField,
    IntegerField,
    Manager,
    QuerySet,
)

from housekeeping.declared import columns
from housekeeping.declared.owners import OWN, ByOwner
from housekeeping.declared.policies import FAR, Policy
from housekeeping.engine import cascade

LONGEST = timedelta(days=700_000)  # before today there are some 740,000 days in Python's calendar


def to(policy: Policy) -> list[tuple[str, str]]:
    """Why the policy's rows can't be purged and put back, each with the name of their table."""
    try:
        rows: Any = policy.rows(FAR)
        if not isinstance(rows, QuerySet | Manager):
            return [("its rows", f"rows returns a {type(rows).__name__}, not a queryset")]
        rows.annotate(aged=policy.age_of()).order_by("aged", "pk")  # as a purge does; this asks nothing yet
        if wrong := list(_of_times(policy)):
            return [(policy.model._meta.label, problem) for problem in wrong]
        tables = cascade.key_problems if policy.anonymises else cascade.problems  # below, nothing changes
        problems = [*_of_database(policy.database), *cascade.elsewhere(rows.all())]
        problems += [*tables(policy.model), *_of_declaration(policy)]
        return [(policy.model._meta.label, problem) for problem in problems]
    except Exception as error:  # code of the project
        return [("its rows", f"asking for them raises {type(error).__name__}: {error}")]


def _of_database(alias: str) -> Iterator[str]:
    if alias not in connections:
        yield f"there is no database {alias!r}"
    elif alias != DEFAULT_DB_ALIAS and connections[alias].vendor not in ("sqlite", "postgresql"):
        yield f"its database {alias!r} is neither SQLite nor PostgreSQL"


def _of_declaration(policy: Policy) -> Iterator[str]:
    if distinct := getattr(policy.rows(FAR).all().query, "distinct_fields", ()):
        yield f"its rows are distinct by {', '.join(distinct)}: each batch would pick others of them"
    if isinstance(policy.age, str) and columns.leads_to_many(policy.model, policy.age):
        yield f"its age {policy.age!r} leads to several rows: use an expression for the newest of them"
    own = {name for one in policy.model._meta.concrete_fields for name in (one.name, one.attname)}
    for name in policy.owner_names:
        if name not in own:
            yield f"of_each {name!r} is not a column of it"
    if policy.counts_newer and policy.age == "pk" and not isinstance(policy.model._meta.pk, AutoField):
        yield "its newest rows can't be told by its key: name the column of their age"
    if policy.retention_by:
        yield from _of_owners(policy, policy.retention_by)


def _of_times(policy: Policy) -> Iterator[str]:
    """A negative retention would take rows that are still to come."""
    otherwise = policy.retention_by and policy.retention_by.otherwise
    for name, time, least, wrong in (
        ("retention", policy.retention, timedelta(), "negative"),
        ("otherwise", otherwise, timedelta.resolution, "zero or negative"),
    ):
        if time is None:
            continue
        if not isinstance(time, timedelta):
            yield f"{name} is {time!r}, and has to be a timedelta: timedelta(days=30)"
        elif not least <= time <= LONGEST:
            yield f"{name} is {time}, and can't be {wrong}, or more than {LONGEST.days:,} days"
    if policy.shortest_days > LONGEST.days:
        yield f"shortest_days is {policy.shortest_days}, and can't be more than {LONGEST.days:,}"


def _of_owners(policy: Policy, by: ByOwner) -> Iterator[str]:
    if by.model(policy.model) is None or columns.leads_to_many(policy.model, by.owner):
        yield f"{by.owner!r} does not lead from a row to its owner"
        return
    rows = by.with_kept(policy.rows(FAR).all(), policy.shortest_days).annotate(aged=policy.age_of())
    kept, age = (rows.query.annotations[name].output_field for name in (OWN, "aged"))
    if not isinstance(kept, IntegerField | FloatField | DecimalField | DurationField):
        yield f"how long an owner keeps rows is neither a number of days nor a duration: {by.kept}"
    if not isinstance(age, DateTimeField):
        yield "its age is not a moment, which the retention of an owner is counted from"
