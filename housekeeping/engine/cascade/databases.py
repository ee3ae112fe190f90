"""Where the rows of a table may be."""

from __future__ import annotations

from django.db import router
from django.db.models import Model

from housekeeping.declared import registry
from housekeeping.engine.cascade.graph import tables


def databases(model: type[Model]) -> list[str]:
    """The one that a router writes its rows to, then those of policies that delete them from another one."""
    found = {router.db_for_write(model): None}
    for policy in registry.policies().values():
        own = policy.known_model
        if own and model in tables(own):
            found[policy.database] = None
    return list(found)
