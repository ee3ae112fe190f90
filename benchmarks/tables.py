"""Measures what it costs to measure the tables of a large database.

    python benchmarks/tables.py [--database sqlite|postgres|all] [--messages 100000 3000000]

For each database and size, it fills a temporary database by set-based SQL. It compares three things, each the
median of several rounds:

- count: SELECT count(*) of every table, which a page must never do.
- measure: what a consumer does once an hour: rows, bytes and ages of every table, and saving them.
- list: what a page does: reading the saved rows, with the growth of thirty days.

The times are printed as ratios to the count, as these machines are noisy, and in milliseconds. The aim:
measuring hardly grows with the rows, and costs less than counting once counting is expensive.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.dashboard import Site, database  # noqa: E402 - found from ROOT

ROUNDS = 5


def work(messages: int) -> None:
    """Fill the database of this process, and print how long each thing takes, in milliseconds."""
    from django.utils import timezone

    from benchmarks.fill import fill
    from housekeeping.models import TableSize
    from housekeeping.reading.tables import listing, measuring

    fill(1_000, messages)
    now = timezone.now()
    measuring.measure(now)
    for size in TableSize.objects.filter(measured_at=now):
        days = [timedelta(days=age) for age in range(1, 31)]
        TableSize.objects.bulk_create(
            TableSize(
                table=size.table,
                day=size.day - age,
                measured_at=now - age,
                rows=size.rows,
                bytes=size.bytes,
            )
            for age in days
        )
    took = {"count": _median(_count), "measure": _median(lambda: measuring.measure(now))}
    rows = TableSize.objects.get(table="chat_chatmessage", measured_at=now).rows
    print("TOOK", json.dumps(took | {"list": _median(listing.read), "rows": rows}))


def _count() -> None:
    from django.db import connection

    from housekeeping.database import sizes

    with connection.cursor() as cursor:
        for table in sizes.tables():
            cursor.execute(f'SELECT count(*) FROM "{table.name}"')
            cursor.fetchone()


def _median(act: Callable[[], object]) -> float:
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        act()
        times.append((time.perf_counter() - began) * 1000)
    return median(times)


def run(kind: str, messages: int) -> None:
    with tempfile.TemporaryDirectory() as name, database(kind, Path(name)) as url:
        site = Site(Path(name), url)
        site.command("manage.py", "migrate", "--verbosity=0")
        code = f"from benchmarks.tables import work; work({messages})"
        said = site.command("manage.py", "shell", "--no-imports", "-c", code)
    took = json.loads(said.rpartition("TOOK ")[2])
    ratios = [f"{took[name] / took['count']:.2f}" for name in ("measure", "list")]
    times = [f"{took[name]:.0f}" for name in ("count", "measure", "list")]
    off = f"{abs(took['rows'] - messages) / messages:.1%}"
    print("| " + " | ".join([kind, f"{messages:,}", *ratios, *times, off]) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--database", choices=["sqlite", "postgres", "all"], default="all")
    parser.add_argument("--messages", type=int, nargs="+", default=[100_000, 3_000_000])
    options = parser.parse_args()
    head = ["database", "messages", "measure / count", "list / count", "count, ms", "measure, ms", "list, ms"]
    print("| " + " | ".join([*head, "rows are off by"]) + " |\n" + "| --- " * (len(head) + 1) + "|")
    for kind in ["sqlite", "postgres"] if options.database == "all" else [options.database]:
        for messages in options.messages:
            run(kind, messages)


if __name__ == "__main__":
    main()
