"""POST to an address outside, in bounded time.

What it promises:

- An address that an operator has typed leads only to a host that ``HOUSEKEEPING_WEBHOOK_HOSTS`` lists. The
  list is asked when the address is saved and again for each message.
- A host that is listed by its name alone leads only to public addresses and to port 443, by HTTPS. The
  connection is made to the very address that was checked: the name is looked up once.
- No redirect is followed, no proxy of the environment is used, and the body of an answer is not read.
"""

import ipaddress
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

import housekeeping
from housekeeping import conf
from housekeeping.exceptions import AddressRefused
from housekeeping.journal.limits import Limit

SECONDS = 10.0  # for the whole exchange
STEP = 5.0  # for each operation of the socket
LIMIT = Limit("http")
PORTS = {"http": 80, "https": 443}
# IPv6 addresses in which a translator finds an IPv4 address (RFC 6052).
NAT64 = ipaddress.ip_network("64:ff9b::/96")

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class Unreachable(Exception):
    """No connection, or no whole answer. ``word``: its kind, for the list of what was sent."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


@dataclass(frozen=True)
class Place:
    """Where a URL leads. ``is_public``: only an address on the internet may be connected to."""

    scheme: str
    host: str
    port: int
    path: str
    is_public: bool

    @property
    def shown(self) -> str:
        """Without what may be secret: path and query."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}/…"


def read(url: str) -> Place:
    """Where a URL leads that the project's code declares. Raises AddressRefused if it can't be read."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise AddressRefused(_("This is not a valid URL.")) from None
    if parts.scheme not in PORTS or not parts.hostname or not url.isascii() or not url.isprintable():
        raise AddressRefused(_("Enter a URL that starts with https://."))
    if parts.username is not None or parts.fragment or " " in url:
        raise AddressRefused(_("The URL must have no user name, no fragment and no spaces."))
    path = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
    return Place(parts.scheme, parts.hostname, PORTS[parts.scheme] if port is None else port, path, False)


def read_listed(url: str) -> Place:
    """Where a URL leads that a person has typed. Raises AddressRefused unless its host is listed."""
    place, listed = read(url), [one.lower() for one in conf.WEBHOOK_HOSTS]
    host = f"[{place.host}]" if ":" in place.host else place.host
    if f"{host}:{place.port}" in listed:
        return place
    names = (host, *(f".{host.split('.', count)[-1]}" for count in range(host.count(".") + 1)))
    if not set(names) & set(listed):
        text = _("The host %(host)s is not listed in HOUSEKEEPING_WEBHOOK_HOSTS.")
        raise AddressRefused(text % {"host": place.host})
    if (place.scheme, place.port) != ("https", 443):
        text = _("Use https:// and port 443, or list %(host)s in HOUSEKEEPING_WEBHOOK_HOSTS.")
        raise AddressRefused(text % {"host": f"{host}:{place.port}"})
    return Place(place.scheme, place.host, place.port, place.path, is_public=True)


def post(place: Place, body: bytes, headers: Mapping[str, str]) -> int:
    """The status of the answer. Raises Unreachable, and AddressRefused for an inside address."""
    connection = _Connection(place)
    try:
        return LIMIT.within(SECONDS, lambda: connection.ask(body, headers), cut=connection.cut)
    except (OSError, HTTPException, UnicodeError) as error:
        raise Unreachable(type(error).__name__) from error


class _Connection(HTTPConnection):
    def __init__(self, place: Place) -> None:
        super().__init__(place.host, place.port, timeout=STEP)
        self.place, self.default_port = place, PORTS[place.scheme]

    def connect(self) -> None:
        wire = _open(self.place)
        self.sock = wire
        if self.place.scheme == "https":
            self.sock = ssl.create_default_context().wrap_socket(wire, server_hostname=self.place.host)

    def ask(self, body: bytes, headers: Mapping[str, str]) -> int:
        about = {"User-Agent": f"django-housekeeping/{housekeeping.__version__}", "Connection": "close"}
        try:
            self.request("POST", self.place.path, body, {**about, **headers})
            return self.getresponse().status
        finally:
            self.close()

    def cut(self) -> None:
        with suppress(OSError, AttributeError):
            self.sock.shutdown(socket.SHUT_RDWR)


def _open(place: Place) -> socket.socket:
    """A connection to the first of the host's addresses that answers, once all have been checked."""
    found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    if place.is_public and not all(_is_public(ipaddress.ip_address(at[0])) for *_facts, at in found):
        raise AddressRefused(_("The host %(host)s leads to an inside address.") % {"host": place.host})
    error: OSError = OSError("no address")
    for family, kind, protocol, _name, at in found:
        wire = socket.socket(family, kind, protocol)
        try:
            wire.settimeout(STEP)
            wire.connect(at)
        except OSError as problem:
            wire.close()
            error = problem
        else:
            return wire
    raise error


def _is_public(ip: IPAddress) -> bool:
    """Is it an address on the internet, also if it is an IPv4 address in the form of IPv6?"""
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return _is_public(inner)
    return ip.is_global and not ip.is_multicast
