"""How often a sign-in may fail before the next ones are refused, on pages and for tokens alike.

Whoever changes the password gives the old one first: that is tried and counted as a sign-in is.

Three bounds, each over AXES_COOLOFF_TIME and each the same whether the account exists:

- AXES_FAILURE_LIMIT for one name from one address: somebody who guesses one password.
- ADDRESS_LIMIT for one address, whatever the names: somebody who tries many accounts.
- ACCOUNT_LIMIT for one name, whatever the addresses: many machines that guess together. It does
  not count where the account has signed in from before, so that nobody can lock its owner
  out of the places the owner works from.

What is refused is not counted again: a lock ends, however stubborn the client is.
"""

import ipaddress
from datetime import datetime
from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.handlers.proxy import AxesProxyHandler
from axes.helpers import get_client_username, get_cool_off, get_credentials, get_failure_limit
from axes.models import AccessAttempt, AccessLog
from django.db.models import Q, Sum
from django.http import HttpRequest

from chat.models import User

ADDRESS_LIMIT = 30
ACCOUNT_LIMIT = 50

NAME_LENGTH = 255  # what the tables of django-axes hold; PostgreSQL refuses more


class Attempt(HttpRequest):
    """A request as django-axes hands it on."""

    axes_ip_address: str | None
    axes_user_agent: str
    axes_http_accept: str
    axes_path_info: str
    axes_attempt_time: datetime


class Handler(AxesDatabaseHandler):
    """AXES_HANDLER: counts in the database, so that every worker of the site knows."""

    def get_failures(self, request: Attempt, credentials: dict[str, Any] | None = None) -> int:
        """Failures of this name from this address; where a wider bound is reached, as many as lock."""
        name, address = get_client_username(request, credentials), request.axes_ip_address
        since = request.axes_attempt_time - get_cool_off(request)
        of_name, of_address = Q(username=name), Q(ip_address=address)
        failures = AccessAttempt.objects.filter(of_name | of_address, attempt_time__gte=since).aggregate(
            pair=Sum("failures_since_start", filter=of_name & of_address, default=0),
            name=Sum("failures_since_start", filter=of_name, default=0),
            address=Sum("failures_since_start", filter=of_address, default=0),
        )
        is_wide = failures["address"] >= ADDRESS_LIMIT or (
            failures["name"] >= ACCOUNT_LIMIT and not AccessLog.objects.filter(of_name & of_address).exists()
        )
        return int(get_failure_limit(request, credentials) if is_wide else failures["pair"])

    def reset_user_attempts(self, request: Attempt, credentials: dict[str, Any] | None = None) -> int:
        """Forget this name's failures from this address, and no others: who has an account of
        their own must not clear by it what they tried on other people's."""
        name = get_client_username(request, credentials)
        count, _ = AccessAttempt.objects.filter(username=name, ip_address=request.axes_ip_address).delete()
        return int(count)


def token_given(request: Attempt, user: User) -> None:
    """Note where a token was given, and forget the failures before it: what django-axes does
    for a session by itself."""
    name = user.get_username()
    AccessLog.objects.create(
        username=name,
        ip_address=request.axes_ip_address,
        user_agent=request.axes_user_agent,
        http_accept=request.axes_http_accept,
        path_info=request.axes_path_info,
        attempt_time=request.axes_attempt_time,
    )
    forget_failures(request, name)


def forget_failures(request: HttpRequest, name: str) -> None:
    """Whoever knows the password starts anew, where it was given."""
    AxesProxyHandler.get_implementation().reset_user_attempts(request, get_credentials(name))


def client_name(request: HttpRequest, credentials: dict[str, Any] | None) -> str:
    """AXES_USERNAME_CALLABLE."""
    name = (credentials or {}).get("username") or request.POST.get("username") or ""
    return str(name).replace("\0", "")[:NAME_LENGTH]


def client_address(request: HttpRequest) -> str | None:
    """AXES_CLIENT_IP_CALLABLE: who has an IPv6 address has the 2^64 beside it, too."""
    try:
        address = ipaddress.ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:  # a Unix socket has none
        return None
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped or ipaddress.ip_network((address, 64), strict=False).network_address)
    return str(address)
