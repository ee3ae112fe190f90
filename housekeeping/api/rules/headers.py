"""What each answer of the API says about itself: who may keep it, and whether it has changed.

An answer is kept by its reader alone, who asks again each time. A GET has an ETag: asked with
If-None-Match, it is 304 for as long as nothing has changed. The view has checked the rights by
then, so somebody who may not see an answer is not told that it is unchanged either.
"""

from typing import Any

from django.http.response import HttpResponseBase
from django.middleware.http import ConditionalGetMiddleware
from django.utils.cache import patch_cache_control, patch_vary_headers

_conditional = ConditionalGetMiddleware(lambda request: None)  # type: ignore[arg-type]


def mark(request: Any, response: HttpResponseBase) -> None:
    """Say who may keep ``response``. A view's own Cache-Control stays."""
    patch_vary_headers(response, ["Authorization"])
    if request.method not in ("GET", "HEAD"):
        patch_cache_control(response, no_store=True)
    elif not response.has_header("Cache-Control"):
        patch_cache_control(response, private=True, no_cache=True)


def unless_known(request: Any, response: Any) -> Any:
    """``response`` with its ETag, or 304 if the client has just this. For one that is rendered."""
    return _conditional.process_response(request, response) if response.status_code == 200 else response
