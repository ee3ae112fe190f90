"""Caching headers of the API's answers.

Only the client itself may cache an answer, and must revalidate it each time. A GET or HEAD has an ETag: with
If-None-Match, the answer is 304 as long as nothing has changed. The view checks the rights first, so
nobody learns about changes of an answer that they may not see.
"""

from typing import Any

from django.http.response import HttpResponseBase
from django.middleware.http import ConditionalGetMiddleware
from django.utils.cache import (
    get_conditional_response,
    patch_cache_control,
    patch_vary_headers,
    set_response_etag,
)

_conditional = ConditionalGetMiddleware(lambda request: None)  # type: ignore[arg-type]


def mark(request: Any, response: HttpResponseBase) -> None:
    """Set Vary and Cache-Control of ``response``. For GET and HEAD, a view's own Cache-Control stays."""
    patch_vary_headers(response, ["Authorization"])
    if request.method not in ("GET", "HEAD"):
        patch_cache_control(response, no_store=True)
    elif not response.has_header("Cache-Control"):
        patch_cache_control(response, private=True, no_cache=True)


def unless_known(request: Any, response: Any) -> Any:
    """The rendered ``response`` with its ETag, or 304 if the client has it already."""
    if response.status_code != 200 or request.method not in ("GET", "HEAD"):
        return response
    # As Django's middleware does for GET. It leaves HEAD out, which other views may answer without a body.
    if _conditional.needs_etag(response) and not response.has_header("ETag"):
        set_response_etag(response)
    return get_conditional_response(request, etag=response.get("ETag"), response=response)
