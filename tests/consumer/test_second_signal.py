"""Signals to ``run_huey`` while a task looks at nothing."""

import signal
import time

import pytest

from housekeeping.models import Consumer
from tests import make
from tests.processes import Processes, children, is_process

STUCK = """
import time
from housekeeping import registry
@registry.task("stuck")
def stuck():
    print("In the middle of it", flush=True)
    {work}
from django.core.management import call_command
call_command("run_huey", "-k", "{kind}")
"""
WORK = {"sleeping": "time.sleep(60)", "busy": "exec('while True: pass')"}


@pytest.fixture
def processes(transactional_db, tmp_path):
    running = Processes(tmp_path, HUEY_URL=f"sqlite:////{str(tmp_path).lstrip('/')}/huey.sqlite3")
    yield running
    running.end()


def stuck_consumer(processes, kind, work):
    """A consumer in the middle of a task that never looks whether it is to stop."""
    run = make.run("stuck")
    code = STUCK.format(work=WORK[work], kind=kind)
    consumer = processes.start("shell", "--no-imports", "-c", code)
    consumer.says("In the middle of it")
    return consumer, run


@pytest.mark.parametrize(
    ("kind", "work", "number"),
    [
        ("thread", "sleeping", signal.SIGINT),
        ("thread", "busy", signal.SIGTERM),
        ("process", "sleeping", signal.SIGTERM),
        ("process", "busy", signal.SIGINT),
    ],
    ids=str,
)
def test_a_second_signal_ends_a_stuck_task_and_its_run_waits_again(processes, kind, work, number):
    consumer, run = stuck_consumer(processes, kind, work)
    workers = children(consumer.pid)

    consumer.signal(number)
    consumer.says("Shutting down gracefully")
    time.sleep(1.2)  # a second press of the key
    consumer.signal(number)
    began = time.monotonic()

    assert consumer.wait(10) == 128 + number, consumer.output
    assert time.monotonic() - began < 5
    run.refresh_from_db()
    assert (run.status, run.losses, run.lease_until) == ("queued", 0, None)
    assert Consumer.objects.get().stopped_at
    assert not any(map(is_process, workers))
