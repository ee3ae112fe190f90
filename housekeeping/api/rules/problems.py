"""Problems: all answers of the API that are not a success, in one shape.

``message`` is a sentence for a person, ``code`` a word for a program. A refused request has
``fields``: for each field, sentences about what was wrong. Older clients read these at the top
level, too.

They are sent as RFC 9457 defines it, with its members ``type``, ``title``, ``status`` and ``detail``. If a
refused field has one of these names, its sentences keep that place: the RFC lets clients ignore a member of
another type.
"""

import re
from http import HTTPStatus
from typing import Any

from django.http import JsonResponse
from rest_framework.exceptions import APIException
from rest_framework.response import Response
from rest_framework.settings import api_settings

from housekeeping.reading.as_json import Run
from housekeeping.reading.as_json.fields import GIVEN, AnyObject, AnyValue, Many, Map, Object, One, Text

Refused = dict[str, list[str]]

MEDIA_TYPE = "application/problem+json"
RESERVED = ("message", "code", "fields")
NO_FIELD = "non_field_errors"  # the name for errors that belong to no field


class Problem(Object[None]):
    """Every answer that is not a success (RFC 9457). Refused fields are in ``fields``, and at the top level
    as well."""

    message = Text(GIVEN, help="A sentence for a person.")
    code = Text(GIVEN, help="A word for a program.")
    fields = Map(Many(Text()), GIVEN, optional=True, help="By field: sentences about what was wrong.")
    type = Text(GIVEN, optional=True, help="about:blank: code tells the kind of the problem.")
    # Any value, since a refused field may be called title or status.
    title = AnyValue(GIVEN, optional=True, help="In words, unless a field of this name is refused.")
    status = AnyValue(GIVEN, optional=True, help="Unless a field of this name is refused.")
    detail = Text(GIVEN, optional=True, help="The same as message.")
    run = One(Run, GIVEN, optional=True, help="The run that it is about.")
    error = Text(GIVEN, optional=True, help="What a failed run raised.")
    result = AnyObject(
        GIVEN, nullable=True, optional=True, help="The part of its work that a failed run has done."
    )


class SignInTooOld(APIException):
    """The header is that of RFC 9470, by which a client learns that it has to sign in again."""

    status_code = HTTPStatus.UNAUTHORIZED
    default_code = "sign_in_too_old"
    default_detail = "The sign-in is too old for this. Sign in again, and repeat the request."
    auth_header = 'Bearer error="insufficient_user_authentication"'


def body(message: str, code: str, **more: Any) -> dict[str, Any]:
    return Problem.of(None, message=message, code=code, **more)


def refused(fields: Refused) -> dict[str, Any]:
    """The body for a request with fields that can't be used."""
    at_the_top = {name: sentences for name, sentences in fields.items() if name not in RESERVED}
    return at_the_top | body(_in_one_line(fields), "invalid", fields=fields)


def complete(data: Any, code: str) -> dict[str, Any]:
    """DRF's own answers, in the shape of problems."""
    if isinstance(data, dict) and "detail" in data:
        return body(str(data["detail"]), str(data.get("code", code))) | data
    everything = data if isinstance(data, dict) else {NO_FIELD: data}
    return refused({_name(field): _flat(sentences) for field, sentences in everything.items()})


def sent(problem: dict[str, Any], status: int) -> dict[str, Any]:
    """A body with the members of RFC 9457."""
    facts = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    return problem | {
        name: value for name, value in (facts | {"detail": problem["message"]}).items() if name not in problem
    }


def response(problem: dict[str, Any], status: int) -> Response:
    return Response(sent(problem, status), status=status, content_type=MEDIA_TYPE)


def answer(message: str, code: str, status: int) -> JsonResponse:
    """A problem for code outside the views of the API, such as middleware."""
    return JsonResponse(sent(body(message, code), status), status=status, content_type=MEDIA_TYPE)


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
    """The project may have set another name for errors without a field."""
    return NO_FIELD if field == api_settings.NON_FIELD_ERRORS_KEY else _clean(field)


def _flat(sentences: Any) -> list[str]:
    """The sentences about a field. Within a list or an object, each begins with its place in it."""
    if isinstance(sentences, dict):
        return [f"{place}: {one}" for place, inner in sentences.items() for one in _flat(inner)]
    if isinstance(sentences, list | tuple):
        return [one for inner in sentences for one in _flat(inner)]
    return [_clean(sentences)]


def _clean(text: Any) -> str:
    """Escapes lone surrogates, which can't be sent as UTF-8: \\ud800."""
    return str(text).encode(errors="backslashreplace").decode()
