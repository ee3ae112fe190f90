"""Where the site's tables still name the person: in texts of others, or in tables that nobody declared."""

from collections.abc import Callable
from typing import Any

from django.apps import apps
from django.db import DatabaseError, connections, models, transaction
from django.db.models import Model, Q

from housekeeping.database import chosen
from housekeeping.declared.personal import Person
from housekeeping.engine import cascade, locks

NOT_COUNTED = -1  # the database took too long


def count(person: Person, checkpoint: Callable[[], None]) -> dict[str, int]:
    """How many rows name the person, by column.

    A mail address or a full name counts anywhere, a user name as the whole value.
    """
    found: dict[str, int] = {}
    for model in apps.get_models(include_auto_created=True):
        for field in _texts(model):
            checkpoint()
            rows = _in(model, str(field.attname), person)
            if rows:
                found[f"{model._meta.label}.{field.attname}"] = rows
    return found


def _texts(model: type[Model]) -> list[Any]:
    if model._meta.app_label == "housekeeping" or model._meta.proxy or not model._meta.managed:
        return []
    kinds = (models.CharField, models.TextField)
    return [field for field in model._meta.local_concrete_fields if isinstance(field, kinds)]


def _in(model: type[Model], column: str, person: Person) -> int:
    theirs = Q(**{f"{column}__iexact": person.name})
    for name in (*person.addresses, *(one for one in person.full_names if " " in one)):
        theirs |= Q(**{f"{column}__icontains": name})
    try:
        with chosen.at_home(model), transaction.atomic(using=chosen.home(model)):
            locks.set_locally({"statement_timeout": "60s"})
            return cascade.rows_of(model).filter(theirs).order_by().count()
    except DatabaseError:
        if not connections[chosen.home(model)].is_usable():
            raise
        return NOT_COUNTED
