"""Workers: what each one does now, by the runs that they have claimed."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from housekeeping.database import waits
from housekeeping.database.waits import LockWait
from housekeeping.models import Consumer, Run

KNOWN = timedelta(days=1)  # how long a consumer is listed after its last heartbeat


@dataclass(frozen=True)
class Work:
    """A running run, and the lock that its worker waits for."""

    run: Run
    lock_wait: LockWait | None = None

    @property
    def worker(self) -> str | None:
        """None if an earlier version of the app has claimed the run."""
        return self.run.worker

    @property
    def since(self) -> datetime | None:
        return self.run.claimed_at or self.run.started_at

    @property
    def batch(self) -> int:
        """The number of batches that are committed."""
        return self.run.batches or 0


@dataclass(frozen=True)
class ConsumerCard:
    """A consumer, and what its workers do."""

    consumer: Consumer
    is_alive: bool
    doing: list[Work]

    @property
    def idle(self) -> int:
        """How many of its workers wait for a run."""
        return max(self.consumer.workers - len(self.doing), 0) if self.is_alive else 0


@dataclass(frozen=True)
class Workers:
    """``commands``: the runs that no consumer, but a command, carries out."""

    consumers: list[ConsumerCard]
    commands: list[Work]
    tells_lock_waits: bool


def read(now: datetime) -> Workers:
    """The consumers that were alive in the last day or have a running run, and the runs of commands."""
    running = list(Run.objects.active().filter(status=Run.Status.RUNNING).order_by("claimed_at", "pk"))
    lock_waits = waits.of([run.backend_pid for run in running if run.backend_pid is not None])
    works = [Work(run, lock_waits.get(run.backend_pid or 0)) for run in running]
    known = Consumer.objects.filter(last_heartbeat_at__gte=now - KNOWN)
    busy = Consumer.objects.filter(pk__in={run.consumer_id for run in running if run.consumer_id})
    cards = [
        ConsumerCard(one, one.is_alive(now), [work for work in works if work.run.consumer_id == one.pk])
        for one in known | busy
    ]
    commands = [work for work in works if work.run.consumer_id is None]
    return Workers(cards, commands, waits.are_known())
