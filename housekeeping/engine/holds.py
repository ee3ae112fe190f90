"""Holds: rows that no policy may delete, neither directly nor by a cascade.

A hold on a row also holds the rows below it (a user's conversations), and the rows above it (the user
of a conversation).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import reduce
from operator import or_
from typing import Any

import django.db
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import models, router
from django.db.models import Exists, Model, OuterRef, Q, QuerySet, Subquery, TextField, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Coalesce, Concat, Substr
from django.db.models.lookups import Exact
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from housekeeping.database import chosen, clock
from housekeeping.database.chosen import connection
from housekeeping.engine import cascade, packing
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
    if django.db.connection.vendor == "postgresql":
        with django.db.connection.cursor() as cursor:
            cursor.execute(f"SELECT {function}(%s)", [LOCK])


def without_row(found: Iterable[Hold]) -> frozenset[int]:
    """The ids of those holds whose row is gone, such as deleted by a user. One query per model."""
    by_model: defaultdict[str, list[Hold]] = defaultdict(list)
    for hold in found:
        by_model[hold.model].append(hold)
    there = {label: _existing(label, [hold.key for hold in of]) for label, of in by_model.items()}
    return frozenset(hold.pk for label, of in by_model.items() for hold in of if hold.key not in there[label])


def _existing(label: str, keys: list[str]) -> set[str]:
    """Those of ``keys`` that the model has rows for; empty if the model no longer exists.

    All of them if a database can't be asked: no hold is called useless while its row may be there.
    """
    try:
        model = apps.get_model(label)
    except (LookupError, ValueError):
        return set()
    usable, there = [key for key in keys if _is_key(model, key)], set[str]()
    for alias in cascade.databases(model):
        rows: QuerySet[Model] = QuerySet(model, using=alias)
        found: Iterable[Any] = usable
        with chosen.shown(alias):
            found = list(rows.filter(pk__in=usable).values_list("pk", flat=True))
        there.update(map(str, found))
    return there


def _is_key(model: type[Model], key: str) -> bool:
    try:
        model._meta.pk.to_python(key)
    except ValidationError:
        return False
    return True


def held(model: type[Model], now: clock.Moment) -> Q:
    """The rows of ``model`` that are held at ``now``."""
    if not cascade.is_tree_both_ways(model):
        return _held_by_walk(model, Hold.objects.active(now))
    children = [(link.model, path) for link, path in cascade.walk(model) if link.is_cascade]
    tables = [model, *(child for child, _ in children)]
    names = _held_models([*tables, *(owner for table in tables for owner, _ in _owners(table))])
    condition = Q(pk__in=[])
    if not names:
        return condition
    active: Any = Hold.objects.active(now)
    active = _Apart(active) if chosen.is_apart() else active
    for reason in _reasons(model, names, active):
        condition |= reason
    for child, path in children:
        for reason in _reasons(child, names, active, reached_by=path):
            condition |= Q(Exists(QuerySet(child).filter(reason, **{path: OuterRef("pk")})))
    return condition


def _held_by_walk(model: type[Model], those: QuerySet[Hold]) -> Q:
    ways, end = _walk(model, those)
    return cascade.reach.condition(model, ways, [end] if end else [])


def _walk(model: type[Model], those: QuerySet[Hold]) -> tuple[list[cascade.reach.Way], Any]:
    """The way down to all rows that go with a row, and up to all that would take these along, and its end:
    a row that one of ``those`` holds names."""
    below = cascade.tables(model)
    names = _held_models(dict.fromkeys(owner for table in below for owner in cascade.owners(table)))
    if not names:
        return [], None

    def is_held(one: type[Model]) -> bool:
        return one._meta.label in names

    named: Any = those.order_by().values("model", "key")
    if chosen.is_apart():
        named = [(hold["model"], hold["key"]) for hold in named.filter(model__in=names)]
    down = cascade.reach.down(cascade.Node(model), lambda node: cascade.leads_up_to(node.model, is_held))
    up = cascade.reach.up(down, is_held)
    return [down, up], cascade.reach.is_named(up, is_held, named)


def named_by(model: type[Model], those: QuerySet[Hold]) -> Q:
    """The rows of ``model`` that one of ``those`` holds names, or that are below such a row."""
    names = set(those.order_by().values_list("model", flat=True).distinct())
    return reduce(or_, _reasons(model, names, those), Q(pk__in=[]))


def is_held(row: Model) -> bool:
    """Is there a hold on ``row``, on a row below it or on a row above it?

    To delete ``row`` unless it is held: in a transaction, call :func:`wait_for_new_holds`, lock the row,
    then ask this, then delete. No hold can be made between the answer and the delete. If the row is in
    another database than the holds, begin a transaction there within that of the default database.
    """
    with chosen.on(_database_of(row)):
        rows = only(row)
        with cascade.walking(rows.model):
            return rows.filter(held(rows.model, clock.now())).exists()


def reason_held(row: Model) -> str:
    """A sentence for each hold that :func:`is_held` finds, with its end and its reason. Empty for none."""
    with chosen.on(_database_of(row)):
        return " ".join(in_words(hold) for hold in active_on(only(row)))


def _database_of(row: Model) -> str:
    return router.db_for_write(type(row), instance=row)


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
    with chosen.on(chosen.of(rows)):
        return _active_on(rows)


def _active_on(rows: QuerySet[Any]) -> list[Hold]:
    model = rows.model._meta.concrete_model or rows.model
    if not cascade.is_tree_both_ways(model):
        with cascade.walking(model):
            return _active_by_walk(rows.using(chosen.alias()), model)
    below = [(link.model, path) for link, path in cascade.walk(model) if link.is_cascade]
    places = [(table, path, *place) for table, path in [(model, "pk"), *below] for place in _places(table)]
    names = _held_models(owner for _table, _path, owner, _column in places)
    keys = rows.using(chosen.alias()).order_by().values("pk")
    found: dict[int, Hold] = {}
    for table, path, owner, column in places:
        if owner._meta.label in names:
            reached = cascade.rows_of(table).filter(**{f"{path}__in": keys})
            found |= {hold.pk: hold for hold in _holds_at(reached, owner, column)}
    return list(found.values())


def _active_by_walk(rows: QuerySet[Any], model: type[Model]) -> list[Hold]:
    ways, end = _walk(model, Hold.objects.active(clock.Now()))
    if not end:
        return []
    labels = {number: node.model._meta.label for node, number in ways[1].numbers.items()}
    with connection.cursor() as cursor:
        cursor.execute(*cascade.reach.query(cascade.reach.rows(rows), ways, [end]))
        found = {(labels[number], key) for number, key in cursor.fetchmany(SHOWN)}
    named = reduce(or_, (Q(model=label, key=key) for label, key in found), Q(pk__in=[]))
    return list(Hold.objects.active(clock.Now()).filter(named).order_by("pk"))


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


def _reasons(model: type[Model], names: set[str], those: Any, *, reached_by: str = "") -> Iterator[Q]:
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


def _is_held(model: type[Model], path: str, those: Any) -> Q:
    """Whether a hold names the key at ``path``: one look into the index for each row.

    As a value, not as EXISTS: PostgreSQL may hash all holds for that, again for each batch. And compared
    with a number: the planner then expects nearly all rows to differ from it, and walks by age instead of
    sorting.
    """
    if isinstance(those, _Apart):
        return those.name(model, path)
    if chosen.is_apart():
        return _Apart(those).name(model, path)
    held = those.filter(model=model._meta.label, key=_written(model, path)).order_by()
    found = Coalesce(Subquery(held.values(there=Value(1))[:1]), 0)
    return Q(Exact(found, 1))


class _Apart:
    """Holds on rows of another database. Its queries can't look into our table, so they get the keys."""

    def __init__(self, those: QuerySet[Hold]) -> None:
        self.those = those
        self.keys: dict[type[Model], list[Any]] = {}  # as the chosen database stores them

    def name(self, model: type[Model], path: str) -> Q:
        """Whether one of them names the key at ``path``."""
        if model not in self.keys:
            self.keys[model] = self._read(model)
        if not self.keys[model]:
            return Q(pk__in=[])
        # A key that is null is none of them: otherwise the answer would be null, too, and the row never due.
        return Q(_AmongStored(path, self.keys[model]), **{f"{path}__isnull": False})

    def _read(self, model: type[Model]) -> list[Any]:
        to_key, written = cascade.value_field(model._meta.pk).to_python, list[Any]()
        for key in self.those.filter(model=model._meta.label).order_by().values_list("key", flat=True):
            with suppress(ValidationError):  # the table used to have other keys
                written.append(to_key(key))
        return packing.stored_keys(packing.key_of(model), written)


class _AmongStored(packing.Among):
    """A field is one of some keys, which are as the database stores them."""

    def as_sql(self, compiler: Any, connection: Any, **_: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        [field] = self.source_expressions
        expression, values = compiler.compile(field)
        if connection.vendor == "sqlite":
            # Without an index: SQLite would look up all of the keys for each row, instead of the few rows
            # below that one.
            expression = f"+{expression}"
        with chosen.on(connection.alias):
            where, keys = packing.among(expression, self.keys)
        return where, [*values, *keys]


def _written(model: type[Model], path: str) -> Combinable:
    """The key of ``model`` at ``path``, the way that a hold writes it."""
    text = Cast(OuterRef(path), TextField())
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
