"""The tables of a project, and random rows in them, inserted past its own code: no signal, no save()."""

import random
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db import DatabaseError, connection, models, transaction
from django.db.models import Model, QuerySet

ROWS = 4
# How many of the columns that may be empty are, try by try, where constraints of the table refuse a row.
EMPTY = (0.4, 0.4, 1, 0, 1, 0.4)
FIRST = datetime(2020, 1, 1, tzinfo=UTC)
KEYS = ("object_id", "object_pk", "assigned_object_id", "scope_id", "parent_object_id", "termination_id")


class Missing(Exception):
    """There is no row to refer to."""


class Filling:
    """``keys``: those of the rows, by table. ``refused``: why the database takes no row of a table."""

    def __init__(self, tables: list[type[Model]]) -> None:
        self.tables, self.random = tables, random.Random(7)
        self.keys: dict[type[Model], list[Any]] = {}
        self.refused: dict[str, str] = {}

    def fill(self) -> None:
        ContentType.objects.clear_cache()
        for table in self.tables:
            ContentType.objects.get_for_model(table, for_concrete_model=False)
        for table in self._ordered():
            for number in range(ROWS if table is not ContentType else 0):
                self._try(table, number)
        for table in list(self.keys):
            self._close_circles(table)
        connection.check_constraints()

    def _ordered(self) -> list[type[Model]]:
        """Each table after those that its rows have to refer to."""
        found: dict[type[Model], None] = {}

        def visit(table: type[Model], below: frozenset[Any]) -> None:
            for field in table._meta.local_concrete_fields if table not in below else ():
                if field.is_relation and not field.null and field.related_model not in found:
                    visit(concrete(field.related_model), below | {table})
            found.setdefault(table)

        for table in self.tables:
            visit(table, frozenset())
        return list(found)

    def _try(self, table: type[Model], number: int) -> None:
        for empty in EMPTY:
            try:
                self._insert(table, number, empty)
            except Exception as why:  # the project's own code may raise anything
                if table not in self.keys:
                    self.refused[table._meta.label] = f"{type(why).__name__}: {why}"
            else:
                self.refused.pop(table._meta.label, None)
                break

    def _insert(self, table: type[Model], number: int, empty: float) -> None:
        own = [one for one in table._meta.local_concrete_fields if not getattr(one, "generated", False)]
        fields = [one for one in own if not isinstance(one, models.AutoField)]
        row = table()
        for one in fields:
            setattr(row, one.attname, self._value(one, number, empty))
        made = [one for one in table._meta.db_returning_fields if one not in fields]
        with transaction.atomic():
            back = QuerySet(table)._insert(
                [row], fields=fields, returning_fields=made, using="default", raw=True
            )
        key: Any = table._meta.pk
        self.keys.setdefault(table, []).append(back[0][made.index(key)] if key in made else row.pk)

    def _close_circles(self, table: type[Model]) -> None:
        for field in table._meta.local_concrete_fields:
            owner = concrete(field.related_model) if field.is_relation else None
            if owner is table and field.null and not field.unique and field.target_field.primary_key:
                for key in self.keys[table][1:]:
                    try:
                        with transaction.atomic():
                            value = {field.attname: self.random.choice(self.keys[table])}
                            QuerySet(table).filter(pk=key).update(**value)
                    except DatabaseError:
                        continue  # a constraint

    # --- Values ---------------------------------------------------------------------------------

    def _value(self, field: Any, number: int, empty: float) -> Any:
        if field.is_relation:
            return self._reference(field, number, empty)
        if field.null and self.random.random() < empty:
            return None
        if field.name in KEYS and (keys := self._keys_for(field)):
            return self.random.choice(keys)
        if field.choices and not field.unique:
            chosen = self.random.choice([key for key, _ in field.flatchoices])
            return [str(chosen)] if type(field).__name__ == "MultiSelectField" else chosen
        if field.has_default() and not field.unique and self.random.random() < 0.7:
            return field.get_default()
        for kind, make in VALUES:
            if isinstance(field, kind):
                return make(self.random, field, number)
        return field.get_default() if field.has_default() or field.null else _by_name(field, number)

    def _reference(self, field: Any, number: int, empty: float) -> Any:
        owner = concrete(field.related_model)
        if getattr(field.remote_field, "parent_link", False):
            self._insert(owner, len(self.keys.get(owner, ())), empty)  # each row has a part of its own there
            return self.keys[owner][-1]
        there = self._there(field, owner)
        if field.null and (not there or self.random.random() < empty):
            return None
        if not there or (field.unique and number >= len(there)):
            raise Missing(owner._meta.label)
        return there[number] if field.unique else self.random.choice(there)

    def _there(self, field: Any, owner: type[Model]) -> list[Any]:
        if owner is ContentType:
            return [ContentType.objects.get_for_model(table).pk for table in self.keys or self.tables]
        if field.target_field.primary_key:
            return self.keys.get(owner, [])
        name = field.target_field.attname
        return list(QuerySet(owner).exclude(**{name: None}).values_list(name, flat=True))

    def _keys_for(self, field: Any) -> list[Any]:
        """Keys of any rows, for what names a row by its content type and key."""
        keys = [key for keys in self.keys.values() for key in keys]
        if isinstance(field, models.IntegerField):
            return [key for key in keys if isinstance(key, int)]
        if isinstance(field, models.UUIDField):
            return [key for key in keys if isinstance(key, uuid.UUID)]
        return [str(key) for key in keys if len(str(key)) <= (field.max_length or 99)]


def concrete(model: Any) -> type[Model]:
    found: type[Model] = model._meta.concrete_model
    return found


def _text(chance: random.Random, field: Any, number: int) -> str:
    return f"{number}{field.name}\t{chance.choice('äx')}"[: field.max_length or 99]


def _decimal(chance: random.Random, field: Any, number: int) -> Decimal:
    return Decimal(chance.randrange(9)).quantize(Decimal(1).scaleb(-field.decimal_places))


Make = Callable[[random.Random, Any, int], Any]
VALUES: list[tuple[Any, Make]] = [
    (models.UUIDField, lambda chance, field, number: uuid.UUID(int=chance.getrandbits(128))),
    (models.DateTimeField, lambda chance, *_: FIRST + timedelta(microseconds=chance.randrange(10**13))),
    (models.DateField, lambda chance, *_: date(2020, 1, 1) + timedelta(days=chance.randrange(999))),
    (models.TimeField, lambda chance, *_: time(chance.randrange(24), 5)),
    (models.DurationField, lambda chance, *_: timedelta(seconds=chance.randrange(9_999))),
    (models.BooleanField, lambda chance, *_: chance.random() < 0.5),
    (models.DecimalField, _decimal),
    (models.FloatField, lambda chance, *_: chance.random()),
    (
        models.IntegerField,
        lambda chance, field, number: number + 1 if field.unique else chance.randrange(1, 99),
    ),
    (models.JSONField, lambda chance, field, number: {"a": [number]}),
    (models.BinaryField, lambda chance, field, number: bytes([number, 0, 255])),
    (models.GenericIPAddressField, lambda chance, field, number: f"10.0.0.{number + 1}"),
    (models.FileField, lambda *_: ""),
    (models.CharField | models.TextField, _text),
]
# Of netbox.
TEXTS = {
    "ArrayField": "{{}}",
    "IPNetworkField": "10.{}.0.0/16",
    "IPAddressField": "10.0.{}.1/24",
    "MACAddressField": "00:11:22:33:44:0{}",
}


def _by_name(field: Any, number: int) -> str:
    return TEXTS.get(type(field).__name__, "{}").format(number)


def make_tables(managed: list[type[Model]]) -> None:
    with connection.schema_editor() as editor:
        for model in managed:
            if not model._meta.auto_created:  # that of a many-to-many field comes with it
                editor.create_model(model)


def everything(tables: list[type[Model]]) -> dict[tuple[str, str], list[Any]]:
    """Every column of every row, as the database stores it."""
    return dict(_rows(tables))


def _rows(tables: list[type[Model]]) -> Iterator[tuple[tuple[str, str], list[Any]]]:
    with connection.cursor() as cursor:
        for table in tables:
            key: Any = table._meta.pk
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table._meta.db_table)}")
            at = [column[0] for column in cursor.description].index(key.column)
            for row in cursor.fetchall():
                values = [bytes(one) if isinstance(one, memoryview) else one for one in row]
                yield (table._meta.label, str(values[at])), values
