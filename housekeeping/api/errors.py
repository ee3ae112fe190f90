"""The core's errors as answers: the one place where the API translates them."""

import logging
from typing import Any

from django.core.exceptions import ValidationError
from django.db import InterfaceError, OperationalError
from rest_framework import status
from rest_framework.response import Response
from rest_framework.views import exception_handler

from housekeeping import overview
from housekeeping.exceptions import (
    BadHold,
    BadRetention,
    BadTrigger,
    HousekeepingError,
    NotPossible,
    QueueUnreachable,
    RunInProgress,
    UnknownPolicy,
    UnknownSchedule,
    UnknownTask,
    is_database_gone,
)

logger = logging.getLogger(__name__)

CODES: dict[type[HousekeepingError], int] = {
    UnknownPolicy: status.HTTP_404_NOT_FOUND,
    UnknownSchedule: status.HTTP_404_NOT_FOUND,
    UnknownTask: status.HTTP_409_CONFLICT,  # of an old run; a request for one is refused as it is read
    RunInProgress: status.HTTP_409_CONFLICT,
    NotPossible: status.HTTP_409_CONFLICT,
    QueueUnreachable: status.HTTP_503_SERVICE_UNAVAILABLE,
}


def answer(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's EXCEPTION_HANDLER. None leaves the error to Django, as a failure of the site."""
    if isinstance(error, BadTrigger):
        return Response({"trigger": [str(error)]}, status=status.HTTP_400_BAD_REQUEST)
    if isinstance(error, BadRetention):
        return Response({"retention_days": [str(error)]}, status=status.HTTP_400_BAD_REQUEST)
    if isinstance(error, BadHold):
        return Response({error.field: [str(error)]}, status=status.HTTP_400_BAD_REQUEST)
    if isinstance(error, HousekeepingError) and type(error) in CODES:
        body: dict[str, Any] = {"message": str(error)}
        if isinstance(error, RunInProgress):
            body["run"] = overview.run_as_json(error.run)
        return Response(body, status=CODES[type(error)])
    if isinstance(error, ValidationError):  # a cursor that was made up, not taken from a page
        return Response({"message": "; ".join(error.messages)}, status=status.HTTP_400_BAD_REQUEST)
    if isinstance(error, OperationalError | InterfaceError) and is_database_gone(error):
        logger.error("The database is out of reach: %s", error)
        body = {"message": "The database is out of reach. Please try again later."}
        return Response(body, status=status.HTTP_503_SERVICE_UNAVAILABLE)
    return exception_handler(error, context)
