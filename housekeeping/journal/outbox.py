"""The outbox: messages stored as rows. A consumer sends them; without one, the process that wrote them.

What it promises:

- Neither a run nor a request waits for a server. No message is lost while a server is down for up to a
  day: each is tried for that long, at growing intervals, and then given up.
- A message may be sent twice: if a process dies between sending it and marking it as sent, it is sent
  again once its lease has run out.
- Any number of processes may send: one conditional UPDATE claims each message.
- A server that fails again and again holds up no other server's messages for longer than three attempts
  take: what has not been tried yet goes first, and each kind of message has places of its own.
- The text of a message is deleted as soon as it is sent or given up.
"""

import logging
import threading
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.db import DatabaseError, connection, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from housekeeping import conf
from housekeeping.database import clock
from housekeeping.journal import sending
from housekeeping.models import Consumer, Delivery

logger = logging.getLogger(__name__)

Transport = Delivery.Transport

LEASE = timedelta(minutes=2)  # longer than one message may take
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=1)
GIVE_UP_AFTER = timedelta(days=1)
# A ping tells how things are: after some hours, it is worth nothing.
LONGEST_PAUSE_OF_PING, GIVE_UP_PING_AFTER = timedelta(minutes=5), timedelta(hours=3)
# After so many errors of a server itself in a row, the rest of its messages waits for the next look.
MOST_SERVER_ERRORS = 3
AT_ONCE = 100
MOST_PASSES = 10


class Backend(BaseEmailBackend):
    """A mail backend that stores each mail as a row instead of sending it. Plain text only."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        for message in email_messages:
            put(str(message.subject), str(message.body), message.recipients(), sender=message.from_email)
        return len(email_messages)


def put(subject: str, text: str, recipients: Sequence[str], *, kind: str = "mail", sender: str = "") -> None:
    """Store a mail for each of ``recipients``. They are sent once the transaction is committed."""
    payload = {"subject": subject, "text": text, "sender": sender}
    store([Delivery(kind=kind, address=address, payload=payload) for address in recipients])


def store(deliveries: Sequence[Delivery]) -> None:
    """Store messages. They are sent once the transaction is committed."""
    if not deliveries:
        return
    now = clock.now()
    for delivery in deliveries:
        delivery.created_at = now
    Delivery.objects.bulk_create(deliveries)
    transaction.on_commit(send_if_nobody_else, robust=True)  # what follows it must happen in any case


def deliver() -> int:
    """Send the messages that are due. Returns how many were sent. Raises DatabaseError."""
    total, server_errors = 0, Counter[tuple[str, str]]()
    for _pass in range(MOST_PASSES):  # a ping is due once the one before it is sent
        sent = sum(_deliver(transport, server_errors) for transport in Transport)
        total += sent
        if not sent:
            break
    return total


def _deliver(of: Transport, server_errors: Counter[tuple[str, str]]) -> int:
    """Send the due messages of one kind, AT_ONCE at most. Counts the errors in a row of each server."""
    sent = 0
    due = _due().filter(transport=of).order_by("attempts", "pk").values_list("pk", "transport", "channel")
    for pk, transport, channel in list(due[:AT_ONCE]):
        server = (transport, channel if transport != Transport.MAIL else "")
        if server_errors[server] >= MOST_SERVER_ERRORS:
            continue
        delivery = _claim(pk)
        if delivery is None:
            continue
        try:
            answer = sending.send(delivery)
        except DatabaseError:
            raise
        except Exception as error:  # a message can fail in many ways; the next one must not suffer
            is_final = _put_off(delivery, error)
            server_errors[server] = 0 if is_final else server_errors[server] + 1
        else:
            sent, server_errors[server] = sent + 1, 0
            done = {"sent_at": clock.now(), "payload": None, "lease_until": None, "error": ""}
            _own(delivery).update(**done, answer=answer)
    return sent


def _due() -> QuerySet[Delivery]:
    waiting = Delivery.objects.filter(sent_at=None, failed_at=None).order_by("pk")
    now = clock.Now()
    # A pause or a lease that is longer than they ever are was written while the clock was ahead.
    is_due = Q(not_before=None) | ~Q(not_before__range=(now, now + LONGEST_PAUSE + conf.ahead()))
    is_free = Q(lease_until=None) | ~Q(lease_until__range=(now, now + LEASE + conf.ahead()))
    return waiting.filter(is_due, is_free).exclude(Exists(_pings_before()), transport=Transport.PING)


def _pings_before() -> QuerySet[Delivery]:
    """Pings to the same address that have not been sent yet: they go one after the other."""
    same = Delivery.objects.filter(transport=Transport.PING, channel=OuterRef("channel"))
    return same.filter(pk__lt=OuterRef("pk"), sent_at=None, failed_at=None)


def _claim(pk: int) -> Delivery | None:
    claimed = _due().filter(pk=pk).update(lease_until=clock.Now() + LEASE, attempts=F("attempts") + 1)
    return Delivery.objects.filter(pk=pk).first() if claimed else None  # it may be deleted by now


def _own(delivery: Delivery) -> QuerySet[Delivery]:
    """The message's row, unless another process has claimed it since."""
    return Delivery.objects.filter(pk=delivery.pk, attempts=delivery.attempts, sent_at=None)


def _put_off(delivery: Delivery, error: Exception) -> bool:
    """Plan the next attempt, or give up. Neither the log nor the row gets an address or a text.

    Returns whether another attempt is useless.
    """
    kind, now = type(error).__name__, clock.now()
    answer, is_final = sending.answer_in(error)
    why = f"{kind}: {answer}" if isinstance(error, sending.NotSent) else kind
    fields = {"lease_until": None, "error": kind, "answer": answer[:100]}
    is_ping = delivery.transport == Transport.PING
    if is_final or now >= delivery.created_at + (GIVE_UP_PING_AFTER if is_ping else GIVE_UP_AFTER):
        _own(delivery).update(failed_at=now, payload=None, **fields)
        logger.error("The %s %s can't be sent and is given up (%s)", delivery.transport, delivery, why)
        return is_final
    longest = LONGEST_PAUSE_OF_PING if is_ping else LONGEST_PAUSE
    pause = min(FIRST_PAUSE * 2 ** (delivery.attempts - 1), longest)
    _own(delivery).update(not_before=now + pause, **fields)
    facts = (delivery.transport, delivery, why, pause)
    logger.warning("The %s %s could not be sent (%s); it is tried again in %s", *facts)
    return False


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
    except DatabaseError as error:  # the messages are stored, and sent later
        logger.warning("The outbox can't be read: %s", error)
    finally:
        connection.close()
