"""Response headers that Django has no setting for, the client's address, and the language."""

import ipaddress
from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.middleware.locale import LocaleMiddleware
from django.utils import translation

from housekeeping.api.rules import headers, problems
from site_config.api import is_api

GetResponse = Callable[[HttpRequest], HttpResponse]

# The site uses none of these features, and an injected script must not use them either.
PERMISSIONS_POLICY = "publickey-credentials-get=(self), " + ", ".join(
    f"{feature}=()"
    for feature in (
        "accelerometer",
        "browsing-topics",
        "camera",
        "display-capture",
        "geolocation",
        "gyroscope",
        "hid",
        "magnetometer",
        "microphone",
        "midi",
        "payment",
        "serial",
        "usb",
        "xr-spatial-tracking",
    )
)


class SecurityHeaders:
    """Middleware: restricts what a browser may do with a response. A view's own headers win."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        answer = self.get_response(request)
        answer.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        answer.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        answer.headers.setdefault("Cache-Control", "no-store")  # pages, files, answers to forms
        if _is_sign_out(request):
            # Without "cookies", which would also clear those of sibling domains, and they are not ours.
            answer.headers["Clear-Site-Data"] = '"cache", "storage"'
        return answer


def _is_sign_out(request: HttpRequest) -> bool:
    match = request.resolver_match
    return request.method == "POST" and match is not None and match.url_name == "logout"


class ClientAddress:
    """Middleware: behind our own proxy, sets ``REMOTE_ADDR`` to the client that the proxy saw.

    That is the last address in X-Forwarded-For. Each proxy appends the address of its own client; the
    addresses before it come from that client, who may have made them up. Some proxies (Azure's, and AWS's
    with a setting) append the client's port to the address.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.BEHIND_PROXY:
            last = request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip()
            if address := without_port(last):
                request.META["REMOTE_ADDR"] = address
        return self.get_response(request)


class PlainApi:
    """Middleware: if the site uses HTTPS, refuses API requests over plain HTTP.

    A redirect would let the client go on sending its token in plain text.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.SECURE_SSL_REDIRECT and is_api(request) and not request.is_secure():
            message = "Use https://: anyone on the network could have read this request."
            return problems.answer(message, "https_required", 403)
        return self.get_response(request)


class ApiAnswers:
    """Middleware: gives responses of the chat's API the same headers as those of housekeeping's API.

    Those already have theirs: the views of the app set them in any project.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        answer = self.get_response(request)
        if not is_api(request) or answer.has_header("Cache-Control"):
            return answer
        headers.mark(request, answer)
        marked: HttpResponse = headers.unless_known(request, answer)
        return marked


class Language:
    """Middleware: pages are in the language of the browser. The API is always in English."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.of_pages = LocaleMiddleware(get_response)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not is_api(request):
            return self.of_pages(request)  # type: ignore[return-value]
        with translation.override(settings.LANGUAGE_CODE):
            return self.get_response(request)


def without_port(text: str) -> str | None:
    """The address in ``192.0.2.1``, ``192.0.2.1:4711``, ``2001:db8::1``, ``[2001:db8::1]`` or
    ``[2001:db8::1]:443``. None for any other text.
    """
    if is_address(text):
        return text
    try:
        host = urlsplit(f"//{text}").hostname or ""
    except ValueError:  # the brackets don't contain an address
        return None
    return host if is_address(host) else None


def is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
