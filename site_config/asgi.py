"""The site for an ASGI server: ``uvicorn --no-proxy-headers site_config.asgi:application``.

The option keeps uvicorn from believing forwarded headers by itself: BEHIND_PROXY decides.
"""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_config.settings")
application = get_asgi_application()

from housekeeping.runs import schedules  # noqa: E402  (the apps are loaded only now)

schedules.announce("The site is up. Its consumers look at the schedules:")
