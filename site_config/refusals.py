"""What the log tells of a refusal (401, 403, 429): what was refused, to which account, and from where.

Django logs one record for each, without the account and the address, and many with a traceback. This filter
writes that record anew, so that there is still one line for each.
"""

import logging
from typing import Any

from django.db import DatabaseError
from django.http import HttpRequest

REFUSED = (401, 403, 429)


class Filter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        request = getattr(record, "request", None)  # in the lines of runserver, a socket
        is_refusal = isinstance(request, HttpRequest) and getattr(record, "status_code", None) in REFUSED
        # Without args it has been written anew: each handler has this filter.
        if is_refusal and record.args:
            record.msg, record.args = _line(record, request), ()
            record.exc_info = record.exc_text = None
        return True


def _line(record: logging.LogRecord, request: Any) -> str:
    # "Forbidden (Permission denied): /path", where the path is the last argument.
    reason = record.getMessage().removesuffix(f": {list(record.args or ['']).pop()}")
    address = request.META.get("REMOTE_ADDR") or "a socket"
    return f"{reason}: {request.method} {request.path}, account {_account(request)}, from {address}"


def _account(request: Any) -> str:
    """The id of the account that asked or, at a sign-in, of the one that was tried."""
    tried = getattr(request, "tried_account", None)
    try:
        user = getattr(request, "user", None)
        known = user.pk if user is not None and user.is_authenticated else None
    except DatabaseError:
        known = None
    return str(tried or known or "unknown")
