"""Mail by SMTP with a time limit that no mail server can exceed."""

import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from django.core.mail import EmailMessage
from django.core.mail.backends import smtp

# So many threads may hang where closing the socket does not help; then no more are started.
MOST_STUCK = 4


class EmailBackend(smtp.EmailBackend):
    """Django's SMTP backend, with a time limit for the whole exchange about a mail.

    EMAIL_TIMEOUT starts again with each byte: a server that sends one each second could hold the
    caller for minutes. Here the exchange runs in a thread of its own, which is abandoned at the
    limit. TimeoutError is raised then; the server may have accepted the mail nevertheless.
    """

    seconds_per_mail = 20.0  # less than a consumer gets for its stop

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
    """Return or raise what ``work`` does; raise TimeoutError if it takes longer."""
    _stuck[:] = [thread for thread in _stuck if thread.is_alive()]
    if len(_stuck) >= MOST_STUCK:
        raise TimeoutError("The mail server still holds earlier mails.")
    future: Future[Any] = Future()
    thread = threading.Thread(target=_carry_out, args=(work, future), name="mail", daemon=True)
    thread.start()
    try:
        return future.result(seconds)
    except TimeoutError:
        if not future.done():  # otherwise the timeout of a single operation was raised by ``work``
            _stuck.append(thread)
            cut()
        raise


def _carry_out(work: Callable[[], Any], future: "Future[Any]") -> None:
    try:
        future.set_result(work())
    except BaseException as error:
        future.set_exception(error)
