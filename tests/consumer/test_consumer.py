"""Real ``run_huey`` processes, on each storage."""

import re
import signal
from datetime import timedelta

import pytest
from django.utils import timezone

from chat.models import Conversation
from housekeeping.models import Consumer, Run, ScheduleState, Snapshot
from tests import make
from tests.make import days
from tests.services import wait_until


def wait_for(runs, *, seconds=20):
    wait_until(runs.exists, seconds=seconds, what=f"{runs.query}")
    return runs.get()


def test_a_queued_run_deletes_real_rows(processes):
    make.conversation(age=days(31), messages=2)
    kept = make.conversation(age=days(29))
    make.run()  # asked for while no consumer was up

    processes.consumer()

    run = wait_for(Run.objects.filter(status="succeeded"))
    assert run.result == {"deleted_conversations": 1}
    assert list(Conversation.objects.all()) == [kept]


def test_run_huey_lists_the_schedules_and_logs_them(processes):
    consumer = processes.consumer()

    consumer.says("+ housekeeping.queue.tasks.statistics_generation")
    for name in ("execute_run", "daily_housekeeping", "weekly_cleanup"):
        assert f"+ housekeeping.queue.tasks.{name}" in consumer.output
    assert re.search(r"^\[INFO\] Consumer \S+:\d+ looks at the schedules:$", consumer.output, re.MULTILINE)
    assert consumer.output.count("[INFO] Scheduled: Daily housekeeping at 2:00 AM") == 1


def test_a_fire_time_missed_while_stopped_is_caught_up_once_by_two_consumers(processes):
    make.conversation(age=days(31))
    make.schedule_state("weekly_cleanup", due=make.ago(days=8))

    first, second = processes.consumer(), processes.consumer()

    run = wait_for(Run.objects.filter(schedule="weekly_cleanup", status="succeeded"))
    assert (run.cause, run.result) == ("catch-up", {"deleted_conversations": 1})
    assert first.is_running
    assert second.is_running
    assert Run.objects.filter(schedule="weekly_cleanup").exclude(status="missed").count() == 1


@pytest.mark.parametrize(
    ("kind", "number"),
    [("thread", signal.SIGTERM), ("process", signal.SIGINT)],
    ids=["thread-TERM", "process-INT"],
)
def test_a_stop_leaves_nothing_behind(processes, kind, number):
    consumer = processes.consumer("-k", kind)
    wait_until(Consumer.objects.filter(stopped_at=None).exists)

    consumer.signal(number)

    assert consumer.wait() == 0
    assert Consumer.objects.get().stopped_at
    assert "Traceback" not in consumer.output


@pytest.mark.parametrize("kind", ["thread", "process"])
def test_a_purge_that_is_stopped_is_finished_by_the_next_consumer(processes, kind):
    owner = make.user()
    Conversation.objects.bulk_create(
        Conversation(user=owner, created_at=make.ago(days=40)) for _ in range(10_000)
    )
    processes.environment["HOUSEKEEPING_PACE"] = "gentle"  # it takes seconds, so that it can be stopped
    run = make.run()
    first = processes.consumer("-k", kind)
    wait_until(Run.objects.filter(status="running").exclude(deleted={}).exists)

    first.signal(signal.SIGTERM)

    assert first.wait() == 0
    run.refresh_from_db()
    left = Conversation.objects.count()
    assert (run.status, run.done) == ("queued", 10_000 - left)
    assert 0 < left < 10_000

    processes.consumer("-k", kind)

    run = wait_for(Run.objects.filter(status="succeeded"), seconds=60)
    assert (run.attempts, run.result) == (2, {"deleted_conversations": 10_000})


def test_huey_itself_answers_the_result(processes, queue_url):
    run = make.run("stats")
    processes.consumer()
    wait_for(Run.objects.filter(status="succeeded"))
    code = (
        "from huey.contrib.djhuey import HUEY;"
        f"print(HUEY.result('{run.pk}', preserve=True)['stats']['total_users'])"
    )

    shell = processes.start("shell", "--no-imports", "-c", code)

    assert (shell.wait(), shell.output.split()) == (0, ["0"])
    assert Snapshot.objects.count() == 1


def test_a_tampered_message_runs_no_code_and_stops_nothing(processes, queue_url, tmp_path):
    trap = tmp_path / "trap"
    code = f"""
import os, pickle
from huey.contrib.djhuey import HUEY
class Trap:
    def __reduce__(self):
        return os.mkdir, ({str(trap)!r},)
for message in (b"garbage", pickle.dumps(Trap()), pickle.dumps(Trap()) + b":" + b"0" * 40):
    HUEY.storage.enqueue(message)
"""
    assert processes.start("shell", "--no-imports", "-c", code).wait() == 0
    make.run("stats")

    consumer = processes.consumer()

    wait_for(Run.objects.filter(status="succeeded"))
    wait_until(lambda: consumer.output.count("was dropped") == 3, what="three lines in the log")
    assert not trap.exists()


def test_a_start_without_tables_is_one_clear_line(processes, tmp_path):
    consumer = processes.start("run_huey", DATABASE_URL=f"sqlite:///{tmp_path}/empty.sqlite3")

    assert consumer.wait() == 1
    assert consumer.output.strip().endswith("run `python manage.py migrate` first.")
    assert "Traceback" not in consumer.output


def test_a_consumer_that_does_not_schedule_says_so_and_opens_no_run(processes):
    make.schedule_state("daily_housekeeping", due=make.ago(hours=30))
    waiting = make.run("stats")

    consumer = processes.consumer("-n")

    wait_for(Run.objects.filter(pk=waiting.pk, status="succeeded"))
    assert not Consumer.objects.get().schedules
    assert not Run.objects.exclude(pk=waiting.pk).exists()
    assert "does not look at the schedules" in consumer.output
    assert "Scheduled:" not in consumer.output


def test_a_run_starts_within_a_second_of_its_fire_time(processes):
    processes.consumer()
    wait_until(ScheduleState.objects.filter(id="statistics_generation").exists)
    due = (timezone.now() + timedelta(seconds=2)).replace(microsecond=0)

    ScheduleState.objects.filter(id="statistics_generation").update(next_fire_at=due)

    run = wait_for(Run.objects.filter(schedule="statistics_generation", status="succeeded"))
    assert timedelta() <= run.started_at - due < timedelta(seconds=1)
