"""The outbox: mails stored as rows. A consumer sends them; without one, the process that wrote them.

What it promises:

- Neither a run nor a request waits for a mail server. No mail is lost while the server is down for
  up to a day: each is tried for that long, at growing intervals, and then given up.
- A mail may be sent twice: if a process dies between sending a mail and marking it as sent, it is
  sent again once its lease has run out.
- Any number of processes may send: one conditional UPDATE claims each mail.
- The text of a mail is deleted as soon as the mail is sent or given up.
"""

import logging
import threading
from collections.abc import Sequence
from datetime import timedelta
from smtplib import SMTPDataError, SMTPRecipientsRefused

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.db import DatabaseError, connection, transaction
from django.db.models import F, Q, QuerySet

from housekeeping import conf
from housekeeping.database import clock
from housekeeping.models import Consumer, Delivery

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=2)  # longer than one mail may take
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=1)
GIVE_UP_AFTER = timedelta(days=1)
# After so many errors of the mail server itself in a row, the rest waits for the next look.
MOST_SERVER_ERRORS = 3
AT_ONCE = 100


class Backend(BaseEmailBackend):
    """A mail backend that stores each mail as a row instead of sending it. Plain text only."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        for message in email_messages:
            put(str(message.subject), str(message.body), message.recipients(), sender=message.from_email)
        return len(email_messages)


def put(subject: str, text: str, recipients: Sequence[str], *, kind: str = "mail", sender: str = "") -> None:
    """Store a mail for each of ``recipients``. They are sent once the transaction is committed."""
    now = clock.now()
    payload = {"subject": subject, "text": text, "sender": sender}
    Delivery.objects.bulk_create(
        Delivery(kind=kind, address=address, payload=payload, created_at=now) for address in recipients
    )
    transaction.on_commit(send_if_nobody_else)


def deliver() -> int:
    """Send the mails that are due. Returns how many were sent. Raises DatabaseError."""
    sent = server_errors = 0
    for pk in list(_due().values_list("pk", flat=True)[:AT_ONCE]):
        delivery = _claim(pk)
        if delivery is None:
            continue
        try:
            _send(delivery)
        except DatabaseError:
            raise
        except Exception as error:  # a mail can fail in many ways; the next one must not suffer
            server_errors = 0 if _is_final(error) else server_errors + 1
            _put_off(delivery, error)
            if server_errors >= MOST_SERVER_ERRORS:
                break
        else:
            sent, server_errors = sent + 1, 0
            _own(delivery).update(sent_at=clock.now(), payload=None, lease_until=None, error="")
    return sent


def _due() -> QuerySet[Delivery]:
    waiting = Delivery.objects.filter(sent_at=None, failed_at=None).order_by("pk")
    now = clock.Now()
    # A pause or a lease that is longer than they ever are was written while the clock was ahead.
    is_due = Q(not_before=None) | ~Q(not_before__range=(now, now + LONGEST_PAUSE + conf.ahead()))
    is_free = Q(lease_until=None) | ~Q(lease_until__range=(now, now + LEASE + conf.ahead()))
    return waiting.filter(is_due, is_free)


def _claim(pk: int) -> Delivery | None:
    claimed = _due().filter(pk=pk).update(lease_until=clock.Now() + LEASE, attempts=F("attempts") + 1)
    return Delivery.objects.filter(pk=pk).first() if claimed else None  # it may be deleted by now


def _own(delivery: Delivery) -> QuerySet[Delivery]:
    """The mail's row, unless another process has claimed it since."""
    return Delivery.objects.filter(pk=delivery.pk, attempts=delivery.attempts, sent_at=None)


def _send(delivery: Delivery) -> None:
    facts = delivery.payload
    if not isinstance(facts, dict) or not {"subject", "text", "sender"} <= facts.keys():
        raise ValueError("the stored mail is incomplete")
    message = EmailMessage(facts["subject"], facts["text"], facts["sender"] or None, [delivery.address])
    message.send()


def _put_off(delivery: Delivery, error: Exception) -> None:
    """Plan the next attempt, or give up. Neither the log nor the row gets an address or a text."""
    kind, now = type(error).__name__, clock.now()
    if _is_final(error) or now >= delivery.created_at + GIVE_UP_AFTER:
        _own(delivery).update(failed_at=now, payload=None, lease_until=None, error=kind)
        logger.error("The mail %s can't be sent and is given up (%s)", delivery, kind)
        return
    pause = min(FIRST_PAUSE * 2 ** (delivery.attempts - 1), LONGEST_PAUSE)
    _own(delivery).update(not_before=now + pause, lease_until=None, error=kind)
    logger.warning("The mail %s could not be sent (%s); it is tried again in %s", delivery, kind, pause)


def _is_final(error: Exception) -> bool:
    """Does the server refuse this mail permanently, or is it not a valid mail?"""
    if isinstance(error, SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in error.recipients.values())
    if isinstance(error, SMTPDataError):
        return error.smtp_code >= 500
    return isinstance(error, ValueError)


# --- Without a consumer -----------------------------------------------------------------------

_newest: threading.Thread | None = None
_starting = threading.Lock()


def send_if_nobody_else() -> None:
    """Send what is due in a thread of this process, unless a consumer is running."""
    global _newest
    with _starting:
        thread = threading.Thread(target=_deliver_here, args=(_newest,), name="outbox", daemon=True)
        thread.start()
        # Only once it has started: Ctrl-C may come before, and a thread that never ran can't be waited for.
        _newest = thread


def settle(seconds: float = 60.0) -> None:
    """Wait until this process has finished sending, for at most so many seconds."""
    if _newest:
        _newest.join(seconds)


def _deliver_here(before: threading.Thread | None) -> None:
    try:
        if before:
            before.join()  # one after the other: waiting for the newest thread waits for all
        if not Consumer.objects.alive(clock.now()).exists():
            deliver()
    except DatabaseError as error:  # the mails are stored, and sent later
        logger.warning("The outbox can't be read: %s", error)
    finally:
        connection.close()
