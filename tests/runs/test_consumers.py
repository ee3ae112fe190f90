from datetime import timedelta

import pytest
from django.utils import timezone

from housekeeping.models import Consumer
from housekeeping.reading import overview
from housekeeping.runs import consumers
from tests import make

pytestmark = pytest.mark.django_db


def test_a_consumer_joins_beats_and_leaves():
    start = timezone.now()
    consumer = consumers.join(workers=2, worker_type="thread", schedules=True, now=start)

    consumers.beat(consumer, start + timedelta(seconds=25))
    assert consumer in Consumer.objects.alive(start + timedelta(seconds=50))

    consumers.leave(consumer, start + timedelta(seconds=51))
    assert not Consumer.objects.alive(start + timedelta(seconds=52)).exists()


def test_a_beat_brings_back_a_row_that_was_cleaned_away():
    now = timezone.now()
    consumer = consumers.join(workers=2, worker_type="thread", schedules=True, now=now)
    Consumer.objects.all().delete()

    consumers.beat(consumer, now)

    assert Consumer.objects.get() == consumer


def test_the_scheduler_is_stopped_without_a_consumer_that_schedules():
    make.consumer(schedules=False)
    make.consumer(age=timedelta(minutes=5))

    assert overview.scheduler_status(timezone.now()).status == "stopped"


def test_the_scheduler_runs_with_a_consumer_that_schedules():
    make.consumer()

    assert overview.scheduler_status(timezone.now()).status == "running"


def test_the_scheduler_is_paused_once_every_schedule_is():
    make.consumer()
    for key in ("daily_housekeeping", "weekly_cleanup", "statistics_generation"):
        make.schedule_state(key, due=timezone.now(), is_paused=True)

    status = overview.scheduler_status(timezone.now())

    assert status.status == "paused"
    assert [job.next_run_at for job in status.listed] == [None, None, None]
