"""Translates the core's errors into the API's answers, for all views."""

import logging
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from rest_framework import status
from rest_framework.exceptions import APIException
from rest_framework.response import Response
from rest_framework.views import exception_handler

from housekeeping.api.rules import problems
from housekeeping.api.rules.renderers import PlainJSONRenderer
from housekeeping.exceptions import (
    AlreadyRequested,
    BadColumn,
    BadField,
    BadRetention,
    BadSize,
    BadTrigger,
    CannotPreview,
    DatabaseUnreachable,
    HousekeepingError,
    KeyReused,
    NotAllowed,
    NotPossible,
    PlanInDryRun,
    PolicyFailed,
    QueueUnreachable,
    RunInProgress,
    UnknownChannel,
    UnknownPolicy,
    UnknownSchedule,
    UnknownTable,
    UnknownTask,
    outage_of,
)
from housekeeping.reading import as_json

logger = logging.getLogger(__name__)

CODES: dict[type[HousekeepingError], int] = {
    UnknownChannel: status.HTTP_404_NOT_FOUND,
    UnknownPolicy: status.HTTP_404_NOT_FOUND,
    UnknownSchedule: status.HTTP_404_NOT_FOUND,
    UnknownTable: status.HTTP_404_NOT_FOUND,
    UnknownTask: status.HTTP_409_CONFLICT,  # the retry of an old run; serializers refuse other requests
    RunInProgress: status.HTTP_409_CONFLICT,
    NotPossible: status.HTTP_409_CONFLICT,
    PolicyFailed: status.HTTP_409_CONFLICT,  # no mistake of who asks, and over once the policy is corrected
    NotAllowed: status.HTTP_403_FORBIDDEN,
    KeyReused: status.HTTP_422_UNPROCESSABLE_ENTITY,
    DatabaseUnreachable: status.HTTP_503_SERVICE_UNAVAILABLE,
    QueueUnreachable: status.HTTP_503_SERVICE_UNAVAILABLE,
}
FIELDS: dict[type[HousekeepingError], str] = {
    BadTrigger: "trigger",
    BadRetention: "retention_days",
    BadSize: "until",
    BadColumn: "column",
    CannotPreview: "dry_run",
    PlanInDryRun: "plan",
}


def answer(error: Exception, context: dict[str, Any]) -> Response | None:
    """An EXCEPTION_HANDLER for DRF. Returns None for other errors, which Django handles as the site's own."""
    # A problem is always JSON, even if a table or YAML was asked for.
    request = context["request"]
    request.accepted_renderer = PlainJSONRenderer()
    request.accepted_media_type = PlainJSONRenderer.media_type
    if isinstance(error, BadField) or type(error) in {**CODES, **FIELDS}:
        assert isinstance(error, HousekeepingError)
        code, body = translate(error)
        return problems.response(body, code)
    if outage := outage_of(error):
        logger.error("%s: %s", outage.english, error)
        code, body = translate(outage)
        return problems.response(body, code)
    response = exception_handler(error, context)
    if response is not None:
        body = problems.complete(response.data, _code_of(error))
        response.data = problems.sent(body, response.status_code)
        response.content_type = problems.MEDIA_TYPE
    return response


def translate(error: HousekeepingError) -> tuple[int, dict[str, Any]]:
    """The status and the body for an error of the core."""
    field = error.field if isinstance(error, BadField) else FIELDS.get(type(error))
    if field:
        return status.HTTP_400_BAD_REQUEST, problems.refused({field: [str(error)]})
    body = problems.body(str(error), word_for(type(error)))
    if isinstance(error, RunInProgress | AlreadyRequested):
        body["run"] = as_json.run(error.run)
    return CODES[type(error)], body


def word_for(kind: type[HousekeepingError]) -> str:
    """The ``code`` of an error of the core: ``queue_unreachable``."""
    return problems.snake_case(kind.__name__)


def _code_of(error: Exception) -> str:
    if isinstance(error, Http404):
        return "not_found"
    if isinstance(error, PermissionDenied):
        return "permission_denied"
    codes = error.get_codes() if isinstance(error, APIException) else ""
    return codes if isinstance(codes, str) else "invalid"
