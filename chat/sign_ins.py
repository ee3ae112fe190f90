"""How often a sign-in may fail before further ones are refused, on pages and for tokens alike.

The old password on the page that changes the password counts like a sign-in.

There are three limits. Each applies over AXES_COOLOFF_TIME, whether or not the account exists:

- AXES_FAILURE_LIMIT for one name from one address: someone guesses the password of one account.
- ADDRESS_LIMIT for one address and any names: someone tries many accounts.
- ACCOUNT_LIMIT for one name and any addresses: many machines guess together. It does not apply to an
  address from which the account has signed in before, so that nobody can lock out its owner there.

Refused attempts are not counted, so a lock ends even if the client keeps trying.
"""

import ipaddress
from datetime import datetime
from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.handlers.proxy import AxesProxyHandler
from axes.helpers import get_client_username, get_cool_off, get_credentials, get_failure_limit
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.db.models import Q, Sum
from django.http import HttpRequest

from chat.models import User

ADDRESS_LIMIT = 30
ACCOUNT_LIMIT = 50

NAME_LENGTH = 255  # the size of the columns of django-axes; PostgreSQL refuses longer names


class Attempt(HttpRequest):
    """A request with the attributes that django-axes adds."""

    axes_ip_address: str | None
    axes_user_agent: str
    axes_http_accept: str
    axes_path_info: str
    axes_attempt_time: datetime


class Handler(AxesDatabaseHandler):
    """AXES_HANDLER. Counts in the database, which all workers of the site share."""

    def get_failures(self, request: Attempt, credentials: dict[str, Any] | None = None) -> int:
        """Failures of this name from this address, or as many as lock if a wider limit is reached."""
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

    def user_login_failed(
        self, sender: Any, credentials: dict[str, Any], request: Any = None, **kwargs: Any
    ) -> None:
        if request is not None:
            # For the log, which names accounts by their ids: a name that somebody typed may be a password.
            name = get_client_username(request, credentials)
            request.tried_account = User.objects.filter(username=name).values_list("pk", flat=True).first()
        super().user_login_failed(sender, credentials, request, **kwargs)

    def reset_user_attempts(self, request: Attempt, credentials: dict[str, Any] | None = None) -> int:
        """Delete the failures of this name from this address only.

        Attackers must not be able to clear their guesses at other accounts by signing in to their own.
        """
        name = get_client_username(request, credentials)
        count, _ = AccessAttempt.objects.filter(username=name, ip_address=request.axes_ip_address).delete()
        return int(count)


def token_given(request: Attempt, user: User) -> None:
    """Record where a token was issued, and delete the failures before it.

    For sessions, django-axes does the same.
    """
    name = user.get_username()
    AccessLog.objects.create(username=name, **_facts(request))
    forget_failures(request, name)


def factor_refused(request: Attempt, user: User | None) -> None:
    """Record that a code or a passkey of ``user`` was refused. django-axes records wrong passwords alone.

    Codes have a count of their own (ACCOUNT_RATE_LIMITS), so this is no AccessAttempt.
    """
    AxesProxyHandler.update_request(request)
    name = user.get_username() if user else None
    AccessFailureLog.objects.create(username=name, **_facts(request))
    AxesProxyHandler.remove_out_of_limit_failure_logs(username=name)


def _facts(request: Attempt) -> dict[str, Any]:
    return {
        "ip_address": request.axes_ip_address,
        "user_agent": request.axes_user_agent,
        "http_accept": request.axes_http_accept,
        "path_info": request.axes_path_info,
        "attempt_time": request.axes_attempt_time,
    }


def forget_failures(request: HttpRequest, name: str) -> None:
    """Delete the failures of ``name`` from this address, after the right password was given."""
    AxesProxyHandler.get_implementation().reset_user_attempts(request, get_credentials(name))


def client_name(request: HttpRequest, credentials: dict[str, Any] | None) -> str:
    """AXES_USERNAME_CALLABLE."""
    name = (credentials or {}).get("username") or request.POST.get("username") or ""
    return str(name).replace("\0", "")[:NAME_LENGTH]


def client_address(request: HttpRequest) -> str | None:
    """AXES_CLIENT_IP_CALLABLE. An IPv6 address counts as its /64 network, which one client can use whole."""
    try:
        address = ipaddress.ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:  # a Unix socket has no address
        return None
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped or ipaddress.ip_network((address, 64), strict=False).network_address)
    return str(address)
