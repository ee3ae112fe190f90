"""Mail by SMTP that ends in time, whatever the mail server does."""

import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from django.core.mail import EmailMessage
from django.core.mail.backends import smtp

# Threads that a server holds in a place where no socket can be cut: so many, and no more are begun.
MOST_STUCK = 4


class EmailBackend(smtp.EmailBackend):
    """Django's SMTP backend, with a time limit for all that is said to the server about a mail.

    EMAIL_TIMEOUT begins anew with each byte: a server that sends one each second could hold the
    caller for minutes. Here the exchange has a thread of its own, which is left behind at the
    limit. Raises TimeoutError then; the server may have taken the mail all the same.
    """

    seconds_per_mail = 20.0  # less than the consumer has to stop in

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        send = super().send_messages
        seconds = self.seconds_per_mail * len(email_messages)
        return int(_within(seconds, lambda: send(email_messages) or 0, cut=self._cut))

    def _cut(self) -> None:
        wire = getattr(self.connection, "sock", None)
        if wire:
            with suppress(OSError):
                wire.shutdown(socket.SHUT_RDWR)


_stuck: list[threading.Thread] = []


def _within(seconds: float, work: Callable[[], Any], *, cut: Callable[[], None]) -> Any:
    """What ``work`` returns or raises; TimeoutError where it takes longer."""
    _stuck[:] = [thread for thread in _stuck if thread.is_alive()]
    if len(_stuck) >= MOST_STUCK:
        raise TimeoutError("The mail server still holds earlier mails.")
    outcome: Future[Any] = Future()
    thread = threading.Thread(target=_carry_out, args=(work, outcome), name="mail", daemon=True)
    thread.start()
    try:
        return outcome.result(seconds)
    except TimeoutError:
        if not outcome.done():  # else it is the server's own, of one operation
            _stuck.append(thread)
            cut()
        raise


def _carry_out(work: Callable[[], Any], outcome: "Future[Any]") -> None:
    try:
        outcome.set_result(work())
    except BaseException as error:
        outcome.set_exception(error)
