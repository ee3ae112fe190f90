"""Bare Huey, as its documentation sets it up: what ``faults.py`` holds our consumer against.

Run by ``huey_consumer bare.huey``. BARE_URL names the storage, BARE_TRACE the file in
which each task leaves a line when it is queued, starts and finishes, and BARE_MINUTE the
minute of the hour at which ``tick`` is due (``*``: each).
"""

import os
import time

from huey import PostgresHuey, RedisHuey, SqliteHuey, crontab
from huey.api import Huey, Task
from huey.signals import SIGNAL_ENQUEUED

SECONDS = 0.5  # how long a task works


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
    os.write(file, line.encode())  # one write to the end of the file: lines don't mix
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
