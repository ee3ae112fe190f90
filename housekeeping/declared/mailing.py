"""Mail to many people, one after the other: what a task is handed to mail with."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from smtplib import SMTPDataError, SMTPNotSupportedError, SMTPRecipientsRefused
from typing import Any, Protocol

from django.db import Error as DatabaseFault
from django.db.models import QuerySet

from housekeeping.declared.steps import Checkpoint, no_checkpoint

logger = logging.getLogger(__name__)

# What a mail server says of one mail. Any other failure is the server's own.
ABOUT_ONE_MAIL = (SMTPRecipientsRefused, SMTPDataError, SMTPNotSupportedError, ValueError)
# A server that hangs takes EMAIL_TIMEOUT for each mail: after so many failures of its own
# in a row, the rest waits for the next run.
MOST_FAULTS = 3


@dataclass
class Mailed:
    """How many mails were sent and how many failed; ``faults``: those of the mail server
    that came last, empty where a mail got through after them."""

    sent: int = 0
    failed: int = 0
    faults: list[Exception] = field(default_factory=list)


class Mail(Protocol):
    """What a task is handed to mail with: :func:`mail_each`, or a count that sends nothing.

    ``name`` is what its mails are counted under on the run.
    """

    def __call__(self, name: str, people: QuerySet[Any], send: Callable[[Any], None]) -> Mailed: ...


def mail_each(
    name: str,
    people: QuerySet[Any],
    send: Callable[[Any], None],
    *,
    checkpoint: Checkpoint = no_checkpoint,
    record: Callable[[], None] = lambda: None,
) -> Mailed:
    """Call ``send`` with each of ``people``, lowest key first.

    ``send`` mails one of them and marks the row, so that it is none of ``people`` any more.
    Each is looked up just before the mail: who has left ``people`` meanwhile gets none. One
    that fails is logged and counted, and the next ones are still sent, unless the mail
    server itself is at fault. ``checkpoint`` is called before each mail, and what it raises
    ends the walk between two; ``record`` after each that was sent.
    """
    mailed = Mailed()
    person = None
    while len(mailed.faults) < MOST_FAULTS:
        checkpoint()
        person = _after(person, people)
        if person is None:
            break
        try:
            send(person)
        except DatabaseFault:  # not the mail's: the run fails, or goes on once the database is back
            raise
        except Exception as error:  # a mail fails in many ways, and none of them is the next one's
            # Its text may hold the address; the log names nobody.
            logger.warning("%s: the mail to key %s failed (%s)", name, person.pk, type(error).__name__)
            mailed.failed += 1
            mailed.faults = [] if isinstance(error, ABOUT_ONE_MAIL) else [*mailed.faults, error]
        else:
            mailed.sent += 1
            mailed.faults = []
            record()
    logger.info("%s: %s mails sent, %s failed", name, mailed.sent, mailed.failed)
    return mailed


def _after(person: Any, people: QuerySet[Any]) -> Any:
    later = people.filter(pk__gt=person.pk) if person else people
    return later.order_by("pk").first()
