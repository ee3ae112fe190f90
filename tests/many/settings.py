"""The tests' settings, and an app with a long list of tasks."""

from tests.settings import *  # noqa: F403

INSTALLED_APPS = [*INSTALLED_APPS, "tests.many"]  # noqa: F405
