"""The Huey classes that settings.HUEY names. Messages are signed; each class has its storage."""

import logging
import os
import sqlite3
import time
import uuid
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import DatabaseError
from huey import Huey
from huey.api import Task
from huey.consumer_options import config_defaults
from huey.storage import PostgresStorage, RedisStorage, SqliteStorage

from housekeeping.database import discreet, private
from housekeeping.exceptions import QueueUnreachable
from housekeeping.queue.signing import SignedPickles

if TYPE_CHECKING:
    from housekeeping.queue.consumer import Consumer

logger = logging.getLogger(__name__)

# The errors of the three storages when they can't be reached or written to.
STORAGE_ERRORS: tuple[type[Exception], ...] = (
    sqlite3.Error,
    OSError,
    *(
        getattr(import_module(client), error)
        for client, error in (("psycopg", "Error"), ("redis", "RedisError"))
        if find_spec(client)  # a project needs only the client of its own queue
    ),
)

# How long an idle worker may take to notice a message, in seconds, unless the project sets it. Huey's
# default is meant for queues that block: otherwise a click on the dashboard would wait that long.
MAX_DELAY = 0.5
HUEYS_MAX_DELAY = dict(config_defaults)["max_delay"]


class ThrottledErrorLog:
    """Logs each kind of error once, and again each minute while it lasts, instead of at every try."""

    AGAIN = 60.0  # seconds

    def __init__(self) -> None:
        self._logged: dict[str, dict[tuple[str, ...], float]] = {}

    def log_throttled(self, what: str, error: Exception) -> None:
        kind, kinds = discreet.kind(error), self._logged.setdefault(what, {})
        if time.monotonic() - kinds.get(kind, -self.AGAIN) >= self.AGAIN:
            kinds[kind] = time.monotonic()
            expected = isinstance(error, (DatabaseError, QueueUnreachable, *STORAGE_ERRORS))
            logger.error("Could not %s: %s", what, discreet.clean(error), exc_info=not expected)

    def log_recovered(self, what: str) -> None:
        if self._logged.pop(what, None):
            logger.warning("Can %s again", what)


class Queue(Huey):
    """Huey with our consumer, and with messages that are signed with the site's key."""

    consumer: "Consumer | None" = None  # the consumer of this process, once it has a row
    is_beside_site = False  # started by runserver, on the same terminal

    def __init__(self, name: str, **options: Any) -> None:
        if isinstance(settings.HUEY, dict):
            # By default, Huey follows DEBUG, and would run tasks inside a web request.
            options["immediate"] = settings.HUEY.get("immediate", False)
        signed = SignedPickles(secret=settings.SECRET_KEY, salt="housekeeping.queue")
        super().__init__(name, serializer=signed, **options)
        self.error_log = ThrottledErrorLog()

    def create_consumer(self, **options: Any) -> "Consumer":
        """Our consumer, also for Huey's own ``run_huey``. Raises ImproperlyConfigured if a ``tasks.py``
        with tasks of ours can't be imported, since its schedules would be missed.
        """
        # Imported here: Huey's app makes its Huey on import, before Django has loaded the models.
        from housekeeping.declared import registry
        from housekeeping.queue import tasks
        from housekeeping.queue.consumer import Consumer

        registry.check_readable()
        for one in registry.UNREADABLE:  # it may be Celery's, for example
            logger.warning("%s can't be imported, and is ignored: %s", one.module, one.error)
        tasks.register_schedules()
        if options.get("max_delay") == HUEYS_MAX_DELAY:
            options["max_delay"] = MAX_DELAY
        return Consumer(self, **options)

    def is_stopping(self) -> bool:
        """Has the consumer of this process been told to stop?"""
        return self.consumer is not None and (self.consumer.stop_flag.is_set() or self.is_orphan())

    def dequeue(self) -> Task | None:
        """The next readable message. Unreadable ones are logged and dropped.

        Huey's own method raises an error: each bad message would put the worker to sleep, and an
        unreachable storage would log a traceback at each try.
        """
        while (data := self._take()) is not None:
            try:
                task: Task = self.deserialize_task(data)
            except Exception as error:  # a foreign message may cause any error in there
                self._leave_behind(data, error)
            else:
                return task
        return None

    def put_result(self, key: str, data: Any) -> None:
        """Store a task's result. If the storage takes no more, the run's row still has the result."""
        try:
            super().put_result(key, data)
        except STORAGE_ERRORS as error:
            self.error_log.log_throttled("store a result in the queue", error)
        else:
            self.error_log.log_recovered("store a result in the queue")

    def _take(self) -> bytes | None:
        try:
            data: bytes | None = self.storage.dequeue()
        except STORAGE_ERRORS as error:
            self.error_log.log_throttled("read the queue", error)
            if self.consumer:
                self.consumer.stop_flag.wait(1.0)
            return None
        self.error_log.log_recovered("read the queue")
        return data

    def _leave_behind(self, data: bytes, error: Exception) -> None:
        from housekeeping.runs.work import execution

        try:
            message = self.serializer.deserialize(data)
            run_id, task = uuid.UUID(message.id), str(message.name)
        except Exception:
            logger.error("A message in the queue was dropped, as it can't be read: %s", error)
            return
        # Signed by us, but for a task that only another version of the site has.
        logger.error("The message %s in the queue is for an unknown task: %s", run_id, error)
        try:
            execution.reject(run_id, task)
        except DatabaseError as problem:
            logger.error("It could not be saved as a failed run: %s", problem)

    def is_orphan(self) -> bool:
        """Is this a worker process whose consumer is gone? Nobody else would stop it."""
        pid = self.consumer.row.pid if self.consumer else os.getpid()
        return os.getpid() != pid and os.getppid() != pid


class SqlQueue(Queue):
    def get_storage(self, **options: Any) -> Any:
        # Huey creates its tables on import. The site must start even if the queue can't be reached then;
        # the consumer creates the tables at its own start.
        try:
            return super().get_storage(**options)
        except STORAGE_ERRORS as error:
            logger.error("The queue can't be reached: %s", error)
            return super().get_storage(create_tables=False, **options)


class SqliteQueue(SqlQueue):
    storage_class = SqliteStorage

    def get_storage(self, *, filename: str = "", **options: Any) -> Any:
        # Results may contain data of the site, so only the owner may read the file.
        private.make_sqlite(filename)
        return super().get_storage(filename=filename, timeout=20, **options)


class PostgresQueue(SqlQueue):
    storage_class = PostgresStorage

    def get_storage(self, *, dsn: str = "", **options: Any) -> Any:
        return super().get_storage(dsn=dsn, connect_timeout=5, tcp_user_timeout=10_000, **options)


class RedisQueue(Queue):
    storage_class = RedisStorage

    def get_storage(self, *, url: str = "", **options: Any) -> Any:
        import redis
        from redis.backoff import ExponentialBackoff
        from redis.retry import Retry

        pool = redis.ConnectionPool.from_url(
            url,
            socket_connect_timeout=2,
            socket_timeout=5,
            health_check_interval=30,
            retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), retries=2),
        )
        return super().get_storage(connection_pool=pool, **options)
