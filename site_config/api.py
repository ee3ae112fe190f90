"""Where the site has its JSON API: the housekeeping's, the chat's, and the tokens for both."""

from django.http import HttpRequest

PREFIX = "/api/"


def is_api(request: HttpRequest) -> bool:
    return request.path.startswith(PREFIX)
