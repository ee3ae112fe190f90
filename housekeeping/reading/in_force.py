"""The settings in force: each with its value, where the value comes from, and what it means.

Nothing here raises for a value that ``manage.py check`` refuses: it is listed with the reason. A secret is
listed as set or not set.
"""

import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _

from housekeeping import conf
from housekeeping.declared import registry
from housekeeping.declared.policies import Policy, in_days
from housekeeping.journal.alerting import recipients
from housekeeping.models import PolicyState
from housekeeping.reading import ends, words

# Where a value comes from.
DEFAULT, SETTINGS, ENVIRONMENT = "default", "settings", "environment"
DECLARED, CHANGED, ACCOUNTS = "declared", "changed", "accounts"
SOURCES = (DEFAULT, SETTINGS, ENVIRONMENT, DECLARED, CHANGED, ACCOUNTS)
# What a setting is about.
APP, RETENTION, PROJECT = "app", "retention", "project"
GROUPS = (RETENTION, APP, PROJECT)

HUEYS = {"workers": 1, "worker_type": "thread"}  # Huey's own defaults
LONGEST_VALUE = 200  # characters of a value that can't be used


@dataclass(frozen=True)
class InForce:
    """A setting, its value, and where that comes from.

    ``value`` is JSON; None for a secret, and for a policy without a retention. ``variable``: the
    environment variable that the project reads it from, if the project has told us. ``rule``: what decides
    in place of a retention. ``problem``: why the
    value can't be used.
    """

    name: str
    group: str
    value: Any
    source: str
    meaning: str
    variable: str = ""
    default: Any = None
    is_secret: bool = False
    is_set: bool = True
    problem: str = ""
    policy: str = ""
    rule: str = ""
    changed_by: str = ""
    changed_at: datetime | None = None

    @property
    def number(self) -> float | None:
        """The value, if it is a number that can be used."""
        is_number = isinstance(self.value, int | float) and not isinstance(self.value, bool)
        return self.value if is_number and not self.problem else None


def read() -> list[InForce]:
    """Every setting: the retentions, then those of the app, then those of the project that matter here."""
    return [*_retentions(), *(of_app(name) for name in conf.SETTINGS if name != "VARIABLES"), *_project()]


# --- The app's own ------------------------------------------------------------------------------


def of_app(name: str) -> InForce:
    """``name``: a key of ``conf.SETTINGS``."""
    known, full, value = conf.SETTINGS[name], f"HOUSEKEEPING_{name}", conf.read(name)
    is_usable = known.accepts(value)
    is_default = is_usable and value == known.default
    source, variable = _source(full, is_set=hasattr(settings, full), is_default=is_default)
    shown = value if is_usable else repr(value)[:LONGEST_VALUE]
    return InForce(
        full,
        APP,
        None if known.is_secret else list(shown) if isinstance(shown, tuple) else shown,
        source,
        str(known.meaning),
        variable,
        default=None if known.is_secret else known.default,
        is_secret=known.is_secret,
        is_set=bool(value),
        problem="" if is_usable else _("This can't be used. Write %(wanted)s.") % {"wanted": known.wanted},
    )


def _source(name: str, *, is_set: bool, is_default: bool) -> tuple[str, str]:
    """Where the value of a setting comes from, and the variable that the project reads it from."""
    told = conf.VARIABLES
    variable = str(told.get(name, "")) if isinstance(told, dict) else ""
    if variable and variable in os.environ:
        return ENVIRONMENT, variable
    # A project that reads a variable writes the setting in any case.
    if not is_set or (variable and is_default):
        return DEFAULT, variable
    return SETTINGS, variable


# --- Retentions ---------------------------------------------------------------------------------


def _retentions() -> Iterator[InForce]:
    policies = registry.policies()
    states = PolicyState.objects.in_bulk(policies)
    for name, policy in policies.items():
        yield _retention(policy, states.get(name))


def _retention(policy: Policy, state: PolicyState | None) -> InForce:
    name = f"retention.{policy.name}"
    declared, days = in_days(policy.retention), in_days(policy.retention_with(state))
    source, variable = _source(name, is_set=True, is_default=False)
    source = DECLARED if source == SETTINGS else source
    is_changed = state is not None and state.retention_days is not None and declared is not None
    if policy.retention_by:
        meaning = _("As long as each owner wants.")
    elif declared is None and policy.counts_newer:
        meaning = words.stays(policy)
    elif declared is None:
        meaning = ends.told(policy, "No retention: its rows are deleted regardless of age.")
    else:
        meaning = _("How long its rows are kept, in days.")
    return InForce(
        name,
        RETENTION,
        days,
        CHANGED if is_changed else source,
        meaning,
        variable,
        default=declared,
        policy=policy.name,
        rule=_("by owner") if policy.retention_by else _("by number") if policy.counts_newer else "",
        changed_by=state.changed_by if state and is_changed else "",
        changed_at=state.changed_at if state and is_changed else None,
    )


# --- The project's ------------------------------------------------------------------------------


def _project() -> Iterator[InForce]:
    yield _of_project("DATABASES", _database(), _("The database: where the rows are, and the runs."))
    yield _of_project("HUEY", _queue(), _("Where the queue of runs is."))
    yield _of_consumer("workers", _("How many workers a consumer starts, unless run_huey is told otherwise."))
    yield _of_consumer("worker_type", _("What a worker is: a thread, a process or a greenlet."))
    yield _of_project(
        "TIME_ZONE", timezone.get_default_timezone_name(), _("Schedules are read in this zone.")
    )
    yield _of_project("EMAIL_BACKEND", _mail(), _("What sends mails: alerts, and those of tasks."))
    yield _recipients()


def _of_project(name: str, value: str, meaning: str) -> InForce:
    source, variable = _source(name, is_set=True, is_default=False)
    return InForce(name, PROJECT, value, source, meaning, variable)


def _database() -> str:
    facts = connection.settings_dict
    host = f" on {facts['HOST']}" if facts.get("HOST") else ""
    port = f":{facts['PORT']}" if host and facts.get("PORT") else ""
    return f"{connection.vendor}: {facts['NAME']}{host}{port}"


def _queue() -> str:
    huey = getattr(settings, "HUEY", None)
    if not isinstance(huey, dict):
        return type(huey).__name__
    kind = str(huey.get("huey_class", "")).rpartition(".")[2] or "?"
    return f"{kind}: {huey.get('filename') or _without_password(huey)}"


def _without_password(huey: dict[str, Any]) -> str:
    """Where a queue's server is. Neither the user nor options, which may have the password."""
    try:
        parts = urlsplit(str(huey.get("url") or huey.get("dsn") or ""))
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "…"
    return f"{parts.scheme}://{parts.hostname}{port}{parts.path}" if parts.hostname else "…"


def _of_consumer(name: str, meaning: str) -> InForce:
    huey = getattr(settings, "HUEY", None)
    told = huey.get("consumer") if isinstance(huey, dict) else None
    told = told if isinstance(told, dict) else {}
    source, variable = _source(f"HUEY.{name}", is_set=name in told, is_default=False)
    default = HUEYS[name]
    value = told.get(name, default)
    return InForce(f"HUEY.{name}", PROJECT, value, source, meaning, variable, default=default)


def _mail() -> str:
    mailers = getattr(settings, "MAILERS", None)  # since Django 6.1, which warns of the settings before it
    if mailers:
        return str(mailers.get("default", {}).get("BACKEND", ""))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        backend = str(settings.EMAIL_BACKEND)
        is_smtp = "smtp" in backend.lower()
        return f"{backend}: {settings.EMAIL_HOST}:{settings.EMAIL_PORT}" if is_smtp else backend


def _recipients() -> InForce:
    meaning = _(
        "Who gets alerts: active accounts that may operate and have a mail address; if there are none,"
        " Django's ADMINS."
    )
    operators: list[str] = []
    try:
        operators = recipients.operators()
        people, problem = operators or recipients.of_alerts(), ""
    except Exception as error:  # the project's own backends may raise anything
        people, problem = [], _("They can't be found: %(error)s") % {"error": type(error).__name__}
    if not people and not problem:
        problem = _("Nobody gets alerts.")
    source = ACCOUNTS if operators else SETTINGS
    return InForce(
        "alerts.recipients", PROJECT, people, source, meaning, is_set=bool(people), problem=problem
    )
