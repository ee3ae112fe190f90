"""``runserver`` and the consumer beside it."""

import os
import signal
import subprocess
import sys

import pytest

from housekeeping.models import Consumer
from tests.processes import ROOT, Processes, is_process
from tests.services import wait_until


@pytest.fixture
def processes(transactional_db, tmp_path):
    running = Processes(tmp_path, HUEY_URL=f"sqlite:////{str(tmp_path).lstrip('/')}/huey.sqlite3")
    yield running
    running.end()


def alive():
    return Consumer.objects.filter(stopped_at=None)


@pytest.mark.parametrize("options", [(), ("--noreload",)], ids=["autoreload", "noreload"])
def test_runserver_starts_one_consumer_and_both_end_together(processes, options):
    site, _ = processes.site(*options, HOUSEKEEPING_AUTOSTART="true")
    wait_until(alive().exists, what="a consumer")
    [consumer] = alive()

    os.killpg(site.child.pid, signal.SIGINT)  # Ctrl-C

    site.wait()
    wait_until(lambda: not is_process(consumer.pid), what="the consumer's end")
    assert Consumer.objects.count() == 1
    assert Consumer.objects.get().stopped_at
    assert site.output.count("Huey consumer started") == 1


def test_site_and_consumer_on_one_terminal_name_the_schedules_once(processes):
    site, _ = processes.site(HOUSEKEEPING_AUTOSTART="true")

    site.says("Huey consumer started")

    assert site.output.count("Scheduled: Daily housekeeping at 2:00 AM") == 1
    assert "The site is up. Its consumers run these schedules:" in site.output
    assert "looks at the schedules that the site has named" in site.output


def test_a_killed_runserver_takes_its_consumer_along(processes):
    site, _ = processes.site("--noreload", HOUSEKEEPING_AUTOSTART="true")
    wait_until(alive().exists, what="a consumer")
    [consumer] = alive()

    site.signal(signal.SIGKILL)

    wait_until(lambda: not is_process(consumer.pid), what="the consumer's end")


def test_a_reload_replaces_the_consumer(processes, tmp_path):
    site, _ = processes.site(HOUSEKEEPING_AUTOSTART="true")
    wait_until(alive().exists, what="a consumer")
    first = alive().get()

    def is_gone() -> bool:
        # Django sees no change in a file that it has not looked at yet, so one touch may be too early.
        (ROOT / "chat" / "apps.py").touch()
        return not is_process(first.pid)

    wait_until(is_gone, what="the first one's end")
    wait_until(alive().exclude(pk=first.pk).exists, what="a second consumer")
    assert alive().count() == 1
    assert site.is_running


def test_runserver_starts_none_where_it_is_switched_off(processes):
    site, _ = processes.site("--noreload", HOUSEKEEPING_AUTOSTART="false")

    site.says("Quit the server")
    assert not Consumer.objects.exists()
    assert "Huey consumer" not in site.output


@pytest.mark.parametrize(
    "words",
    [
        ("migrate",),
        ("check",),
        ("shell", "--no-imports", "-c", "1"),
        ("showmigrations",),
        ("scheduler_info",),
    ],
    ids=lambda words: words[0],
)
def test_no_other_command_starts_anything(processes, words):
    process = processes.start(*words, HOUSEKEEPING_AUTOSTART="true")

    assert process.wait() == 0
    assert "consumer started" not in process.output
    assert "Scheduled:" not in process.output
    assert not Consumer.objects.exists()


def test_the_site_under_a_server_of_its_own_logs_the_schedules(processes):
    output = subprocess.run(
        [sys.executable, "-c", "import site_config.wsgi"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stderr

    assert "[INFO] Scheduled: Weekly cleanup on Sunday at 3:00 AM" in output
