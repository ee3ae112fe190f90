"""What is wrong now, and what was sent to whom: incidents and their messages, for every face."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

from housekeeping.journal import pings
from housekeeping.journal.alerting.messages import ALERT, TEST_KIND
from housekeeping.journal.pings import PING
from housekeeping.models import Delivery, Incident

# Other messages, such as those that verify an address, are nobody's business here.
SHOWN = (ALERT, TEST_KIND)
WAITING, SENT, GIVEN_UP = "waiting", "sent", "given_up"
STATES: dict[str, Q] = {
    WAITING: Q(sent_at=None, failed_at=None),
    SENT: Q(sent_at__isnull=False),
    GIVEN_UP: Q(failed_at__isnull=False),
}


def incidents(filters: Mapping[str, Any]) -> QuerySet[Incident]:
    """Incidents, newest first, by ``kind`` and ``open``."""
    found = Incident.objects.order_by("-pk")
    if filters.get("kind"):
        found = found.filter(kind=filters["kind"])
    if filters.get("open") is not None:
        found = found.filter(closed_at__isnull=filters["open"])
    return found


@dataclass(frozen=True)
class Watcher:
    """An outside watcher. ``schedule``: whose runs it is told of; empty: all. ``last``: its newest ping."""

    schedule: str
    address: str
    last: Delivery | None
    waiting: int


def watchers() -> list[Watcher]:
    """Every declared address for pings."""
    found = []
    for schedule, url in pings.addresses().items():
        its = Delivery.objects.filter(kind=PING, channel=schedule)
        waiting = its.filter(STATES[WAITING]).count()
        found.append(Watcher(schedule, pings.shown(url), its.order_by("-pk").first(), waiting))
    return found


def sent(filters: Mapping[str, Any]) -> QuerySet[Delivery]:
    """Messages about incidents, newest first, by ``channel``, ``transport`` and ``state``.

    Pings, of which there are many, only if the filter names them.
    """
    transport = filters.get("transport")
    found = Delivery.objects.filter(kind__in=[PING] if transport == PING else SHOWN).order_by("-pk")
    if transport:
        found = found.filter(transport=transport)
    if filters.get("channel"):
        found = found.filter(channel=filters["channel"])
    if filters.get("state"):
        found = found.filter(STATES[filters["state"]])
    return found.select_related("incident")
