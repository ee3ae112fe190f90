"""Gives JSON columns the shape that the rest of the code relies on, even if something else was stored.

A row may come from another version, from a task that returned something unusual, or from somebody's
SQL. None of these may break a page, so each column is brought into shape when it is read.
"""

import json
import math
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import models
from django.db.models.fields.json import KeyTransform

DEEPEST = 50  # nested objects and lists; deeper ones are shown as text
LARGEST = 2**63  # no database has more rows


class StoredJSON(models.JSONField):
    """A JSON column whose values go through ``read`` when they come from the database.

    Migrations see a plain JSONField, as before.
    """

    def __init__(self, *args: Any, read: Callable[[Any], Any] = lambda value: value, **options: Any) -> None:
        super().__init__(*args, **options)
        self.read = read

    def deconstruct(self) -> Any:
        name, _, args, options = super().deconstruct()
        return name, "django.db.models.JSONField", args, options

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        try:
            found = super().from_db_value(value, expression, connection)
        # A number that is too long for Python, or lists nested a thousand deep.
        except (ValueError, RecursionError):
            found = value
        return found if isinstance(expression, KeyTransform) else self.read(found)


def result(value: Any) -> dict[str, Any] | None:
    """What a task returned, as an object: any other value becomes ``{"result": …}``."""
    clean = printable(value)
    return clean if clean is None or isinstance(clean, dict) else {"result": clean}


def printable(value: Any, depth: int = 0) -> Any:
    """JSON that every database can store and every page can show.

    NUL and lone surrogates (from a file name that is not UTF-8, for example) are replaced.
    """
    if isinstance(value, str):
        return value.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="backslashreplace").decode()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict | list) and depth == DEEPEST:
        return json.dumps(value)
    if isinstance(value, dict):
        return {printable(key): printable(each, depth + 1) for key, each in value.items()}
    if isinstance(value, list):
        return [printable(each, depth + 1) for each in value]
    return value


def counts(value: Any) -> dict[str, int]:
    """Numbers of rows by name."""
    return {name: number for name, number in _object(value).items() if is_count(number)}


def undo_state(value: Any) -> dict[str, Any] | None:
    """For an undo: the options of the request, and the rows that are back or could not be put back."""
    if not isinstance(value, dict):
        return None
    return value | {name: counts(value[name]) for name in ("rows", "left") if name in value}


def cutoffs(value: Any) -> dict[str, Any]:
    """By policy: its cutoff and the retention that it comes from. Leaves out cutoffs that are not moments."""
    return {policy: _with_days(facts) for policy, facts in _objects(value) if moment(facts.get("cutoff"))}


def plan(value: Any) -> dict[str, Any]:
    """By policy: the rows that a preview, or the brake, has found."""
    return {policy: _plan_of(facts) for policy, facts in _objects(value)}


def receipt(value: Any) -> dict[str, Any]:
    """By policy: its declaration, and the rows that it removed."""
    return {
        policy: _with_days(facts) | {"rows": counts(facts.get("rows"))} | _held_back(facts) | _in_use(facts)
        for policy, facts in _objects(value)
    }


def are_statistics(value: Any) -> bool:
    """Are they the site's numbers by name, with the reason for each that can't be counted?"""
    return isinstance(value, dict) and all(is_count(one) or isinstance(one, str) for one in value.values())


def is_backlog(value: Any) -> bool:
    """Is it a policy's backlog? One that can't be counted has no ``rows``, and an ``error``."""
    if not isinstance(value, dict) or counts(value.get("tables")) != value.get("tables"):
        return False
    rows, since = value.get("rows"), value.get("due_since", "")
    is_failed = rows is None and isinstance(value.get("error"), str)
    return (is_count(rows) or is_failed) and (since is None or moment(since) is not None)


def ages(value: Any) -> dict[str, dict[str, Any]] | None:
    """Of a table: by column, the rows that have a value, and how many are older than so many days."""
    if not isinstance(value, dict):
        return None
    return {
        name: {
            "rows": facts["rows"],
            "older": counts(facts.get("older")),
            "oldest": facts["oldest"] if moment(facts.get("oldest")) else None,
            "newest": facts["newest"] if moment(facts.get("newest")) else None,
            "is_estimate": facts.get("is_estimate") is True,
        }
        for name, facts in _objects(value)
        if is_count(facts.get("rows"))
    }


def in_order(value: Any) -> Any:
    """Sorted by name: PostgreSQL stores the keys of an object in an order of its own."""
    return {name: in_order(value[name]) for name in sorted(value)} if isinstance(value, dict) else value


def words(value: Any) -> list[str]:
    """The texts in a list."""
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def details(value: Any) -> dict[str, Any]:
    """The details of an act, with ``before`` and ``after`` as objects."""
    found = _object(value)
    return found | {name: _object(found[name]) for name in ("before", "after") if name in found}


def _plan_of(facts: dict[str, Any]) -> dict[str, Any]:
    rows, sample = facts.get("rows"), facts.get("sample")
    return (
        _with_days(facts)
        | _held_back(facts)
        | {
            "rows": rows if is_count(rows) else 0,
            "tables": counts(facts.get("tables")),
            "sample": [row for row in sample if isinstance(row, dict)] if isinstance(sample, list) else [],
        }
    )


def _held_back(facts: dict[str, Any]) -> dict[str, Any]:
    return {"held_back": counts(facts["held_back"])} if "held_back" in facts else {}


def _in_use(facts: dict[str, Any]) -> dict[str, Any]:
    return {"in_use": facts["in_use"] if is_count(facts["in_use"]) else 0} if "in_use" in facts else {}


def _with_days(facts: dict[str, Any]) -> dict[str, Any]:
    """Replaces a retention that is not a number by None."""
    names = [name for name in ("retention_days", "declared_retention_days") if name in facts]
    known = facts | {name: facts[name] if _is_number(facts[name]) else None for name in names}
    return known | {"retention_range": days_range(facts)} if "retention_range" in facts else known


def days_range(facts: dict[str, Any]) -> dict[str, float | None] | None:
    """The shortest and the longest retention in ``facts``, in days; None for anything else there."""
    found = facts.get("retention_range")
    if not isinstance(found, dict):
        return None
    ends = {name: found.get(name) for name in ("shortest_days", "longest_days")}
    return {name: days if _is_number(days) else None for name, days in ends.items()}


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[tuple[str, dict[str, Any]]]:
    return [(name, each) for name, each in _object(value).items() if isinstance(each, dict)]


def is_count(value: Any) -> bool:
    """Is it a number of rows, as a database can store it?"""
    return type(value) is int and 0 <= value < LARGEST


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < LARGEST


def moment(text: Any) -> datetime | None:
    """The moment that ISO 8601 text with an offset stands for; None for anything else."""
    try:
        found = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo else None
