"""Compares our purge with a raw DELETE and Django's ``.delete()``: speed, memory, effect on other traffic.

    python benchmarks/purge.py [--database sqlite|postgres|all] [--messages N …] [--rounds N]
        [--quick] [--speed] [--undo] [--signals] [--peers] [--shapes chat|wide|users|uuid …]

The data is conversations with ten messages each, whose ages are spread evenly over 100 days. The purge
deletes those older than 50 days ("half"), or those older than 99 days ("few", 1 %). In the smallest size it
also deletes as many rows as "few" are in the largest ("same"). The data is created once per size, on its own
server or file, with the default durability of the database and the settings of the site. Each measurement
is a process of its own, on a fresh copy.

The contenders, one after another in each round:

- raw DELETE: messages by subselect, then conversations, in one transaction.
- Django ``.delete()`` of all old conversations.
- batches, no archive: a run as a consumer executes it, with HOUSEKEEPING_UNDO_DAYS=0.
- batches, archive: the same with the default setting, which archives all rows for an undo.
- batches, archive, signal: the same with a delete signal connected to both models.

With --undo, it instead compares ways to put back half of the messages after a purge at full speed:

- raw INSERT … SELECT: from copies of the old rows of both tables, in one transaction.
- undo: the run that undoes the purge, as a consumer executes it, including all that it verifies.

With --peers, it compares our purge with archive to what others do without one, on half of the messages:
Django's ``.delete()``, django-db-purge and django-data-purger. Their packages are installed into build/peers
as benchmarks/requirements.txt says. --shapes chooses the data: chat, as above; wide, messages of 1,500
characters; users, which deletes users with all that is theirs; uuid, parcels with ten scans each, all with
random keys.

With --signals, it compares what delete signals cost, with a receiver of both models that does nothing.

The numbers:

- rows/s: messages and conversations, from the request to the end, without other traffic.
- x raw: that speed divided by the speed of the raw DELETE in the same round.
- CPU: microseconds of processor time per row, of the purging process and of its process in PostgreSQL. It
  hardly depends on what else the machine does.
- peak: the highest resident memory of the process that purges.
- longest transaction: from its BEGIN, without waiting for the lock, to the end of its COMMIT.
- writer: how long the inserts of another process take, which inserts a message every 5 ms meanwhile.

Over several rounds, the figures are medians, except for the longest transaction, and the percentiles of all
inserts together. Nothing is asserted here.
"""

import argparse
import atexit
import contextlib
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import psycopg
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests import services  # noqa: E402 - found from ROOT

SIZES = [100_000, 1_000_000, 3_000_000]
SHARES = {"half": 50, "few": 99}  # older than this many of 100 days
SCRATCH = tempfile.mkdtemp(prefix="purge-benchmark-")
atexit.register(shutil.rmtree, SCRATCH, ignore_errors=True)
MIB = 1024 * 1024
BARS = {"no archive": 0.75, "archive": 0.4}


@dataclass(frozen=True)
class Way:
    """A contender: its name in the table, and how to start it."""

    name: str
    contender: str
    pace: str = "-"
    undo_days: int = 0


FLAT_OUT = [
    Way("raw DELETE", "raw"),
    Way("Django `.delete()`", "django"),
    Way("batches, no archive", "ours", "flat-out"),
    Way("batches, archive", "ours", "flat-out", 7),
    Way("batches, archive, signal", "signal", "flat-out", 7),
]
NORMAL = [
    Way("batches, no archive", "ours", "normal"),
    Way("batches, archive", "ours", "normal", 7),
    Way("batches, archive, signal", "signal", "normal", 7),
]
WAYS = [*FLAT_OUT, *NORMAL]
RAW, DJANGO = WAYS[:2]
SIGNALS = [
    RAW,
    Way("Django `.delete()`, signals", "django-told"),
    Way("batches, archive, signals not sent", "signal", "flat-out", 7),
    Way("batches, archive, signals sent", "told", "flat-out", 7),
]
PEERS = [
    RAW,
    DJANGO,
    Way("django-db-purge", "db-purge"),
    Way("django-data-purger", "data-purger"),
    Way("batches, no archive", "ours", "flat-out"),
    Way("batches, archive", "ours", "flat-out", 7),
]
SHAPES = ["chat", "wide", "users", "uuid"]
RAW_UNDO = Way("raw INSERT … SELECT", "raw-undo")
UNDO = [RAW_UNDO, Way("undo", "undo", "flat-out", 7), Way("undo", "undo", "normal", 7)]


@dataclass
class Measured:
    """The measurements of one way on one data set, over all rounds."""

    speeds: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)  # seconds per row
    peaks: list[int] = field(default_factory=list)
    longest: float = 0
    waits: list[float] = field(default_factory=list)

    @property
    def peak(self) -> float:
        return median(self.peaks) / MIB


# --- Databases --------------------------------------------------------------------------------


class Postgres(services.Postgres):
    durability, place = "", None


class SqliteCopies:
    """A file, and a copy of it for each measurement."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.origin = folder, folder / "origin.sqlite3"
        self.url = f"sqlite:///{self.origin}"

    @contextlib.contextmanager
    def copy(self) -> Iterator[str]:
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            shutil.copy(self.origin, copied := Path(folder) / "copy.sqlite3")
            subprocess.run(["sync", copied], check=True)  # or the copy is written to disk later
            yield f"sqlite:///{copied}"


class PostgresCopies:
    """A database, and a copy of it for each measurement, on one server."""

    def __init__(self, server: services.Postgres) -> None:
        self.server = server
        self._do("CREATE DATABASE origin")
        self.url = self._url("origin")

    @contextlib.contextmanager
    def copy(self) -> Iterator[str]:
        self._do("CREATE DATABASE copy TEMPLATE origin STRATEGY file_copy")
        self._do("CHECKPOINT")
        try:
            yield self._url("copy")
        finally:
            self._do("DROP DATABASE copy WITH (FORCE)")

    def _url(self, name: str) -> str:
        return self.server.url.rpartition("/")[0] + f"/{name}"

    def _do(self, statement: str) -> None:
        with psycopg.connect(self.server.url, autocommit=True) as connection:
            connection.execute(statement)


@contextlib.contextmanager
def sqlite() -> Iterator[SqliteCopies]:
    with tempfile.TemporaryDirectory() as folder:
        yield SqliteCopies(Path(folder))


@contextlib.contextmanager
def postgres() -> Iterator[PostgresCopies]:
    with services.running(Postgres) as server:
        yield PostgresCopies(server)


DATABASES = {"sqlite": sqlite, "postgres": postgres}


# --- Processes --------------------------------------------------------------------------------


def environment(url: str, **settings: object) -> dict[str, str]:
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("HOUSEKEEPING_", "HUEY_"))
    }
    return inherited | {
        "DJANGO_SETTINGS_MODULE": "benchmarks.keyed.settings",
        "ENV_FILE": os.devnull,
        "SECRET_KEY": "a key for the benchmark alone, as long as Django wants one to be",
        "DATABASE_URL": url,
        "HUEY_URL": f"sqlite:///{SCRATCH}/huey.sqlite3",
        "HOUSEKEEPING_BRAKE_SHARE": "0.999",  # rows are counted, as by default, but never held
        "TIME_ZONE": "UTC",
        "DEBUG": "false",
        "LOG_FILE": "",
        "PYTHONPATH": f"{ROOT}:{ROOT}/build/peers",
        **{f"HOUSEKEEPING_{name}": str(value) for name, value in settings.items()},
    }


def run(*words: object, **environment: Any) -> str:
    command = [sys.executable, *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, **environment)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    return done.stdout


def build(url: str, messages: int) -> None:
    run("manage.py", "migrate", "--run-syncdb", "--verbosity=0", env=environment(url))
    run("benchmarks/contenders.py", "build", messages, env=environment(url))


def purge(way: Way, url: str, days: int) -> dict[str, Any]:
    settings = environment(
        url,
        PACE="normal" if way.pace == "-" else way.pace,
        UNDO_DAYS=way.undo_days,
        CONVERSATION_RETENTION_DAYS=days,
        UNVERIFIED_USER_RETENTION_DAYS=days,
    )
    took: dict[str, Any] = json.loads(run("benchmarks/contenders.py", way.contender, days, env=settings))
    return took


@contextlib.contextmanager
def writer(url: str) -> Iterator[list[tuple[float, float]]]:
    """Insert rows meanwhile. At the end, fills the list with the moment and the seconds of each insert."""
    command = [sys.executable, "benchmarks/contenders.py", "writer"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(url), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdout.readline()
        time.sleep(0.3)  # its first inserts are slower
        inserts: list[tuple[float, float]] = []
        try:
            yield inserts
        finally:
            process.stdin.close()
            inserts += json.loads(process.stdout.read())


# --- Measuring --------------------------------------------------------------------------------


def compare(
    copies: SqliteCopies | PostgresCopies, ways: list[Way], days: int, rounds: int
) -> dict[Way, Measured]:
    """Measure each way in each round, first alone and then, except at flat-out, with a writer."""
    found = {way: Measured() for way in ways}
    for _ in range(rounds):
        raw_speed = 0.0
        for way in ways:
            with copies.copy() as url:
                took = purge(way, url, days)
            speed = took["rows"] / took["seconds"]
            raw_speed = speed if way in (RAW, RAW_UNDO) else raw_speed
            note(found[way], took)
            found[way].speeds.append(speed)
            found[way].cpu.append(took["cpu"] / took["rows"])
            found[way].ratios.append(speed / raw_speed)
            if ways not in (FLAT_OUT, SIGNALS, PEERS) and way.pace != "flat-out":
                beside_a_writer(found[way], copies, way, days)
    return found


def beside_a_writer(measured: Measured, copies: SqliteCopies | PostgresCopies, way: Way, days: int) -> None:
    with copies.copy() as url:
        with writer(url) as inserts:
            took = purge(way, url, days)
        note(measured, took)
        # An insert that still waited when the purge ended began during the purge.
        measured.waits += [wait for began, wait in inserts if took["began"] <= began <= took["ended"]]


def note(measured: Measured, took: dict[str, Any]) -> None:
    measured.peaks.append(took["peak"])
    measured.longest = max(measured.longest, took["longest"])


def idle(copies: SqliteCopies | PostgresCopies, seconds: float) -> list[float]:
    with copies.copy() as url, writer(url) as inserts:
        began = time.time()
        time.sleep(seconds)
    return [wait for moment, wait in inserts if moment >= began]


# --- Printing ---------------------------------------------------------------------------------

HEAD = (
    "| messages | old | way | pace | rows/s | x raw | CPU, µs/row | peak, MiB | longest transaction, ms"
    " | writer p50, ms | p99, ms |\n" + "| --- " * 11 + "|"
)


def line(messages: int, share: str, way: Way, found: Measured) -> str:
    cells = [
        f"{messages:,}",
        share,
        way.name,
        way.pace,
        f"{median(found.speeds):,.0f}",
        f"{median(found.ratios):.2f}",
        f"{median(found.cpu) * 1e6:.2f}",
        f"{found.peak:.0f}",
        f"{found.longest * 1000:,.0f}",
        percentile(found.waits, 0.5),
        percentile(found.waits, 0.99),
    ]
    return f"| {' | '.join(cells)} |"


def milliseconds(values: list[float], share: float) -> float:
    return sorted(values)[math.ceil(share * len(values)) - 1] * 1000 if values else math.nan


def percentile(values: list[float], share: float) -> str:
    return f"{milliseconds(values, share):,.1f}" if values else "-"


Results = dict[tuple[int, str], dict[Way, Measured]]


def bars(database: str, results: Results, idle_waits: list[float]) -> None:
    """Print each target, the worst figure for it, and whether it is met."""
    print("\n| bar | worst | |\n| --- | --- | --- |")
    for way in FLAT_OUT[2:]:
        least = BARS["archive" if way.undo_days else "no archive"]
        worst = min(median(found[way].ratios) for (_, share), found in results.items() if share == "half")
        tell(f"{way.name}: at least {least} x raw at flat-out, half old", f"{worst:.2f}", worst >= least)
    for way in FLAT_OUT[2:]:
        peaks = [found[way].peak for (_, share), found in results.items() if share == "half"]
        grown = peaks[-1] - peaks[0]
        tell(
            f"{way.name}: peak memory within 20 MiB from the least size to the largest",
            f"{grown:+.0f} MiB",
            grown <= 20,
        )
    small, large = min(results)[0], max(results)[0]
    for way in FLAT_OUT[2:4]:
        half = {size: median(results[size, "half"][way].speeds) for size in (small, large)}
        tell(
            f"{way.name}: linear in rows deleted, rows/s of {large:,} to {small:,}",
            f"{half[large] / half[small]:.2f}",
            half[large] / half[small] >= 0.75,
        )
        if small < large:
            kept = median(results[large, "few"][way].speeds) / median(results[small, "same"][way].speeds)
            tell(
                f"{way.name}: independent of rows kept, rows/s of so many of {large:,} to those of {small:,}",
                f"{kept:.2f}",
                kept >= 0.75,
            )
    if idle_waits:
        bars_of_others(database, results, idle_waits)


def bars_of_others(database: str, results: Results, idle_waits: list[float]) -> None:
    """Print the targets for the effect of a purge at normal pace on other traffic."""
    idle_p99 = milliseconds(idle_waits, 0.99)
    normal = [found[way] for found in results.values() for way in NORMAL if way in found]
    longest = max(found.longest for found in normal) * 1000
    tell("no transaction longer than 100 ms at normal", f"{longest:.0f} ms", longest <= 100)
    p99 = max(milliseconds(found.waits, 0.99) for found in normal if len(found.waits) >= 200)
    most = 60 if database == "sqlite" else 3 * idle_p99
    tell(
        f"a writer's p99 at most {most:.1f} ms at normal (idle: {idle_p99:.1f} ms)",
        f"{p99:.1f} ms",
        p99 <= most,
    )


def tell(bar: str, worst: str, is_met: bool) -> None:
    print(f"| {bar} | {worst} | {'met' if is_met else '**not met**'} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--database", choices=[*DATABASES, "all"], default="all", help="default: all")
    parser.add_argument(
        "--messages", type=int, nargs="+", default=SIZES, metavar="N", help=f"default: {SIZES}"
    )
    parser.add_argument("--rounds", type=int, default=3, help="default: 3")
    parser.add_argument("--quick", action="store_true", help="one round of 20,000 and 100,000 messages")
    parser.add_argument("--signals", action="store_true", help="measure delete signals instead")
    parser.add_argument("--peers", action="store_true", help="compare with peers instead")
    parser.add_argument(
        "--shapes", choices=SHAPES, nargs="+", default=SHAPES, help="for --peers; default: all"
    )
    parser.add_argument("--undo", action="store_true", help="measure undo instead")
    parser.add_argument("--speed", action="store_true", help="measure flat-out only, without a writer")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Stopped."))  # ends the servers, too
    sizes, rounds = ([20_000, 100_000], 1) if options.quick else (sorted(options.messages), options.rounds)
    for database in DATABASES if options.database == "all" else [options.database]:
        try:
            if options.peers:
                measure_peers(database, options.shapes, sizes, rounds)
            elif options.undo:
                measure_half(database, "undo", UNDO, sizes, rounds)
            elif options.signals:
                measure_half(database, "signals", SIGNALS, sizes, rounds)
            else:
                measure(database, sizes, FLAT_OUT if options.speed else WAYS, rounds)
        except pytest.skip.Exception as missing:
            print(f"Not measured: {missing}")


def measure_half(database: str, what: str, ways: list[Way], sizes: list[int], rounds: int) -> None:
    print(f"\n## {database}, {what}\n{HEAD}", flush=True)
    for messages in sizes:
        with DATABASES[database]() as copies:
            build(copies.url, messages)
            for way, found in compare(copies, ways, SHARES["half"], rounds).items():
                print(line(messages, "half", way, found), flush=True)


def measure_peers(database: str, shapes: list[str], sizes: list[int], rounds: int) -> None:
    for shape in shapes:
        os.environ["BENCHMARK_SHAPE"] = shape
        print(f"\n## {database}, {shape}\n{HEAD}", flush=True)
        for messages in sizes:
            with DATABASES[database]() as copies:
                build(copies.url, messages)
                # django-data-purger subtracts one from a key.
                ways = [way for way in PEERS if (shape, way.contender) != ("uuid", "data-purger")]
                found = compare(copies, ways, SHARES["half"], rounds)
            for way, measured in found.items():
                print(line(messages, "half", way, measured), flush=True)
            ours, peers = found[ways[-1]].speeds, [found[way].speeds for way in ways[1:-2]]
            ratios = [speed / max(others) for speed, *others in zip(ours, *peers, strict=True)]
            worst = f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
            print(f"\nAn archive, x the fastest without one of the same round: {worst}", flush=True)


def measure(database: str, sizes: list[int], ways: list[Way], rounds: int) -> None:
    print(f"\n## {database}\n{HEAD}", flush=True)
    results: Results = {}
    idle_waits: list[float] = []
    for messages in sizes:
        with DATABASES[database]() as copies:
            build(copies.url, messages)
            idle_waits += idle(copies, seconds=5) if ways == WAYS else []
            shares = dict(SHARES)
            if messages == min(sizes) < max(sizes):
                shares["same"] = 100 - max(sizes) // messages
            for share, days in shares.items():
                chosen = FLAT_OUT if share == "same" else ways
                results[messages, share] = compare(copies, chosen, days, rounds)
                for way, found in results[messages, share].items():
                    print(line(messages, share, way, found), flush=True)
    bars(database, results, idle_waits)


if __name__ == "__main__":
    main()
