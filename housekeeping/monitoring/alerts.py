"""Metrics about incidents and the messages about them. Labels are kinds, never names of channels."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.db.models import Count, Q
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from housekeeping.models import Delivery, Incident
from housekeeping.reading.alerting.alerts import GIVEN_UP, STATES, WAITING


def metrics() -> Iterator[Metric]:
    found = Counter(Incident.objects.open().values_list("kind", flat=True))
    incidents = GaugeMetricFamily(
        "housekeeping_incidents_open", "What is wrong now, by its kind.", labels=["kind"]
    )
    for kind in Incident.Kind.values:
        incidents.add_metric([kind], found[kind])
    yield incidents
    transports = Delivery.Transport.values
    rows = Delivery.objects.filter(transport__in=transports).order_by().values("transport")
    counts: dict[str, Any] = {row["transport"]: row for row in rows.annotate(**_counts())}
    for name, meaning in MEANINGS.items():
        family = GaugeMetricFamily(f"housekeeping_messages_{name}", meaning, labels=["transport"])
        for transport in transports:
            family.add_metric([transport], counts.get(transport, {}).get(name, 0))
        yield family


MEANINGS = {
    WAITING: "Messages that wait in the outbox.",
    GIVEN_UP: "Messages of the last days that could not be sent and were given up.",
}


def _counts() -> dict[str, Count]:
    return {name: Count("pk", filter=Q(STATES[name])) for name in MEANINGS}
