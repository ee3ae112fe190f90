"""The site's settings, with the tables of this folder."""

from site_config.settings import *  # noqa: F403
from site_config.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "benchmarks.keyed"]
