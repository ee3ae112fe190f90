"""The projects, their packages, and what their documentation says to install."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Project:
    """``apps``: none if ``defaults``, a module with settings, has them.

    ``checkout``: where in its source the modules are, if it is not installed from PyPI. What it needs then
    is in packages/, without what only a running service needs.
    """

    packages: list[str] = field(default_factory=list)
    apps: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    defaults: str = ""
    checkout: str = ""
    environment: dict[str, str] = field(default_factory=dict)


DJANGO = [
    f"django.contrib.{name}"
    for name in ("admin", "auth", "contenttypes", "sessions", "messages", "sites", "flatpages", "redirects")
]

DASHBOARD = [
    "reports",
    "users",
    "orders",
    "catalogue",
    "offers",
    "partners",
    "pages",
    "ranges",
    "reviews",
    "vouchers",
    "communications",
    "shipping",
]
OSCAR = [
    "analytics",
    "checkout",
    "address",
    "shipping",
    "catalogue",
    "catalogue.reviews",
    "communication",
    "partner",
    "basket",
    "payment",
    "offer",
    "order",
    "customer",
    "search",
    "voucher",
    "wishlists",
    "dashboard",
]
HAYSTACK = "haystack.backends.simple_backend"
NAMES = {"catalogue.reviews": "CatalogueReviews"}

PROJECTS = {
    "wagtail": Project(
        ["wagtail"],
        [
            *(f"wagtail.contrib.{name}" for name in ("forms", "redirects", "search_promotions", "settings")),
            *(
                f"wagtail.{name}"
                for name in ["embeds", "sites", "users", "snippets", "documents", "images", "search", "admin"]
            ),
            "wagtail",
            "modelcluster",
            "taggit",
        ],
    ),
    "django-oscar": Project(
        ["django-oscar"],
        [
            "oscar.config.Shop",
            *(f"oscar.apps.{name}.apps.{NAMES.get(name, name.title())}Config" for name in OSCAR),
            *(f"oscar.apps.dashboard.{name}.apps.{name.title()}DashboardConfig" for name in DASHBOARD),
            *("widget_tweaks", "haystack", "treebeard", "django_tables2"),
        ],
        {"HAYSTACK_CONNECTIONS": {"default": {"ENGINE": f"{HAYSTACK}.SimpleEngine"}}},
        "oscar.defaults",
    ),
    "django packages": Project(
        [
            "django-celery-beat",
            "django-celery-results",
            "django-guardian",
            "django-reversion",
            "django-simple-history",
            "django-taggit",
            "django-mptt",
            "django-oauth-toolkit",
            "django-otp",
            "django-axes",
            "django-filer",
            "django-auditlog",
            "django-silk",
            "django-waffle",
            "djangorestframework",
            "easy-thumbnails",
        ],
        [
            "django_celery_beat",
            "django_celery_results",
            "guardian",
            "reversion",
            "simple_history",
            "taggit",
            "mptt",
            "oauth2_provider",
            "django_otp",
            "django_otp.plugins.otp_totp",
            "django_otp.plugins.otp_static",
            "axes",
            "easy_thumbnails",
            "filer",
            "auditlog",
            "silk",
            "waffle",
            "rest_framework",
            "rest_framework.authtoken",
        ],
    ),
    "pretix": Project(["pretix"], defaults="pretix.testutils.settings"),
    # Not on PyPI, or only for a newer Python.
    "bakerydemo": Project(defaults="bakerydemo.settings.test", checkout="."),
    "healthchecks": Project(defaults="hc.settings", checkout="."),
    "netbox": Project(
        defaults="netbox.settings",
        checkout="netbox",
        environment={"NETBOX_CONFIGURATION": "netbox.configuration_testing"},
    ),
    "plane": Project(
        defaults="plane.settings.test",
        checkout="apps/api",
        environment={"REDIS_URL": "redis://localhost", "SECRET_KEY": "none"},
    ),
    "paperless-ngx": Project(
        defaults="paperless.settings",
        checkout="src",
        environment={"PAPERLESS_SECRET_KEY": "none"},
    ),
}
