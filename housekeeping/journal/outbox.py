"""Mails that nobody waits for: kept as rows, sent by a consumer, or beside the site where none is up.

What it promises:

- Neither a run nor a request waits for a mail server, and a server that is down for up to a day
  costs no mail: each is tried for that long, ever more seldom, and then given up.
- A mail may be sent twice: a process that dies between the mail and its mark leaves a mail that
  is sent again once its lease has run out.
- Any number of processes may send: one conditional UPDATE claims each mail.
- What a mail says is deleted as soon as it is sent or given up.
"""

import logging
import threading
from collections.abc import Sequence
from datetime import timedelta
from smtplib import SMTPDataError, SMTPRecipientsRefused

from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import DatabaseError, connection, transaction
from django.db.models import F, Q, QuerySet

from housekeeping import conf
from housekeeping.database import clock
from housekeeping.models import Consumer, Delivery

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=2)  # more than one mail may take
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=1)
GIVE_UP_AFTER = timedelta(days=1)
# After so many failures in a row that are the mail server's own, the rest waits for the next look.
MOST_FAULTS = 3
AT_ONCE = 100


class Backend(BaseEmailBackend):
    """A mail backend that keeps each mail as a row instead of sending it. Plain text alone."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        for message in email_messages:
            put(str(message.subject), str(message.body), message.recipients(), sender=message.from_email)
        return len(email_messages)


def put(subject: str, text: str, recipients: Sequence[str], *, kind: str = "mail", sender: str = "") -> None:
    """Keep a mail for each of ``recipients``. They are sent once the transaction is committed."""
    now = clock.now()
    payload = {"subject": subject, "text": text, "sender": sender}
    Delivery.objects.bulk_create(
        Delivery(kind=kind, address=address, payload=payload, created_at=now) for address in recipients
    )
    transaction.on_commit(send_if_nobody_else)


def deliver() -> int:
    """Send what is due. Returns how many mails were sent. Raises DatabaseError."""
    sent = faults = 0
    for pk in list(_due().values_list("pk", flat=True)[:AT_ONCE]):
        delivery = _claim(pk)
        if delivery is None:
            continue
        try:
            _send(delivery)
        except DatabaseError:
            raise
        except Exception as error:  # a mail fails in many ways, and none of them is the next one's
            faults = 0 if _is_final(error) else faults + 1
            _put_off(delivery, error)
            if faults >= MOST_FAULTS:
                break
        else:
            sent, faults = sent + 1, 0
            _own(delivery).update(sent_at=clock.now(), payload=None, lease_until=None, error="")
    return sent


def _due() -> QuerySet[Delivery]:
    waiting = Delivery.objects.filter(sent_at=None, failed_at=None).order_by("pk")
    now = clock.Now()
    # A pause or a lease that is longer than any was written while the clock was ahead.
    is_due = Q(not_before=None) | ~Q(not_before__range=(now, now + LONGEST_PAUSE + conf.ahead()))
    is_free = Q(lease_until=None) | ~Q(lease_until__range=(now, now + LEASE + conf.ahead()))
    return waiting.filter(is_due, is_free)


def _claim(pk: int) -> Delivery | None:
    claimed = _due().filter(pk=pk).update(lease_until=clock.Now() + LEASE, attempts=F("attempts") + 1)
    return Delivery.objects.filter(pk=pk).first() if claimed else None  # it may be deleted by now


def _own(delivery: Delivery) -> QuerySet[Delivery]:
    """The row, as long as nobody else has claimed it since."""
    return Delivery.objects.filter(pk=delivery.pk, attempts=delivery.attempts, sent_at=None)


def _send(delivery: Delivery) -> None:
    facts = delivery.payload
    if not isinstance(facts, dict) or not {"subject", "text", "sender"} <= facts.keys():
        raise ValueError("not what a mail is made of")
    message = EmailMessage(
        facts["subject"],
        facts["text"],
        facts["sender"] or None,
        [delivery.address],
        connection=get_connection(),
    )
    message.send()


def _put_off(delivery: Delivery, error: Exception) -> None:
    """Plan the next attempt, or give up. Neither the log nor the row holds an address or a text."""
    kind, now = type(error).__name__, clock.now()
    if _is_final(error) or now >= delivery.created_at + GIVE_UP_AFTER:
        _own(delivery).update(failed_at=now, payload=None, lease_until=None, error=kind)
        logger.error("The mail %s can't be sent and is given up (%s)", delivery, kind)
        return
    pause = min(FIRST_PAUSE * 2 ** (delivery.attempts - 1), LONGEST_PAUSE)
    _own(delivery).update(not_before=now + pause, lease_until=None, error=kind)
    logger.warning("The mail %s could not be sent (%s); it is tried again in %s", delivery, kind, pause)


def _is_final(error: Exception) -> bool:
    """Does the server refuse this mail for good, or can it not be a mail at all?"""
    if isinstance(error, SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in error.recipients.values())
    if isinstance(error, SMTPDataError):
        return error.smtp_code >= 500
    return isinstance(error, ValueError)


# --- Where no consumer is up ------------------------------------------------------------------

_sender: threading.Thread | None = None
_turn = threading.Lock()


def send_if_nobody_else() -> None:
    """Send what is due in a thread of this process, unless a consumer is up to do it."""
    global _sender
    _sender = threading.Thread(target=_deliver_here, name="outbox", daemon=True)
    _sender.start()


def settle(seconds: float = 60.0) -> None:
    """Wait until this process has sent what it is sending, for at most so many seconds."""
    if _sender:
        _sender.join(seconds)


def _deliver_here() -> None:
    try:
        with _turn:  # who waits for the newest thread waits for those before it
            if not Consumer.objects.alive(clock.now()).exists():
                deliver()
    except DatabaseError as error:  # what is kept is sent later
        logger.warning("The outbox can't be read: %s", error)
    finally:
        connection.close()
