"""An automatic retry, carried out by real ``run_huey`` processes."""

import pytest

from housekeeping.models import Run
from tests import make
from tests.processes import Processes
from tests.services import wait_until

FAILS_ONCE = """
from datetime import timedelta
from pathlib import Path
from django.core.management import call_command
from housekeeping.declared import registry

@registry.task("dishes", retries=2, retry_delay=timedelta(seconds=2))
def wash_dishes():
    broken = Path({broken!r})
    if broken.exists():
        broken.unlink()
        raise ValueError("no water")
    return {{"plates": 1}}

call_command("run_huey")
"""


@pytest.fixture
def processes(transactional_db, tmp_path):
    running = Processes(tmp_path, HUEY_URL=f"sqlite:////{str(tmp_path).lstrip('/')}/huey.sqlite3")
    yield running
    running.end()


def test_two_consumers_retry_a_run_once_and_not_before_its_time(processes, tmp_path):
    broken = tmp_path / "broken"
    broken.touch()
    run = make.run("dishes")
    for _ in range(2):
        processes.start("shell", "--no-imports", "-c", FAILS_ONCE.format(broken=str(broken)))

    wait_until(Run.objects.filter(task="dishes", status="succeeded").exists, what="the retry")

    run.refresh_from_db()
    [retry] = Run.objects.filter(task="dishes").exclude(pk=run.pk)
    assert (run.status, run.error) == ("failed", "ValueError: no water")
    assert (retry.retry_of, retry.cause, retry.retry_number, retry.attempts) == (run, "retry", 1, 1)
    assert retry.started_at >= retry.not_before
    assert retry.result == {"plates": 1}
