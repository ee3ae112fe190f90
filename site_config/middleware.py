"""Answer headers that no setting of Django gives, and the address that a request came from."""

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

# None of them is used here; an injected script must not be able to, either.
PERMISSIONS_POLICY = ", ".join(
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
        "publickey-credentials-get",
        "serial",
        "usb",
        "xr-spatial-tracking",
    )
)


class SecurityHeaders:
    """Middleware: what a browser may do with an answer. A view's own headers win."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        answer = self.get_response(request)
        answer.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        answer.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        answer.headers.setdefault("Cache-Control", _how_long_kept(request, answer))
        if _is_sign_out(request):
            # Not "cookies": that would reach the sibling domains', which are not ours.
            answer.headers["Clear-Site-Data"] = '"cache", "storage"'
        return answer


def _how_long_kept(request: HttpRequest, answer: HttpResponse) -> str:
    """Pages, files and what a POST answers (tokens!) are kept nowhere. The API's JSON may be, by
    its client alone, and is asked for again each time: that is what ETags are for."""
    is_json = answer.headers.get("Content-Type", "").startswith("application/json")
    may_be_kept = is_json and is_api(request) and request.method in ("GET", "HEAD")
    return "private, no-cache" if may_be_kept else "no-store"


def _is_sign_out(request: HttpRequest) -> bool:
    match = request.resolver_match
    return request.method == "POST" and match is not None and match.url_name == "logout"


class ClientAddress:
    """Middleware: behind our own proxy, ``REMOTE_ADDR`` is the client that the proxy saw.

    That is the last address of X-Forwarded-For: each proxy appends the one it talks to, and
    what stands before it was sent by the client, who may have made it up. Some proxies
    (Azure's, AWS's with a setting) write the client's port behind the address.
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
    """Middleware: on a site of HTTPS, a program that asks over plain HTTP is refused.

    A redirect would let it go on sending its token where everybody reads along.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.SECURE_SSL_REDIRECT and is_api(request) and not request.is_secure():
            message = "Use https://; what you sent could be read on its way."
            return problems.answer(message, "https_required", 403, detail=message)
        return self.get_response(request)


class ApiAnswers:
    """Middleware: the chat's API says of its answers what the housekeeping's says."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        answer = self.get_response(request)
        if not is_api(request):
            return answer
        headers.mark(request, answer)
        told: HttpResponse = headers.unless_known(request, answer)
        return told


class Language:
    """Middleware: pages speak the browser's language; the API speaks English, whoever asks."""

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
    ``[2001:db8::1]:443``; None for anything else."""
    if is_address(text):
        return text
    try:
        host = urlsplit(f"//{text}").hostname or ""
    except ValueError:  # brackets that enclose no address
        return None
    return host if is_address(host) else None


def is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
