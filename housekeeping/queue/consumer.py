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
from housekeeping.queue.forks import ForkLock
from housekeeping.reading import gauges
from housekeeping.reading.alerting import watch
from housekeeping.reading.tables import measuring
from housekeeping.runs import consumers, recovery, schedules, ticks
from housekeeping.runs.work import execution

logger = logging.getLogger(__name__)

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# Ctrl-C reaches the whole process group, and a parent may pass it on. Signals within so many seconds count
# as one.
ONE_PRESS = 1.0
# How long handing back the runs may take when the process ends at once, in seconds.
LAST_WORDS = 1.5
# How long the replacement of a dead worker waits for the threads of its consumer, in seconds, each time
# that Huey looks.
QUIET_WITHIN = 1.0


class Worker(huey_consumer.Worker):
    """Ends when its consumer is gone: otherwise it would keep running after its parent was killed."""

    def loop(self, now: datetime | None = None) -> None:
        if self.huey.is_orphan():
            raise KeyboardInterrupt  # Huey ends a worker quietly with this
        super().loop(now)


class Scheduler(huey_consumer.Scheduler):
    """Looks at our schedules and at silent runs, each second on the second.

    For Huey, it also looks at delayed tasks and, once a minute, at the periodic tasks of the site.
    """

    def initialize(self) -> None:
        super().initialize()
        self._minute_seen: datetime | None = None

    def loop(self, now: datetime | None = None) -> None:
        if self.huey.is_orphan():
            raise KeyboardInterrupt
        # An error in one of these steps must not prevent the others.
        self._try("look at the schedules", self.look_at_schedules)
        self._try("look after the runs", self.look_after_runs)
        self._try("release delayed tasks", self.release_delayed)
        # Huey's own periodic tasks use the host's clock.
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
        for task in self.huey.read_schedule():  # this also removes them, so each has to be enqueued
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

    def __init__(self, *facts: Any, **options: Any) -> None:
        super().__init__(*facts, **options)
        self._forks = ForkLock()

    def start(self) -> None:
        # A signal that arrives before Huey handles it would leave a part of the threads running.
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
        connections.close_all()  # forked worker processes must not share a connection
        super().start()
        self._listen_twice()
        # After the forks, since children don't have the threads of their parent. A thread for each, since a
        # slow count must not delay the heartbeat.
        self._every(conf.beat().total_seconds(), "write the heartbeat", consumers.beat, self.row)
        self._every(5.0, "measure the gauges", gauges.refresh)
        self._every(5.0, "measure the tables", measuring.refresh)
        self._every(watch.LOOKED_EACH, "look for incidents", watch.look)
        self._every(1.0, "send what waits in the outbox", lambda now: outbox.deliver())

    def _announce(self) -> None:
        name = f"Consumer {self.row}"
        if not self.periodic:
            logger.info("%s carries out runs, but does not look at the schedules (-n)", name)
        elif self.huey.is_beside_site:
            logger.info("%s looks at the schedules that the site has named", name)
        else:
            schedules.announce(f"{name} looks at the schedules:")

    def check_worker_health(self) -> bool:
        """Replace workers that died, while the threads of this process are at rest."""
        with self._forks.fork(seconds=QUIET_WITHIN) as is_quiet:
            if not is_quiet or super().check_worker_health():
                return True
        self._try_to_resend()
        return False

    def _try_to_resend(self) -> None:
        """If a worker dies, the message that it has read but not yet acted on is lost with it."""
        try:
            recovery.resend_all()
        except DatabaseError as error:  # then it is sent again after a minute
            self.huey.error_log.log_throttled("have the waiting runs sent again", error)
        finally:
            connections.close_all()

    def stop(self, graceful: bool = False) -> None:
        """Stop gracefully for every signal: each worker ends its batch and hands back the rest of its run.

        A purge does so within milliseconds. A task without checkpoints gets ``shutdown_timeout`` seconds.
        """
        super().stop(graceful=True)
        try:
            consumers.leave(self.row, clock.now())
        except DatabaseError as error:
            logger.warning("The database was not told that this consumer stops: %s", error)

    def _listen_twice(self) -> None:
        """Let Huey handle the first signal. A second TERM or INT ends the process even if a task is stuck."""
        handlers = {number: signal.getsignal(number) for number in STOP_SIGNALS}
        for number in STOP_SIGNALS:
            signal.signal(number, partial(self._on_signal, handlers))

    def _on_signal(self, hueys: dict[signal.Signals, Any], number: int, frame: object) -> None:
        if self.stopping_since is None:
            self.stopping_since = time.monotonic()
            hueys[signal.Signals(number)](number, frame)
            # Huey's handler has installed another one: install this one again.
            signal.signal(number, partial(self._on_signal, hueys))
        elif number != signal.SIGHUP and time.monotonic() - self.stopping_since > ONE_PRESS:
            self._end_at_once(number)

    def _end_at_once(self, number: int) -> None:
        """Hand back the runs, and end this process at once, even if its workers are busy."""
        for child in multiprocessing.active_children():
            child.kill()
        # In a thread, since the signal may have interrupted this one in the middle of a query.
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
        """Call ``act(*facts, now)`` every ``seconds`` in a thread of its own, until the consumer stops."""

        def repeat() -> None:
            while not self.stop_flag.wait(seconds):
                with self._forks.work():
                    self._act(what, act, facts)

        threading.Thread(target=repeat, name=what, daemon=True).start()

    def _act(self, what: str, act: Callable[..., object], facts: tuple[object, ...]) -> None:
        try:
            act(*facts, clock.now())
        except Exception as error:  # any error: one in a policy, for example, would end this thread
            connection.close()
            self.huey.error_log.log_throttled(what, error)
        else:
            self.huey.error_log.log_recovered(what)
        finally:
            if self.environment.forks:  # a child that inherits an open SQLite file takes it for locked
                connections.close_all()
            else:
                close_old_connections()
