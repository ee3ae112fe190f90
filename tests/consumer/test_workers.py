"""The workers of real consumers, threads and processes, as the page of consumers tells of them."""

import pytest
from django.utils import timezone

from housekeeping.models import Run
from housekeeping.reading import workers
from tests import make
from tests.services import wait_until

WITH_SLOW_TASKS = """
import time
from django.core.management import call_command
from housekeeping.declared import registry

def slow(checkpoint):
    while True:
        checkpoint()
        time.sleep(0.1)

for name in ("one", "two"):
    registry.task(name)(slow)

call_command("run_huey", "-k", "{kind}", "-w", "{workers}")
"""


@pytest.mark.parametrize(
    ("kind", "consumers", "each"), [("thread", 1, 2), ("process", 1, 2), ("thread", 2, 1)]
)
def test_each_worker_tells_its_name(processes, kind, consumers, each):
    runs = [make.run("one"), make.run("two")]
    for _ in range(consumers):
        processes.start("shell", "--no-imports", "-c", WITH_SLOW_TASKS.format(kind=kind, workers=each))

    def doing():
        found = workers.read(timezone.now()).consumers
        return {(card.consumer.pid, work.worker): work.run.pk for card in found for work in card.doing}

    wait_until(lambda: len(doing()) == 2, what="two busy workers")

    names = {worker for _pid, worker in doing()}
    assert names == ({"Worker-1", "Worker-2"} if consumers == 1 else {"Worker-1"})
    assert len({pid for pid, _worker in doing()}) == consumers
    assert set(doing().values()) == {run.pk for run in runs}
    assert set(Run.objects.values_list("status", flat=True)) == {"running"}
