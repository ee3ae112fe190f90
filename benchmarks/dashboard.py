"""Measures the dashboard on a large database against a hello-world view on the same server.

    python benchmarks/dashboard.py [--database sqlite|postgres|all] [--runs 1000 1000000]
                                   [--messages-per-run 10] [--requests 200]

For each database and size, it fills a temporary database by set-based SQL, and starts gunicorn with two
workers and one consumer, which stores the expensive figures. One client requests each page in turn over one
connection. The script prints the median of each page divided by the median of the hello-world view in the
same rounds: these machines are noisy, and the ratio is steadier than the times.

- hello: a view that answers two words, through the same middleware.
- poll: the overview's poll if nothing has changed (304).
- overview: the whole fragment.
- runs: the newest 50 runs. runs, last: the oldest 50. runs, filtered: by task and status.
- history: the page of acts. trends: the charts of 30 days.

The targets: an unchanged poll at most 4, a page of 50 runs at most 15, the overview at most 25. Each should
differ by at most a fifth between a thousand runs and a million, and between the first page and the last.
Nothing is asserted here.
"""

import argparse
import contextlib
import http.client
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests import services  # noqa: E402 - found from ROOT

BARS = {"poll": 4, "overview": 25, "runs": 15, "runs, last": 15, "runs, filtered": 15}
PAGES = {
    "hello": "/hello",
    "poll": "/scheduler-admin",
    "overview": "/scheduler-admin",
    "runs": "/scheduler-admin/runs",
    "runs, last": "/scheduler-admin/runs?oldest=1",
    "runs, filtered": "/scheduler-admin/runs?task=conversations&status=succeeded",
    "history": "/scheduler-admin/history",
    "trends": "/scheduler-admin/trends",
}


class Site:
    """The site on its own database, with gunicorn and one consumer."""

    def __init__(self, folder: Path, database: str) -> None:
        self.port = services.free_port()
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("HOUSEKEEPING_", "HUEY_"))
        } | {
            "ENV_FILE": os.devnull,
            "SECRET_KEY": "a key for the benchmark alone, as long as Django wants one to be",
            "DATABASE_URL": database,
            "HUEY_URL": f"sqlite:///{folder}/huey.sqlite3",
            "DJANGO_SETTINGS_MODULE": "benchmarks.hello",
            "EMAIL_URL": "dummymail://",
        }
        self.folder = folder

    def command(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, *words],
            cwd=ROOT,
            env=self.environment,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        server = ["-m", "gunicorn", "site_config.wsgi", "--workers", "2", "--bind", f"127.0.0.1:{self.port}"]
        with (self.folder / "log").open("wb") as log:
            parts = [
                subprocess.Popen(
                    [sys.executable, *words], cwd=ROOT, env=self.environment, stdout=log, stderr=log
                )
                for words in (server, ["manage.py", "run_huey"])
            ]
            try:
                services.wait_until(lambda: services.answers(self.port), what="gunicorn")
                time.sleep(8)  # until the consumer has measured the gauges
                yield
            finally:
                for part in parts:
                    part.send_signal(signal.SIGTERM)
                for part in parts:
                    part.wait(60)


def measure(site: Site, cookie: str, requests: int) -> dict[str, list[float]]:
    """The milliseconds of each page. The pages are requested in turn."""
    client = http.client.HTTPConnection("127.0.0.1", site.port)
    taken: dict[str, list[float]] = {name: [] for name in PAGES}
    tag = ""
    for number in range(requests + 10):
        for name, path in PAGES.items():
            headers = {"Cookie": cookie}
            if name in ("poll", "overview"):
                headers |= {"HX-Request": "true"}
            if name == "poll":
                headers["HX-PTag"] = tag
            began = time.perf_counter()
            client.request("GET", path, headers=headers)
            answer = client.getresponse()
            answer.read()
            took = (time.perf_counter() - began) * 1000
            tag = answer.headers.get("HX-PTag", tag)
            wanted = 304 if name == "poll" else 200
            if answer.status == wanted and number >= 10:
                taken[name].append(took)
            elif answer.status not in (200, 304):
                raise SystemExit(f"{path} answered {answer.status}")
    return taken


@contextlib.contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{folder}/db.sqlite3"
    else:
        with services.postgres() as url:
            yield url


def run(kind: str, runs: int, messages: int, requests: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as name, database(kind, Path(name)) as url:
        site = Site(Path(name), url)
        site.command("manage.py", "migrate", "--verbosity=0")
        code = f"from benchmarks.fill import fill; fill({runs}, {messages})"
        said = site.command("manage.py", "shell", "--no-imports", "-c", code)
        cookie = said.rpartition("SESSION ")[2].strip()
        with site.running():
            taken = measure(site, cookie, requests)
    hello = statistics.median(taken["hello"])
    print(
        f"\n{kind}, {runs:,} runs, {messages:,} messages: hello {hello:.2f} ms,"
        f" {len(taken['poll'])} of {requests} polls had nothing new"
    )
    ratios = {page: statistics.median(times) / hello for page, times in taken.items() if times}
    for page, ratio in ratios.items():
        bar = (
            f"  (at most {BARS[page]}: {'met' if ratio <= BARS[page] else 'NOT MET'})" if page in BARS else ""
        )
        print(f"  {page:<16} {ratio:6.1f}{bar}")
    return ratios


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--database", choices=["sqlite", "postgres", "all"], default="all")
    parser.add_argument("--runs", type=int, nargs="+", default=[1_000, 1_000_000])
    parser.add_argument("--messages-per-run", type=int, default=10)
    parser.add_argument("--requests", type=int, default=200)
    options = parser.parse_args()
    kinds = ["sqlite", "postgres"] if options.database == "all" else [options.database]
    for kind in kinds:
        sizes = [run(kind, runs, runs * options.messages_per_run, options.requests) for runs in options.runs]
        if len(sizes) > 1:
            growth = {page: round(sizes[-1][page] / sizes[0][page], 2) for page in sizes[0]}
            print(f"  large / small: {json.dumps(growth)}")


if __name__ == "__main__":
    main()
