"""Generic rows: rows that name another row by its content type and key, and go with it.

A model that has a ``GenericRelation`` needs no declaration. A site can't add one to a model of another
package, and a package of tags, comments or permissions does not know the site's models.
"""

import sys
from collections.abc import Collection
from dataclasses import dataclass

from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model

from housekeeping.declared import registry


@dataclass(frozen=True)
class GenericRows:
    """Rows of ``model`` go with rows of the models in ``of``. ``relation``: what these would have."""

    model: type[Model]
    of: tuple[type[Model], ...]
    relation: GenericRelation
    module: str


_declared: list[GenericRows] = []


def generic_rows(
    model: type[Model], *, of: Collection[type[Model]], content_type: str = "", object_id: str = ""
) -> None:
    """Declare that rows of ``model`` go with the row that they name by its content type and key.

    ``of``: the models whose rows take them along, and models that inherit from these. It is as if each had
    a ``GenericRelation`` to ``model``, for policies, holds and erasures. Django's own ``delete()`` does not
    see it. ``content_type`` and ``object_id``: the columns, if the model has not just one
    ``GenericForeignKey`` and they have other names than these.
    """
    names = _names(model, content_type, object_id)
    if not of or model._meta.get_field(names[0]).related_model is not ContentType:
        raise TypeError(
            f"generic_rows({model.__name__}): of= needs models, and {names[0]!r} has to refer to ContentType."
        )
    model._meta.get_field(names[1])  # raises FieldDoesNotExist
    relation = GenericRelation(model, content_type_field=names[0], object_id_field=names[1])
    owners = tuple(one._meta.concrete_model or one for one in of)
    _declared.append(GenericRows(model, owners, relation, sys._getframe(1).f_globals["__name__"]))


def _names(model: type[Model], content_type: str, object_id: str) -> tuple[str, str]:
    keys = [field for field in model._meta.private_fields if isinstance(field, GenericForeignKey)]
    usual = (keys[0].ct_field, keys[0].fk_field) if len(keys) == 1 else ("content_type", "object_id")
    return content_type or usual[0], object_id or usual[1]


def declared() -> list[GenericRows]:
    """What the ``tasks.py`` of all apps have declared."""
    registry.discover()
    return [one for one in _declared if one.module in sys.modules]
