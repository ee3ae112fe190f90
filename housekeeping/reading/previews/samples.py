"""The texts of the rows in a preview: looked up when a plan is shown, and never stored.

A plan is stored for months, and everybody who may view runs can see it. A title or a name must not
outlive its row there, so a plan holds only keys and ages.
"""

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet

from housekeeping.database import chosen
from housekeeping.declared import registry
from housekeeping.declared.policies import Policy


class Texts:
    """The present texts of the rows in the samples of ``plans``. One query for each policy."""

    def __init__(self, plans: Iterable[dict[str, Any]] = ()) -> None:
        keys: dict[str, set[str]] = {}
        for plan in plans:
            for policy, facts in plan.items():
                keys.setdefault(policy, set()).update(str(row.get("key")) for row in facts.get("sample", ()))
        known = registry.policies()
        self._texts = {name: _texts(known[name], of) for name, of in keys.items() if name in known}

    def added_to(self, plan: dict[str, Any]) -> dict[str, Any]:
        """The plan with a ``text`` for each row of its samples; None for a row that is gone.

        Empty if the row's database can't be read.
        """
        return {policy: self._added_to(policy, facts) for policy, facts in plan.items()}

    def _added_to(self, policy: str, facts: dict[str, Any]) -> dict[str, Any]:
        if "sample" not in facts:
            return facts
        texts = self._texts.get(policy, {})
        return facts | {
            "sample": [{**row, "text": texts.get(str(row.get("key")))} for row in facts["sample"]]
        }


def _texts(policy: Policy, keys: set[str]) -> dict[str, str]:
    model = policy.known_model
    if not keys or model is None:
        return {}
    rows: QuerySet[Any] = QuerySet(model, using=policy.database)
    try:
        with chosen.shown(policy.database):
            return {str(row.pk): str(row) for row in rows.filter(pk__in=keys)}
        return dict.fromkeys(keys, "")  # they may be there
    except (
        TypeError,
        ValueError,
        OverflowError,
        ValidationError,
    ):  # the table used to have other keys
        return {}
