"""Purges and undos while consumers, their workers and the database server are killed at random.

Nothing may be lost or doubled: at each moment of rest, rows deleted less rows restored are the rows
that are gone, and in the end an undo brings back the database that was there before, row for row.
KILLS=5 in the environment makes a storm shorter, SEED=… repeats one.
"""

import hashlib
import json
import os
import random
import signal
import sqlite3
import time
from collections import Counter
from contextlib import ExitStack, closing

import psycopg
import pytest

from tests import services
from tests.processes import Processes, children, is_process
from tests.services import wait_until

KILLS = int(os.environ.get("KILLS", "30"))
OLD, MESSAGES = 20_000, 2  # conversations past their retention, and messages in each of them
ACTIVE = "('queued', 'running')"
# What the storm is about: the rows of the site, and none of the housekeeping's own.
TABLES = ("chat_user", "chat_conversation", "chat_chatmessage")

FILL = f"""
from datetime import timedelta
from django.utils import timezone
from chat.models import ChatMessage, Conversation, User
owner = User.objects.create_user("owner", "owner@example.com")
now = timezone.now()
ages = [timedelta(days=40, seconds=n) for n in range({OLD})] + [timedelta(days=1)] * 500
made = Conversation.objects.bulk_create(
    [Conversation(user=owner, title=f"number {{n}}", created_at=now - age) for n, age in enumerate(ages)],
    batch_size=5_000,
)
ChatMessage.objects.bulk_create(
    [
        ChatMessage(conversation=one, role="user", content=f"message {{n}}", created_at=one.created_at)
        for one in made
        for n in range({MESSAGES})
    ],
    batch_size=5_000,
)
"""
REQUEST = """
from housekeeping.runs import control
from housekeeping.models import Hold, Run
from housekeeping.queue.tasks import send
Hold.objects.all().delete()  # what an undo has put back would be held for 30 days
control.request("conversations", send=send)
"""
UNDO = """
from housekeeping.runs import control
from housekeeping.models import Run
from housekeeping.queue.tasks import send
for run in Run.objects.filter(undo_of=None, archives__isnull=False).distinct():
    control.undo(run, send=send)
"""


class Storm:
    """Two consumers on a database and a queue of their own, and a hand that kills."""

    def __init__(self, folder, database, queue, workers, dice, stack):
        self.dice, self.workers, self.stack = dice, workers, stack
        self.server = self._database(database, folder)
        self.processes = Processes(
            folder,
            DATABASE_URL=self.url,
            HUEY_URL=self._queue(queue, folder),
            HUEY_WORKER_TYPE=workers,
            HOUSEKEEPING_HEARTBEAT_SECONDS="1",
            HOUSEKEEPING_PACE="gentle",
        )
        stack.callback(self.processes.end)
        assert self.processes.start("migrate", "--verbosity=0").wait(120) == 0
        self.processes.shell(FILL)
        self.alive = []

    def _database(self, kind, folder):
        if kind == "postgres":
            server = self.stack.enter_context(services.running(services.Postgres))
            self.url = server.url
            return server
        self.url = f"sqlite:////{str(folder).lstrip('/')}/storm.sqlite3"
        return None

    def _queue(self, kind, folder):
        if kind == "sqlite":
            return f"sqlite:////{str(folder).lstrip('/')}/queue.sqlite3"
        server = services.Redis if kind == "redis" else services.Postgres
        return self.stack.enter_context(services.running(server)).url

    # --- Looking ---

    def rows(self, sql):
        if self.server:
            with psycopg.connect(self.url, autocommit=True) as connection:
                return connection.execute(sql).fetchall()
        with closing(sqlite3.connect(self.url.removeprefix("sqlite:///"), timeout=30)) as connection:
            return connection.execute(sql).fetchall()

    def count(self, what):
        return self.rows(f"SELECT count(*) FROM {what}")[0][0]

    def dump(self):
        """A digest of each table, over every column of every row."""
        digests = {table: hashlib.sha256() for table in TABLES}
        for table, digest in digests.items():
            for row in self.rows(f"SELECT * FROM {table} ORDER BY id"):
                digest.update(repr(row).encode())
        return {table: digest.hexdigest() for table, digest in digests.items()}

    def progress(self):
        return self.rows("SELECT id, deleted FROM housekeeping_run WHERE status = 'running' AND total > 0")

    def is_at_rest(self):
        return not self.count(f"housekeeping_run WHERE status IN {ACTIVE}")

    # --- Doing ---

    def start(self, number):
        self.alive = [one for one in self.alive if one.is_running]
        self.alive += [self.processes.start("run_huey") for _ in range(number - len(self.alive))]

    def kill(self):
        """One of the faults, at random. Returns its name."""
        faults = [self.kill_a_consumer, self.stop_a_consumer]
        faults += [self.kill_a_worker] if self.workers == "process" else []
        faults += [self.kill_the_server] if self.server else []
        fault = self.dice.choice(faults)
        fault()
        return fault.__name__

    def _victim(self):
        return self.dice.choice([one for one in self.alive if one.is_running])

    def kill_a_consumer(self):
        self._victim().kill()

    def stop_a_consumer(self):
        victim = self._victim()
        victim.signal(signal.SIGTERM)
        victim.wait(60)

    def kill_a_worker(self):
        victim = self._victim()
        if found := [pid for pid in children(victim.pid) if is_process(pid)]:
            os.kill(self.dice.choice(found), signal.SIGKILL)

    def kill_the_server(self):
        self.server.stop()
        time.sleep(self.dice.uniform(0, 1))
        self.server.start()


PAIRS = [
    ("sqlite", "sqlite", "thread"),
    ("sqlite", "redis", "process"),
    ("postgres", "redis", "thread"),
    ("postgres", "postgres", "process"),
]


@pytest.mark.parametrize(("database", "queue", "workers"), PAIRS)
def test_a_storm_loses_and_doubles_nothing(tmp_path, database, queue, workers):
    seed = int(os.environ.get("SEED") or random.randrange(10**6))
    print(f"SEED={seed}")
    with ExitStack() as stack:
        storm = Storm(tmp_path, database, queue, workers, random.Random(seed), stack)
        before, there = storm.dump(), storm.count("chat_conversation")

        faults = carry_out(storm)
        settle(storm)
        gone = there - storm.count("chat_conversation")
        print(faults, statuses(storm), f"{gone} gone")
        verify(storm, gone)

        finish_the_undo(storm)
        assert storm.dump() == before
        assert storm.count("housekeeping_archive") == 0


def carry_out(storm):
    """Purge, undo, purge again, and so on, with a kill while each attempt is at its batches."""
    faults, is_purge = [], True
    while len(faults) < KILLS:
        storm.start(2)
        if storm.is_at_rest():
            storm.processes.shell(REQUEST if is_purge else UNDO)
            is_purge = not is_purge
        wait_for_a_batch(storm)
        time.sleep(storm.dice.uniform(0, 0.4))
        faults.append(storm.kill())
    return faults


def wait_for_a_batch(storm):
    before = storm.progress()
    wait_until(
        lambda: storm.progress() != before or storm.is_at_rest(), seconds=120, what="a batch, or the end"
    )


def settle(storm):
    storm.start(2)
    wait_until(storm.is_at_rest, seconds=300, what="the end of all runs")


def statuses(storm):
    return dict(storm.rows("SELECT status, count(*) FROM housekeeping_run GROUP BY status"))


def verify(storm, gone):
    """Each row is counted once: what runs have removed, less what they have put back, is gone."""
    removed, restored = totals(storm)
    assert removed["chat.Conversation"] - restored["chat.Conversation"] == gone
    assert removed["chat.ChatMessage"] - restored["chat.ChatMessage"] == gone * MESSAGES
    checked = storm.processes.start("housekeeping_runs", "verify")
    assert checked.wait(120) == 0, checked.output


def totals(storm):
    """Rows by table, by the receipts of purges and by what undos say."""
    output = storm.processes.shell(
        "import json\n"
        "from collections import Counter\n"
        "from housekeeping.models import Run\n"
        "removed, restored = Counter(), Counter()\n"
        "for run in Run.objects.all():\n"
        "    for facts in run.receipt.values():\n"
        "        removed.update(facts['rows'])\n"
        "    restored.update((run.undo_state or {}).get('rows', {}))\n"
        "print('TOTALS' + json.dumps([removed, restored]))\n"
    )
    removed, restored = json.loads(output.split("TOTALS")[1])
    return Counter(removed), Counter(restored)


def finish_the_undo(storm):
    """Put back what is gone still. A run that lost three workers has failed, and is undone again."""
    while storm.count("housekeeping_archive"):
        storm.processes.shell(UNDO)
        settle(storm)
