"""The history tables of django-simple-history: one policy for each, ``history-<app>-<model>``.

The default of 30 days is that of the package's own command, ``clean_old_history``. It deletes every older
row. This recipe keeps one more row of each object: the newest one before the cutoff, which describes the
object at the start of the 30 days. ``as_of`` therefore gives the same answers as before for every moment
since then, and every existing object keeps its newest row, however old.

The history of a deleted object is deleted completely once it is past the retention. This includes
objects that were deleted by SQL, for example by a purge, whose history has no row of type ``-``.

History shows who changed what: an operator can set more than 30 days for a table, but not less.

Rows for many-to-many fields (``m2m_fields``) are deleted by the same run, after the row of history that
they belong to. A dry run does not count them.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, router
from django.db.models import Exists, Model, OuterRef, Q, QuerySet
from simple_history.models import HistoricalRecords

from housekeeping import Cron, Policy, Purge, personal_rows, purge, scheduled, task

KEPT_DAYS = 30


def _tracked() -> Iterator[tuple[type[Model], type[Model]]]:
    """Each model with a history, and the model of its history."""
    for model in apps.get_models():
        if name := getattr(model._meta, "simple_history_manager_attribute", None):
            yield model, getattr(model, name).model


def _past(model: type[Model], history: type[Model], cutoff: datetime) -> QuerySet[Any]:
    """The rows before the cutoff that don't describe an object at any moment after it."""
    key = model._meta.pk.attname
    is_later = Q(history_date__gt=OuterRef("history_date")) | Q(
        history_date=OuterRef("history_date"), pk__gt=OuterRef("pk")
    )
    later: QuerySet[Any] = QuerySet(history).filter(is_later, **{key: OuterRef(key)})
    is_outdated = Q(Exists(later.filter(history_date__lt=cutoff)))
    is_last = Q(~Exists(later))
    return QuerySet(history).filter(is_outdated | is_last & _is_gone(model), history_date__lt=cutoff)


def _is_gone(model: type[Model]) -> Q:
    """Whether the object is deleted, for the last row of its history."""
    if router.db_for_write(model) != DEFAULT_DB_ALIAS:  # a query can't reach its table
        return Q(history_type="-")
    return Q(~Exists(QuerySet(model).filter(pk=OuterRef(model._meta.pk.attname))))


def _history_of(model: type[Model], history: type[Model]) -> Policy:
    return Policy(
        f"history-{model._meta.app_label}-{model._meta.model_name}",
        rows=lambda cutoff: _past(model, history, cutoff),
        retention=timedelta(days=KEPT_DAYS),
        age="history_date",
        shortest_days=KEPT_DAYS,
    )


def _left_behind(through: type[Model]) -> Policy:
    """The history of a many-to-many field, where the row of history that it belongs to is deleted."""
    history = through._meta.get_field("history").related_model
    is_there = Exists(QuerySet(history).filter(pk=OuterRef("history_id")))
    return Policy(
        f"history-{through._meta.app_label}-{through._meta.model_name}",
        rows=lambda cutoff: QuerySet(through).filter(~is_there),
    )


histories = tuple(_history_of(model, history) for model, history in _tracked())
relations = tuple(_left_behind(through) for through in HistoricalRecords.m2m_models.values())
for _model, _history in _tracked():
    personal_rows(_history, keys={_model._meta.pk.attname: _model})


@scheduled("simple_history_cleanup", "Model History Cleanup", Cron(hour=4, minute=30))
@task("simple_history", policies=histories + relations, done="Old history of models deleted")
def delete_old_history_of_models(purge: Purge = purge) -> dict[str, int]:
    """Delete the history of models past its retention, except the newest row of each existing object."""
    return {"deleted_history": sum(map(purge, histories)), "deleted_relations": sum(map(purge, relations))}
