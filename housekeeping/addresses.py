"""Addresses of pages and of objects on the API, if the project has mounted them."""

from typing import Any

from django.urls import NoReverseMatch, reverse

from housekeeping import conf


def page_in_mail(name: str, *args: Any) -> str:
    """The full URL of a page; empty without pages or without ``conf.SITE_URL``."""
    path = _path(f"housekeeping:{name}", args)
    return f"{conf.SITE_URL.rstrip('/')}{path}" if conf.SITE_URL and path else ""


def api(name: str, *args: Any) -> str | None:
    """The path of an object on the API; None without the API."""
    return _path(f"housekeeping_api:{name}", args)


def _path(name: str, args: tuple[Any, ...]) -> str | None:
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return None
