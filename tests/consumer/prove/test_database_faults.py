"""What goes wrong with the database under real ``run_huey`` processes, done on purpose."""

import contextlib
import os
import sqlite3
import subprocess
import time
from collections import Counter

import psycopg
import pytest

from chat.models import ChatMessage, Conversation
from housekeeping.models import Run
from tests import make, services
from tests.consumer.prove.test_faults import complaints, logs, old_conversations, processes, wait_for  # noqa: F401
from tests.processes import Processes
from tests.services import wait_until

# Where the queue's storage makes no difference.
on_sqlite = pytest.mark.parametrize("queue_url", ["sqlite"], indirect=True)

# --- The database -----------------------------------------------------------------------------


@on_sqlite
def test_writers_beside_a_purge_lose_nothing_and_are_never_locked_out(processes):  # noqa: F811
    kept = make.conversation()
    code = f"""
from chat.models import ChatMessage
from housekeeping.models import Run
number = 0
while not Run.objects.filter(status="succeeded").exists():
    ChatMessage.objects.create(conversation_id={kept.pk}, role="user", content="Hello")
    number += 1
print("wrote", number)
"""
    old_conversations(20_000)
    processes.consumer()
    writers = [processes.start("shell", "--no-imports", "-c", code) for _ in range(4)]
    wait_until(ChatMessage.objects.exists)

    make.run()

    run = wait_for(Run.objects.filter(status="succeeded"))
    assert [writer.wait(30) for writer in writers] == [0] * 4
    written = [int(writer.output.removeprefix("wrote")) for writer in writers]
    assert (run.done, ChatMessage.objects.count()) == (20_000, sum(written))
    assert ChatMessage.objects.filter(created_at__range=(run.started_at, run.finished_at)).exists()
    assert list(Conversation.objects.all()) == [kept]
    assert "locked" not in logs(processes)


@pytest.fixture
def disk(tmp_path):
    """A disk of 16 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    mounted = os.getuid() == 0 and subprocess.run(mount, check=False).returncode == 0
    services.need("A disk of our own", "mount" if mounted else None)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@contextlib.contextmanager
def _site(folder, database_url):
    """Processes of a site with old conversations in its database, and its queue in ``folder``."""
    running = Processes(
        folder,
        DATABASE_URL=database_url,
        HUEY_URL=f"sqlite:////{str(folder).lstrip('/')}/huey.sqlite3",
        HOUSEKEEPING_HEARTBEAT_SECONDS="1",
    )
    assert running.start("migrate").wait() == 0
    running.shell(MAKE_OLD_CONVERSATIONS)
    yield running
    running.end()


@pytest.fixture
def on_disk(disk, tmp_path):
    """Processes of a site that has its database, and only that, on ``disk``."""
    with _site(tmp_path, f"sqlite:////{str(disk).lstrip('/')}/db.sqlite3") as running:
        yield running


MAKE_OLD_CONVERSATIONS = """
from datetime import timedelta
from django.utils import timezone
from chat.models import Conversation, User
owner, then = User.objects.create_user("ada", "ada@example.com"), timezone.now() - timedelta(days=40)
Conversation.objects.bulk_create(Conversation(user=owner, created_at=then) for _ in range(20_000))
"""
ASK_FOR_A_RUN = """
from django.utils import timezone
from housekeeping.models import Run
Run.objects.create(task="conversations", cause="manual", status="queued", requested_at=timezone.now())
"""


def fill(disk, *, but):
    """Leave only ``but`` bytes of the disk free."""
    facts = os.statvfs(disk)
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(facts.f_bavail * facts.f_frsize - but))
    return ballast


def ask(disk, question):
    """The first value that the database on the disk answers; None where it can't be opened."""
    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(sqlite3.connect(disk / "db.sqlite3")) as database,
    ):
        return database.execute(question).fetchone()[0]


def test_a_full_disk_fails_the_run_with_one_clear_error_and_work_goes_on_after_it(on_disk, disk):
    consumer = on_disk.consumer()
    ballast = fill(disk, but=300_000)
    on_disk.shell(ASK_FOR_A_RUN)
    consumer.says("failed: OperationalError: database or disk is full", seconds=60)
    time.sleep(2)
    assert ask(disk, "SELECT error FROM housekeeping_run") == "OperationalError: database or disk is full"
    assert consumer.is_running
    # Where what is left holds not even the run's end, it is taken back and tried again.
    most = ask(disk, "SELECT attempts FROM housekeeping_run") + 1
    assert [line for line, number in Counter(complaints(consumer)).items() if number > most] == []

    ballast.unlink()
    on_disk.shell(ASK_FOR_A_RUN)

    wait_until(lambda: ask(disk, "SELECT count(*) FROM chat_conversation") == 0, what="the purge")


def test_work_goes_on_once_a_database_can_be_written_again(on_disk, disk):
    consumer = on_disk.consumer()
    remount(disk, "ro")
    consumer.says("[ERROR] Could not look at the schedules")
    assert consumer.is_running

    remount(disk, "rw")
    on_disk.shell(ASK_FOR_A_RUN)

    wait_until(lambda: ask(disk, "SELECT count(*) FROM chat_conversation") == 0, what="the purge")
    consumer.says("Can look at the schedules again")


def test_a_database_that_can_not_be_written_is_reported_once_and_not_each_beat(on_disk, disk):
    consumer = on_disk.consumer()
    remount(disk, "ro")
    wait_until(lambda: complaints(consumer), what="a first complaint")

    time.sleep(4)

    assert len([line for line in complaints(consumer) if "heartbeat" in line]) == 1


def remount(disk, mode):
    words = ["mount", "-o", f"remount,{mode}", str(disk)]
    # Refused while a process has a file open for writing: between two looks, none has.
    wait_until(lambda: subprocess.run(words, check=False, stderr=subprocess.DEVNULL).returncode == 0)


# --- The site's own database goes away --------------------------------------------------------


@pytest.fixture
def database():
    """A PostgreSQL server that is the site's database, and can be stopped."""
    with services.running(services.Postgres) as server:
        yield server


@pytest.fixture
def on_postgres(database, tmp_path):
    with _site(tmp_path, database.url) as running:
        yield running


def rows_of(database, sql):
    with psycopg.connect(database.url) as client:
        return client.execute(sql).fetchone()


def test_a_database_that_goes_away_in_mid_purge_and_comes_back_costs_no_run(on_postgres, database):
    consumer = on_postgres.consumer()
    on_postgres.shell(ASK_FOR_A_RUN)
    begun = "SELECT count(*) FROM housekeeping_run WHERE status = 'running' AND deleted != '{}'"
    wait_until(lambda: rows_of(database, begun) == (1,), what="the first batch")

    database.stop()
    time.sleep(5)
    assert consumer.is_running
    database.start()

    done = "SELECT status, result FROM housekeeping_run"
    wait_until(lambda: rows_of(database, done)[0] == "succeeded", seconds=30, what="the run's end")
    assert rows_of(database, done) == ("succeeded", {"deleted_conversations": 20_000})
    assert rows_of(database, "SELECT count(*) FROM chat_conversation") == (0,)
    alive = "SELECT last_heartbeat_at > now() - interval '3 seconds' FROM housekeeping_consumer"
    wait_until(lambda: rows_of(database, alive) == (True,), what="a fresh heartbeat")


def test_a_database_that_is_read_only_for_a_while_costs_no_run(on_postgres, database):
    consumer = on_postgres.consumer()
    on_postgres.shell(ASK_FOR_A_RUN)
    begun = "SELECT count(*) FROM housekeeping_run WHERE status = 'running' AND deleted != '{}'"
    wait_until(lambda: rows_of(database, begun) == (1,), what="the first batch")

    set_read_only(database, "on")
    consumer.says("read-only transaction", seconds=10)
    time.sleep(4)
    assert len(complaints(consumer)) <= 6  # each of those who write, once
    set_read_only(database, "off")

    ended = "SELECT count(*) FROM housekeeping_run WHERE status = 'succeeded' AND losses <= 1"
    wait_until(lambda: rows_of(database, ended) == (1,), seconds=60, what="the run's end")
    assert rows_of(database, "SELECT count(*) FROM chat_conversation") == (0,)
    assert "Traceback" not in consumer.output


def set_read_only(database, how):
    """As a failover does it to the sessions that are open."""
    with psycopg.connect(database.url, autocommit=True) as client:
        client.execute("SET default_transaction_read_only = off")
        client.execute(f"ALTER SYSTEM SET default_transaction_read_only = {how}")
        client.execute("SELECT pg_reload_conf()")
