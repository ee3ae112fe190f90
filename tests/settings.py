"""The site's own settings, and an app that has everything a policy may meet."""

from site_config.settings import *  # noqa: F403

INSTALLED_APPS = [*INSTALLED_APPS, "tests.zoo", "tests.shapes"]  # noqa: F405

# Mails of the chat go to mail.outbox at once. Tests of the outbox itself use the site's setting.
EMAIL_OUTBOX = None

# Tests send many requests. The tests of the throttle set their own rate.
HOUSEKEEPING_TRIGGER_RATE = ""

# Each test's client loads the middleware anew, and WhiteNoise would look at every static file each time.
WHITENOISE_AUTOREFRESH = True

# As Django advises for tests: the site's own hasher is slow on purpose.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
