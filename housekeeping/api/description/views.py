"""The views of a description, for programs (``schema``) and for people (``docs``). Open to everybody."""

import json
from functools import partial
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import get_language
from drf_spectacular.renderers import (
    OpenApiJsonRenderer,
    OpenApiJsonRenderer2,
    OpenApiYamlRenderer,
    OpenApiYamlRenderer2,
)
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.permissions import AllowAny
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from housekeeping.api.base import HousekeepingView, operation
from housekeeping.api.description.document import OWN, Description
from housekeeping.api.rules import headers, problems
from housekeeping.reading.as_json.fields import Facts


class _Once(BaseRenderer):
    """Renders a description the first time, and then returns the same text."""

    def render(self, data: Any, *args: Any, **options: Any) -> Any:
        if not isinstance(data, Description):  # the answer to OPTIONS
            return super().render(data, *args, **options)
        return data.text(self.media_type, super().render)


KINDS = (OpenApiJsonRenderer2, OpenApiJsonRenderer, OpenApiYamlRenderer, OpenApiYamlRenderer2)
RENDERERS: tuple[type[BaseRenderer], ...] = tuple(type(kind.__name__, (_Once, kind), {}) for kind in KINDS)


class SchemaView(HousekeepingView):
    described: ClassVar[Description]
    authentication_classes = ()
    renderer_classes = RENDERERS

    @operation(
        "This description, as OpenAPI 3.1",
        {(200, kind.media_type): {"type": "object", "additionalProperties": True} for kind in RENDERERS},
        right=AllowAny,
        tag="about",
    )
    def get(self, request: Request) -> Response:
        return Response(self.described)


class HousekeepingSchema(SchemaView):
    described = OWN


def docs(request: HttpRequest, described: Description) -> HttpResponse:
    """The description as a page without scripts, so it needs no exception to a site's CSP."""
    if request.method not in ("GET", "HEAD"):
        return _not_allowed(request)
    content = described.text(f"page in {get_language()}", partial(_content, reverse(described.address)))
    # Nothing can be posted from this page. With a CSRF token it would be another page each time.
    page = render(request, "housekeeping/api_docs.html", {"content": content, "csrf_token": ""})
    headers.mark(request, page)
    known: HttpResponse = headers.unless_known(request, page)
    return known


def _content(schema_url: str, document: Facts) -> str:
    facts = {
        "about": document["info"]["description"],
        "schema_url": schema_url,
        "sections": [_section(tag, document) for tag in document["tags"]],
        "shapes": [
            {"name": name, "description": shape.get("description", ""), "fields": _fields(shape)}
            for name, shape in document["components"]["schemas"].items()
            if not name.endswith("Request")
        ],
    }
    return render_to_string("housekeeping/_api_docs.html", facts)


def _not_allowed(request: HttpRequest) -> HttpResponse:
    """A problem in JSON, as everywhere below the API's address."""
    message = str(MethodNotAllowed(str(request.method)).detail)
    answer = problems.answer(message, MethodNotAllowed.default_code, 405)
    answer["Allow"] = "GET, HEAD"
    return answer


def _section(tag: Facts, document: Facts) -> Facts:
    operations = [
        _operation(method, path, operation, document)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if tag["name"] in operation["tags"]
    ]
    return {**tag, "operations": operations}


def _operation(method: str, path: str, operation: Facts, document: Facts) -> Facts:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    name = _shape_of(body.get("schema", {}))
    asked = document["components"]["schemas"].get(name, {})
    return {
        "id": operation["operationId"],
        "method": method.upper(),
        "path": path,
        "summary": operation.get("summary", ""),
        "is_open": not any(operation.get("security", [])),
        "parameters": [
            {**one, "is": _in_words(one.get("schema", {}))} for one in operation.get("parameters", [])
        ],
        "body": asked.get("description", ""),
        "fields": _fields(asked),
        "examples": [
            {"name": one.get("summary", name), "text": json.dumps(one["value"])}
            for name, one in body.get("examples", {}).items()
        ],
        "answers": [
            _answer(status, _followed(response, document))
            for status, response in operation["responses"].items()
        ],
    }


def _followed(response: Facts, document: Facts) -> Facts:
    """The response that a reference leads to; without a reference, the response itself."""
    name = response.get("$ref", "").rpartition("/")[2]
    found: Facts = document["components"]["responses"][name] if name else response
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
    """The name of the shape that a schema refers to, directly or in a list; empty for none."""
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
