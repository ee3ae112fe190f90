"""Forks of a process that has threads: only while none of them is at work."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class ForkLock:
    """Lets a process fork only while none of its threads is at work.

    A fork copies every lock that another thread holds, such as those of the SQLite library, and nobody
    ever releases the copy: the child waits forever at its first query. Threads do not exclude each other.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._at_work = 0

    @contextmanager
    def work(self) -> Iterator[None]:
        with self._changed:
            self._at_work += 1
        try:
            yield
        finally:
            with self._changed:
                self._at_work -= 1
                self._changed.notify_all()

    @contextmanager
    def fork(self, *, seconds: float) -> Iterator[bool]:
        """True if no thread is at work within ``seconds``: then none begins before the block ends."""
        with self._changed:
            yield self._changed.wait_for(lambda: not self._at_work, seconds)
