"""Mail by SMTP with a time limit that no mail server can exceed."""

import socket
from collections.abc import Sequence
from contextlib import suppress

from django.core.mail import EmailMessage
from django.core.mail.backends import smtp

from housekeeping.journal.limits import Limit

LIMIT = Limit("mail")


class EmailBackend(smtp.EmailBackend):
    """Django's SMTP backend, with a time limit for the whole exchange about a mail.

    TimeoutError is raised at the limit; the server may have accepted the mail nevertheless.
    """

    seconds_per_mail = 20.0  # less than a consumer gets for its stop

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        send = super().send_messages
        seconds = self.seconds_per_mail * len(email_messages)
        return LIMIT.within(seconds, lambda: send(email_messages) or 0, cut=self._cut)

    def _cut(self) -> None:
        wire = getattr(self.connection, "sock", None)
        if wire:
            with suppress(OSError):
                wire.shutdown(socket.SHUT_RDWR)
