"""The pages of alerts: what is wrong, who is told, and what was sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy

from housekeeping import conf
from housekeeping.dashboard import wording
from housekeeping.declared import registry
from housekeeping.declared.registry import SCHEDULES, TASKS
from housekeeping.journal import channels, sending
from housekeeping.journal.alerting import messages
from housekeeping.models import Act, Channel, Delivery, Incident
from housekeeping.reading import search
from housekeeping.reading.alerting import alerts
from housekeeping.reading.alerting.alerts import GIVEN_UP, SENT, WAITING

Kind = Incident.Kind
KINDS: dict[str, Any] = {
    Kind.FAILED: gettext_lazy("A task failed"),
    Kind.HELD: gettext_lazy("A run is held for approval"),
    Kind.MISSED: gettext_lazy("A fire time was missed"),
    Kind.BACKLOG: gettext_lazy("A backlog has grown for two days"),
    Kind.ARCHIVE: gettext_lazy("The archives exceed their budget"),
    Kind.DAMAGED: gettext_lazy("An archive is damaged"),
    Kind.CONSUMER: gettext_lazy("No consumer is running"),
}
WAYS: dict[str, Any] = {
    Channel.Kind.MAIL: gettext_lazy("Mail"),
    Channel.Kind.WEBHOOK: gettext_lazy("Webhook (signed JSON)"),
    Channel.Kind.SLACK: gettext_lazy("Slack and compatible chats"),
}
# The words and the colour for the state of a message.
STATES: dict[str, tuple[Any, str]] = {
    WAITING: (gettext_lazy("waiting"), "queued"),
    SENT: (gettext_lazy("sent"), "succeeded"),
    GIVEN_UP: (gettext_lazy("given up"), "failed"),
}
MOST_SENT = 25


@dataclass(frozen=True)
class IncidentLine:
    """An open incident in words. ``address``: the page that shows it."""

    incident: Incident
    title: str
    address: str


@dataclass(frozen=True)
class ChannelLine:
    channel: Channel
    way: str
    to: str
    kinds: list[str]  # in words; empty: all
    tasks: list[str]  # their titles; empty: all

    @property
    def is_of_operators(self) -> bool:
        return self.channel.name == channels.OPERATORS


@dataclass(frozen=True)
class MessageLine:
    """A message that was sent, or waits. ``status``: the colour of its badge."""

    message: Delivery
    about: str
    state: str
    status: str


@dataclass(frozen=True)
class WatcherLine:
    """An outside watcher. ``state`` and ``status``: of the newest ping, in words and as a colour."""

    watcher: alerts.Watcher
    name: str
    state: str
    status: str


@dataclass(frozen=True)
class AlertPage:
    incidents: list[IncidentLine]
    channels: list[ChannelLine]
    messages: list[MessageLine]
    shown: search.Slice[Delivery]
    watchers: list[WatcherLine]
    hosts: list[str]  # that webhooks may go to


@dataclass(frozen=True)
class ChannelPage:
    line: ChannelLine
    secret: str  # of a webhook
    acts: list[Act]


def read(places: Mapping[str, str]) -> AlertPage:
    """``places``: ``older`` or ``newer``, from an address."""
    shown, _ = search.slice_or_newest(alerts.sent({}), None, places, size=MOST_SENT)
    return AlertPage(
        incidents=[_incident(one) for one in alerts.incidents({"open": True})],
        channels=[line(one) for one in channels.known()],
        messages=[_message(one) for one in shown.rows],
        shown=shown,
        watchers=[_watcher(one) for one in alerts.watchers()],
        hosts=list(conf.WEBHOOK_HOSTS),
    )


def channel(name: str) -> ChannelPage:
    """Raises UnknownChannel."""
    found = channels.get(name)
    secret = sending.secret(found) if found.kind == Channel.Kind.WEBHOOK else ""
    return ChannelPage(line(found), secret, list(Act.objects.filter(target=name)[:5]))


def line(channel: Channel) -> ChannelLine:
    to = channels.shown(channel) or gettext("everybody who may operate")
    way = str(WAYS.get(channel.kind, channel.kind))
    kinds = [str(KINDS.get(kind, kind)) for kind in channel.kinds]
    return ChannelLine(channel, way, to, kinds, [wording.title_of(name) for name in channel.tasks])


def choices(chosen: list[str], known: Mapping[str, Any]) -> list[tuple[str, str, bool]]:
    """Checkboxes: the key, the words, and whether it is chosen. One that is gone stays as long as it is."""
    words = {key: str(text) for key, text in known.items()} | {one: one for one in chosen if one not in known}
    return [(key, text, key in chosen) for key, text in words.items()]


def tasks() -> dict[str, str]:
    return {name: wording.title_of(name) for name in TASKS}


def _incident(incident: Incident) -> IncidentLine:
    return IncidentLine(incident, messages.title(incident, say=gettext), _page_of(incident))


def _page_of(incident: Incident) -> str:
    if incident.run:
        return reverse("housekeeping:run", args=[incident.run])
    if incident.kind == Kind.MISSED and incident.target in SCHEDULES:
        return reverse("housekeeping:schedule", args=[incident.target])
    if incident.kind == Kind.BACKLOG and incident.target in registry.policies():
        return reverse("housekeeping:policy", args=[incident.target])
    return reverse("housekeeping:overview")


def _watcher(watcher: alerts.Watcher) -> WatcherLine:
    state, status = STATES[watcher.last.state] if watcher.last else ("", "")
    schedule = SCHEDULES.get(watcher.schedule)
    name = gettext(schedule.name) if schedule else gettext("All runs")
    return WatcherLine(watcher, name, str(state), status)


def _message(message: Delivery) -> MessageLine:
    state, status = STATES[message.state]
    about = messages.title(message.incident, say=gettext) if message.incident else gettext("a test")
    return MessageLine(message, about, str(state), status)
