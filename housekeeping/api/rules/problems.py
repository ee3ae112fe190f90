"""Problems: every answer of the API that is no success, in one shape.

``message`` is a sentence for a person, ``code`` a word for a program. A refused request has
``fields``: by field, the sentences that say what was wrong; each stands at the top, too, as does
``detail`` where Django REST framework says so (older clients read these). What a run is about
has ``run``.
"""

import re
from typing import Any

from django.http import JsonResponse
from rest_framework.settings import api_settings

from housekeeping.reading.as_json import Run
from housekeeping.reading.as_json.fields import GIVEN, AnyObject, Many, Map, Object, One, Text

Refused = dict[str, list[str]]

RESERVED = ("message", "code", "fields")
NO_FIELD = "non_field_errors"  # the name of what is wrong with no field in particular


class Problem(Object[None]):
    """Every answer that is no success. A refused field stands at the top, too, beside ``fields``."""

    message = Text(GIVEN, help="A sentence for a person.")
    code = Text(GIVEN, help="A word for a program.")
    fields = Map(Many(Text()), GIVEN, optional=True, help="By field: what was wrong with it.")
    detail = Text(GIVEN, optional=True, help="The same as message, for older clients.")
    run = One(Run, GIVEN, optional=True, help="The run that it is about.")
    error = Text(GIVEN, optional=True, help="What a failed run raised.")
    result = AnyObject(GIVEN, nullable=True, optional=True, help="What a failed run did all the same.")


def body(message: str, code: str, **more: Any) -> dict[str, Any]:
    return Problem.of(None, message=message, code=code, **more)


def refused(fields: Refused) -> dict[str, Any]:
    """A request whose fields can't be used."""
    at_the_top = {name: sentences for name, sentences in fields.items() if name not in RESERVED}
    return at_the_top | body(_in_one_line(fields), "invalid", fields=fields)


def complete(data: Any, code: str) -> dict[str, Any]:
    """The shape, around what Django REST framework answers by itself."""
    if isinstance(data, dict) and "detail" in data:
        return body(str(data["detail"]), str(data.get("code", code))) | data
    everything = data if isinstance(data, dict) else {NO_FIELD: data}
    return refused({_name(field): _flat(sentences) for field, sentences in everything.items()})


def answer(message: str, code: str, status: int, **more: Any) -> JsonResponse:
    """For where no view of the API is at work."""
    return JsonResponse(body(message, code, **more), status=status)


def snake_case(name: str) -> str:
    """``queue_unreachable`` for QueueUnreachable: how names of classes are written in JSON."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _in_one_line(fields: Refused) -> str:
    return " ".join(
        sentence if name == NO_FIELD else f"{name}: {sentence}"
        for name, sentences in fields.items()
        for sentence in sentences
    )


def _name(field: str) -> str:
    """A project may have another word for errors of no field."""
    return NO_FIELD if field == api_settings.NON_FIELD_ERRORS_KEY else _clean(field)


def _flat(sentences: Any) -> list[str]:
    """The sentences of a field, each with its place where the field is a list or an object."""
    if isinstance(sentences, dict):
        return [f"{place}: {one}" for place, inner in sentences.items() for one in _flat(inner)]
    if isinstance(sentences, list | tuple):
        return [one for inner in sentences for one in _flat(inner)]
    return [_clean(sentences)]


def _clean(text: Any) -> str:
    """As it can be sent: half a character (a lone surrogate) that somebody wrote is told as \\ud800."""
    return str(text).encode(errors="backslashreplace").decode()
