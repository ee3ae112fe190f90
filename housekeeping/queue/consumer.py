"""``run_huey``: Huey's consumer, with a heartbeat, a graceful stop and a punctual scheduler."""

import logging
import signal
import threading
from collections.abc import Callable
from datetime import datetime
from functools import partial

from django.db import DatabaseError, close_old_connections, connection, connections
from django.utils import timezone
from huey import consumer as huey_consumer

from housekeeping import clock, consumers, gauges, outbox, runs, schedules
from housekeeping.models import BEAT
from housekeeping.models import Consumer as ConsumerRow

logger = logging.getLogger(__name__)

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


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
            schedules.tick(clock.now(), send=send)

    def look_after_runs(self) -> None:
        from housekeeping.queue.tasks import send

        runs.recover(clock.now(), send=send)

    def release_delayed(self) -> None:
        for task in self.huey.read_schedule():  # and takes them out: each is ours to send on
            self._try(f"enqueue {task}", partial(self.huey.enqueue, task))

    def _try(self, what: str, step: Callable[[], None]) -> None:
        close_old_connections()
        try:
            step()
        except Exception as error:
            self.huey.complaints.about(what, error)
        else:
            self.huey.complaints.are_over(what)
        finally:
            close_old_connections()


class Consumer(huey_consumer.Consumer):
    worker_class = Worker
    scheduler_class = Scheduler

    row: ConsumerRow

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
        runs.distrust_messages()
        self._announce()
        connections.close_all()  # worker processes are forked, and must not share one
        super().start()
        # After the forks: a thread of the parent does not exist in its children. One each, as
        # a count that takes long must not look like death.
        self._every(BEAT.total_seconds(), "write the heartbeat", consumers.beat, self.row)
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

    def _every(self, seconds: float, what: str, act: Callable[..., object], *facts: object) -> None:
        """Call ``act`` with ``facts`` and the time, in a thread of its own, until the consumer stops."""

        def go_on() -> None:
            while not self.stop_flag.wait(seconds):
                try:
                    act(*facts, clock.now())
                except DatabaseError as error:
                    connection.close()
                    self.huey.complaints.about(what, error)
                else:
                    self.huey.complaints.are_over(what)
                finally:
                    close_old_connections()

        threading.Thread(target=go_on, name=what, daemon=True).start()
