"""Makes the pictures of the docs, in docs/images: ``make screenshots``.

It fills a throwaway site with demo data and a month of history, starts it with a consumer, and opens the
pages in Chromium. It depends only on addresses and the sign-in form, so other changes of the pages don't
break it.
"""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs/images"
HOME = "/scheduler-admin"
WIDE: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
LARGEST = 200_000  # bytes of a picture
# A month of statistics, and of runs by day.
HISTORY = """
import random
from datetime import timedelta
from django.utils import timezone
from housekeeping.models import Snapshot, Tally

chance = random.Random(7)
numbers = {"total_users": 12, "total_conversations": 350, "total_messages": 1100}
steps = {"total_users": 1, "total_conversations": 12, "total_messages": 34}
for age in range(30, 0, -1):
    numbers = {name: number + chance.randint(0, steps[name]) for name, number in numbers.items()}
    recent = {f"recent_{name}_24h": chance.randint(9, 90) for name in ("conversations", "messages")}
    moment, size = timezone.now() - timedelta(days=age), 4_000_000 + 9_000 * age
    Snapshot.objects.create(taken_at=moment, numbers=numbers | recent, database_bytes=size)
    for task in ("conversations", "messages", "users"):
        done = {"runs": 1, "rows": chance.randint(5, 60), "duration_ms": chance.randint(200, 900)}
        Tally.objects.create(day=moment.date(), task=task, status="succeeded", **done)
"""


# A month of sizes: tables that grow, one that a purge keeps in check, and one that stays as it is.
GROWTH = """
from datetime import timedelta
from housekeeping.models import TableSize

slopes = {"chat_chatmessage": 0.004, "housekeeping_run": 0.011, "axes_accesslog": 0.02}
for size in TableSize.objects.all():
    for age in range(1, 30):
        purged = 0.05 * (age % 7) if size.table == "chat_conversation" else 0
        share, ago = 1 - slopes.get(size.table, 0) * age - purged, timedelta(days=age)
        TableSize.objects.create(
            table=size.table, day=size.day - ago, measured_at=size.measured_at - ago,
            bytes=int(size.bytes * share), rows=int(size.rows * share),
        )
"""


class Site:
    """The site in a folder of its own, and its ``manage.py``."""

    def __init__(self, folder: Path) -> None:
        self.port = _free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.environment = os.environ | {
            "ENV_FILE": os.devnull,
            "LOGNAME": "ada",  # who runs the commands
            "SECRET_KEY": "a key for these pictures alone, as long as Django wants one to be",
            "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
            "HUEY_URL": f"sqlite:///{folder}/huey.sqlite3",
        }

    def manage(self, *words: str) -> str:
        command = [sys.executable, "manage.py", *words]
        return subprocess.run(
            command, cwd=ROOT, env=self.environment, check=True, capture_output=True, text=True
        ).stdout

    @contextmanager
    def running(self) -> Iterator[None]:
        """The site, with the consumer that runserver starts beside it."""
        command = [sys.executable, "manage.py", "runserver", "--noreload", f"127.0.0.1:{self.port}"]
        process = subprocess.Popen(
            command, cwd=ROOT, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            _wait_for(self.port)
            yield
        finally:
            process.terminate()
            process.wait(40)


def make() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        site = Site(Path(folder))
        password, run = _fill(site)
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        with site.running():
            _take(browser, site, password, run)
        browser.close()


def _fill(site: Site) -> tuple[str, str]:
    """Fill the site. Returns the administrator's password, and the id of a purge."""
    site.manage("migrate", "--verbosity", "0")
    printed = site.manage("create_demo_data", "--first-run")
    site.manage("shell", "--no-imports", "-c", HISTORY)
    for task in ("stats", "users", "messages", "conversations"):
        site.manage("run_housekeeping", "--task", task)
    [newest] = json.loads(site.manage("housekeeping_runs", "list", "--limit", "1", "--json"))
    site.manage("create_demo_data", "--conversations", "300")
    site.manage("housekeeping_tables", "--measure")
    site.manage("shell", "--no-imports", "-c", GROWTH)
    return re.findall(r"password\s+(\S+)", printed)[0], newest["id"]


def _take(browser: Browser, site: Site, password: str, run: str) -> None:
    page = _signed_in(browser, site, password)
    paths = {
        "overview": HOME,
        "run": f"{HOME}/runs/{run}",
        "preview": f"{HOME}/policies/conversations/preview",
        "trends": f"{HOME}/trends",
        "tables": f"{HOME}/tables?until=10MB",
    }
    for name, path in paths.items():
        _save(page, site, path, name)
    page.set_viewport_size(WIDE)
    page.emulate_media(color_scheme="dark")
    _save(page, site, HOME, "overview-dark")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(PHONE)
    _save(page, site, HOME, "phone")


def _signed_in(browser: Browser, site: Site, password: str) -> Page:
    options: dict[str, Any] = {
        "viewport": WIDE,
        "locale": "en-GB",
        "timezone_id": "UTC",
        "color_scheme": "light",
    }
    page = browser.new_context(**options).new_page()
    page.goto(site.address + HOME)
    page.locator("input[name=username]").fill("admin")
    page.locator("input[name=password]").fill(password)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda address: "sign-in" not in address)
    return page


def _save(page: Page, site: Site, path: str, name: str) -> None:
    page.goto(site.address + path, wait_until="load")
    page.wait_for_timeout(1_500)  # for the first refresh, and for the consumer's first figures
    file = IMAGES / f"{name}.png"
    page.screenshot(path=file, animations="disabled")
    size = file.stat().st_size
    assert size <= LARGEST, f"{file.name} has {size:,} bytes"
    print(f"{file.name}: {size:,} bytes")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit("The site does not start.")


if __name__ == "__main__":
    make()
