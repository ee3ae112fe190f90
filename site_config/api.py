"""Where the JSON API of the site is: that of housekeeping, that of the chat, and the tokens for both."""

from django.http import HttpRequest

PREFIX = "/api/"


def is_api(request: HttpRequest) -> bool:
    # Not ``path``, which begins with the path that the whole site is mounted below.
    return request.path_info.startswith(PREFIX)
