"""How often somebody may try to sign in or to register. The rates stand in the settings."""

import hashlib
from typing import Any

from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from chat.sign_ins import client_address


class _OfTries(SimpleRateThrottle):
    """Counts only what can be a try: a GET that is answered 405 is none, and must lock nobody out."""

    def allow_request(self, request: Request, view: Any) -> bool:
        is_try = request.method != "OPTIONS" and hasattr(view, str(request.method).lower())
        return not is_try or super().allow_request(request, view)


class _ByAddress(_OfTries):
    """The address is the one that sign-ins are counted by: neighbours of one IPv6 network share it."""

    def get_cache_key(self, request: Request, view: Any) -> str:
        return self.cache_format % {"scope": self.scope, "ident": client_address(request._request)}


class TokenByAddress(_ByAddress):
    """Each try costs a password hash, and guesses at many accounts come from one address."""

    scope = "token_by_address"


class TokenByAccount(_OfTries):
    """Guesses at one account come from many addresses. It counts for names that don't exist, too.

    A name is counted as the serializer reads it: a number is its digits, the space around it is nothing.
    """

    scope = "token_by_account"

    def get_cache_key(self, request: Request, view: Any) -> str | None:
        name = request.data.get("username") if isinstance(request.data, dict) else None
        if not isinstance(name, str | int | float):
            return None  # the serializer refuses it: nothing is guessed
        read = str(name).strip().casefold()
        ident = hashlib.sha256(read.encode(errors="backslashreplace")).hexdigest()
        return self.cache_format % {"scope": self.scope, "ident": ident}


class RefreshByAddress(_ByAddress):
    scope = "refresh"


class RegisterByAddress(_ByAddress):
    """Each registration sends a mail."""

    scope = "register"


class VerifyByAddress(_ByAddress):
    scope = "verify"
