"""What goes wrong at night, done to real ``run_huey`` processes on purpose.

They beat each second here, so that a run of a silent worker is taken back within four.
"""

import contextlib
import os
import re
import signal
import sqlite3
import subprocess
import time
from datetime import timedelta

import psycopg
import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from chat.models import ChatMessage, Conversation
from housekeeping.models import Consumer, Run, ScheduleState
from housekeeping.runs import schedules
from tests import make, services
from tests.make import ago
from tests.processes import Processes, children, is_process
from tests.services import wait_until

# Where the queue's storage makes no difference.
on_sqlite = pytest.mark.parametrize("queue_url", ["sqlite"], indirect=True)


@pytest.fixture
def processes(processes):
    processes.environment["HOUSEKEEPING_HEARTBEAT_SECONDS"] = "1"
    return processes


def wait_for(runs, *, seconds=30):
    wait_until(runs.exists, seconds=seconds, what=f"{runs.query}")
    return runs.get()


def old_conversations(number):
    owner = make.user()
    Conversation.objects.bulk_create(
        (Conversation(user=owner, created_at=ago(days=40)) for _ in range(number)), batch_size=5_000
    )
    return number


def mid_purge(seconds=20):
    """Wait until a run has deleted something and is not through."""
    deleting = Run.objects.filter(status="running").exclude(deleted={})
    return wait_for(deleting, seconds=seconds)


def logs(processes):
    return "\n".join(process.output for process in processes.started)


def complaints(consumer):
    return re.findall(r"^\[(?:WARNING|ERROR)\].*", consumer.output, re.MULTILINE)


# --- Several consumers ----------------------------------------------------------------------------


def test_three_consumers_run_each_fire_time_once_and_on_time(processes):
    processes.consumers(3)
    ran = Run.objects.filter(schedule="statistics_generation", status="succeeded")
    wait_until(ScheduleState.objects.filter(id="statistics_generation").exists)
    schedules.change("statistics_generation", "00:01:00")
    due = []

    for number in range(1, 5):
        due.append((timezone.now() + timedelta(seconds=1.3)).replace(microsecond=0))
        ScheduleState.objects.filter(id="statistics_generation").update(next_fire_at=due[-1])
        wait_until(lambda number=number: ran.count() == number, what=f"run {number}")

    runs = Run.objects.filter(schedule="statistics_generation").order_by("requested_at")
    assert [run.scheduled_for for run in runs] == due
    assert all(timedelta() <= run.started_at - run.scheduled_for < timedelta(seconds=1) for run in runs)
    assert logs(processes).count("Starting housekeeping task stats") == 4


# --- Killed, stopped, restarted -----------------------------------------------------------------


@on_sqlite
def test_a_consumer_that_wakes_up_after_its_lease_leaves_the_run_to_its_new_owner(processes):
    made = old_conversations(60_000)
    run = make.run()
    sleeper = processes.consumer()
    mid_purge()
    assert stop_between_two_batches(sleeper, run)
    assert Run.objects.get().status == "running"
    other = processes.consumer()

    ended = wait_for(Run.objects.filter(status="succeeded"))
    row = Run.objects.values().get()
    sleeper.signal(signal.SIGCONT)
    wait_until(lambda: "was taken back" in sleeper.output, what="its waking up")

    assert (ended.attempts, ended.losses, ended.done) == (2, 1, made)
    assert Run.objects.values().get() == row
    assert logs(processes).count(f"conversations {run.pk} succeeded") == 1
    assert not Conversation.objects.exists()
    other.kill()
    make.run("stats")
    assert wait_for(Run.objects.filter(task="stats", status="succeeded")).consumer.pid == sleeper.pid


def stop_between_two_batches(process, run):
    """SIGSTOP, at a moment when the process holds no lock that would hold up the others."""
    for _ in range(300):
        process.signal(signal.SIGSTOP)
        time.sleep(0.01)
        if others_can_write(run):
            return True
        process.signal(signal.SIGCONT)
        time.sleep(0.003)
    return False


def others_can_write(run):
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA busy_timeout = 0")
    try:
        with transaction.atomic():
            Run.objects.select_for_update(nowait=True).get(pk=run.pk)
    except OperationalError:
        return False
    finally:
        connection.close()
    return True


@pytest.mark.parametrize("queue_url", ["sqlite", "postgres"], indirect=True)
def test_worker_processes_leave_when_their_consumer_is_killed(processes):
    made = old_conversations(60_000)
    make.run()
    killed = processes.consumer("-k", "process")
    mid_purge()
    workers = children(killed.pid)
    assert len(workers) == 3  # a scheduler and two workers

    killed.signal(signal.SIGKILL)

    killed.wait()
    wait_until(lambda: not any(map(is_process, workers)), seconds=10, what="the workers' end")
    processes.consumer()
    run = wait_for(Run.objects.filter(status="succeeded"))
    assert (run.done, run.attempts) == (made, 2)


@on_sqlite
@pytest.mark.parametrize("kind", ["thread", "process"])
def test_a_consumer_told_to_restart_comes_back_as_itself_and_finishes_the_run(processes, kind):
    made = old_conversations(40_000)
    make.run()
    consumer = processes.consumer("-k", kind)
    mid_purge()

    consumer.signal(signal.SIGHUP)

    run = wait_for(Run.objects.filter(status="succeeded"))
    assert (run.done, run.attempts, run.losses) == (made, 2, 0)
    assert consumer.output.count(f"PID {consumer.pid} at") == 2
    assert run.consumer.pid == consumer.pid
    assert [one.stopped_at is None for one in Consumer.objects.order_by("started_at")] == [False, True]


# --- The queue's storage ------------------------------------------------------------------------


@pytest.fixture(params=[services.Redis, services.Postgres], ids=["redis", "postgres"])
def server(request):
    with services.running(request.param) as server:
        yield server


@pytest.fixture
def beside_server(transactional_db, tmp_path, server):
    running = Processes(tmp_path, HUEY_URL=server.url, HOUSEKEEPING_HEARTBEAT_SECONDS="1")
    yield running
    running.end()


def test_while_the_queue_is_gone_runs_are_opened_and_carried_out_later(beside_server, server):
    consumer = beside_server.consumer()
    schedule = ScheduleState.objects.filter(id="statistics_generation")
    wait_until(schedule.exists)

    server.stop()
    schedule.update(next_fire_at=timezone.now())
    run = wait_for(Run.objects.filter(schedule="statistics_generation"))
    asked_for = make.run("messages")
    consumer.says("can't be reached")
    assert (run.status, consumer.is_running) == ("queued", True)

    server.start()

    wait_for(Run.objects.filter(pk=run.pk, status="succeeded"))
    wait_for(Run.objects.filter(pk=asked_for.pk, status="succeeded"))
    assert Consumer.objects.get().is_alive(timezone.now())
    assert Consumer.objects.get().last_heartbeat_at > ago(seconds=3)


def test_a_queue_that_is_gone_is_reported_once_and_not_each_second(beside_server, server):
    consumer = beside_server.consumer()
    server.stop()
    wait_until(lambda: complaints(consumer), what="a first complaint")

    time.sleep(5)

    # The workers read and the scheduler looks: each may see the loss, and then the refusal.
    assert len(complaints(consumer)) <= 6
    assert "Traceback" not in consumer.output


def test_a_run_whose_message_vanished_is_sent_for_again(processes):
    processes.consumer()

    run = make.run("stats", sent_at=ago(seconds=57))  # flushed: there is no message

    ended = wait_for(Run.objects.filter(status="succeeded"))
    assert (ended.pk, ended.attempts) == (run.pk, 1)
    assert ended.started_at > run.sent_at + timedelta(seconds=60)


def test_a_consumer_that_starts_sends_for_all_that_wait(processes):
    """The one before it may have died with their messages in its hands."""
    for task in ("stats", "messages"):
        make.run(task, sent_at=timezone.now())

    processes.consumer()

    wait_until(lambda: Run.objects.filter(status="succeeded").count() == 2, what="both runs")


@on_sqlite
def test_a_message_for_an_unknown_task_is_kept_as_a_failed_run(processes):
    consumer = processes.consumer()
    code = """
from huey.contrib.djhuey import HUEY
@HUEY.task(name="of_tomorrow")
def of_tomorrow(): pass
print(HUEY.enqueue(of_tomorrow.s()).id)
"""

    [run_id] = re.findall(r"[0-9a-f-]{36}", processes.shell(code))

    run = wait_for(Run.objects.filter(status="failed"))
    assert str(run.pk) == run_id
    assert "of_tomorrow" in run.error
    assert "There is no task" in run.error
    make.run("stats")
    wait_for(Run.objects.filter(task="stats", status="succeeded"))
    assert consumer.is_running


def test_results_in_the_queue_go_with_their_runs(processes):
    old = [make.run("stats", status="succeeded", requested_at=ago(days=100)).pk for _ in range(20)]
    huey = "from huey.contrib.djhuey import HUEY; "
    put = f"print(HUEY.result_count(), [HUEY.put_result(key, 1) for key in {list(map(str, old))}])"
    before = int(processes.shell(huey + put).split()[0])
    make.run("history")

    processes.consumer()

    wait_for(Run.objects.filter(task="history", status="succeeded", result__deleted_runs=20))
    results = int(processes.shell(huey + "print(HUEY.result_count())"))
    assert results <= before + 1  # its own


# --- The database -------------------------------------------------------------------------------


@on_sqlite
def test_writers_beside_a_purge_lose_nothing_and_are_never_locked_out(processes):
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


@pytest.fixture
def on_disk(disk, tmp_path):
    """Processes of a site that has its database, and only that, on ``disk``."""
    running = Processes(
        tmp_path,
        DATABASE_URL=f"sqlite:////{str(disk).lstrip('/')}/db.sqlite3",
        HUEY_URL=f"sqlite:////{str(tmp_path).lstrip('/')}/huey.sqlite3",
        HOUSEKEEPING_HEARTBEAT_SECONDS="1",
    )
    assert running.start("migrate").wait() == 0
    running.shell(MAKE_OLD_CONVERSATIONS)
    yield running
    running.end()


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
    assert len(complaints(consumer)) <= 4 * ask(disk, "SELECT attempts FROM housekeeping_run")

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


# --- The site's own database goes away ----------------------------------------------------------


@pytest.fixture
def database():
    """A PostgreSQL server that is the site's database, and can be stopped."""
    with services.running(services.Postgres) as server:
        yield server


@pytest.fixture
def on_postgres(database, tmp_path):
    running = Processes(
        tmp_path,
        DATABASE_URL=database.url,
        HUEY_URL=f"sqlite:////{str(tmp_path).lstrip('/')}/huey.sqlite3",
        HOUSEKEEPING_HEARTBEAT_SECONDS="1",
    )
    assert running.start("migrate").wait() == 0
    running.shell(MAKE_OLD_CONVERSATIONS)
    yield running
    running.end()


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


# --- Mistakes of the site -----------------------------------------------------------------------

WITH_A_BROKEN_POLICY = """
from datetime import timedelta
from pathlib import Path
from django.core.management import call_command
from django.utils import timezone
from chat.models import Conversation
from housekeeping.declared import registry
from housekeeping.declared.policies import Policy

def rows(cutoff):
    if cutoff < timezone.now() and Path({broken!r}).exists():
        raise ValueError("a mistake in the policy")
    return Conversation.objects.filter(created_at__lt=cutoff)

policy = Policy("mine", rows, timedelta(days=30))
registry.task("mine", policy=policy)(lambda purge: {{}})
call_command("run_huey")
"""


@on_sqlite
def test_a_mistake_in_a_policy_is_logged_and_does_not_end_the_thread_that_measures(processes, tmp_path):
    broken = tmp_path / "broken"
    broken.touch()
    consumer = processes.start("shell", "--no-imports", "-c", WITH_A_BROKEN_POLICY.format(broken=str(broken)))

    consumer.says("[ERROR] Could not measure the gauges: a mistake in the policy")
    broken.unlink()

    consumer.says("[WARNING] Can measure the gauges again")
