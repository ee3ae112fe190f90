"""The time zone of a page: the reader's, which site.js stores in a cookie."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import tzinfo
from zoneinfo import ZoneInfo

from django.http import HttpRequest
from django.utils import timezone

from housekeeping.dashboard import cookies

COOKIE = "housekeeping_time_zone"
LONGEST = 64  # characters of a zone's name, such as America/Argentina/Buenos_Aires


@contextmanager
def of_reader(request: HttpRequest) -> Iterator[None]:
    """Activate the reader's time zone: all times of the page are in it, and filters are read in it.

    If the project has activated a zone, that one stays. Without a cookie, which needs JavaScript, it is
    TIME_ZONE.
    """
    if is_fixed(request):
        yield
        return
    with timezone.override(_named(cookies.read(request, COOKIE) or "") or timezone.get_default_timezone()):
        yield


def is_fixed(request: HttpRequest) -> bool:
    """Has the project activated a zone of its own?"""
    ours = (timezone.get_default_timezone_name(), cookies.read(request, COOKIE))
    return timezone.get_current_timezone_name() not in ours


def _named(name: str) -> tzinfo | None:
    """The zone with this name; None if the server has no such zone. The name may be anything."""
    if not name or len(name) > LONGEST:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown; a path; a folder
        return None
