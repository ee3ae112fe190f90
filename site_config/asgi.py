"""The site for an ASGI server: ``uvicorn --no-proxy-headers site_config.asgi:application``.

The option stops uvicorn from trusting forwarded headers. BEHIND_PROXY decides that instead.
"""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_config.settings")
application = get_asgi_application()

from housekeeping.runs import schedules  # noqa: E402  (only now are the apps loaded)

schedules.announce("The site is up. Its consumers run these schedules:")
