"""Acts as lines that a person reads: what was done, to what, and what it changed."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext, gettext_lazy

from housekeeping.dashboard import wording
from housekeeping.declared import registry
from housekeeping.declared.registry import SCHEDULES
from housekeeping.models import Act, Run
from housekeeping.reading import words

# The words for each act, as they follow a name: “ada: started”.
WORDS = {
    "trigger": gettext_lazy("started"),
    "carry out": gettext_lazy("carried out a plan"),
    "cancel": gettext_lazy("cancelled"),
    "retry": gettext_lazy("retried"),
    "approve": gettext_lazy("approved"),
    "undo": gettext_lazy("undone"),
    "pause": gettext_lazy("paused"),
    "resume": gettext_lazy("resumed"),
    "pause task": gettext_lazy("task paused"),
    "resume task": gettext_lazy("task resumed"),
    "acknowledge": gettext_lazy("failure acknowledged"),
    "end acknowledgement": gettext_lazy("acknowledgement ended"),
    "change trigger": gettext_lazy("trigger changed"),
    "reset trigger": gettext_lazy("trigger reset"),
    "change retention": gettext_lazy("retention changed"),
    "reset retention": gettext_lazy("retention reset"),
    "hold": gettext_lazy("hold made"),
    "change hold": gettext_lazy("hold changed"),
    "end hold": gettext_lazy("hold ended"),
    "change holds": gettext_lazy("holds changed"),
    "end holds": gettext_lazy("holds ended"),
    "add channel": gettext_lazy("channel added"),
    "change channel": gettext_lazy("channel changed"),
    "remove channel": gettext_lazy("channel removed"),
    "test channel": gettext_lazy("channel tested"),
    "new secret": gettext_lazy("new secret made"),
    "change rights": gettext_lazy("rights changed"),
    "change password": gettext_lazy("password changed"),
    "change user name": gettext_lazy("user name changed"),
    "change mail address": gettext_lazy("mail address changed"),
    "delete": gettext_lazy("deleted"),
    "erase": gettext_lazy("erasure requested"),
}
_NAMES = {
    "status": gettext_lazy("status"),
    "dry_run": gettext_lazy("dry run"),
    "approved_by": gettext_lazy("approved by"),
    "cancel_requested": gettext_lazy("cancel requested"),
    "is_paused": gettext_lazy("paused"),
    "trigger": gettext_lazy("trigger"),
    "retention_days": gettext_lazy("retention in days"),
    "task": gettext_lazy("task"),
    "schedule": gettext_lazy("schedule"),
    "rows": gettext_lazy("rows"),
    "run": gettext_lazy("by run"),
    "retry_of": gettext_lazy("retry of"),
    "plan_of": gettext_lazy("plan of"),
    "failed": gettext_lazy("failed"),
    "until": gettext_lazy("until"),
    "reason": gettext_lazy("reason"),
    "is_active": gettext_lazy("active"),
    "is_staff": gettext_lazy("staff"),
    "is_superuser": gettext_lazy("superuser"),
    "groups": gettext_lazy("groups"),
    "user_permissions": gettext_lazy("permissions"),
    "permissions": gettext_lazy("permissions"),
    "keys": gettext_lazy("keys"),
    "kind": gettext_lazy("kind"),
    "address": gettext_lazy("address"),
    "kinds": gettext_lazy("kinds of incidents"),
    "tasks": gettext_lazy("tasks"),
    "is_on": gettext_lazy("on"),
    "is_reminded": gettext_lazy("reminders"),
    "hold": gettext_lazy("hold"),
    "holds": gettext_lazy("holds"),
    "model": gettext_lazy("model"),
    "key": gettext_lazy("key"),
}
# A task, a policy and a schedule may share a name: the act tells which of them is the target.
OF_TASK = ("pause task", "resume task", "acknowledge", "end acknowledgement")
OF_POLICY = ("change retention", "reset retention")
_ORIGINS = {
    "dashboard from ": gettext_lazy("dashboard from %(host)s"),
    "admin from ": gettext_lazy("admin from %(host)s"),
    "site from ": gettext_lazy("site from %(host)s"),
    "command on ": gettext_lazy("command on %(host)s"),
}
# The details whose value is the id of a run.
_RUNS = {"run", "retry_of", "plan_of"}


@dataclass(frozen=True)
class Fact:
    name: str
    value: str
    address: str = ""


@dataclass(frozen=True)
class Change:
    name: str
    before: str
    after: str


@dataclass(frozen=True)
class ActLine:
    """An act in words. ``address``: the page of its target; empty if the target has none or is gone."""

    act: Act
    what: str
    target: str
    address: str
    changes: list[Change]
    facts: list[Fact]

    @property
    def origin(self) -> str:
        """From where, in the reader's language: ``dashboard from 127.0.0.1``."""
        for english, words_of in _ORIGINS.items():
            if self.act.origin.startswith(english):
                return str(words_of) % {"host": self.act.origin.removeprefix(english)}
        return self.act.origin


def lines(acts: Iterable[Act]) -> list[ActLine]:
    """A line for each act. One query finds out which of the runs that they name still exist."""
    shown = list(acts)
    named = {pk for act in shown for pk in _ids(act)}
    there = set(Run.objects.filter(pk__in=named).values_list("pk", flat=True)) if named else set()
    return [_line(act, there) for act in shown]


def _line(act: Act, there: set[UUID]) -> ActLine:
    details = dict(act.details)
    before, after = details.pop("before", None) or {}, details.pop("after", None) or {}
    target, address = _target(act, details, there)
    changes = [
        Change(_name(key), _value(key, before.get(key)), _value(key, after.get(key)))
        for key in {**before, **after}
        if before.get(key) != after.get(key)
    ]
    facts = [_fact(key, value, there) for key, value in details.items() if value not in (None, "")]
    return ActLine(act, str(WORDS.get(act.what, act.what)), target, address, changes, facts)


def _target(act: Act, details: dict[str, Any], there: set[UUID]) -> tuple[str, str]:
    """The target in words, and its page. Removes from ``details`` what these words contain."""
    pk = _id(act.target)
    if pk:
        task = details.pop("task", "")
        text = gettext("run of %(task)s") % {"task": words.title_of(task)} if task else gettext("run")
        return f"{text}, {str(pk)[:8]}", reverse("housekeeping:run", args=[pk]) if pk in there else ""
    if act.what == "erase" and (pk := _id(details.pop("erasure", ""))):
        # One that could not be sent is gone.
        return act.target, "" if "failed" in details else reverse("housekeeping:erasure", args=[pk])
    if act.what in OF_TASK:
        known = act.target in registry.TASKS
        return wording.title_of(act.target), reverse("housekeeping:task", args=[act.target]) if known else ""
    if act.target in SCHEDULES:
        return gettext(SCHEDULES[act.target].name), reverse("housekeeping:schedule", args=[act.target])
    if act.target in registry.policies():
        text = gettext("policy %(name)s") % {"name": act.target}
        return text, reverse("housekeeping:policy", args=[act.target])
    return act.target, ""


def _fact(key: str, value: Any, there: set[UUID]) -> Fact:
    pk = _id(value) if key in _RUNS else None
    if pk:
        return Fact(_name(key), str(pk)[:8], reverse("housekeeping:run", args=[pk]) if pk in there else "")
    return Fact(_name(key), _value(key, value))


def _name(key: str) -> str:
    return str(_NAMES.get(key, key.replace("_", " ")))


def _value(key: str, value: Any) -> str:
    if value is None or value == "":
        return gettext("as declared") if key == "trigger" and value == "" else ""
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if key == "status":
        return gettext(str(value))
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, int | float):
        return words.number(value)
    if isinstance(value, str) and (moment := _moment(value)):
        return wording.date(timezone.localtime(moment), "j M Y, H:i T")
    return str(value)


def _moment(text: str) -> Any:
    try:
        moment = parse_datetime(text) if "T" in text else None
    except ValueError:
        return None
    return moment if moment and timezone.is_aware(moment) else None


def _ids(act: Act) -> list[UUID]:
    values = [act.target, *(act.details.get(key) for key in _RUNS)]
    return [pk for pk in map(_id, values) if pk]


def _id(value: object) -> UUID | None:
    try:
        return UUID(str(value)) if value else None
    except ValueError:
        return None
