"""The site for a WSGI server: ``gunicorn site_config.wsgi``."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_config.settings")
application = get_wsgi_application()

from housekeeping import schedules  # noqa: E402  (the apps are loaded only now)

schedules.announce()
