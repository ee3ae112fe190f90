"""Incidents, channels and what was sent through them, as JSON."""

from typing import Any

from housekeeping import models
from housekeeping.journal import channels, pings, sending
from housekeeping.journal.alerting import messages
from housekeeping.reading.as_json.fields import (
    GIVEN,
    Address,
    Facts,
    Flag,
    Id,
    Many,
    Moment,
    Object,
    Text,
    Whole,
)

KINDS = models.Incident.Kind.values
EVERYTHING = "Empty: all."


class Incident(Object[models.Incident]):
    """Something that is wrong, from the moment when it was noticed until it is over."""

    id = Whole("pk")
    kind = Text(choices=KINDS)
    target = Text(nullable=True, help="The task, schedule, policy or run.")
    task = Text(nullable=True, help="The task that it concerns.")
    run = Id(nullable=True, help="The run that shows it.")
    title = Text(messages.title)
    text = Text()
    opened_at = Moment()
    told_at = Moment(help="When it was last told.")
    told = Whole(help="How often it was told.")
    closed_at = Moment(nullable=True, help="null: it is not over.")


class Channel(Object[models.Channel]):
    """A way to tell people or programs of incidents."""

    name = Text()
    kind = Text(choices=models.Channel.Kind.values)
    address = Text(channels.shown, nullable=True, help="A URL without its secret parts. null: the operators.")
    kinds = Many(Text(choices=KINDS), help=f"Kinds of incidents. {EVERYTHING}")
    tasks = Many(Text(), help=f"Tasks. {EVERYTHING}")
    on = Flag("is_on")
    reminders = Flag("is_reminded", help="Also each day while an incident lasts.")
    secret = Text(GIVEN, optional=True, help="Of a webhook, for those who may configure.")
    changed_at = Moment(lambda channel: _changed(channel).changed_at, nullable=True)
    changed_by = Text(nullable=True)
    url = Address("channel", "name")


class Alert(Object[models.Delivery]):
    """A message about an incident, a test or a ping, to one address."""

    id = Whole("pk")
    channel = Text(nullable=True, help="Of a ping: its schedule; null: the whole site.")
    kind = Text(choices=[messages.ALERT, messages.TEST_KIND, pings.PING])
    transport = Text(choices=models.Delivery.Transport.values)
    address = Text(help="A URL without its secret parts.")
    incident = Whole("incident_id", nullable=True)
    state = Text(choices=["waiting", "sent", "given_up"])
    answer = Text(nullable=True, help="The server's last answer, or the kind of the error.")
    attempts = Whole()
    created_at = Moment()
    next_attempt_at = Moment("not_before", nullable=True)
    sent_at = Moment(nullable=True)
    given_up_at = Moment("failed_at", nullable=True)


class Tested(Object[Any]):
    """A test message."""

    sent = Whole(GIVEN, help="To how many people or programs.")


class _Never:
    changed_at = None


def _changed(channel: models.Channel) -> Any:
    """The operators' channel has no row before somebody changes it."""
    return _Never if channel._state.adding else channel


def channel(channel: models.Channel, *, may_configure: bool) -> Facts:
    is_signed = may_configure and channel.kind == models.Channel.Kind.WEBHOOK
    return Channel.of(channel, **({"secret": sending.secret(channel)} if is_signed else {}))
