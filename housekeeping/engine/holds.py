"""Holds: rows that no policy may delete, neither directly nor by a cascade.

A hold on a row also holds the rows below it (a user's conversations), and the rows above it (the user
of a conversation).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import reduce
from operator import or_
from typing import Any

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import DEFAULT_DB_ALIAS, connection, models
from django.db.models import CharField, Exists, Model, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Coalesce, Concat, Substr
from django.db.models.lookups import Exact
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from housekeeping.database import clock
from housekeeping.engine import cascade
from housekeeping.models import Hold

# The key of PostgreSQL's advisory lock that batches share and a new hold takes exclusively.
LOCK = 0x686F6C64
SHOWN = 10  # how many held rows of a table a reason names


def wait_for_batches() -> None:
    """Let the batches at work end, and the next ones wait. Call it in the transaction that makes a hold.

    A batch looks for holds once, at its start. It locks the rows of its policy, but a hold may be on a
    row below or above them. On SQLite writers take turns.
    """
    _lock("pg_advisory_xact_lock")


def wait_for_new_holds() -> None:
    """Let a hold that is being made end. Call it in the transaction of a batch, before it looks for holds."""
    _lock("pg_advisory_xact_lock_shared")


def _lock(function: str) -> None:
    # Here and not in packing or locks, since only the two functions above use this lock.
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {function}(%s)", [LOCK])


def without_row(found: Iterable[Hold]) -> frozenset[int]:
    """The ids of those holds whose row is gone, such as deleted by a user. One query per model."""
    by_model: defaultdict[str, list[Hold]] = defaultdict(list)
    for hold in found:
        by_model[hold.model].append(hold)
    there = {label: _existing(label, [hold.key for hold in of]) for label, of in by_model.items()}
    return frozenset(hold.pk for label, of in by_model.items() for hold in of if hold.key not in there[label])


def _existing(label: str, keys: list[str]) -> set[str]:
    """Those of ``keys`` that the model has rows for; empty if the model no longer exists."""
    try:
        model = apps.get_model(label)
    except (LookupError, ValueError):
        return set()
    rows: QuerySet[Model] = QuerySet(model)
    found = rows.filter(pk__in=[key for key in keys if _is_key(model, key)])
    return {str(key) for key in found.values_list("pk", flat=True)}


def _is_key(model: type[Model], key: str) -> bool:
    try:
        model._meta.pk.to_python(key)
    except ValidationError:
        return False
    return True


def held(model: type[Model], now: clock.Moment) -> Q:
    """The rows of ``model`` that are held at ``now``."""
    children = [(link.model, path) for link, path in cascade.walk(model) if link.is_cascade]
    tables = [model, *(child for child, _ in children)]
    names = _held_models([*tables, *(owner for table in tables for owner, _ in _owners(table))])
    condition = Q(pk__in=[])
    if not names:
        return condition
    active = Hold.objects.active(now)
    for reason in _reasons(model, names, active):
        condition |= reason
    for child, path in children:
        for reason in _reasons(child, names, active, reached_by=path):
            condition |= Q(Exists(QuerySet(child).filter(reason, **{path: OuterRef("pk")})))
    return condition


def named_by(model: type[Model], those: QuerySet[Hold]) -> Q:
    """The rows of ``model`` that one of ``those`` holds names, or that are below such a row."""
    names = set(those.order_by().values_list("model", flat=True).distinct())
    return reduce(or_, _reasons(model, names, those), Q(pk__in=[]))


def is_held(row: Model) -> bool:
    """Is there a hold on ``row``, on a row below it or on a row above it?

    To delete ``row`` unless it is held: in a transaction, call :func:`wait_for_new_holds`, lock the row,
    then ask this, then delete. No hold can be made between the answer and the delete.
    """
    rows = only(row)
    return rows.filter(held(rows.model, clock.now())).exists()


def reason_held(row: Model) -> str:
    """A sentence for each hold that :func:`is_held` finds, with its end and its reason. Empty for none."""
    return " ".join(in_words(hold) for hold in active_on(only(row)))


def in_words(hold: Hold) -> str:
    if hold.until is None:
        text = _("%(row)s is on hold indefinitely: %(reason)s")
        return text % {"row": str(hold), "reason": hold.reason}
    text = _("%(row)s is on hold until %(until)s: %(reason)s")
    until = date_format(timezone.localtime(hold.until), "j M Y, H:i T")
    return text % {"row": str(hold), "until": until, "reason": hold.reason}


def active_on(rows: QuerySet[Any]) -> list[Hold]:
    """The active holds on ``rows``, on rows below them and on rows above them.

    Looks at no more than :data:`SHOWN` held rows of each table.
    """
    model = rows.model._meta.concrete_model or rows.model
    below = [(link.model, path) for link, path in cascade.walk(model) if link.is_cascade]
    places = [(table, path, *place) for table, path in [(model, "pk"), *below] for place in _places(table)]
    names = _held_models(owner for _table, _path, owner, _column in places)
    keys = rows.using(DEFAULT_DB_ALIAS).order_by().values("pk")
    found: dict[int, Hold] = {}
    for table, path, owner, column in places:
        if owner._meta.label in names:
            reached = cascade.rows_of(table).filter(**{f"{path}__in": keys})
            found |= {hold.pk: hold for hold in _holds_at(reached, owner, column)}
    return list(found.values())


def only(row: Model) -> QuerySet[Any]:
    model = row._meta.concrete_model or type(row)  # a hold names the model, not its proxy
    return cascade.rows_of(model).filter(pk=row.pk)


def _places(table: type[Model]) -> Iterator[tuple[type[Model], str]]:
    """The models whose holds apply to rows of ``table``, each with the path to the key of the row on hold."""
    yield table, "pk"
    for owner, path in _owners(table):
        yield owner, f"{path}_id"


def _holds_at(rows: QuerySet[Any], model: type[Model], column: str) -> QuerySet[Hold]:
    """The active holds on the rows of ``model`` that ``rows`` have the keys of at ``column``."""
    active = Hold.objects.active(clock.Now()).filter(model=model._meta.label)
    held = rows.filter(_is_held(model, column, active)).order_by().values_list(column, flat=True)
    return active.filter(key__in=[cascade.written_key(model, key) for key in held.distinct()[:SHOWN]])


def _held_models(asked_for: Iterable[type[Model]]) -> set[str]:
    """Those of the models, as labels, that any hold names.

    A purge asks this before each batch. So it is one query, with one look into the index for each model:
    a list of the models of all holds would read every hold.
    """
    labels = list(dict.fromkeys(one._meta.label for one in asked_for))
    asked = [Exists(Hold.objects.filter(model=label)) for label in labels]
    row = Hold.objects.order_by().values_list(*asked)[:1]
    return {label for answers in row for label, there in zip(labels, answers, strict=True) if there}


def _reasons(
    model: type[Model], names: set[str], those: QuerySet[Hold], *, reached_by: str = ""
) -> Iterator[Q]:
    """Conditions: a row of ``model`` is held itself, or is below a row that is.

    Leaves out the rows on the path that it is ``reached_by``, and above it: they are asked about there.
    """
    if model._meta.label in names:
        yield _is_held(model, "pk", those)
    for owner, path in _owners(model):
        if owner._meta.label in names and not _is_on_the_way(path, reached_by):
            yield _is_held(owner, f"{path}_id", those)


def _is_on_the_way(path: str, way: str) -> bool:
    return bool(way) and (f"{path}__".startswith(f"{way}__") or f"{way}__".startswith(f"{path}__"))


def _is_held(model: type[Model], path: str, those: QuerySet[Hold]) -> Q:
    """Whether a hold names the key at ``path``: one look into the index for each row.

    As a value, not as EXISTS: PostgreSQL may hash all holds for that, again for each batch. And compared
    with a number: the planner then expects nearly all rows to differ from it, and walks by age instead of
    sorting.
    """
    held = those.filter(model=model._meta.label, key=_written(model, path)).order_by()
    found = Coalesce(Subquery(held.values(there=Value(1))[:1]), 0)
    return Q(Exact(found, 1))


def _written(model: type[Model], path: str) -> Combinable:
    """The key of ``model`` at ``path``, the way that a hold writes it."""
    text = Cast(OuterRef(path), CharField(max_length=100))
    is_uuid = isinstance(cascade.value_field(model._meta.pk), models.UUIDField)
    if not is_uuid or connection.features.has_native_uuid_field:
        return text
    first, *others = [Substr(text, start, length) for start, length in UUID_PARTS]
    return Concat(first, *(part for other in others for part in (Value("-"), other)))


# Where the database stores a UUID as 32 digits, a hold has them in groups, as Python writes them.
UUID_PARTS = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))


def _owners(
    model: type[Model], prefix: str = "", seen: tuple[type[Model], ...] = ()
) -> Iterator[tuple[type[Model], str]]:
    """The models above ``model``, whose rows take its rows with them, each with the path to it.

    If rows of a table are deleted with other rows of the same table, only the nearest.
    """
    for field in model._meta.concrete_fields:
        if isinstance(field, models.ForeignKey) and field.remote_field.on_delete is models.CASCADE:
            owner = field.related_model._meta.concrete_model or field.related_model
            yield owner, f"{prefix}{field.name}"
            if owner not in (*seen, model):
                yield from _owners(owner, f"{prefix}{field.name}__", (*seen, model))
