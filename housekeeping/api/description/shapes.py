"""Makes serializers from the declared JSON objects. Only the API's description uses them.

``reading/as_json`` writes the answers: DRF's serializers would take several times as long.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, cast

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from housekeeping.reading.as_json import fields as kinds

Shape = type[kinds.Object[Any]]


@extend_schema_field({"type": "object", "additionalProperties": True})
class AnObject(serializers.JSONField):
    pass


@extend_schema_field({"type": ["object", "null"], "additionalProperties": True})
class AnObjectOrNull(serializers.JSONField):
    pass


@extend_schema_field({})
class AnyValue(serializers.JSONField):
    pass


@extend_schema_field({"type": "string", "format": "uri-reference"})
class Path(serializers.CharField):
    """A path of this site."""


@cache
def serializer_of(shape: Shape) -> type[serializers.Serializer[Any]]:
    fields = {name: _described(field) for name, field in shape.declared.items()}
    made = type(shape.__name__, (serializers.Serializer,), {"__doc__": shape.__doc__, **fields})
    return cast(type[serializers.Serializer[Any]], made)


@cache
def several(shape: Shape) -> Any:
    """A list under ``results``."""
    return _list(f"{shape.__name__}List", shape)


@cache
def page_of(shape: Shape) -> Any:
    """One page of many, newest first."""
    links = {name: serializers.URLField(allow_null=True) for name in ("next", "previous")}
    return _list(f"{shape.__name__}Page", shape, **links)


def _list(name: str, shape: Shape, **beside: serializers.Field) -> Any:
    results = serializer_of(shape)(many=True)  # type: ignore[arg-type]
    return type(name, (serializers.Serializer,), {**beside, "results": results})


def _described(field: kinds.Field) -> Any:
    options: dict[str, Any] = {"help_text": field.help} if field.help else {}
    options |= {"allow_null": True} if field.nullable else {}
    options |= {"required": False} if field.optional else {}
    described = next(DESCRIBED[kind] for kind in type(field).__mro__ if kind in DESCRIBED)
    return described(field, options)


def _text(field: Any, options: dict[str, Any]) -> Any:
    if field.choices:
        return serializers.ChoiceField(list(field.choices), **options)
    return serializers.CharField(**options)


def _any_object(field: Any, options: dict[str, Any]) -> Any:
    nullable = options.pop("allow_null", False)
    return AnObjectOrNull(**options) if nullable else AnObject(**options)


def _many(field: Any, options: dict[str, Any]) -> Any:
    if isinstance(field.each, kinds.Field):
        return serializers.ListField(child=_described(field.each), **options)
    return serializer_of(field.each)(many=True, **options)


DESCRIBED: dict[type[kinds.Field], Callable[[Any, dict[str, Any]], Any]] = {
    kinds.Text: _text,
    kinds.Whole: lambda field, options: serializers.IntegerField(**options),
    kinds.Number: lambda field, options: serializers.FloatField(**options),
    kinds.Flag: lambda field, options: serializers.BooleanField(**options),
    kinds.Id: lambda field, options: serializers.UUIDField(**options),
    kinds.Moment: lambda field, options: serializers.DateTimeField(**options),
    kinds.Day: lambda field, options: serializers.DateField(**options),
    kinds.Address: lambda field, options: Path(**options),
    kinds.AnyObject: _any_object,
    kinds.AnyValue: lambda field, options: AnyValue(**options),
    kinds.Map: lambda field, options: serializers.DictField(child=_described(field.values), **options),
    kinds.One: lambda field, options: serializer_of(field.shape)(**options),
    kinds.Many: _many,
}
