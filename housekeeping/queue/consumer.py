"""``run_huey``: Huey's consumer, with a heartbeat, a graceful stop and a punctual scheduler."""

import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from django.db import DatabaseError, close_old_connections, connection, connections
from django.utils import timezone
from huey import consumer as huey_consumer

from housekeeping import conf
from housekeeping.database import clock
from housekeeping.journal import outbox
from housekeeping.models import Consumer as ConsumerRow
from housekeeping.reading import gauges
from housekeeping.runs import consumers, execution, recovery, schedules, ticks

logger = logging.getLogger(__name__)

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# Ctrl-C comes to a whole group, and a parent passes it on: so close together, they are one (seconds).
ONE_PRESS = 1.0
# How long the database may take to hear of an end at once (seconds).
LAST_WORDS = 1.5


class Worker(huey_consumer.Worker):
    """Leaves when its consumer is gone: a killed parent would leave it running for ever."""

    def loop(self, now: datetime | None = None) -> None:
        if self.huey.is_orphan():
            raise KeyboardInterrupt  # how Huey ends a worker without a fuss
        super().loop(now)


class Scheduler(huey_consumer.Scheduler):
    """Looks each second, on the second: at our schedules, at silent runs, and for Huey
    at its delayed tasks and, as a minute begins, at the periodic tasks of the site."""

    def initialize(self) -> None:
        super().initialize()
        self._minute_seen: datetime | None = None

    def loop(self, now: datetime | None = None) -> None:
        if self.huey.is_orphan():
            raise KeyboardInterrupt
        # A fault in one of these must not cost the others their turn.
        self._try("look at the schedules", self.look_at_schedules)
        self._try("look after the runs", self.look_after_runs)
        self._try("release delayed tasks", self.release_delayed)
        # Huey's own periodic tasks stay on the host's clock.
        minute = timezone.now().replace(second=0, microsecond=0)
        if self.periodic and minute != self._minute_seen:
            self._minute_seen = minute
            self._try("look at the periodic tasks", lambda: self.enqueue_periodic_tasks(now))
        self.stop_flag.wait(self.interval - clock.estimate().timestamp() % self.interval)

    def look_at_schedules(self) -> None:
        from housekeeping.queue.tasks import send

        if self.periodic:
            ticks.tick(clock.now(), send=send)

    def look_after_runs(self) -> None:
        from housekeeping.queue.tasks import send

        recovery.recover(clock.now(), send=send)

    def release_delayed(self) -> None:
        for task in self.huey.read_schedule():  # and takes them out: each is ours to send on
            self._try(f"enqueue {task}", partial(self.huey.enqueue, task))

    def _try(self, what: str, step: Callable[[], None]) -> None:
        close_old_connections()
        try:
            step()
        except Exception as error:
            self.huey.error_log.log_throttled(what, error)
        else:
            self.huey.error_log.log_recovered(what)
        finally:
            close_old_connections()


class Consumer(huey_consumer.Consumer):
    worker_class = Worker
    scheduler_class = Scheduler

    row: ConsumerRow
    stopping_since: float | None = None  # by the monotonic clock

    def start(self) -> None:
        # A stop that comes before Huey listens for it would leave half of the parts up.
        early: list[int] = []
        for number in STOP_SIGNALS:
            signal.signal(number, lambda number, frame: early.append(number))
        self._start_parts()
        if early:
            signal.raise_signal(early[0])

    def _start_parts(self) -> None:
        initialize_schema = getattr(self.huey.storage, "initialize_schema", lambda: None)
        initialize_schema()
        self.row = consumers.join(
            workers=self.workers,
            worker_type=self.worker_type,
            schedules=bool(self.periodic),
            now=clock.now(),
        )
        self.huey.consumer = self
        recovery.resend_all()
        self._announce()
        connections.close_all()  # worker processes are forked, and must not share one
        super().start()
        self._listen_twice()
        # After the forks: a thread of the parent does not exist in its children. One each, as
        # a count that takes long must not look like death.
        self._every(conf.beat().total_seconds(), "write the heartbeat", consumers.beat, self.row)
        self._every(5.0, "measure the gauges", gauges.refresh)
        self._every(1.0, "send what waits in the outbox", lambda now: outbox.deliver())

    def _announce(self) -> None:
        name = f"Consumer {self.row}"
        if not self.periodic:
            logger.info("%s carries out runs, and looks at no schedules (-n)", name)
        elif self.huey.is_beside_site:
            logger.info("%s looks at the schedules that the site has named", name)
        else:
            schedules.announce(f"{name} looks at the schedules:")

    def stop(self, graceful: bool = False) -> None:
        """Whatever the signal: let each worker end its batch and hand the rest back.

        A purge does so within milliseconds; a task that looks at nothing is given
        ``shutdown_timeout`` seconds.
        """
        super().stop(graceful=True)
        try:
            consumers.leave(self.row, clock.now())
        except DatabaseError as error:
            logger.warning("The database was not told that this consumer stops: %s", error)

    def _listen_twice(self) -> None:
        """The first signal stops as Huey has it; a second TERM or INT ends a task that is stuck."""
        handlers = {number: signal.getsignal(number) for number in STOP_SIGNALS}
        for number in STOP_SIGNALS:
            signal.signal(number, partial(self._on_signal, handlers))

    def _on_signal(self, hueys: dict[signal.Signals, Any], number: int, frame: object) -> None:
        if self.stopping_since is None:
            self.stopping_since = time.monotonic()
            hueys[signal.Signals(number)](number, frame)
            # Huey has put another handler in this one's place.
            signal.signal(number, partial(self._on_signal, hueys))
        elif number != signal.SIGHUP and time.monotonic() - self.stopping_since > ONE_PRESS:
            self._end_at_once(number)

    def _end_at_once(self, number: int) -> None:
        """End this process, whatever its workers are doing, with their runs handed back."""
        for child in multiprocessing.active_children():
            child.kill()
        # In a thread: this one may have been interrupted in the middle of a query.
        last_words = threading.Thread(target=self._hand_back, daemon=True)
        last_words.start()
        last_words.join(LAST_WORDS)
        os._exit(128 + number)

    def _hand_back(self) -> None:
        logger.warning("Second signal: this consumer ends at once")
        try:
            count = execution.hand_back_all(self.row)
            consumers.leave(self.row, clock.now())
        except DatabaseError as error:
            logger.error("The runs can't be handed back; they are taken back later: %s", error)
        else:
            logger.warning("Runs handed back: %s", count)
        logging.shutdown()

    def _every(self, seconds: float, what: str, act: Callable[..., object], *facts: object) -> None:
        """Call ``act`` with ``facts`` and the time, in a thread of its own, until the consumer stops."""

        def repeat() -> None:
            while not self.stop_flag.wait(seconds):
                try:
                    act(*facts, clock.now())
                except Exception as error:  # any: an error in a policy would end this thread for good
                    connection.close()
                    self.huey.error_log.log_throttled(what, error)
                else:
                    self.huey.error_log.log_recovered(what)
                finally:
                    close_old_connections()

        threading.Thread(target=repeat, name=what, daemon=True).start()
