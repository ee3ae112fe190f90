"""Probes and metrics, for machines: ``path("", include("housekeeping.monitoring.urls"))``."""

from importlib.util import find_spec

from django.db import transaction
from django.urls import re_path

from housekeeping.monitoring import probes

app_name = "housekeeping_monitoring"
urlpatterns = [
    re_path(r"^healthz/?$", probes.healthz, name="healthz"),
    re_path(r"^readyz/?$", probes.readyz, name="readyz"),
]
if find_spec("prometheus_client"):  # the extra [metrics]
    from housekeeping.monitoring import metrics

    urlpatterns += [re_path(r"^metrics/?$", metrics.metrics, name="metrics")]

# Outside of ATOMIC_REQUESTS: /readyz begins a transaction of its own, to see whether one can.
for pattern in urlpatterns:
    transaction.non_atomic_requests(pattern.callback)
