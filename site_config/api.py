"""Where the JSON API of the site is: that of housekeeping, that of the chat, and the tokens for both."""

from django.http import HttpRequest

PREFIX = "/api/"


def is_api(request: HttpRequest) -> bool:
    return request.path.startswith(PREFIX)
