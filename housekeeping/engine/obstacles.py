"""Why a policy's rows can't be purged, or could not be put back afterwards."""

from collections.abc import Iterator
from typing import Any

from django.db.models import Manager, QuerySet

from housekeeping.declared import columns
from housekeeping.declared.policies import FAR, Policy
from housekeeping.engine import cascade


def to(policy: Policy) -> list[tuple[str, str]]:
    """Why the policy's rows can't be purged and put back, each with the name of their table."""
    try:
        rows: Any = policy.rows(FAR)
        if not isinstance(rows, QuerySet | Manager):
            return [("its rows", f"rows returns a {type(rows).__name__}, not a queryset")]
        rows.annotate(aged=policy.age_of()).order_by("aged", "pk")  # as a purge does; this asks nothing yet
        problems = [*cascade.elsewhere(rows.all()), *cascade.problems(policy.model), *_of_age(policy)]
        return [(policy.model._meta.label, problem) for problem in problems]
    except Exception as error:  # code of the project
        return [("its rows", f"asking for them raises {type(error).__name__}: {error}")]


def _of_age(policy: Policy) -> Iterator[str]:
    if isinstance(policy.age, str) and columns.leads_to_many(policy.model, policy.age):
        yield f"its age {policy.age!r} leads to several rows: use an expression for the newest of them"
