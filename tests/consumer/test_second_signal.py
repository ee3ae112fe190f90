"""Signals to ``run_huey``, and to the site that started it, while a task looks at nothing."""

import os
import signal
import time

import pytest

from housekeeping.models import Consumer
from tests import make
from tests.processes import ROOT, Installed, Processes, children, is_process
from tests.services import wait_until

STUCK = """
import time
from housekeeping.declared import registry
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
    wait_until(lambda: not any(map(is_process, workers)), what="the end of the workers")


MANAGE = """
import sys, time
sys.path.insert(0, {root!r})
import django
django.setup()
from django.core.management import execute_from_command_line
from housekeeping.declared import registry
@registry.task("stuck")
def stuck():
    print("In the middle of it", flush=True)
    time.sleep(60)
execute_from_command_line(sys.argv)
"""


@pytest.fixture
def site(processes, tmp_path):
    """A development server, and beside it a consumer in the middle of a task that looks at nothing."""
    (tmp_path / "manage.py").write_text(MANAGE.format(root=str(ROOT)))
    processes.installed = Installed(folder=tmp_path)
    environment = {"HOUSEKEEPING_AUTOSTART": "true", "DJANGO_SETTINGS_MODULE": "site_config.settings"}
    site, _ = processes.site("--noreload", **environment)
    site.says("In the middle of it")
    return site


@pytest.fixture
def run(transactional_db):
    return make.run("stuck")


def test_a_second_ctrl_c_ends_the_site_and_its_stuck_consumer(run, site):
    pid = Consumer.objects.get().pid
    site.signal(signal.SIGINT)
    site.says("Shutting down gracefully")
    time.sleep(1.2)  # a second press of the key

    site.signal(signal.SIGINT)

    site.wait(10)
    assert "Traceback" not in site.output
    run.refresh_from_db()
    assert (run.status, run.losses) == ("queued", 0)
    wait_until(lambda: not is_process(pid), what="the consumer's end")


def test_a_second_ctrl_c_kills_a_consumer_that_hears_nothing(run, site):
    pid = Consumer.objects.get().pid
    os.kill(pid, signal.SIGSTOP)
    site.signal(signal.SIGINT)
    time.sleep(1.2)

    site.signal(signal.SIGINT)

    site.wait(10)
    wait_until(lambda: not is_process(pid), what="the consumer's end")
    assert "Traceback" not in site.output
    assert "The consumer is killed" in site.output
