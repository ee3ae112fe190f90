"""The settings: each is read from Django's settings when it is asked for, and has a default here.

``conf.UNDO_DAYS`` is ``settings.HOUSEKEEPING_UNDO_DAYS`` where a project sets it, else the
default below. ``checks.py`` names a value that can't be used.
"""

from datetime import timedelta
from typing import Any

from django.conf import settings

# How long a purge can be undone, in days; 0: no archive is kept.
UNDO_DAYS: int
# How much a purge yields to other traffic: gentle, normal or flat-out (engine/purge.py).
PACE: str
# A purge of more than this share of a policy's table (0 to 1), and of at least so many of its rows, is
# held for approval; a share of 1 never holds.
BRAKE_SHARE: float
BRAKE_ROWS: int
# After so many minutes a run stops between two batches; 0: never.
TIME_BUDGET_MINUTES: int
# What archives may take up, in megabytes, before the dashboard warns.
ARCHIVE_BUDGET_MB: int
# How often a consumer gives a sign of life, and a running run renews its lease, in seconds.
HEARTBEAT_SECONDS: int
# Where people reach the site, such as https://example.com: mails begin their links with it. Empty:
# mails name a run without a link.
SITE_URL: str
# What Prometheus sends as bearer token; empty: metrics are for everybody.
METRICS_TOKEN: str
# How often one account may start runs over the API, as Django REST framework writes a rate; empty: no limit.
TRIGGER_RATE: str
# Ready-made policies that are switched on, by their names (recipes/).
RECIPES: list[str]

DEFAULTS: dict[str, Any] = {
    "UNDO_DAYS": 7,
    "PACE": "normal",
    "BRAKE_SHARE": 0.5,
    "BRAKE_ROWS": 100,
    "TIME_BUDGET_MINUTES": 240,
    "ARCHIVE_BUDGET_MB": 1024,
    "HEARTBEAT_SECONDS": 10,
    "SITE_URL": "",
    "METRICS_TOKEN": "",
    "TRIGGER_RATE": "60/min",
    "RECIPES": [],
}


def read(name: str) -> Any:
    """The value that is in force for a name of ``DEFAULTS``."""
    return getattr(settings, f"HOUSEKEEPING_{name}", DEFAULTS[name])


def __getattr__(name: str) -> Any:
    if name not in DEFAULTS:
        raise AttributeError(f"There is no setting {name!r}; there are {', '.join(DEFAULTS)}.")
    return read(name)


# --- Lengths of time that follow from the heartbeat ---------------------------------------------


def beat() -> timedelta:
    """How often a consumer beats, and a running run renews its lease."""
    return timedelta(seconds=read("HEARTBEAT_SECONDS"))


def life() -> timedelta:
    """How long a consumer counts as alive after a beat: three beats, as in Procrastinate and GoodJob."""
    return 3 * beat()


def ahead() -> timedelta:
    """A time further in the future than this was written under a wrong clock, and proves nothing."""
    return beat()
