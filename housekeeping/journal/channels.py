"""Channels: who is told of what. Without configuration, operators get mails about failed and held runs."""

from django.utils.crypto import salted_hmac

from housekeeping.database import clock
from housekeeping.exceptions import AddressRefused, UnknownChannel
from housekeeping.journal import posting
from housekeeping.models import Channel, Incident

OPERATORS = "operators"  # the channel that is there without a row
MOST = 50


def known() -> list[Channel]:
    """Every channel, the operators' first."""
    rows = {channel.name: channel for channel in Channel.objects.order_by("name")}
    first = rows.pop(OPERATORS) if OPERATORS in rows else of_operators()
    return [first, *rows.values()]


def find(name: str) -> Channel | None:
    found = Channel.objects.filter(name=name).first()
    return of_operators() if found is None and name == OPERATORS else found


def get(name: str) -> Channel:
    """Raises UnknownChannel."""
    found = find(name)
    if found is None:
        raise UnknownChannel(name)
    return found


def of_operators() -> Channel:
    """Mail to those who may operate, as long as nobody has changed it."""
    kinds, now = [Incident.Kind.FAILED.value, Incident.Kind.HELD.value], clock.roughly()
    return Channel(name=OPERATORS, kind="mail", kinds=kinds, is_reminded=False, made_at=now, changed_at=now)


def shown(channel: Channel) -> str:
    """The address, for everybody who may view: of a URL, its host and a mark that changes with the rest."""
    if channel.kind == Channel.Kind.MAIL:
        return channel.address
    try:
        place = posting.read(channel.address).shown
    except AddressRefused:
        place = "…"
    mark = salted_hmac("housekeeping.addresses", channel.address, algorithm="sha256").hexdigest()
    return f"{place} ({mark[:6]})"
