"""The dashboard's cookies. Over HTTPS, a prefix binds them to this host: no sibling domain can set one."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

SAFE = "__Host-"


def read(request: HttpRequest, name: str) -> str | None:
    """What the cookie says. A site that does not notice its proxy's HTTPS may get either name."""
    told = request.COOKIES.get(f"{SAFE}{name}")
    return told if told or request.is_secure() else request.COOKIES.get(name)


def give(request: HttpRequest, answer: HttpResponse, name: str, value: str, *, seconds: int) -> None:
    """Out of reach of scripts, and otherwise like the project's cookie of sessions."""
    is_secure = request.is_secure() or settings.SESSION_COOKIE_SECURE
    same: Any = settings.SESSION_COOKIE_SAMESITE
    answer.set_cookie(
        f"{SAFE}{name}" if is_secure else name,
        value,
        max_age=seconds,
        secure=is_secure,
        httponly=True,
        samesite=same,
    )


def delete(request: HttpRequest, answer: HttpResponse, name: str) -> None:
    same: Any = settings.SESSION_COOKIE_SAMESITE
    for one in (name, f"{SAFE}{name}"):
        if one in request.COOKIES:
            answer.delete_cookie(one, samesite=same)
