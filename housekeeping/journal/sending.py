"""How each kind of message is sent: mail, webhook, text for a chat, ping.

Each way returns the server's answer in a few words, without any text of the server: a mail server may quote
an address, and a web server anything.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from http import HTTPStatus
from smtplib import SMTPDataError, SMTPRecipientsRefused, SMTPResponseException
from typing import Any

from django.core.mail import EmailMessage
from django.utils.crypto import salted_hmac

from housekeeping import conf
from housekeeping.database import clock
from housekeeping.declared.registry import SCHEDULES
from housekeeping.exceptions import AddressRefused
from housekeeping.journal import channels, posting
from housekeeping.models import Channel, Delivery

Transport = Delivery.Transport
JSON = {"Content-Type": "application/json"}


class NotSent(Exception):
    """A message was not accepted. ``is_final``: it never will be."""

    def __init__(self, answer: str, *, is_final: bool = False) -> None:
        super().__init__(answer)
        self.answer, self.is_final = answer, is_final


def send(delivery: Delivery) -> str:
    """Send the message, and return the server's answer. Raises NotSent, and any error of the way it goes."""
    facts = delivery.payload
    way = WAYS.get(delivery.transport)
    if way is None or not isinstance(facts, dict):
        raise ValueError("the stored message is incomplete")
    return way(delivery, facts)


def answer_in(error: Exception) -> tuple[str, bool]:
    """What an error says about the server's answer, and whether another attempt is useless."""
    if isinstance(error, NotSent):
        return error.answer, error.is_final
    if isinstance(error, SMTPRecipientsRefused):
        codes = [code for code, _ in error.recipients.values()]
        return " ".join(map(str, codes)), all(code >= 500 for code in codes)
    if isinstance(error, SMTPResponseException):
        return str(error.smtp_code), isinstance(error, SMTPDataError) and error.smtp_code >= 500
    return type(error).__name__, isinstance(error, ValueError)


# --- Mail -------------------------------------------------------------------------------------


def _mail(delivery: Delivery, facts: dict[str, Any]) -> str:
    if not {"subject", "text", "sender"} <= facts.keys():
        raise ValueError("the stored mail is incomplete")
    address = delivery.address
    if delivery.channel and delivery.channel != channels.OPERATORS:
        address = _channel(delivery).address
    EmailMessage(facts["subject"], facts["text"], facts["sender"] or None, [address]).send()
    return "accepted"


# --- Webhooks ---------------------------------------------------------------------------------


def secret(channel: Channel) -> str:
    """The secret that a webhook's messages are signed with. It is not stored: it follows from SECRET_KEY."""
    what = f"{channel.name} {channel.made_at.isoformat()} {channel.secret_number}"
    return "whsec_" + base64.b64encode(_key(what)).decode()


def _key(what: str) -> bytes:
    return salted_hmac("housekeeping.webhooks", what, algorithm="sha256").digest()


def signature(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    """As Standard Webhooks defines it: HMAC-SHA256 of the id, the moment and the body."""
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def _webhook(delivery: Delivery, facts: dict[str, Any]) -> str:
    if not {"id", "body"} <= facts.keys():
        raise ValueError("the stored webhook is incomplete")
    channel = _channel(delivery)
    body = json.dumps(facts["body"]).encode()
    message_id, timestamp = str(facts["id"]), str(int(clock.now().timestamp()))
    signed = {
        "webhook-id": message_id,  # the same for each attempt, so that a receiver notices a repetition
        "webhook-timestamp": timestamp,
        "webhook-signature": signature(secret(channel), message_id, timestamp, body),
    }
    return _post(channel, body, JSON | signed)


def _slack(delivery: Delivery, facts: dict[str, Any]) -> str:
    if "text" not in facts:
        raise ValueError("the stored text is incomplete")
    return _post(_channel(delivery), json.dumps({"text": facts["text"]}).encode(), JSON)


def _channel(delivery: Delivery) -> Channel:
    """The channel as it is now: its address may have been corrected since."""
    found = channels.find(delivery.channel)
    if found is None or found.kind != delivery.transport:
        raise NotSent("the channel was removed", is_final=True)
    return found


def _post(channel: Channel, body: bytes, headers: dict[str, str]) -> str:
    try:
        place = posting.read_listed(channel.address)
    except AddressRefused:
        raise NotSent("the host is not listed", is_final=True) from None
    return _ask(place, body, headers, final={HTTPStatus.GONE})


def _ask(place: posting.Place, body: bytes, headers: dict[str, str], *, final: set[int]) -> str:
    try:
        status = posting.post(place, body, headers)
    except posting.Unreachable as error:
        raise NotSent(error.word) from None
    except AddressRefused:  # its name may lead elsewhere later
        raise NotSent("the host has an inside address") from None
    answer = f"{status} {_phrase(status)}".strip()
    if not 200 <= status < 300:
        raise NotSent(answer, is_final=status in final)
    return answer


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


# --- Pings ------------------------------------------------------------------------------------


def _ping(delivery: Delivery, facts: dict[str, Any]) -> str:
    """The address comes from the project's code, so it need not be listed."""
    if not {"signal", "rid", "body"} <= facts.keys():
        raise ValueError("the stored ping is incomplete")
    schedule = SCHEDULES.get(delivery.channel)
    url = schedule.ping if schedule else "" if delivery.channel else conf.PING_URL
    if not url:
        raise NotSent("the address is no longer declared", is_final=True)
    address, _, query = url.partition("?")
    signal = f"/{facts['signal']}" if facts["signal"] else ""
    place = posting.read(f"{address.rstrip('/')}{signal}?{query}{'&' if query else ''}rid={facts['rid']}")
    return _ask(place, facts["body"].encode(), {"Content-Type": "text/plain; charset=utf-8"}, final=REFUSED)


# The request itself is refused: the watcher does not know the address, for example.
REFUSED = {status for status in range(400, 500) if status not in (408, 425, 429)}

WAYS: dict[str, Callable[[Delivery, dict[str, Any]], str]] = {
    Transport.MAIL: _mail,
    Transport.WEBHOOK: _webhook,
    Transport.SLACK: _slack,
    Transport.PING: _ping,
}
