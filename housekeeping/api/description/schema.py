"""The OpenAPI description of one operation.

``base.operation`` declares its requests and responses. Its problems follow from its rights, its throttles,
its body and its query.
"""

import re
from collections.abc import Iterable
from typing import Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiParameter
from rest_framework.permissions import AllowAny, IsAuthenticated

from housekeeping.api.description.examples import problem_examples
from housekeeping.api.description.meanings import KEYS, MEANINGS, SHAPES
from housekeeping.api.description.shapes import serializer_of
from housekeeping.api.rules import problems
from housekeeping.api.rules.preconditions import GUARDED
from housekeeping.api.rules.problems import Problem, snake_case
from housekeeping.api.serializers import Strict, TaskField
from housekeeping.declared import registry
from housekeeping.reading.as_json.fields import Facts

ETAG = {
    "ETag": {
        "schema": {"type": "string"},
        "description": "Send it as If-None-Match to get the response only if it has changed.",
    }
}

VERBS = {"GET": "get", "POST": "create", "PUT": "set", "PATCH": "change", "DELETE": "delete"}
# Each address in a document begins at the root of the site that serves it.
SERVERS = [{"url": "/", "description": "The site that serves this description."}]
CONTACT = {"name": "The administrators of this site"}

IF_MATCH = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    description="The ETag of an earlier GET: 412 if somebody has changed the object since.",
)

# The types of keys in addresses, by the part before them. An address itself takes a pattern.
RUN_ID = {"type": "string", "format": "uuid"}
KINDS = {
    "runs": RUN_ID,
    "results": RUN_ID,
    "erasures": RUN_ID,
    "holds": {"type": "integer", "minimum": 1, "maximum": 10**18 - 1},
}

# The groups of the app's own operations; a project's own groups come between them.
FIRST_TAG = {
    "name": "housekeeping",
    "description": "Runs, schedules, policies, holds, erasures, tables, and the figures about them.",
}
LAST_TAG = {"name": "about", "description": "This description."}


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


class Schema(AutoSchema):
    """Extends drf-spectacular's by ETags, the problems, and names of operations."""

    def get_operation_id(self) -> str:
        """A verb and a noun, from the names of the method and of the view.

        ``list_holds`` and ``create_hold`` for HoldList, ``get_hold`` for HoldDetail. A view that has POST
        alone is called by what it does: ``undo_run`` for UndoRun.
        """
        name = snake_case(type(self.view).__name__)
        if set(self.view.http_method_names) - {"options", "head"} == {"post"}:
            return name
        noun = name.removesuffix("_list").removesuffix("_detail")
        if name.endswith("_list") and self.method != "POST":
            verb = "list" if self.method == "GET" else VERBS[self.method]
            return f"{verb}_{re.sub('y$', 'ie', noun)}s"
        return f"{VERBS[self.method]}_{noun}"

    def get_override_parameters(self) -> list[Any]:
        is_guarded = getattr(self.view, "changeable", ()) and self.method in GUARDED
        return [*super().get_override_parameters(), *([IF_MATCH] if is_guarded else [])]

    def get_description(self) -> str:  # type: ignore[override]  # its stub is wrong
        """What the view's docstring says, or else its summary; and the right that it needs."""
        told = super().get_description() or f"{self.get_summary()}."
        declared = getattr(self.view, "operations", {}).get(self.method)
        right = getattr(declared.right, "right", "") if declared else ""
        return f"{told}\n\nNeeds the right {right}." if right else told

    def get_examples(self) -> list[OpenApiExample]:
        """Made only now: while the views are imported, the apps may not be loaded yet."""
        declared = getattr(self.view, "operations", {}).get(self.method)
        bodies = declared.examples() if declared else {}
        return [OpenApiExample(name, body, request_only=True) for name, body in bodies.items()]

    def get_operation(self, *args: Any, **options: Any) -> Facts | None:
        operation: Facts | None = super().get_operation(*args, **options)
        if operation is not None:
            operation["responses"] = self.completed(operation)
        return operation

    def completed(self, operation: Facts) -> Facts:
        """All responses, with 304 and the problems, sorted by status."""
        found: Facts = operation["responses"]
        if self.method == "GET" and "200" in found:
            found["200"].setdefault("headers", {}).update(ETAG)
            found["304"] = {"description": "Not changed since the ETag in If-None-Match.", "headers": ETAG}
        shape = self.resolve_serializer(serializer_of(Problem), "response").ref
        expected = self.problems(operation)
        for code, problem in problem_examples().items():
            if found.get(str(code), {}).get("description"):
                continue  # the view has described it
            if code in expected or str(code) in found:
                content = {"schema": shape, "example": problems.sent(problem.example, code)}
                described = {"content": {problems.MEDIA_TYPE: content}, "description": problem.why}
                headers = found.get(str(code), {}).get("headers", {}) | problem.headers
                found[str(code)] = described | ({"headers": headers} if headers else {})
        return {code: found[code] for code in sorted(found)}

    def problems(self, operation: Facts) -> set[int]:
        """The statuses of the problems that follow from the operation's declaration."""
        asked = [one for one in operation.get("parameters", []) if one["in"] != "path"]
        reads_body = "requestBody" in operation
        is_for_some = {type(one) for one in self.view.get_permissions()} - {AllowAny, IsAuthenticated}
        found = {
            400: reads_body or asked,
            401: self.looks_at_tokens(),
            403: is_for_some,
            404: "{" in self.path or any(one["name"] == "cursor" for one in asked),
            406: True,
            412: any(one["name"] == IF_MATCH.name for one in asked),
            413: reads_body,
            415: reads_body,
            429: any(
                self.method in getattr(one, "counted", self.method) for one in self.view.get_throttles()
            ),
            503: True,
        }
        return {code for code, is_answered in found.items() if is_answered}

    def looks_at_tokens(self) -> bool:
        return bool(self.view.get_authenticators())


class TaskNames(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """A task's name is one of those that the project declares."""

    target_class = TaskField

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> Facts:
        return {"type": "string", "enum": list(registry.TASKS)}


def tidy(result: Facts, **facts: Any) -> Facts:
    """drf-spectacular's hook for a finished document.

    It removes the optional slash of addresses, renames their keys, writes each problem once, and adds the
    rules for bodies that no field can express. Generators of clients ask for servers, for a contact, and for
    an empty ``security`` where no token is needed.
    """
    result["servers"] = SERVERS
    result["info"].setdefault("contact", CONTACT)
    result["tags"] = [FIRST_TAG, *result.get("tags", []), LAST_TAG]
    result["paths"] = {_renamed(path): item for path, item in result["paths"].items()}
    shared = result["components"].setdefault("responses", {})
    for path, item in result["paths"].items():
        for operation in item.values():
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "path":
                    parameter["name"] = re.findall(r"{(\w+)}", path)[0]
                    part = path.partition("/{")[0].rpartition("/")[2]
                    parameter.setdefault("description", KEYS[part])
                    parameter["schema"] = KINDS.get(part, parameter["schema"])
                elif parameter["name"] in MEANINGS:
                    parameter.setdefault("description", MEANINGS[parameter["name"]])
            if not any(operation.get("security", [])):
                operation["security"] = []
            operation["responses"] = {
                code: _shared(shared, code, response) for code, response in operation["responses"].items()
            }
    result["components"]["responses"] = dict(sorted(shared.items()))
    result["components"]["schemas"]["Problem"]["additionalProperties"] = True  # refused fields
    for kind in _kinds(Strict):
        body = result["components"]["schemas"].get(f"{kind.__name__.removesuffix('Serializer')}Request", {})
        body.update(kind.schema_extra)
    shapes = result["components"]["schemas"]
    for name, shape in shapes.items():
        _explain(name, shape)
    for item in result["paths"].values():
        for operation in item.values():
            _explain_answers(operation["responses"].values(), shapes)
    return result


def _explain(name: str, shape: Facts) -> None:
    """Describe the shape and its fields if their declaration doesn't."""
    if name[-4:] in SHAPES:
        shape.setdefault("description", SHAPES[name[-4:]])
    for field, schema in shape.get("properties", {}).items():
        meaning = MEANINGS.get(f"{name}.{field}") or MEANINGS.get(field)
        if meaning and "$ref" not in schema:
            schema.setdefault("description", meaning)


def _explain_answers(answers: Iterable[Facts], shapes: Facts) -> None:
    """Describe each answer that has no words of its own by the object that it is."""
    for answer in answers:
        if answer.get("description") == "":
            schemas = [media.get("schema", {}) for media in answer.get("content", {}).values()]
            name = next((one["$ref"].rpartition("/")[2] for one in schemas if "$ref" in one), "")
            answer["description"] = shapes[name]["description"] if name else "Done."


def _shared(shared: Facts, code: str, response: Facts) -> Facts:
    """A reference to the shared problem, unless this response has headers of its own."""
    problem = problem_examples().get(int(code))
    if problem is None or response["description"] != problem.why:
        return response
    if set(response.get("headers", {})) - set(problem.headers):
        return response
    shared[f"Problem{code}"] = response
    return {"$ref": f"#/components/responses/Problem{code}"}


def _renamed(path: str) -> str:
    named = "name" if re.search(r"/(schedules|policies|tables|tasks|channels)/{", path) else "id"
    return re.sub(r"{\w+}", f"{{{named}}}", path).rstrip("/")


def _kinds(kind: type[Strict]) -> list[type[Strict]]:
    return [one for below in kind.__subclasses__() for one in (below, *_kinds(below))]
