"""The API's description, for programs (/api/schema) and for people (/api/docs). It holds no secrets."""

import json
from functools import cache
from threading import Lock
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import (
    OpenApiJsonRenderer,
    OpenApiJsonRenderer2,
    OpenApiYamlRenderer,
    OpenApiYamlRenderer2,
)
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import api_view, authentication_classes, permission_classes, renderer_classes
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from housekeeping.api.rules import problems

Facts = dict[str, Any]


_making = Lock()


def document() -> dict[str, Any]:
    """It stays what it is as long as the process runs.

    One thread makes it: drf-spectacular's generator fails in whoever comes in beside another.
    """
    with _making:
        return _made()


@cache
def _made() -> dict[str, Any]:
    described: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return described


@extend_schema(
    summary="This description, as OpenAPI 3.1",
    tags=["about"],
    responses={
        (200, kind.media_type): {"type": "object", "additionalProperties": True}
        for kind in (OpenApiJsonRenderer2, OpenApiJsonRenderer, OpenApiYamlRenderer, OpenApiYamlRenderer2)
    },
)
@api_view(["GET"])
@authentication_classes([])
@permission_classes([AllowAny])
@renderer_classes([OpenApiJsonRenderer2, OpenApiJsonRenderer, OpenApiYamlRenderer, OpenApiYamlRenderer2])
def schema(request: Request) -> Response:
    return Response(document())


def docs(request: HttpRequest) -> HttpResponse:
    """The description as a page of our own: it needs no script, and no exception to the site's CSP."""
    if request.method not in ("GET", "HEAD"):
        return _not_allowed(request)
    described = document()
    facts = {
        "about": described["info"]["description"],
        "schema_url": reverse("schema"),
        "sections": [_section(tag, described) for tag in described["tags"]],
        "shapes": [
            {"name": name, "description": shape.get("description", ""), "fields": _fields(shape)}
            for name, shape in described["components"]["schemas"].items()
            if not name.endswith("Request")
        ],
    }
    return render(request, "housekeeping/api_docs.html", facts)


def _not_allowed(request: HttpRequest) -> HttpResponse:
    """A page, but below /api/: what goes wrong is a problem, as everywhere there."""
    message = str(MethodNotAllowed(str(request.method)).detail)
    answer = problems.answer(message, MethodNotAllowed.default_code, 405, detail=message)
    answer["Allow"] = "GET, HEAD"
    return answer


def _section(tag: Facts, described: Facts) -> Facts:
    operations = [
        _operation(method, path, operation, described)
        for path, item in described["paths"].items()
        for method, operation in item.items()
        if tag["name"] in operation["tags"]
    ]
    return {**tag, "operations": operations}


def _operation(method: str, path: str, operation: Facts, described: Facts) -> Facts:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    name = _shape_of(body.get("schema", {}))
    asked = described["components"]["schemas"].get(name, {})
    return {
        "id": operation["operationId"],
        "method": method.upper(),
        "path": path,
        "summary": operation.get("summary", ""),
        "is_open": not any(operation.get("security", [])),
        "parameters": [
            {**one, "is": _in_words(one.get("schema", {}))} for one in operation.get("parameters", [])
        ],
        "fields": _fields(asked),
        "examples": [
            {"name": one.get("summary", name), "text": json.dumps(one["value"])}
            for name, one in body.get("examples", {}).items()
        ],
        "answers": [
            _answer(status, _followed(response, described))
            for status, response in operation["responses"].items()
        ],
    }


def _followed(response: Facts, described: Facts) -> Facts:
    """The response itself, where it is one that several operations refer to."""
    name = response.get("$ref", "").rpartition("/")[2]
    found: Facts = described["components"]["responses"][name] if name else response
    return found


def _answer(status: str, response: Facts) -> Facts:
    content = response.get("content", {})
    shapes = [_shape_of(media.get("schema", {})) for media in content.values()]
    return {
        "status": status,
        "description": response.get("description", ""),
        "shape": next(filter(None, shapes), ""),
        "kind": ", ".join(content),
    }


def _fields(shape: Facts) -> list[Facts]:
    required = shape.get("required", [])
    return [
        {
            "name": name,
            "required": name in required,
            "is": _in_words(schema),
            "is_list": schema.get("type") == "array",
            "shape": _shape_of(schema),
            "description": schema.get("description", ""),
        }
        for name, schema in shape.get("properties", {}).items()
    ]


def _shape_of(schema: Facts) -> str:
    """The name of the shape that a schema refers to, itself or in a list; else empty."""
    refers = [schema, schema.get("items", {}), *schema.get("allOf", []), *schema.get("oneOf", [])]
    return next((one["$ref"].rpartition("/")[2] for one in refers if "$ref" in one), "")


def _in_words(schema: Facts) -> str:
    """``string, date-time``; ``integer, 1 to 36,500``; ``one of true, false``."""
    if "enum" in schema:
        return f"one of {', '.join(map(str, schema['enum']))}"
    kinds = schema.get("type", "")
    words = [kinds if isinstance(kinds, str) else " or ".join(kinds), schema.get("format", "")]
    if "minimum" in schema and "maximum" in schema:
        words.append(f"{schema['minimum']:,} to {schema['maximum']:,}")
    return ", ".join(filter(None, words))
