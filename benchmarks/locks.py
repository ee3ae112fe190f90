"""Measures a purge while another transaction has locked rows that it wants to delete (PostgreSQL).

    python benchmarks/locks.py [--site PATH]

``manage.py run_housekeeping`` purges 3,100 conversations with two messages each. The other transaction
begins before the purge and ends after it (the one with the table lock ends after 2 s), or it locks rows in
the opposite order. ``--site`` is the checkout of another version, for comparison.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests import services  # noqa: E402 - found from ROOT

ROWS = 3_100
FILL = f"""
INSERT INTO chat_user (username, email, password, first_name, last_name, is_superuser, is_staff, is_active,
                       date_joined, email_verified_at)
VALUES ('owner', 'owner@example.com', '', '', '', false, false, true, now(), now());
INSERT INTO chat_conversation (user_id, title, created_at)
SELECT (SELECT min(id) FROM chat_user), 'Old', now() - interval '40 days' FROM generate_series(1, {ROWS});
INSERT INTO chat_chatmessage (conversation_id, role, content, created_at)
SELECT id, 'user', 'Hello', created_at FROM chat_conversation, generate_series(1, 2);
"""
MIDDLE = "(SELECT id FROM chat_conversation ORDER BY id OFFSET 1500 LIMIT 1)"
MESSAGE = f"UPDATE chat_chatmessage SET content = 'held' WHERE conversation_id = {MIDDLE}"
CONVERSATION = f"UPDATE chat_conversation SET title = 'held' WHERE id = {MIDDLE}"
TABLE = "LOCK TABLE chat_chatmessage IN ACCESS EXCLUSIVE MODE"
# By name: what the other transaction locks first, what it locks later, and when it ends (seconds).
FAULTS = {
    "one message is held": (MESSAGE, "", 300.0),
    "one conversation is held": (CONVERSATION, "", 300.0),
    "a message, then its conversation": (MESSAGE, CONVERSATION, 3.0),
    "the table of messages is locked for 2 s": (TABLE, "", 2.0),
}


def manage(site: Path, url: str, *words: str) -> subprocess.CompletedProcess[str]:
    settings = {
        "ENV_FILE": os.devnull,
        "SECRET_KEY": "a key for the benchmark alone, as long as Django wants one to be",
        "DATABASE_URL": url,
        "HUEY_URL": f"sqlite:///{tempfile.gettempdir()}/locks-{os.getpid()}.sqlite3",
        "HOUSEKEEPING_BRAKE_SHARE": "1",
    }
    command = [sys.executable, "manage.py", *words]
    return subprocess.run(command, cwd=site, env=os.environ | settings, capture_output=True, text=True)


@contextlib.contextmanager
def another(url: str, first: str, then: str, seconds: float) -> Iterator[list[str]]:
    """Run the other transaction meanwhile. Yields a list of its errors, empty if there are none."""
    failures: list[str] = []
    is_begun, is_over = threading.Event(), threading.Event()

    def work() -> None:
        try:
            with psycopg.connect(url) as connection:
                connection.execute(first)
                is_begun.set()
                if then:
                    wait_for_the_purge(url)
                    connection.execute(then)
                is_over.wait(seconds)
        except psycopg.Error as error:
            failures.append(type(error).__name__)

    thread = threading.Thread(target=work)
    thread.start()
    is_begun.wait(10)
    try:
        yield failures
    finally:
        is_over.set()
        thread.join()


def wait_for_the_purge(url: str) -> None:
    """Wait until the purge waits for this transaction."""
    waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with psycopg.connect(url, autocommit=True) as connection:
        services.wait_until(lambda: connection.execute(waits).fetchone()[0], what="the purge")


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--site", type=Path, default=ROOT)
    site = options.parse_args().site
    print("| fault | run | deleted | took, s | the other transaction |\n| --- | --- | --- | --- | --- |")
    for name, (first, then, seconds) in FAULTS.items():
        with services.running(services.Postgres) as server:
            manage(site, server.url, "migrate", "--verbosity=0").check_returncode()
            with psycopg.connect(server.url, autocommit=True) as connection:
                connection.execute(FILL)
                connection.execute("ANALYZE")
            with another(server.url, first, then, seconds) as failures:
                done = manage(site, server.url, "run_housekeeping", "--task", "conversations", "--json")
            run = json.loads(done.stdout)["run"]
            left = (run["receipt"].get("conversations") or {}).get("in_use", 0)
            status = run["error"].split(":")[0] if run["error"] else run["status"]
            status += f", {left} in use" if left else ""
            facts = [name, status, f"{run['progress']['done']:,}", f"{run['took_seconds']:.1f}"]
            print("| " + " | ".join([*facts, ", ".join(failures) or "well"]) + " |")


if __name__ == "__main__":
    main()
