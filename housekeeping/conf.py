"""The settings of the app: each has a default here, and is read when it is used.

``conf.UNDO_DAYS`` is ``settings.HOUSEKEEPING_UNDO_DAYS`` if the project sets it, otherwise the default
below. ``manage.py check`` reports a value that can't be used.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

# A century, the most that a number of days may be: more would leave Python's calendar.
LONGEST_DAYS = 36_500

# For type checkers; SETTINGS has what they mean.
UNDO_DAYS: int
PACE: str
BRAKE_SHARE: float
BRAKE_ROWS: int
TIME_BUDGET_MINUTES: int
ARCHIVE_BUDGET_MB: int
HEARTBEAT_SECONDS: int
SITE_URL: str
METRICS_TOKEN: str
TRIGGER_RATE: str
WEBHOOK_HOSTS: list[str]
PING_URL: str
CONFIRM_SIGN_IN: str
RECIPES: list[str]
VARIABLES: dict[str, str]


@dataclass(frozen=True)
class Setting:
    """``meaning`` is what the reference and the page of settings tell. ``wanted`` describes the values that
    ``accepts`` takes, in words that follow "write".
    """

    default: Any
    meaning: Any  # translated when it is shown
    wanted: str
    accepts: Callable[[Any], bool]
    is_secret: bool = False


def _whole(default: int, meaning: Any, *, at_least: int = 0, at_most: int | None = None) -> Setting:
    def accepts(value: Any) -> bool:
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        return is_whole and value >= at_least and (at_most is None or value <= at_most)

    upper = "or more" if at_most is None else f"to {at_most}"
    return Setting(default, meaning, f"a whole number, {at_least} {upper}", accepts)


def _share(default: float, meaning: Any) -> Setting:
    def accepts(value: Any) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1

    return Setting(default, meaning, "a number from 0 to 1", accepts)


def _choice(default: str, meaning: Any, choices: tuple[str, ...]) -> Setting:
    return Setting(default, meaning, f"one of {', '.join(choices)}", lambda value: value in choices)


def _text(
    default: str, meaning: Any, wanted: str, accepts: Callable[[str], bool], *, is_secret: bool = False
) -> Setting:
    def takes(value: Any) -> bool:
        return isinstance(value, str) and accepts(value)

    return Setting(default, meaning, wanted, takes, is_secret)


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        _checked = parts.port  # raises ValueError for one that can't be
    except ValueError:
        return False
    is_whole = parts.scheme in ("http", "https") and bool(parts.hostname)
    return not text or (is_whole and not parts.query and not parts.fragment)


def is_ping_url(text: str) -> bool:
    """May pings go to this address? It may have a query, and empty means none."""
    is_plain = text.isascii() and text.isprintable() and not set(text) & {" ", "#"}
    return is_plain and _is_address(text.partition("?")[0])


def _is_function(path: str) -> bool:
    try:
        return not path or callable(import_string(path))
    except ImportError:
        return False


def _is_rate(text: str) -> bool:
    return bool(re.fullmatch(r"([0-9]+/[smhd][a-z]*)?", text))


def _are_names(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(name, str) for name in value)


def _are_pairs(value: Any) -> bool:
    return isinstance(value, dict) and _are_names([*value, *value.values()])


# A name with dots, an IPv4 address or an IPv6 address in brackets; a dot before a name; a port.
_HOST = re.compile(r"(\.?[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(:[0-9]{1,5})?", re.IGNORECASE)


def _are_hosts(value: Any) -> bool:
    return _are_names(value) and all(_HOST.fullmatch(host) for host in value)


SETTINGS: dict[str, Setting] = {
    "UNDO_DAYS": _whole(
        7,
        _("How long a purge can be undone, in days; 0: no archive is kept."),
        at_most=LONGEST_DAYS,
    ),
    "PACE": _choice(
        "normal",
        _("How much a purge yields to other traffic: gentle, normal or flat-out."),
        ("gentle", "normal", "flat-out"),
    ),
    "BRAKE_SHARE": _share(
        0.5,
        _(
            "A purge is held for approval if it would delete more than this share (0 to 1) of its policy's"
            " table; 1: never."
        ),
    ),
    "BRAKE_ROWS": _whole(100, _("A purge of fewer rows than this is never held.")),
    "TIME_BUDGET_MINUTES": _whole(
        240,
        _("After so many minutes a run stops between two batches; 0: no limit."),
        at_most=10_080,
    ),
    "ARCHIVE_BUDGET_MB": _whole(
        1024, _("How much space archives may take, in megabytes, before the dashboard warns.")
    ),
    "HEARTBEAT_SECONDS": _whole(
        10,
        _("How often a consumer writes its heartbeat, and a running run renews its lease, in seconds."),
        at_least=1,
        at_most=3600,
    ),
    "SITE_URL": _text(
        "",
        _(
            "The address of the site, such as https://example.com: links in mails start with it. Empty:"
            " mails name a run without a link."
        ),
        "https:// and a host, or an empty text",
        _is_address,
    ),
    "METRICS_TOKEN": _text(
        "",
        _(
            "The bearer token that Prometheus sends; empty: only programs on this machine may read the"
            " metrics."
        ),
        "a text",
        lambda text: True,
        is_secret=True,
    ),
    "TRIGGER_RATE": _text(
        "60/min",
        _(
            "How often one account may start runs over the API, as Django REST framework writes a rate;"
            " empty: no limit."
        ),
        "a rate such as 60/min, or an empty text for no limit",
        _is_rate,
    ),
    "WEBHOOK_HOSTS": Setting(
        [],
        _(
            "The hosts that alerts may be sent to: names (by HTTPS, public addresses only; .example.com with"
            " its subdomains), or host:port (also by HTTP, also inside). Empty: no webhook can be added."
        ),
        "a list of hosts, such as hooks.slack.com or 10.0.0.5:8080",
        _are_hosts,
    ),
    "PING_URL": _text(
        "",
        _("An address that is called as each run starts and ends, as Healthchecks takes it; empty: none is."),
        "https:// and a host, or an empty text",
        is_ping_url,
        is_secret=True,
    ),
    "CONFIRM_SIGN_IN": _text(
        "",
        _(
            "The dotted path of a function that is called with the request before an undo, an approval, an"
            " erasure and a change of a retention. It returns None to let it go on, otherwise the response to"
            " give, such as a question for the password. Empty: nothing is asked."
        ),
        "the dotted path of a function that can be imported, or an empty text",
        _is_function,
    ),
    "RECIPES": Setting(
        [], _("The ready-made policies that are switched on, by name."), "a list of names", _are_names
    ),
    "VARIABLES": Setting(
        {},
        _(
            "Which environment variables your project reads its settings from, by the name of the setting:"
            " the page of settings then shows where a value comes from."
        ),
        "a dictionary of names",
        _are_pairs,
    ),
}


def read(name: str) -> Any:
    """The value in force for a name in ``SETTINGS``."""
    return getattr(settings, f"HOUSEKEEPING_{name}", SETTINGS[name].default)


def unusable() -> list[str]:
    """The names of the settings whose values can't be used."""
    return [name for name, setting in SETTINGS.items() if not setting.accepts(read(name))]


def __getattr__(name: str) -> Any:
    if name not in SETTINGS:
        raise AttributeError(f"There is no setting {name!r}; choose one of {', '.join(SETTINGS)}.")
    return read(name)


def confirm_sign_in(request: Any) -> Any:
    """What the project's function of CONFIRM_SIGN_IN answers; None if it has none."""
    path = read("CONFIRM_SIGN_IN")
    return import_string(path)(request) if path else None


# --- Durations that follow from the heartbeat ---------------------------------------------------


def beat() -> timedelta:
    """How often a consumer writes its heartbeat, and a running run renews its lease."""
    return timedelta(seconds=read("HEARTBEAT_SECONDS"))


def life() -> timedelta:
    """How long a consumer counts as alive after a heartbeat: three beats, as in Procrastinate and GoodJob."""
    return 3 * beat()


def ahead() -> timedelta:
    """A time that is further in the future than this comes from a wrong clock and is ignored."""
    return beat()
