"""The site's own settings, and an app that has everything a policy may meet."""

from site_config.settings import *  # noqa: F403

INSTALLED_APPS = [*INSTALLED_APPS, "tests.zoo"]  # noqa: F405

# A mail of the chat's is in mail.outbox at once; tests of the outbox itself set it as the site does.
EMAIL_OUTBOX = None

# Tests ask more often than people do. Those of the throttle set a rate of their own.
HOUSEKEEPING_TRIGGER_RATE = ""
