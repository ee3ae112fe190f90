"""If-Match: a change that is made only if nobody else has changed the object since it was read.

The ETag of an object that can be changed begins with its version: a hash of the fields that its address
changes. If-Match compares the version alone. Otherwise a run that starts meanwhile would refuse the change of
a schedule, as its ``last_run`` is in the answer, too. Weak ETags are compared as well, because a proxy that
compresses an answer makes its ETag weak.
"""

import hashlib
import json
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from django.utils.cache import set_response_etag
from django.utils.http import parse_etags
from rest_framework.exceptions import APIException
from rest_framework.response import Response

from housekeeping.database.transactions import take_turns, writing

GUARDED = ("PUT", "PATCH", "DELETE")

Handler = TypeVar("Handler", bound=Callable[..., Response])


class Changed(APIException):
    status_code = 412
    default_code = "precondition_failed"
    default_detail = "It has changed since you read it: read it again. Nothing was done."


def checked(handler: Handler) -> Handler:
    """Let a handler of GUARDED run only if If-Match allows it. The views tell their ``changeable`` fields."""

    @wraps(handler)
    def check_and_handle(view: Any, request: Any, *args: Any, **kwargs: Any) -> Response:
        wanted = request.headers.get("If-Match")
        if wanted is None:
            return handler(view, request, *args, **kwargs)
        if view.operation.asks:
            view.read()  # a request that is not valid is refused for that, whatever its If-Match
        with writing():
            # Of two requests with the same ETag, the second one reads what the first one has changed.
            take_turns()
            if wanted.strip() != "*" and not _matches(
                view, wanted, lambda: view.get(request, *args, **kwargs)
            ):
                raise Changed
            return handler(view, request, *args, **kwargs)

    return check_and_handle  # type: ignore[return-value]


def mark(response: Any, changeable: tuple[str, ...]) -> Any:
    """Set an ETag that begins with the version. Call it once the response is rendered."""
    set_response_etag(response)
    response["ETag"] = f'"{_version(response.data, changeable)}-{response["ETag"][1:]}'
    return response


def _matches(view: Any, wanted: str, read: Callable[[], Response]) -> bool:
    if not view.changeable:
        return False  # nothing can be read at this address
    known = f'"{_version(read().data, view.changeable)}-'
    return any(tag.removeprefix("W/").startswith(known) for tag in parse_etags(wanted))


def _version(data: Any, changeable: tuple[str, ...]) -> str:
    facts = [{name: one[name] for name in changeable} for one in data.get("results", [data])]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
