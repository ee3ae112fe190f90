"""Probes and metrics, for machines: ``path("", include("housekeeping.monitoring.urls"))``."""

from django.urls import re_path

from housekeeping.monitoring import probes

app_name = "housekeeping_monitoring"
urlpatterns = [
    re_path(r"^healthz/?$", probes.healthz, name="healthz"),
    re_path(r"^readyz/?$", probes.readyz, name="readyz"),
    re_path(r"^metrics/?$", probes.metrics, name="metrics"),
]
