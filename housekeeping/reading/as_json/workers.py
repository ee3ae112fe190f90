"""Consumers as JSON, and what their workers do."""

from housekeeping.database.waits import Holder, LockWait
from housekeeping.reading.as_json.fields import (
    Flag,
    Id,
    Many,
    Moment,
    Number,
    Object,
    One,
    Text,
    Whole,
)
from housekeeping.reading.workers import ConsumerCard, Work, Workers


class LockHolder(Object[Holder]):
    """A connection of the database that holds a lock."""

    pid = Whole(help="Its number in pg_stat_activity.")
    application = Text(nullable=True)
    user = Text(nullable=True)


class LockWaitOfWorker(Object[LockWait]):
    """A statement that waits for a lock."""

    since = Moment(help="When the statement began.")
    holders = Many(LockHolder)


def _rows_per_second(work: Work) -> float | None:
    speed = work.run.rows_per_second
    return None if speed is None else round(speed, 1)


class WorkNow(Object[Work]):
    """What a worker does now."""

    worker = Text(nullable=True, help="Its name; of a command, its host and process.")
    run = Id("run.pk")
    task = Text("run.task")
    since = Moment(nullable=True, help="When it claimed the run.")
    batch = Whole(help="Batches of the run that are committed.")
    done = Whole("run.done", help="Rows of the run, so far.")
    total = Whole(lambda work: work.run.progress()["total"])
    rows_per_second = Number(_rows_per_second, nullable=True, help="Since the run's first start.")
    lock_wait = One(
        LockWaitOfWorker, nullable=True, help="null: it does not wait, or the database can't tell."
    )


class Consumer(Object[ConsumerCard]):
    """A process that carries out runs."""

    id = Id("consumer.pk")
    host = Text("consumer.host")
    pid = Whole("consumer.pid")
    workers = Whole("consumer.workers")
    worker_type = Text("consumer.worker_type")
    started_at = Moment("consumer.started_at")
    last_heartbeat_at = Moment("consumer.last_heartbeat_at")
    stopped_at = Moment("consumer.stopped_at", nullable=True)
    alive = Flag("is_alive")
    schedules = Flag("consumer.schedules", help="It runs the schedules: it was not started with -n.")
    version = Text("consumer.version", nullable=True, help="Of the site, and of Huey.")
    clock_offset_ms = Whole(
        "consumer.clock_offset_ms",
        nullable=True,
        help="How far its host's clock is ahead of the database's.",
    )
    idle = Whole(help="Workers that wait for a run.")
    doing = Many(WorkNow, help="What its other workers do.")


class ConsumerList(Object[Workers]):
    """The consumers, and what works beside them."""

    results = Many(Consumer, "consumers")
    commands = Many(WorkNow, help="The runs that commands carry out, without a consumer.")
    tells_lock_waits = Flag(help="false: this database can't tell who waits for a lock.")
