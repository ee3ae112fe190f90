"""Worker processes that are replaced while the consumer's own threads are at work."""

import os
import signal

import pytest
from django.utils import timezone

from housekeeping.models import Run
from tests import make
from tests.processes import Processes, children
from tests.services import wait_until

WITH_A_LOCK = """
import threading
import time
from datetime import timedelta
from django.core.management import call_command
from chat.models import Conversation
from housekeeping.declared import registry
from housekeeping.declared.policies import Policy

lock = threading.Lock()

def rows(cutoff):
    with lock:
        print("Measured in a thread", flush=True)
        time.sleep({seconds})
    return Conversation.objects.filter(created_at__lt=cutoff)

registry.task("measured", policy=Policy("measured", rows, timedelta(days=30)))(lambda purge: dict())

@registry.task("locked")
def locked():
    with lock:
        return dict(done=True)

call_command("run_huey", "-k", "process", "-w", "1", "-c", "0.3")
"""


def consumer_of(processes, *, seconds):
    """A consumer that measures for several times ``seconds``, and has begun."""
    consumer = processes.start("shell", "--no-imports", "-c", WITH_A_LOCK.format(seconds=seconds))
    consumer.says("Measured in a thread")
    return consumer


@pytest.fixture
def processes(transactional_db, tmp_path):
    running = Processes(tmp_path, HUEY_URL=f"sqlite:////{str(tmp_path).lstrip('/')}/huey.sqlite3")
    yield running
    running.end()


def kill_the_worker(consumer):
    wait_until(lambda: len(children(consumer.pid)) == 2, what="the scheduler and a worker")
    _, worker = sorted(children(consumer.pid))
    os.kill(worker, signal.SIGKILL)


def test_a_replaced_worker_holds_no_lock_of_a_thread(processes):
    consumer = consumer_of(processes, seconds=1)

    kill_the_worker(consumer)
    run = make.run("locked")

    wait_until(lambda: Run.objects.filter(pk=run.pk, status="succeeded").exists(), seconds=40)
    assert "Worker 1 died, restarting." in consumer.output


def test_a_run_whose_message_died_with_a_worker_is_sent_again_at_once(processes):
    consumer = consumer_of(processes, seconds=0)
    run = make.run("locked", sent_at=timezone.now())  # and read by the worker that dies

    kill_the_worker(consumer)

    wait_until(lambda: Run.objects.filter(pk=run.pk, status="succeeded").exists(), seconds=40)
