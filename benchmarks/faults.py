"""Puts bare Huey and our consumer through the same faults, and counts what is lost, doubled or late.

    python benchmarks/faults.py [--rounds 20] [--storage sqlite|redis|postgres|all] [--seed N]

It compares ``huey_consumer`` with the tasks of ``bare.py`` to ``manage.py run_huey``. Both have two worker
threads and otherwise their own defaults. Servers, databases and files are created for each fault and
deleted after it. Here our heartbeat is every second instead of every 10, so a lease ends after 3 seconds
instead of 30.

The faults:

- kill -9 and SIGTERM: two tasks of about half a second are requested. Up to half a second after the first
  has started, the only consumer gets the signal, and another consumer is started. Bare Huey's tasks sleep.
  Ours delete 10,000 conversations and 20,000 messages.
- two consumers: a task that is due every minute, over two fire times.
- down at the fire time: a task that is due at one minute of the hour. Two consumers are started 65 seconds
  after it. (A minute earlier, bare Huey would still match the minute.)
- queue flushed: five messages wait, the queue is emptied, and a consumer is started. Ours sends them again
  after 60 seconds. To save that minute, the runs are made 60 seconds older in the database, so they still
  count as late by that time.

The numbers:

- asked: pieces of work, or fire times, that should be done once.
- lost: how many of them never finished. Ours has 90 seconds to make up for them. Bare Huey has 8, because
  nothing more happens once its queue is empty and its workers are idle.
- doubled: how many more times they finished than requested. Ours is measured by the row of the run: a purge
  counts as often as its rows were counted, a fire time as often as a run succeeded.
- late: ms from the moment at which the work should have started (its fire time, or the request) to its
  first start. Work that was lost before it started has no such figure.
- ended: ms from the same moment to the last end, including the time to make up for the fault. The start of
  another consumer is part of it, about 2 s for ours.

Read two figures with care. Bare Huey checks every 60 s from its own start, so with two consumers it is late
by up to a minute, at random. And if the kill comes after our message was read but before its run was
claimed, the message is sent again when the next consumer starts, or after 60 s if none starts.

With few rounds the 99th percentile is the maximum. Nothing is asserted here. The milliseconds depend on the
machine.
"""

import argparse
import contextlib
import json
import math
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests import services  # noqa: E402 - found from ROOT

EXPIRED_ROWS = {"conversations": 10_000, "messages": 20_000}  # half a second of work each
SECONDS_TO_START = 20.0  # before the first fire time, to start four consumers
MINUTE = 60.0


@dataclass
class Work:
    """A piece of work, or a fire time: when it was due, when it started and ended, how often it finished."""

    due: float
    starts: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    finishes: float = 0  # 1 as requested; between 0 and 1 if only some rows were deleted

    @property
    def is_lost(self) -> bool:
        return self.finishes < 1

    @property
    def doubles(self) -> int:
        return max(math.ceil(self.finishes) - 1, 0)


# --- The two sides ----------------------------------------------------------------------------


class Side:
    """One of the two systems, with its own queue and folder."""

    name: str
    folder_of_commands: Path
    consumer: tuple[str, ...]
    patience: float  # seconds after which unfinished work counts as lost

    def __init__(self, folder: Path, url: str, environment: dict[str, str]) -> None:
        foreign = ("HOUSEKEEPING_", "HUEY_", "BARE_")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        self.folder, self.url, self.environment = folder, url, inherited | environment
        self.running: list[subprocess.Popen[bytes]] = []
        self.started = 0

    def start(self, count: int = 1) -> None:
        """Start consumers and wait until they are up."""
        for _ in range(count):
            self._start_one()

    def _start_one(self) -> None:
        self.started += 1
        log = self.folder / f"consumer-{self.started}.log"
        with log.open("wb") as stream:
            words = [sys.executable, *self.consumer]
            child = subprocess.Popen(
                words, cwd=self.folder_of_commands, env=self.environment, stdout=stream, stderr=stream
            )
        self.running.append(child)
        services.wait_until(
            lambda: "Huey consumer started" in log.read_text(), what=f"the start of {self.name}"
        )

    def stop(self, number: int = signal.SIGKILL) -> None:
        for child in self.running:
            child.send_signal(number)
        for child in self.running:
            child.wait(60)
        self.running.clear()

    def command(self, *words: str) -> str:
        with (self.folder / "commands.log").open("ab") as log:
            done = subprocess.run(
                [sys.executable, *words],
                cwd=self.folder_of_commands,
                env=self.environment,
                check=True,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        return done.stdout

    def schedule(self, minute: int | None) -> None:
        """Make a task due at this minute of each hour, or every minute if None."""
        raise NotImplementedError

    def request(self, count: int) -> list[str]:
        """Request this many pieces of work. Returns their ids."""
        raise NotImplementedError

    def flush(self) -> None:
        """Empty the queue."""
        raise NotImplementedError

    def work(self, key: str) -> Work:
        raise NotImplementedError

    def fired(self, fire_time: float) -> Work:
        raise NotImplementedError


class Bare(Side):
    name = "bare Huey"
    folder_of_commands = ROOT / "benchmarks"
    consumer = ("-m", "huey.bin.huey_consumer", "bare.huey", "-w", "2")
    patience = 8.0

    def __init__(self, folder: Path, url: str) -> None:
        self.trace = folder / "trace"
        self.trace.touch()
        super().__init__(folder, url, {"BARE_URL": url, "BARE_TRACE": str(self.trace)})

    def schedule(self, minute: int | None) -> None:
        self.environment["BARE_MINUTE"] = "*" if minute is None else str(minute)

    def request(self, count: int) -> list[str]:
        # Import the module instead of running it, because its name is part of the task's name.
        return self.command("-c", f"import bare; print(*(bare.work().id for _ in range({count})))").split()

    def flush(self) -> None:
        self.command("-c", "import bare; bare.huey.flush()")

    def work(self, key: str) -> Work:
        work = Work(due=0)
        for moment, event, _, task_id in self._lines():
            if task_id == key:
                self._add(work, moment, event)
        return work

    def fired(self, fire_time: float) -> Work:
        lines = [line for line in self._lines() if line[2] == "tick"]
        ids = {line[3] for line in lines if line[1] == "queued" and line[0] // MINUTE * MINUTE == fire_time}
        work = Work(due=fire_time)
        for moment, event, _, task_id in lines:
            if task_id in ids and event != "queued":
                self._add(work, moment, event)
        return work

    def _lines(self) -> Iterator[tuple[float, str, str, str]]:
        for line in self.trace.read_text().splitlines():
            moment, event, name, task_id = line.split()
            yield float(moment), event, name, task_id

    def _add(self, work: Work, moment: float, event: str) -> None:
        if event == "queued":
            work.due = moment
        elif event == "start":
            work.starts.append(moment)
        else:
            work.ends.append(moment)
            work.finishes += 1


class Ours(Side):
    name = "ours"
    folder_of_commands = ROOT
    consumer = ("manage.py", "run_huey", "--workers", "2")
    patience = 90.0

    def __init__(self, folder: Path, url: str) -> None:
        self.database = folder / "db.sqlite3"
        self.expected: dict[str, int] = {}  # rows that a run should delete, by its id
        environment = {
            "HOUSEKEEPING_BRAKE_SHARE": "1",  # the purge deletes nearly all rows
            "ENV_FILE": os.devnull,
            "SECRET_KEY": "a key for the benchmark alone, as long as Django wants one to be",
            "DATABASE_URL": f"sqlite:///{self.database}",
            "HUEY_URL": url,
            "HOUSEKEEPING_HEARTBEAT_SECONDS": "1",
            "TIME_ZONE": "UTC",
            "DEBUG": "false",
            "LOG_FILE": "",
        }
        super().__init__(folder, url, environment)
        self.command("manage.py", "migrate", "--verbosity=0")
        self._shell("from chat.models import User; User.objects.create_user('owner', 'owner@example.com')")

    def schedule(self, minute: int | None) -> None:
        trigger = "00:01:00" if minute is None else f"{minute} * * * *"
        self._shell(
            f"from housekeeping.runs import schedules;schedules.change('statistics_generation', {trigger!r})"
        )

    def request(self, count: int) -> list[str]:
        tasks = ["conversations", "messages", "users", "stats", "history"][:count]
        self._make_expired_rows()
        ids = self._shell(
            "from housekeeping.runs import control\n"
            "from housekeeping.queue.tasks import send\n"
            f"print(*(control.request(task, send=send).pk.hex for task in {tasks}))"
        ).split()
        for run_id, task in zip(ids, tasks, strict=True):
            self.expected[run_id] = EXPIRED_ROWS.get(task, 0)
        return ids

    def flush(self) -> None:
        self._shell("from huey.contrib.djhuey import HUEY; HUEY.flush()")
        older = "strftime('%Y-%m-%d %H:%M:%f', {0}, '-60 seconds')"
        self._sql(
            f"UPDATE housekeeping_run SET sent_at = {older.format('sent_at')},"
            f" requested_at = {older.format('requested_at')} WHERE status = 'queued'"
        )

    def work(self, key: str) -> Work:
        return self._work(None, "WHERE id = ?", key, self.expected[key])

    def fired(self, fire_time: float) -> Work:
        text = f"{datetime.fromtimestamp(fire_time, UTC):%Y-%m-%d %H:%M:%S}"
        where = "WHERE schedule = 'statistics_generation' AND scheduled_for = ?"
        return self._work(fire_time, where, text, expected=0)

    def _work(self, due: float | None, where: str, value: str, expected: int) -> Work:
        columns = "requested_at, started_at, finished_at, status, deleted"
        work = Work(due or 0)
        for row in self._sql(f"SELECT {columns} FROM housekeeping_run {where}", value):
            requested, started, finished = map(_moment, row[:3])
            work.due = due or requested
            work.starts += [started] if started else []
            work.ends += [finished] if started and finished else []
            if row[3] == "succeeded":
                work.finishes += sum(json.loads(row[4]).values()) / expected if expected else 1
        return work

    def _make_expired_rows(self) -> None:
        numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {})"
        conversations, messages = (numbers.format(EXPIRED_ROWS[name]) for name in EXPIRED_ROWS)
        self._sql(
            f"{conversations} INSERT INTO chat_conversation (user_id, title, created_at)"
            " SELECT (SELECT min(id) FROM chat_user), 'Old', '2000-01-01 00:00:00' FROM n"
        )
        self._sql(
            f"{messages} INSERT INTO chat_chatmessage (role, content, created_at)"
            " SELECT 'user', 'Hello', '2000-01-01 00:00:00' FROM n"
        )

    def _sql(self, statement: str, *values: str) -> list[tuple]:
        with contextlib.closing(sqlite3.connect(self.database, timeout=20)) as connection, connection:
            return connection.execute(statement, values).fetchall()

    def _shell(self, code: str) -> str:
        return self.command("manage.py", "shell", "--verbosity=0", "--command", code)


def _moment(text: str | None) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() if text else 0.0


# --- The faults -------------------------------------------------------------------------------


def interrupted(side: Side, number: int, delays: list[float]) -> list[Work]:
    """In each round, signal the only consumer some time after the first of two tasks has started."""
    asked: list[str] = []
    side.start()
    for delay in delays:
        ids = side.request(2)
        _wait_for_a_start(side, ids)
        time.sleep(delay)
        side.stop(number)
        side.start()
        _wait_for_the_end(side, ids)
        asked += ids
    return [side.work(key) for key in asked]


def flushed(side: Side) -> list[Work]:
    ids = side.request(5)
    side.flush()
    side.start()
    _wait_for_the_end(side, ids)
    return [side.work(key) for key in ids]


def _wait_for_a_start(side: Side, ids: list[str]) -> None:
    services.wait_until(lambda: any(side.work(key).starts for key in ids), what="the start of a task")


def _wait_for_the_end(side: Side, ids: list[str]) -> None:
    with contextlib.suppress(AssertionError):
        services.wait_until(lambda: not any(side.work(key).is_lost for key in ids), seconds=side.patience)


def two_consumers(side: Side, first: float) -> list[Work]:
    side.schedule(None)
    side.start(2)
    now, second = time.time(), first + MINUTE
    _must_be_before(first)
    # Bare Huey checks every 60 s from its own start, not at full minutes. Its idle workers sleep for up to
    # 10 s.
    last_look = now + math.ceil((second - now) / MINUTE) * MINUTE
    _sleep_until(last_look + 12)
    return [side.fired(first), side.fired(second)]


def down_at_the_fire_time(side: Side, fire_time: float) -> list[Work]:
    side.schedule(datetime.fromtimestamp(fire_time, UTC).minute)
    _must_be_before(fire_time)
    _sleep_until(fire_time + 65)
    side.start(2)
    time.sleep(12)
    return [side.fired(fire_time)]


def _must_be_before(fire_time: float) -> None:
    if time.time() >= fire_time:
        raise RuntimeError(f"This machine is too busy: consumers did not start within {SECONDS_TO_START} s.")


def _sleep_until(moment: float) -> None:
    time.sleep(max(moment - time.time(), 0))


# --- Side by side -----------------------------------------------------------------------------


@contextlib.contextmanager
def sqlite() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        yield f"sqlite:///{folder}/queue.sqlite3"


SERVERS = {"sqlite": sqlite, "redis": services.redis, "postgres": services.postgres}
Fault = Callable[[Side], list[Work]]


def through(fault: Fault, kind: type[Bare] | type[Ours], storage: str) -> list[Work]:
    """Put a new system through a fault."""
    with SERVERS[storage]() as url, tempfile.TemporaryDirectory() as folder:
        side = kind(Path(folder), url)
        try:
            return fault(side)
        except Exception:
            shutil.copytree(folder, kept := tempfile.mkdtemp(prefix="faults-"), dirs_exist_ok=True)
            print(f"{side.name} could not be measured; its logs are in {kept}", file=sys.stderr)
            raise
        finally:
            side.stop()


def side_by_side(faults: dict[str, Fault], storage: str) -> None:
    """Put both systems through these faults, all at the same time, and print the results."""
    with ThreadPoolExecutor() as pool:
        waiting = [
            (name, kind, pool.submit(through, fault, kind, storage))
            for name, fault in faults.items()
            for kind in (Bare, Ours)
        ]
        for name, kind, works in waiting:
            print_line(name, kind.name, works.result())


def compare(storage: str, *, rounds: int, seed: int) -> None:
    print(f"\n{storage}")
    print(f"{'fault':24}{'system':12}{'asked':>6}{'lost':>6}{'doubled':>9}", end="")
    print(f"{'late p50':>10}{'late p99':>10}{'ended p50':>11}{'ended p99':>11}")
    chance = random.Random(seed)
    for name, number in (("kill -9", signal.SIGKILL), ("SIGTERM", signal.SIGTERM)):
        delays = [chance.uniform(0, 0.5) for _ in range(rounds)]
        side_by_side({name: partial(interrupted, number=number, delays=delays)}, storage)
    side_by_side({"queue flushed": flushed}, storage)
    first = math.ceil((time.time() + SECONDS_TO_START) / MINUTE) * MINUTE
    by_the_clock: dict[str, Fault] = {
        "two consumers": partial(two_consumers, first=first),
        "down at the fire time": partial(down_at_the_fire_time, fire_time=first),
    }
    side_by_side(by_the_clock, storage)


def print_line(fault: str, system: str, works: list[Work]) -> None:
    late = [(min(work.starts) - work.due) * 1000 for work in works if work.starts]
    ended = [(max(work.ends) - work.due) * 1000 for work in works if work.ends]
    lost, doubled = sum(work.is_lost for work in works), sum(work.doubles for work in works)
    print(f"{fault:24}{system:12}{len(works):>6}{lost:>6}{doubled:>9}", end="")
    print(f"{percentile(late, 0.5):>10}{percentile(late, 0.99):>10}", end="")
    print(f"{percentile(ended, 0.5):>11}{percentile(ended, 0.99):>11}", flush=True)


def percentile(values: list[float], share: float) -> str:
    if not values:
        return "-"
    return f"{sorted(values)[math.ceil(share * len(values)) - 1]:,.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=20, help="for kill -9 and SIGTERM; default: 20")
    parser.add_argument("--storage", choices=[*SERVERS, "all"], default="sqlite", help="default: sqlite")
    parser.add_argument("--seed", type=int, default=random.randrange(10_000), help="default: a random one")
    options = parser.parse_args()
    print(f"Seed {options.seed}, {options.rounds} rounds. Queue flushed: ours skips 60 s by SQL.")
    for storage in SERVERS if options.storage == "all" else [options.storage]:
        try:
            compare(storage, rounds=options.rounds, seed=options.seed)
        except pytest.skip.Exception as missing:
            print(f"Not measured: {missing}")


if __name__ == "__main__":
    main()
