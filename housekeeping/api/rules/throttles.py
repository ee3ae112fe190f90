"""How often an account may ask for runs. The rates stand in the settings."""

from typing import Any

from rest_framework.request import Request
from rest_framework.throttling import UserRateThrottle


class Trigger(UserRateThrottle):
    """Of everything that opens a run: trigger, retry, approve, undo."""

    scope = "trigger"

    def allow_request(self, request: Request, view: Any) -> bool:
        """Counts only what can open a run: a GET that is answered 405 opens none."""
        opens = request.method != "OPTIONS" and hasattr(view, str(request.method).lower())
        return not opens or super().allow_request(request, view)
