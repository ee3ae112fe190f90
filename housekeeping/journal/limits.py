"""A time limit for an exchange with a server, which no server can exceed."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Answer = TypeVar("Answer")

# So many threads may hang where closing the socket does not help; then no more are started.
MOST_STUCK = 4


class Limit:
    """A limit for exchanges of one kind, such as mail: those that hang don't stop those of another kind.

    The timeout of a socket starts again with each byte: a server that sends one each second could hold the
    caller for minutes. Here the exchange runs in a thread of its own, which is abandoned at the limit.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._stuck: list[threading.Thread] = []

    def within(self, seconds: float, work: Callable[[], Answer], *, cut: Callable[[], None]) -> Answer:
        """Return or raise what ``work`` does; raise TimeoutError if it takes longer. Then ``cut`` is called,
        which should end the exchange. The server may have accepted the message nevertheless.
        """
        self._stuck[:] = [thread for thread in self._stuck if thread.is_alive()]
        if len(self._stuck) >= MOST_STUCK:
            raise TimeoutError(f"The server still holds earlier exchanges ({self.kind}).")
        future: Future[Answer] = Future()
        thread = threading.Thread(target=_carry_out, args=(work, future), name=self.kind, daemon=True)
        thread.start()
        try:
            return future.result(seconds)
        except TimeoutError:
            if not future.done():  # otherwise the timeout of a single operation was raised by ``work``
                self._stuck.append(thread)
                cut()
            raise


def _carry_out(work: Callable[[], Answer], future: "Future[Answer]") -> None:
    try:
        future.set_result(work())
    except BaseException as error:
        future.set_exception(error)
