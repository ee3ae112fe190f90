"""Values of rows in files that outlive the database: as JSON, and back."""

from __future__ import annotations

import base64
import json
import math
import uuid
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.db import models
from django.utils.dateparse import parse_duration
from django.utils.duration import duration_iso_string

Field = Any
"""A field of a model."""
JSON_NULL = models.Value(None, models.JSONField())
"""JSON's null in a column that may also be empty: to the model, both are None."""
ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)


def as_json(field: Field, value: Any) -> Any:
    """A value of a row, as the model has it, without loss in what JSON has."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, models.Value):
        return value.value
    if isinstance(field, models.JSONField):
        return json.loads(json.dumps(value, cls=field.encoder))
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Decimal | uuid.UUID):
        return str(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return duration_iso_string(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(bytes(value)).decode()
    if isinstance(value, list | tuple):
        return [as_json(getattr(field, "base_field", field), one) for one in value]
    return field.value_to_string(_Row(field, value))  # the way of Django's serializers


class _Row:
    """What ``value_to_string`` reads the value from."""

    def __init__(self, field: Field, value: Any) -> None:
        setattr(self, field.attname, value)


def from_json(field: Field, value: Any) -> Any:
    """The value as the model has it. Raises ValueError or ValidationError for what is none of the field's."""
    while isinstance(field, models.ForeignKey):
        field = field.target_field
    if isinstance(field, models.JSONField):
        return JSON_NULL if value is None else value
    if value is None:
        return None
    if isinstance(field, models.BinaryField):
        return base64.b64decode(value, validate=True)
    if isinstance(field, models.DurationField):
        found = parse_duration(value)
        if found is None:
            raise ValueError(f"{value!r} is no duration")
        return found
    return field.to_python(value)


def kind_of(field: Field) -> str:
    """The kind of its values: of a foreign key, that of the keys."""
    while isinstance(field, models.ForeignKey):
        field = field.target_field
    return str(field.get_internal_type())


def lost(name: str, kind: str) -> Field:
    """A field for a column that no model has any more: its values are read and written as they were.

    Those of other kinds than Django's own stand in files as JSON.
    """
    one = getattr(models, kind, models.JSONField)(null=True)
    one.set_attributes_from_name(name)
    return one


def may_be_either(field: Field) -> bool:
    """Whether None may be JSON's null, or that the column is empty."""
    return isinstance(field, models.JSONField) and field.null


def line(fields: list[Field], row: tuple[Any, ...]) -> bytes:
    """A row as a line of JSON, without JSON columns that are empty: null is a value there.

    The same values always give the same line.
    """
    named = {
        field.attname: as_json(field, value)
        for field, value in zip(fields, row, strict=True)
        if not (value is None and may_be_either(field))
    }
    return ENCODER.encode(named).encode(errors="surrogatepass") + b"\n"
