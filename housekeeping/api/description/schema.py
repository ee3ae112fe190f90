"""The API's description of itself (OpenAPI): what can be told of a view by looking at it.

A view says what it is asked and what it answers (``@described``); which problems it can answer
with follows from its rights, its throttles and what it reads.
"""

import re
from typing import Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework_simplejwt.views import TokenViewBase

from housekeeping.api.description import shapes
from housekeeping.api.rules.parsers import LARGEST
from housekeeping.api.rules.problems import snake_case
from housekeeping.api.serializers import TaskField
from housekeeping.declared import registry

ETAG = {
    "ETag": {"schema": {"type": "string"}, "description": "Send it as If-None-Match to hear of changes only."}
}
RETRY_AFTER = {
    "Retry-After": {"schema": {"type": "integer"}, "description": "Seconds until the next try is allowed."}
}
CHALLENGE = {"WWW-Authenticate": {"schema": {"type": "string"}, "description": "Bearer"}}

# By the status: why it is answered, its headers, and an example.
PROBLEMS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "400": (
        "The request can't be used: fields says why.",
        {},
        {
            "task": ["Name a task; choose one of all, stats."],
            "message": "task: Name a task; choose one of all, stats.",
            "code": "invalid",
            "fields": {"task": ["Name a task; choose one of all, stats."]},
        },
    ),
    "401": (
        "No token, or one that is not good (any more).",
        CHALLENGE,
        {
            "message": "Authentication credentials were not provided.",
            "code": "not_authenticated",
            "detail": "Authentication credentials were not provided.",
        },
    ),
    "403": (
        "The account lacks the right.",
        {},
        {
            "message": "You do not have permission to perform this action.",
            "code": "permission_denied",
            "detail": "You do not have permission to perform this action.",
        },
    ),
    "404": (
        "There is no such thing.",
        {},
        {"message": "There is nothing at this address.", "code": "not_found"},
    ),
    "406": (
        "The answer is not to be had in the form that Accept asks for.",
        {},
        {
            "message": "Could not satisfy the request Accept header.",
            "code": "not_acceptable",
            "detail": "Could not satisfy the request Accept header.",
        },
    ),
    "409": (
        "It can't be done as things stand; run is what stands in the way.",
        {},
        {"message": "This run is succeeded already.", "code": "not_possible"},
    ),
    "413": (
        f"The body has more than {LARGEST:,} bytes.",
        {},
        {"message": "The body is too large: at most 1,000,000 bytes.", "code": "too_large"},
    ),
    "415": (
        "The body is not said to be JSON.",
        {},
        {
            "message": 'Unsupported media type "text/plain" in request.',
            "code": "unsupported_media_type",
            "detail": 'Unsupported media type "text/plain" in request.',
        },
    ),
    "422": (
        "The idempotency key stands for another request.",
        {},
        {
            "message": "The idempotency key 'nightly' stands for another request, run 8f1c…: use a new one.",
            "code": "key_reused",
        },
    ),
    "429": (
        "Too many requests.",
        RETRY_AFTER,
        {
            "message": "Request was throttled. Expected available in 42 seconds.",
            "code": "throttled",
            "detail": "Request was throttled. Expected available in 42 seconds.",
        },
    ),
    "500": (
        "The run failed; error says of what.",
        {},
        {
            "message": "Delete old conversations: failed",
            "code": "run_failed",
            "error": "IntegrityError: FOREIGN KEY constraint failed",
        },
    ),
    "503": (
        "Database, queue or mail server is out of reach.",
        {},
        {"message": "The queue is out of reach.", "code": "queue_unreachable"},
    ),
}


def location(meaning: str, code: int) -> OpenApiParameter:
    """The Location header of the answers with this code."""
    return OpenApiParameter(
        "Location",
        {"type": "string", "format": "uri-reference"},
        OpenApiParameter.HEADER,
        description=meaning,
        required=True,
        response=[code],
    )


def request_example(name: str, value: Any) -> OpenApiExample:
    return OpenApiExample(name, value, request_only=True)


class Schema(AutoSchema):
    """DRF's DEFAULT_SCHEMA_CLASS."""

    def get_tags(self) -> list[str]:
        if self.path.startswith("/api/token"):
            return ["tokens"]
        return ["about"] if self.path.startswith("/api/schema") else ["chat"]

    def get_operation_id(self) -> str:
        """``hold_list`` for HoldList; with several methods, ``post_hold_list`` for each but GET."""
        name = snake_case(type(self.view).__name__)
        is_one_of_several = len(set(self.view.http_method_names) - {"options"}) > 1
        return f"{self.method.lower()}_{name}" if is_one_of_several and self.method != "GET" else name

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> Any:
        extra = getattr(serializer, "schema_extra", {})
        return super()._map_basic_serializer(serializer, direction) | extra  # type: ignore[no-untyped-call]

    def _get_response_bodies(self, direction: Any = "response") -> Any:
        bodies = super()._get_response_bodies(direction)
        if self.method == "GET" and "200" in bodies:
            bodies["200"].setdefault("headers", {}).update(ETAG)
            bodies["304"] = {"description": "Nothing has changed since that ETag.", "headers": ETAG}
        for code in sorted(self._problems() - set(bodies)):
            problem = OpenApiResponse(shapes.Problem, PROBLEMS[code][0])
            bodies[code] = self._get_response_for_code(  # type: ignore[no-untyped-call]
                problem, code, ["application/json"], direction
            )
        for code in set(bodies) & set(PROBLEMS):
            _, headers, example = PROBLEMS[code]
            bodies[code]["content"]["application/json"]["example"] = example
            bodies[code].setdefault("headers", {}).update(headers)
        return {code: _trimmed(bodies[code]) for code in sorted(bodies)}

    def _problems(self) -> set[str]:
        reads_body = bool(self._get_request_body())  # type: ignore[no-untyped-call]
        reads = reads_body or any(one["in"] != "path" for one in self._get_parameters())
        is_for_some = {type(one) for one in self.view.get_permissions()} - {AllowAny, IsAuthenticated}
        knows_tokens = self.view.get_authenticators() or isinstance(self.view, TokenViewBase)
        found = {
            "400": reads,
            "401": knows_tokens,
            "403": is_for_some,
            "404": "{" in self.path or any(one["name"] == "cursor" for one in self._get_parameters()),
            "406": True,
            "413": reads_body,
            "415": reads_body,
            "429": self.view.get_throttles(),
            "503": True,
        }
        return {code for code, answers in found.items() if answers}


class TaskNames(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """A task's name is one of the tasks that the site declares."""

    target_class = TaskField

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        return {"type": "string", "enum": list(registry.TASKS)}


def tidy(result: dict[str, Any], **facts: Any) -> dict[str, Any]:
    """A postprocessing hook: addresses without the slash that is not needed, keys under their name."""
    result["paths"] = {_renamed(path): item for path, item in result["paths"].items()}
    shared = result["components"].setdefault("responses", {})
    for path, item in result["paths"].items():
        for operation in item.values():
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "path":
                    parameter["name"] = re.findall(r"{(\w+)}", path)[0]
            operation["responses"] = {
                code: _shared(shared, code, response) for code, response in operation["responses"].items()
            }
    return result


def _shared(shared: dict[str, Any], code: str, response: dict[str, Any]) -> dict[str, Any]:
    """Problems look the same everywhere: they are written once and referred to."""
    if code not in PROBLEMS or set(response.get("headers", {})) - set(PROBLEMS[code][1]):
        return response
    shared[f"Problem{code}"] = response
    return {"$ref": f"#/components/responses/Problem{code}"}


def _renamed(path: str) -> str:
    named = "name" if re.search(r"/(schedules|policies)/{", path) else "id"
    return re.sub(r"{\w+}", f"{{{named}}}", path).rstrip("/")


def _trimmed(response: dict[str, Any]) -> dict[str, Any]:
    if not response.get("headers"):
        response.pop("headers", None)
    return response
