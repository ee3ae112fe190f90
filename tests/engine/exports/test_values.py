"""Values of rows as they stand in files, and back: nothing is lost in either format."""

import io
import math
import uuid
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import models
from hypothesis import given
from hypothesis import strategies as st

from housekeeping.engine.exports import values
from housekeeping.engine.exports.formats import FORMATS

texts = st.text(st.characters(exclude_categories=["Cs"]))  # no database stores half of a character
numbers = st.decimals(-(10**20), 10**20, allow_nan=False, places=9)
plain = st.booleans() | st.integers() | texts | st.floats(allow_nan=False, allow_infinity=False)
nested = st.recursive(plain, lambda one: st.lists(one) | st.dictionaries(texts, one), max_leaves=5)
moments = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))
KINDS = {
    models.BooleanField(null=True): st.booleans(),
    models.BigIntegerField(null=True): st.integers(-(2**63), 2**63 - 1),
    models.FloatField(null=True): st.floats(allow_nan=False),
    models.DecimalField(null=True, max_digits=30, decimal_places=9): numbers,
    models.UUIDField(null=True): st.uuids(),
    models.DateTimeField(null=True): moments,
    models.DateField(null=True): st.dates(),
    models.TimeField(null=True): st.times(),
    models.DurationField(null=True): st.timedeltas(),
    models.BinaryField(null=True): st.binary(),
    models.TextField(null=True): texts,
    models.CharField(null=True, max_length=100): texts,
    models.FileField(null=True): texts,
    models.JSONField(null=True): nested | st.just(values.JSON_NULL),
}
FIELDS = list(KINDS)
for number, field in enumerate(FIELDS):
    field.set_attributes_from_name(f"field_{number}")
rows = st.lists(st.tuples(*(st.none() | kind for kind in KINDS.values())), max_size=5)


@pytest.mark.parametrize("form", FORMATS)
@given(rows=rows)
def test_rows_are_read_as_they_were_written(form, rows):
    file = io.BytesIO()

    FORMATS[form].write(file, FIELDS, ((row, values.line(FIELDS, row)) for row in rows))
    file.seek(0)

    assert list(FORMATS[form].read(file, FIELDS)) == rows


def test_a_number_that_json_has_no_name_for():
    field = models.FloatField()

    assert math.isnan(values.from_json(field, values.as_json(field, math.nan)))
    assert values.from_json(field, values.as_json(field, math.inf)) == math.inf


def test_a_column_that_can_not_be_empty_gets_the_null_of_json_back():
    field = models.JSONField()

    assert values.from_json(field, values.as_json(field, None)) == values.JSON_NULL


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (models.BinaryField(), "?"),
        (models.IntegerField(), "x"),
        (models.DateTimeField(), "yesterday"),
        (models.UUIDField(), "x"),
        (models.DurationField(), "x"),
    ],
)
def test_a_value_that_is_none(field, value):
    with pytest.raises((ValueError, ValidationError)):
        values.from_json(field, value)


def test_a_line_names_its_columns():
    fields = [
        models.UUIDField(),
        models.DecimalField(),
        models.DateField(),
        models.TimeField(),
        models.DurationField(),
    ]
    for one, name in zip(fields, "abcde", strict=True):
        one.set_attributes_from_name(name)
    row = (uuid.UUID(int=1), Decimal("1.50"), date(2026, 3, 8), time(1, 2), timedelta(days=1, seconds=5))

    assert values.line(fields, row) == (
        b'{"a":"00000000-0000-0000-0000-000000000001","b":"1.50","c":"2026-03-08","d":"01:02:00",'
        b'"e":"P1DT00H00M05S"}\n'
    )
