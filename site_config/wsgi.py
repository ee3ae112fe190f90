"""The site for a WSGI server: ``gunicorn site_config.wsgi``."""

import os
import ssl
from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from site_config import telemetry

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_config.settings")
telemetry.instrument(otlp_endpoint=settings.OTEL_EXPORTER_OTLP_ENDPOINT)
_site = get_wsgi_application()

from housekeeping.runs import schedules  # noqa: E402  (only now are the apps loaded)

schedules.announce("The site is up. Its consumers run these schedules:")


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The site. Without BEHIND_PROXY, only the connection decides whether a request came over HTTPS.

    gunicorn trusts X-Forwarded-Proto from any client on its own machine, regardless of our settings.
    Behind a proxy, Django reads the header itself.
    """
    connection = environ.get("gunicorn.socket")
    if connection is not None and not settings.BEHIND_PROXY:
        environ["wsgi.url_scheme"] = "https" if isinstance(connection, ssl.SSLSocket) else "http"
    return _site(environ, start_response)
