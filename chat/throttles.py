"""How often a client may sign in or register, and an account may post. The rates are in the settings."""

import hashlib
from typing import Any

from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle, SimpleRateThrottle

from chat.sign_ins import client_address


class _Limit(SimpleRateThrottle):
    """One of several limits. It only asks; ``_Limits`` counts."""

    key: str | None = None

    def throttle_success(self) -> bool:
        return True

    def count(self) -> None:
        if self.key is not None:  # otherwise the request is none of those that it limits
            super().throttle_success()


class _Limits(BaseThrottle):
    """Counts a request only if each limit lets it through.

    As throttles of a view, each would count what the others refuse: too many posts at once would use up the
    day, and a refused address would use up the tries of an account.
    """

    limits: tuple[type[_Limit], ...]

    def allow_request(self, request: Request, view: Any) -> bool:
        asked = [limit() for limit in self.limits]
        self.reached = [limit for limit in asked if not limit.allow_request(request, view)]
        if not self.reached:
            for limit in asked:
                limit.count()
        return not self.reached

    def wait(self) -> float | None:
        waits = [limit.wait() for limit in self.reached]
        return max((seconds for seconds in waits if seconds is not None), default=None)


class _OfTries(SimpleRateThrottle):
    """Counts only methods that the view has. A GET that is answered 405 must not lock anyone out."""

    def allow_request(self, request: Request, view: Any) -> bool:
        is_try = request.method != "OPTIONS" and hasattr(view, str(request.method).lower())
        return not is_try or super().allow_request(request, view)


class _ByAddress(_OfTries):
    """Counts by the same address as sign-ins, so all addresses of one IPv6 network count together."""

    def get_cache_key(self, request: Request, view: Any) -> str:
        return self.cache_format % {"scope": self.scope, "ident": client_address(request._request)}


class _TokenByAddress(_Limit, _ByAddress):
    """Limits guesses at many accounts from one address. Each try also costs a password hash."""

    scope = "token_by_address"


class _TokenByAccount(_Limit, _OfTries):
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


class Tokens(_Limits):
    limits = (_TokenByAddress, _TokenByAccount)


class RefreshByAddress(_ByAddress):
    scope = "refresh"


class RegisterByAddress(_ByAddress):
    """Limits registrations, because each one sends a mail."""

    scope = "register"


class VerifyByAddress(_ByAddress):
    scope = "verify"


class _PostsByAccount(_Limit):
    def get_cache_key(self, request: Request, view: Any) -> str:
        return self.cache_format % {"scope": self.scope, "ident": request.user.pk}


class _PostsAtOnce(_PostsByAccount):
    scope = "chat"


class _PostsInADay(_PostsByAccount):
    """Limits the room that one account takes: each message may have 32,000 characters."""

    scope = "chat_daily"


class Posts(_Limits):
    """Counts everything that an account adds: conversations and messages. Reading is not counted."""

    limits = (_PostsAtOnce, _PostsInADay)
    counted = ("POST",)

    def allow_request(self, request: Request, view: Any) -> bool:
        return request.method not in self.counted or super().allow_request(request, view)
