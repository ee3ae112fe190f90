"""Rules: the retentions and holds in force, and the mark of their newest change.

Figures about what the policies would delete are stored in the table of gauges. A change of a
retention or a hold makes them wrong, so it leaves a new mark in that table, in its own
transaction. Every process reads the mark together with the figures.
"""

import hashlib
import uuid
from collections.abc import Iterable

from housekeeping.database import clock
from housekeeping.declared import registry
from housekeeping.declared.policies import Policy
from housekeeping.models import Gauge

MARK = "rules"  # the gauge whose value is the mark


def changed() -> None:
    """Leave a new mark. Call it in the transaction that changes a retention or a hold."""
    gauge = Gauge(name=MARK, value=uuid.uuid4().hex, measured_at=clock.roughly(), took_ms=0)
    figures = ["value", "measured_at"]
    Gauge.objects.bulk_create([gauge], update_conflicts=True, unique_fields=["name"], update_fields=figures)


def mark() -> str | None:
    """The mark of the newest change; None before the first."""
    return mark_of(Gauge.objects.filter(name=MARK).first())


def mark_of(gauge: Gauge | None) -> str | None:
    """The same for a caller that has read the gauge already."""
    return gauge.value if gauge and isinstance(gauge.value, str) else None


def in_force() -> str:
    """A text that changes whenever a retention, also a declared one, or a hold changes."""
    return digest(mark(), registry.policies().values())


def digest(mark: str | None, policies: Iterable[Policy]) -> str:
    """32 characters for the mark and the rules of ``policies`` as this version declares them."""
    text = repr([mark, *((policy.name, policy.retention, *policy.more_rules()) for policy in policies)])
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
