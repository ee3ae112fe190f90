"""What every answer of the API says about itself: who may keep it, and whether it has changed."""

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.http import ConditionalGetMiddleware
from django.utils.cache import patch_cache_control, patch_vary_headers

from housekeeping.api.rules.problems import is_api


class ApiAnswers:
    """Answers below /api/ are kept by nobody but their reader, who asks each time.

    A GET has an ETag; asked with If-None-Match it is 304 as long as nothing has changed. By
    then the view has looked at the token: who may not see it is never told that much.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.conditional = ConditionalGetMiddleware(get_response)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if not is_api(request):
            return response
        patch_vary_headers(response, ["Authorization"])
        if request.method not in ("GET", "HEAD"):
            patch_cache_control(response, no_store=True)
            return response
        if not response.has_header("Cache-Control"):
            patch_cache_control(response, private=True, no_cache=True)
        if response.status_code != 200:
            return response
        return self.conditional.process_response(request, response)
