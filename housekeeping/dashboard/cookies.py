"""The dashboard's cookies. Over HTTPS, a prefix binds them to this host: no sibling domain can set one."""

from django.http import HttpRequest

SAFE = "__Host-"


def read(request: HttpRequest, name: str) -> str | None:
    """What the cookie says. A site that does not notice its proxy's HTTPS may get either name."""
    told = request.COOKIES.get(f"{SAFE}{name}")
    return told if told or request.is_secure() else request.COOKIES.get(name)
