"""Mailing: the tool with which a task mails many people, one after the other."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from smtplib import SMTPDataError, SMTPNotSupportedError, SMTPRecipientsRefused
from typing import Any, Protocol

from django import db
from django.db.models import QuerySet

from housekeeping.declared.steps import Checkpoint, no_checkpoint

logger = logging.getLogger(__name__)

# Errors about one mail. Any other error is the mail server's own.
ABOUT_ONE_MAIL = (SMTPRecipientsRefused, SMTPDataError, SMTPNotSupportedError, ValueError)
# A server that hangs takes EMAIL_TIMEOUT for each mail. After so many errors of its own in a row,
# the rest waits for the next run.
MOST_SERVER_ERRORS = 3


@dataclass
class Mailed:
    """How many mails were sent and how many failed.

    ``server_errors``: the newest errors of the mail server itself; empty once a mail got through.
    """

    sent: int = 0
    failed: int = 0
    server_errors: list[Exception] = field(default_factory=list)


class Mail(Protocol):
    """The tool with which a task mails: :func:`mail_each`, or a count that sends nothing.

    The run counts the mails under ``name``.
    """

    def __call__(self, name: str, people: QuerySet[Any], send: Callable[[Any], None]) -> Mailed: ...


def mail_each(
    name: str,
    people: QuerySet[Any],
    send: Callable[[Any], None],
    *,
    checkpoint: Checkpoint = no_checkpoint,
    on_sent: Callable[[], None] = lambda: None,
) -> Mailed:
    """Call ``send`` with each of ``people``, in the order of their keys.

    ``send`` mails one person and marks the row, so that it no longer belongs to ``people``. Each
    row is read just before its mail: a person who has left ``people`` by then gets none. A mail
    that fails is logged and counted, and the next ones are still sent, unless the mail server
    itself fails again and again. ``checkpoint`` is called before each mail and may end the walk by
    raising; ``on_sent`` is called after each mail that was sent.
    """
    mailed = Mailed()
    person = None
    while len(mailed.server_errors) < MOST_SERVER_ERRORS:
        checkpoint()
        person = _after(person, people)
        if person is None:
            break
        try:
            send(person)
        except db.Error:  # not about the mail: the run fails, or resumes once the database is back
            raise
        except Exception as error:  # a mail can fail in many ways; the next one must not suffer
            # The error's text may hold the address, and the log must not name anybody.
            logger.warning("%s: the mail to key %s failed (%s)", name, person.pk, type(error).__name__)
            mailed.failed += 1
            is_about_the_mail = isinstance(error, ABOUT_ONE_MAIL)
            mailed.server_errors = [] if is_about_the_mail else [*mailed.server_errors, error]
        else:
            mailed.sent += 1
            mailed.server_errors = []
            on_sent()
    logger.info("%s: %s mails sent, %s failed", name, mailed.sent, mailed.failed)
    return mailed


def _after(person: Any, people: QuerySet[Any]) -> Any:
    later = people.filter(pk__gt=person.pk) if person else people
    return later.order_by("pk").first()
