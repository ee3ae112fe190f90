"""Content types in exports, by name: each site numbers its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db import DEFAULT_DB_ALIAS
from django.db.models import ForeignKey

from housekeeping.database import chosen
from housekeeping.engine.exports.formats import Row

NONE = 0  # the number of no content type: a row that has it stays out, as the row that it refers to is gone


def names(tables: Iterable[list[Any]]) -> dict[str, str]:
    """The content types of the chosen database, each as ``app.model``, by their numbers as texts.

    Empty if none of the ``tables``, given by their fields, refers to content types.
    """
    if not any(_places(fields) for fields in tables):
        return {}
    home = chosen.alias() if chosen.has_table(ContentType, chosen.alias()) else DEFAULT_DB_ALIAS
    kinds = ContentType.objects.db_manager(home).values_list("pk", "app_label", "model")
    return {str(pk): f"{app}.{model}" for pk, app, model in kinds}


def as_here(fields: list[Any], rows: list[Row], there: Mapping[str, Any]) -> list[Row]:
    """``rows`` with this site's numbers of content types. ``there``: what the manifest has of those of
    the site that exported them; none in the first exports, whose rows keep their numbers."""
    places = _places(fields)
    if not (places and there):
        return rows
    here = {name: int(number) for number, name in names([fields]).items()}
    numbers = {number: here.get(str(name), NONE) for number, name in there.items()}

    def numbered(at: int, value: Any) -> Any:
        return value if value is None or at not in places else numbers.get(str(value), NONE)

    return [tuple(numbered(at, value) for at, value in enumerate(row)) for row in rows]


def _places(fields: list[Any]) -> set[int]:
    """The columns that refer to content types."""
    return {at for at, field in enumerate(fields) if _is_of_kind(field)}


def _is_of_kind(field: Any) -> bool:
    """Does it refer to content types, perhaps by a proxy of theirs, or by a row whose key is one of them?"""
    while isinstance(field, ForeignKey):
        if field.related_model._meta.concrete_model is ContentType:
            return True
        field = field.target_field
    return False
