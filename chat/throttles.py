"""How often a client may sign in or register, and an account may post. The rates are in the settings."""

import hashlib
from typing import Any

from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from chat.sign_ins import client_address


class _OfTries(SimpleRateThrottle):
    """Counts only methods that the view has. A GET that is answered 405 must not lock anyone out."""

    def allow_request(self, request: Request, view: Any) -> bool:
        is_try = request.method != "OPTIONS" and hasattr(view, str(request.method).lower())
        return not is_try or super().allow_request(request, view)


class _ByAddress(_OfTries):
    """Counts by the same address as sign-ins, so all addresses of one IPv6 network count together."""

    def get_cache_key(self, request: Request, view: Any) -> str:
        return self.cache_format % {"scope": self.scope, "ident": client_address(request._request)}


class TokenByAddress(_ByAddress):
    """Limits guesses at many accounts from one address. Each try also costs a password hash."""

    scope = "token_by_address"


class TokenByAccount(_OfTries):
    """Limits guesses at one account from many addresses. Names without an account count, too.

    Counts a name the way the serializer reads it: a number as its digits, without surrounding space.
    """

    scope = "token_by_account"

    def get_cache_key(self, request: Request, view: Any) -> str | None:
        name = request.data.get("username") if isinstance(request.data, dict) else None
        if not isinstance(name, str | int | float):
            return None  # the serializer refuses it, so it does not count as a guess
        read = str(name).strip().casefold()
        ident = hashlib.sha256(read.encode(errors="backslashreplace")).hexdigest()
        return self.cache_format % {"scope": self.scope, "ident": ident}


class RefreshByAddress(_ByAddress):
    scope = "refresh"


class RegisterByAddress(_ByAddress):
    """Limits registrations, because each one sends a mail."""

    scope = "register"


class VerifyByAddress(_ByAddress):
    scope = "verify"


class _PostsByAccount(SimpleRateThrottle):
    """Counts everything that an account adds: conversations and messages. Reading is not counted."""

    counted = ("POST",)

    def allow_request(self, request: Request, view: Any) -> bool:
        return request.method not in self.counted or super().allow_request(request, view)

    def get_cache_key(self, request: Request, view: Any) -> str:
        return self.cache_format % {"scope": self.scope, "ident": request.user.pk}


class PostsAtOnce(_PostsByAccount):
    scope = "chat"


class PostsInADay(_PostsByAccount):
    """Limits the room that one account takes: each message may have 32,000 characters."""

    scope = "chat_daily"
