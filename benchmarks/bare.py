"""Bare Huey, set up as in its documentation. ``faults.py`` compares our consumer with it.

Run it with ``huey_consumer bare.huey``. BARE_URL is the storage. BARE_TRACE is the file to which each task
adds a line when it is queued, starts and finishes. BARE_MINUTE is the minute of the hour at which ``tick``
is due (``*``: every minute).
"""

import os
import time

from huey import PostgresHuey, RedisHuey, SqliteHuey, crontab
from huey.api import Huey, Task
from huey.signals import SIGNAL_ENQUEUED

SECONDS = 0.5  # how long a task takes


def queue_at(url: str) -> Huey:
    if url.startswith("redis"):
        return RedisHuey("bare", url=url)
    if url.startswith("postgres"):
        return PostgresHuey("bare", dsn=url)
    return SqliteHuey("bare", filename=url.removeprefix("sqlite:///"))


huey = queue_at(os.environ["BARE_URL"])


def trace(event: str, task: Task) -> None:
    line = f"{time.time()} {event} {task.name} {task.id}\n"
    file = os.open(os.environ["BARE_TRACE"], os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    os.write(file, line.encode())  # one write per line, so that lines don't mix
    os.close(file)


@huey.signal(SIGNAL_ENQUEUED)
def queued(signal: str, task: Task) -> None:
    trace("queued", task)


@huey.task(context=True)
def work(task: Task) -> None:
    trace("start", task)
    time.sleep(SECONDS)
    trace("finish", task)


@huey.periodic_task(crontab(minute=os.environ.get("BARE_MINUTE", "*"), strict=True), context=True)
def tick(task: Task) -> None:
    trace("start", task)
    trace("finish", task)
