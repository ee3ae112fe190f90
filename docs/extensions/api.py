"""The operations of the JSON API, from its description (reference/openapi.yaml) and its views."""

from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, cast

import yaml
from django.http import Http404
from django.urls import resolve

from extensions.tables import code, sentence, table
from extensions.urls import API
from housekeeping.api.base import HousekeepingView
from housekeeping.api.rules import permissions

Facts = dict[str, Any]
SAMPLES = ("7", "00000000-0000-0000-0000-000000000000", "name")  # of a key in an address
RIGHTS = {
    permissions.MayView: "`view_run`",
    permissions.MayOperate: "`operate`",
    permissions.MayConfigure: "`configure`",
    permissions.MayOperateOrConfigure: "`operate` or `configure`, by what changes",
}


@cache
def _described() -> Facts:
    return cast(Facts, yaml.safe_load((Path(__file__).parents[1] / "reference/openapi.yaml").read_text()))


def operations(argument: str, content: list[str]) -> list[str]:
    """Every operation with the tag ``argument``, below a heading for each address."""
    lines = []
    for path, methods in _described()["paths"].items():
        found = {method: one for method, one in methods.items() if argument in one["tags"]}
        lines += [f"### {path}", "", *_about(found.values())] if found else []
        for method, one in found.items():
            lines += _operation(method.upper(), path, one)
    return lines


def _about(operations: Iterable[Facts]) -> list[str]:
    """The facts about an address that its methods have in common."""
    told = dict.fromkeys(
        one["description"].partition("\n\n")[0] for one in operations if not _is_summary(one)
    )
    return [line for text in told if text and "\n" not in text for line in (sentence(text), "")]


def _is_summary(one: Facts) -> bool:
    """The description adds nothing to the summary but the right."""
    told = str(one["description"]).partition("\n\n")[0]
    return told == f"{one['summary']}."


def _operation(method: str, path: str, one: Facts) -> list[str]:
    asks = [*map(_parameter, one.get("parameters", [])), *_fields(one)]
    lines = [f"**{method}**: {sentence(one['summary'])} {_right(method, path, one)}", ""]
    lines += table(("name", "in", "type", "meaning"), asks) if asks else []
    return [*lines, f"Answers: {', '.join(_answers(one))}.", ""]


def _right(method: str, path: str, one: Facts) -> str:
    if not any(one.get("security", [])):
        return "Open to all."
    if not path.startswith(API):
        return "For who has signed in."
    return f"Right: {RIGHTS[_view(path).operations[method].right]}."


def _view(path: str) -> type[HousekeepingView]:
    for sample in SAMPLES:
        with suppress(Http404):  # the key of this address has another form
            found = resolve(path.replace("{id}", sample).replace("{name}", sample))
            return cast(type[HousekeepingView], getattr(found.func, "view_class"))  # noqa: B009
    raise ValueError(f"No view answers at {path}.")


def _parameter(facts: Facts) -> tuple[str, ...]:
    return code(facts["name"]), facts["in"], _type(facts["schema"]), _meaning(facts)


def _fields(one: Facts) -> list[tuple[str, ...]]:
    body = one.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    whole = _followed(body)
    needed = whole.get("required", [])
    return [
        (code(name), "body, needed" if name in needed else "body", _type(facts), _meaning(facts))
        for name, facts in whole.get("properties", {}).items()
    ]


def _meaning(facts: Facts) -> str:
    """The description, without the list of values that repeats the type."""
    return str(facts.get("description", "")).partition("\n\n*")[0]


def _followed(schema: Facts) -> Facts:
    name = schema.get("$ref", "").rpartition("/")[2]
    return cast(Facts, _described()["components"]["schemas"][name]) if name else schema


def _type(schema: Facts) -> str:
    whole = _followed(schema)
    if "enum" in whole:
        return " or ".join(code(value) for value in whole["enum"] if value is not None)
    kinds = whole.get("type", "object")
    kind = " or ".join(kinds) if isinstance(kinds, list) else str(kinds)
    limits = [str(whole[name]) for name in ("minimum", "maximum") if name in whole]
    return " ".join([kind, *([f"({' to '.join(limits)})"] if len(limits) == 2 else [])])


def _answers(one: Facts) -> list[str]:
    return [f"`{status}`{_what(answer)}" for status, answer in one["responses"].items()]


def _what(answer: Facts) -> str:
    """The object that a success holds."""
    for content in answer.get("content", {}).values():
        if name := content.get("schema", {}).get("$ref", "").rpartition("/")[2]:
            return f" {name}"
    return ""
