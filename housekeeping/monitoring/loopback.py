"""Whether a request comes from a program on this machine, and not through a proxy on it."""

import ipaddress

from django.http import HttpRequest

# What proxies add, beside all of X-Forwarded-*. Each names another client than the one that is connected.
OF_PROXIES = (
    "HTTP_FORWARDED",
    "HTTP_VIA",
    "HTTP_X_REAL_IP",
    "HTTP_X_CLIENT_IP",
    "HTTP_X_CLUSTER_CLIENT_IP",
    "HTTP_X_ORIGINAL_FORWARDED_FOR",
    "HTTP_X_ENVOY_EXTERNAL_ADDRESS",
    "HTTP_TRUE_CLIENT_IP",
    "HTTP_CF_CONNECTING_IP",
    "HTTP_FASTLY_CLIENT_IP",
)


def is_from_this_machine(request: HttpRequest) -> bool:
    """False for a socket without an address, too: what listens there is a proxy."""
    is_forwarded = any(name.startswith("HTTP_X_FORWARDED") or name in OF_PROXIES for name in request.META)
    return not is_forwarded and _is_loopback(request.META.get("REMOTE_ADDR", ""))


def _is_loopback(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)  # ::ffff:127.0.0.1, of a socket for both versions
    return (mapped or address).is_loopback
