"""What incidents say, and to whom: the messages of an incident for each channel that takes it."""

import logging
import uuid
from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext_noop as _

from housekeeping import addresses, conf
from housekeeping.database import clock
from housekeeping.journal import channels, outbox
from housekeeping.journal.alerting import recipients
from housekeeping.models import Channel, Delivery, Incident

logger = logging.getLogger(__name__)

Kind = Incident.Kind
OPENED, REMINDER, CLOSED, TEST = "incident.opened", "incident.reminder", "incident.closed", "test"
ALERT, TEST_KIND = "alert", "test"  # kinds of deliveries

# What begins and what is over, after "Housekeeping: ".
TITLES: dict[str, tuple[str, str]] = {
    Kind.FAILED: (_("%(target)s failed"), "%(target)s succeeded again"),
    Kind.HELD: (_("%(target)s is held for approval"), "%(target)s is no longer held"),
    Kind.MISSED: (
        _("the schedule %(target)s missed a fire time"),
        "the schedule %(target)s runs on time again",
    ),
    Kind.BACKLOG: (_("the backlog of %(target)s grows"), "the backlog of %(target)s no longer grows"),
    Kind.ARCHIVE: (_("the archives exceed their budget"), "the archives are within their budget again"),
    Kind.DAMAGED: (
        _("the archive of run %(target)s is damaged"),
        "the archive of run %(target)s is in order or gone",
    ),
    Kind.CONSUMER: (_("no consumer is running"), "a consumer is running again"),
}
ADVICE: dict[str, str] = {
    Kind.FAILED: "Details, and a button to retry:",
    Kind.HELD: "Nothing is changed before that. Approve or cancel it here:",
    Kind.MISSED: "Look whether a consumer runs and is not overloaded:",
    Kind.BACKLOG: "Its purges take fewer rows than expire, or don't run. See its policy:",
    Kind.ARCHIVE: "Archives are deleted after HOUSEKEEPING_UNDO_DAYS. More:",
    Kind.DAMAGED: "Undo can still restore the intact batches:",
    Kind.CONSUMER: "Start one: python manage.py run_huey. More:",
}
PAGES: dict[str, str] = {Kind.MISSED: "schedule", Kind.BACKLOG: "policy"}
NO_MORE = "No further mail is sent until it has succeeded again. "


def put(incident: Incident, event: str) -> int:
    """Store the messages about an incident for all channels that take it. Returns their number."""
    deliveries = [
        delivery
        for channel in channels.known()
        if channel.takes(incident) and _is_wanted(channel, incident, event)
        for delivery in _for(channel, _Told(incident, event))
    ]
    outbox.store(deliveries)
    return len(deliveries)


def put_test(channel: Channel) -> int:
    """Store a test message for a channel. Returns how many people or programs get it."""
    deliveries = _for(channel, _Test(channel))
    outbox.store(deliveries)
    return len(deliveries)


def title(incident: Incident, *, is_over: bool = False, say: Callable[[str], str] = str) -> str:
    """``conversations failed``: the incident in a few words, which ``say`` may translate."""
    target = incident.target[:8] if incident.kind == Kind.DAMAGED else incident.target
    return say(TITLES[incident.kind][is_over]) % {"target": target}


def page_of(incident: Incident) -> str:
    """The full URL of the page that shows it; empty without pages or without ``conf.SITE_URL``."""
    if incident.run:
        return addresses.page_in_mail("run", incident.run)
    name = PAGES.get(incident.kind)
    return addresses.page_in_mail(name, incident.target) if name else addresses.page_in_mail("overview")


def _is_wanted(channel: Channel, incident: Incident, event: str) -> bool:
    if event == REMINDER:
        return channel.is_reminded
    # A person has approved or cancelled the run: nobody needs a mail about that. Programs close theirs.
    return not (event == CLOSED and incident.kind == Kind.HELD and channel.kind == Channel.Kind.MAIL)


class _Told:
    """An incident at one of its events, as text and as JSON."""

    kind = ALERT

    def __init__(self, incident: Incident, event: str) -> None:
        self.incident, self.event = incident, event

    def subject(self) -> str:
        text = title(self.incident, is_over=self.event == CLOSED)
        return f"{text} (still)" if self.event == REMINDER else text

    def text(self, channel: Channel) -> str:
        incident = self.incident
        if self.event == CLOSED:
            said = (
                "The run before this one had failed. This one:" if incident.kind == Kind.FAILED else "More:"
            )
            return f"{said}\n{self.link()}"
        is_last = incident.kind == Kind.FAILED and not channel.is_reminded
        advice = (NO_MORE if is_last else "") + ADVICE[incident.kind]
        since = f"Since {clock.shown(incident.opened_at)}.\n" if self.event == REMINDER else ""
        return f"{since}{incident.text}\n\n{advice}\n{self.link()}"

    def link(self) -> str:
        """The address of its page; the name of its run if the project has no pages."""
        return page_of(self.incident) or (f"Run {self.incident.run}" if self.incident.run else "")

    def data(self) -> dict[str, Any]:
        incident = self.incident
        return {
            "incident": incident.pk,
            "kind": incident.kind,
            "target": incident.target,
            "task": incident.task or None,
            "run": str(incident.run) if incident.run else None,
            "title": title(incident, is_over=self.event == CLOSED),
            "text": incident.text,
            "opened_at": incident.opened_at.isoformat(),
            "closed_at": incident.closed_at.isoformat() if incident.closed_at else None,
            "url": page_of(incident) or None,
        }


class _Test:
    """A message that says only that it arrives."""

    kind, event, incident = TEST_KIND, TEST, None

    def __init__(self, channel: Channel) -> None:
        self.channel = channel

    def subject(self) -> str:
        return "a test"

    def text(self, channel: Channel) -> str:
        return f"Alerts for the channel {channel.name} arrive here.\n{addresses.page_in_mail('overview')}"

    def data(self) -> dict[str, Any]:
        return {"channel": self.channel.name, "title": self.subject()}


def _for(channel: Channel, told: "_Told | _Test") -> list[Delivery]:
    facts: dict[str, Any] = {"channel": channel.name, "kind": told.kind, "incident": told.incident}
    if channel.kind == Channel.Kind.MAIL:
        return [
            Delivery(address=to, payload=_mail(channel, told), **facts) for to in _recipients(channel, told)
        ]
    payload = {"text": _chat(channel, told)} if channel.kind == Channel.Kind.SLACK else _body(told)
    return [Delivery(transport=channel.kind, address=channels.shown(channel), payload=payload, **facts)]


def _body(told: "_Told | _Test") -> dict[str, Any]:
    """A webhook's body, and the id by which its receiver notices a repetition."""
    data = {**told.data(), "site": conf.SITE_URL}
    body = {"type": told.event, "timestamp": clock.now().isoformat(), "data": data}
    return {"id": f"msg_{uuid.uuid4().hex}", "body": body}


def _mail(channel: Channel, told: "_Told | _Test") -> dict[str, str]:
    subject = f"Housekeeping: {told.subject()}"
    return {"subject": " ".join(subject.split()), "text": f"{told.text(channel)}\n", "sender": ""}


def _recipients(channel: Channel, told: "_Told | _Test") -> list[str]:
    if channel.address:
        return [channel.address]
    found = recipients.of_alerts()
    if not found:
        nobody = "no operator has a mail address, and ADMINS is empty"
        logger.warning("Nobody was told: %s: %s", told.subject(), nobody)
    return found


def _chat(channel: Channel, told: "_Told | _Test") -> str:
    """Text for Slack, whose markup these three characters would begin."""
    text = f"*Housekeeping: {told.subject()}*\n{told.text(channel)}".strip()
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
