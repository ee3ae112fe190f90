"""What goes wrong at night, done to real ``run_huey`` processes on purpose.

They beat each second here, so that a run of a silent worker is taken back within four.
"""

import re
import signal
import time
from datetime import timedelta

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from chat.models import Conversation
from housekeeping.models import Consumer, Gauge, Run, ScheduleState
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
    processes.environment["HOUSEKEEPING_PACE"] = "gentle"  # a purge takes seconds, so there is a middle
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


# --- Several consumers ------------------------------------------------------------------------


def test_three_consumers_run_each_fire_time_once_and_on_time(processes):
    # Before they start: the first ticks compute the fire times of schedules that have none.
    schedules.change("statistics_generation", "00:01:00")
    processes.consumers(3)
    ran = Run.objects.filter(schedule="statistics_generation", status="succeeded")
    due = []

    for number in range(1, 5):
        due.append((timezone.now() + timedelta(seconds=1.3)).replace(microsecond=0))
        ScheduleState.objects.filter(id="statistics_generation").update(next_fire_at=due[-1])
        wait_until(lambda number=number: ran.count() == number, what=f"run {number}")

    runs = Run.objects.filter(schedule="statistics_generation").order_by("requested_at")
    assert [run.scheduled_for for run in runs] == due
    assert all(timedelta() <= run.started_at - run.scheduled_for < timedelta(seconds=1) for run in runs)
    assert logs(processes).count("Starting housekeeping task stats") == 4


# --- Killed, stopped, restarted ---------------------------------------------------------------


@on_sqlite
def test_a_consumer_that_wakes_up_after_its_lease_leaves_the_run_to_its_new_owner(processes):
    made = old_conversations(20_000)
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
    made = old_conversations(20_000)
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
    made = old_conversations(20_000)
    make.run()
    consumer = processes.consumer("-k", kind)
    mid_purge()

    consumer.signal(signal.SIGHUP)

    run = wait_for(Run.objects.filter(status="succeeded"))
    assert (run.done, run.attempts, run.losses) == (made, 2, 0)
    assert consumer.output.count(f"PID {consumer.pid} at") == 2
    assert run.consumer.pid == consumer.pid
    assert [one.stopped_at is None for one in Consumer.objects.order_by("started_at")] == [False, True]


# --- The queue's storage ----------------------------------------------------------------------


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


# --- Mistakes of the site ---------------------------------------------------------------------

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

    consumer.says("[ERROR] Could not measure the gauges: The rows of the policy mine can't be counted: ")
    broken.unlink()
    Gauge.objects.all().delete()  # so that it is measured at the next look, not 20 s later

    consumer.says("[WARNING] Can measure the gauges again")
